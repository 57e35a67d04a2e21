// memory: how often the allocator was called, for tests that hold that it is not. In memory.cc.
#ifndef NETRT_TEST_NATIVE_MEMORY_H_
#define NETRT_TEST_NATIVE_MEMORY_H_

#include <cstdint>

namespace netrt::test {

// Begins to count, from 0.
void memoryWatch();

// Ends it. Calls that answered with memory meanwhile.
uint32_t memoryTaken();

}  // namespace netrt::test

#endif  // NETRT_TEST_NATIVE_MEMORY_H_
