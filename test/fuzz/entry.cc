// entry: what libFuzzer calls, for the one target that the build names in NETRT_FUZZ_TARGET.
#include "targets.h"

#define NETRT_FUZZ_JOIN(name) name##Target
#define NETRT_FUZZ_NAME(name) NETRT_FUZZ_JOIN(name)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  netrt::fuzz::NETRT_FUZZ_NAME(NETRT_FUZZ_TARGET)(data, size);
  return 0;
}
