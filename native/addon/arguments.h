// Owns the reading and checking of what JavaScript passes: the last place where a mistake of the
// caller is still an error message.
// Never trusts a type, a length or a number, and never ends the process: each reader
// answers false once it has thrown, and its caller returns to JavaScript at once.
// Invariant: at most one exception is pending, the first.
#ifndef NETRT_ADDON_ARGUMENTS_H_
#define NETRT_ADDON_ARGUMENTS_H_

#include <node_api.h>

#include <cstddef>
#include <cstdint>

namespace netrt {

// The most that a function of this addon takes.
constexpr size_t ARGUMENTS_MAX = 9;

// What a call brought. Missing arguments are `undefined`, which no reader takes.
struct Arguments {
  napi_env env;
  void* data;  // what the function was created with
  napi_value values[ARGUMENTS_MAX];
};

// Memory of a typed array. It stays where it is as long as the array lives and is not detached.
struct Memory {
  napi_value array;
  void* bytes;
  size_t length;  // in elements
};

// Throws a TypeError with a `code`: `what` was wrong. Always false.
bool argumentRefuse(napi_env env, const char* code, const char* what);

bool argumentsRead(Arguments& arguments, napi_env env, napi_callback_info info, size_t count);

// A whole number from 0 to `most`.
bool argumentWord(const Arguments& arguments, size_t index, const char* what, uint32_t most,
                  uint32_t& value);

// A time in µs: a number that is not negative. What no clock reaches is UINT64_MAX.
bool argumentTime(const Arguments& arguments, size_t index, const char* what, uint64_t& timeUs);

bool argumentFlag(const Arguments& arguments, size_t index, const char* what, bool& value);

// A typed array of this type, with at least `least` and at most `most` elements.
bool argumentMemory(const Arguments& arguments, size_t index, const char* what,
                    napi_typedarray_type type, size_t least, size_t most, Memory& memory);

bool argumentFunction(const Arguments& arguments, size_t index, const char* what);

}  // namespace netrt

#endif  // NETRT_ADDON_ARGUMENTS_H_
