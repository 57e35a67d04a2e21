// Owns the earliest deadline of many owners, as an indexed binary heap: one deadline per slot.
// Never knows what is due, never reads a clock, never scans all slots: setting is O(log n), the
// earliest is O(1). Equal deadlines come in an order that the sequence of calls alone decides, so
// both engines agree.
// Invariant: heap[i] is not later than its children; place[heap[i]] = i.
#ifndef NETRT_CORE_TIMERS_H_
#define NETRT_CORE_TIMERS_H_

#include <cstdint>

namespace netrt {

// Later than every time: the greatest integer of a TypeScript number, so that sums with it stay far
// from wrapping.
constexpr uint64_t NO_DEADLINE = (uint64_t{1} << 53) - 1;

struct Timers {
  uint64_t* deadlines = nullptr;
  uint32_t* heap = nullptr;
  uint32_t* place = nullptr;
  uint32_t count = 0;
};

// Takes the memory for so many slots; false when there is none.
bool timersOpen(Timers& timers, uint32_t slots);
void timersClose(Timers& timers);

// Sets the deadline of a slot (µs); NO_DEADLINE takes it out.
void timersSet(Timers& timers, uint32_t slot, uint64_t deadlineUs);

// The earliest deadline (µs), or NO_DEADLINE.
uint64_t timersNext(const Timers& timers);

// The slot whose deadline is the earliest; only while timersNext is not NO_DEADLINE.
uint32_t timersFirst(const Timers& timers);

}  // namespace netrt

#endif  // NETRT_CORE_TIMERS_H_
