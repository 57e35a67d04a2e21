// Owns what the parts of the probe share: reading arguments.
// Never checks what a test passes: the probe is built in a checkout only, for the unit tests of the
// core, and is in no package.
#ifndef NETRT_ADDON_PROBE_H_
#define NETRT_ADDON_PROBE_H_

#include <napi.h>

#include <cstddef>
#include <cstdint>

namespace netrt {

inline uint32_t probeU32(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Number>().Uint32Value();
}

// A 64-bit number is two arguments, low half first.
inline uint64_t probeU64(const Napi::CallbackInfo& info, size_t index) {
  return probeU32(info, index) | (uint64_t{probeU32(info, index + 1)} << 32);
}

inline uint8_t* probeBytes(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Uint8Array>().Data();
}

inline size_t probeLength(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::TypedArray>().ElementLength();
}

inline uint32_t* probeWords(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Uint32Array>().Data();
}

inline double* probeDoubles(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Float64Array>().Data();
}

// A time is a number below 2^53.
inline uint64_t probeTime(const Napi::CallbackInfo& info, size_t index) {
  return static_cast<uint64_t>(info[index].As<Napi::Number>().Int64Value());
}

// A machine that the test's handle owns.
template <typename Machine>
Napi::Value probeHandle(const Napi::CallbackInfo& info, Machine* machine) {
  return Napi::External<Machine>::New(info.Env(), machine,
                                      [](Napi::BasicEnv, Machine* data) { delete data; });
}

// The machine of the handle that is the first argument.
template <typename Machine>
Machine& probeMachine(const Napi::CallbackInfo& info) {
  return *info[0].As<Napi::External<Machine>>().Data();
}

template <typename Callback>
void probeExport(Napi::Object exports, const char* name, Callback callback) {
  exports.Set(name, Napi::Function::New(exports.Env(), callback, name));
}

// The functions of the codec half: bytes to token.
void probeCodecInit(Napi::Object exports);

// The functions of the engine half: rings to frames.
void probeEngineInit(Napi::Object exports);

// … of frames,
void probeFrameInit(Napi::Object exports);

// The channels of one connection.
void probeLineInit(Napi::Object exports);

// The sans-IO verbs of a whole host.
void probeHostInit(Napi::Object exports);

// Loops over single pieces of the core, timed.
void probeBenchInit(Napi::Object exports);

}  // namespace netrt

#endif  // NETRT_ADDON_PROBE_H_
