// Owns the entry of netrt_probe, the addon that shows the core's functions to the unit tests, so
// that one suite runs over both languages. Never ships: binding.gyp builds it in a checkout only.
#include "addon/probe.h"

namespace {

Napi::Object init(Napi::Env, Napi::Object exports) {
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
