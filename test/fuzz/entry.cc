// entry: what libFuzzer calls, for the one target that the build names in NETRT_FUZZ_TARGET.
//
// The ciphers are the stand-ins: what is looked for is in the protocol, and real ciphers took two
// thirds of a connection's time. Replays of what was found have the real ones.
#include "addon/probe_standin.h"
#include "targets.h"

#define NETRT_FUZZ_JOIN(name) name##Target
#define NETRT_FUZZ_NAME(name) NETRT_FUZZ_JOIN(name)

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  netrt::standIn(true);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  netrt::fuzz::NETRT_FUZZ_NAME(NETRT_FUZZ_TARGET)(data, size);
  return 0;
}
