// Owns the entry of netrt_probe, the addon that shows the core's functions to the unit tests, so
// that one suite runs over both languages. Never ships: binding.gyp builds it in a checkout only.
#include "addon/probe.h"

#ifdef NETRT_COVERAGE
#include <csignal>
#include <cstdlib>

extern "C" int __llvm_profile_write_file(void);
#endif

namespace {

#ifdef NETRT_COVERAGE
// vitest ends its processes by a signal, and half a second later by one that nothing survives: an
// exit in order was often too slow, and what such a suite had reached was lost.
void keepCounts(int) {
  __llvm_profile_write_file();
  std::_Exit(0);
}
#endif

Napi::Object init(Napi::Env, Napi::Object exports) {
#ifdef NETRT_COVERAGE
  std::signal(SIGTERM, keepCounts);
#endif
  netrt::probeCodecInit(exports);
  netrt::probeEngineInit(exports);
  netrt::probeFrameInit(exports);
  netrt::probeLineInit(exports);
  netrt::probeHostInit(exports);
  netrt::probeBenchInit(exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(netrt_probe, init)
