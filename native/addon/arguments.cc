#include "addon/arguments.h"

namespace netrt {

namespace {

constexpr char CODE_ARGUMENT[] = "ERR_NETRT_ARGUMENT";

// The greatest integer that a JavaScript number holds exactly.
constexpr double INTEGER_MAX = 9007199254740991.0;

bool refuse(const Arguments& arguments, const char* what) {
  return argumentRefuse(arguments.env, CODE_ARGUMENT, what);
}

bool numberRead(const Arguments& arguments, size_t index, double& value) {
  return napi_get_value_double(arguments.env, arguments.values[index], &value) == napi_ok;
}

}  // namespace

bool argumentRefuse(napi_env env, const char* code, const char* what) {
  napi_throw_type_error(env, code, what);
  return false;
}

bool argumentsRead(Arguments& arguments, napi_env env, napi_callback_info info, size_t count) {
  arguments.env = env;
  size_t given = count;
  // Fails only while the environment goes down; then there is nobody to tell.
  return napi_get_cb_info(env, info, &given, arguments.values, nullptr, &arguments.data) == napi_ok;
}

bool argumentWord(const Arguments& arguments, size_t index, const char* what, uint32_t most,
                  uint32_t& value) {
  double number = 0;
  // Not a number compares false.
  if (!numberRead(arguments, index, number) || !(number >= 0 && number <= most)) {
    return refuse(arguments, what);
  }
  value = static_cast<uint32_t>(number);
  return static_cast<double>(value) == number || refuse(arguments, what);
}

bool argumentTime(const Arguments& arguments, size_t index, const char* what, uint64_t& timeUs) {
  double number = 0;
  if (!numberRead(arguments, index, number) || !(number >= 0)) return refuse(arguments, what);
  timeUs = number >= INTEGER_MAX ? UINT64_MAX : static_cast<uint64_t>(number);
  return true;
}

bool argumentFlag(const Arguments& arguments, size_t index, const char* what, bool& value) {
  return napi_get_value_bool(arguments.env, arguments.values[index], &value) == napi_ok ||
         refuse(arguments, what);
}

bool argumentMemory(const Arguments& arguments, size_t index, const char* what,
                    napi_typedarray_type type, size_t least, size_t most, Memory& memory) {
  memory.array = arguments.values[index];
  napi_typedarray_type actual = napi_int8_array;
  // Anything but a typed array fails here. Asking for the data also moves a small array's bytes out
  // of the garbage collector's reach, which is what makes it safe to keep the pointer.
  if (napi_get_typedarray_info(arguments.env, memory.array, &actual, &memory.length, &memory.bytes,
                               nullptr, nullptr) != napi_ok) {
    return refuse(arguments, what);
  }
  const bool fits = memory.length >= least && memory.length <= most;
  return (actual == type && fits) || refuse(arguments, what);
}

bool argumentFunction(const Arguments& arguments, size_t index, const char* what) {
  napi_valuetype type = napi_undefined;
  return (napi_typeof(arguments.env, arguments.values[index], &type) == napi_ok &&
          type == napi_function) ||
         refuse(arguments, what);
}

}  // namespace netrt
