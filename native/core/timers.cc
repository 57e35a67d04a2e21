// Deadlines of many owners: see timers.h.
#include "core/timers.h"

#include <cstdlib>

namespace netrt {

namespace {

constexpr uint32_t NOWHERE = 0xffffffff;

void place(Timers& timers, uint32_t index, uint32_t slot) {
  timers.heap[index] = slot;
  timers.place[slot] = index;
}

void siftUp(Timers& timers, uint32_t index, uint32_t slot) {
  const uint64_t deadline = timers.deadlines[slot];
  while (index > 0) {
    const uint32_t parent = (index - 1) >> 1;
    const uint32_t other = timers.heap[parent];
    if (timers.deadlines[other] <= deadline) break;
    place(timers, index, other);
    index = parent;
  }
  place(timers, index, slot);
}

void siftDown(Timers& timers, uint32_t index, uint32_t slot) {
  const uint64_t deadline = timers.deadlines[slot];
  for (;;) {
    uint32_t child = 2 * index + 1;
    if (child >= timers.count) break;
    const uint32_t right = child + 1;
    if (right < timers.count &&
        timers.deadlines[timers.heap[right]] < timers.deadlines[timers.heap[child]]) {
      child = right;
    }
    const uint32_t other = timers.heap[child];
    if (deadline <= timers.deadlines[other]) break;
    place(timers, index, other);
    index = child;
  }
  place(timers, index, slot);
}

void remove(Timers& timers, uint32_t slot) {
  const uint32_t index = timers.place[slot];
  timers.place[slot] = NOWHERE;
  timers.count -= 1;
  if (index == timers.count) return;
  const uint32_t last = timers.heap[timers.count];
  siftDown(timers, index, last);
  siftUp(timers, timers.place[last], last);
}

}  // namespace

bool timersOpen(Timers& timers, uint32_t slots) {
  timers.deadlines = static_cast<uint64_t*>(calloc(slots + 1, sizeof(uint64_t)));
  timers.heap = static_cast<uint32_t*>(calloc(slots + 1, sizeof(uint32_t)));
  timers.place = static_cast<uint32_t*>(calloc(slots + 1, sizeof(uint32_t)));
  if (timers.deadlines == nullptr || timers.heap == nullptr || timers.place == nullptr) {
    timersClose(timers);
    return false;
  }
  for (uint32_t slot = 0; slot < slots; slot++) {
    timers.deadlines[slot] = NO_DEADLINE;
    timers.place[slot] = NOWHERE;
  }
  return true;
}

void timersClose(Timers& timers) {
  free(timers.deadlines);
  free(timers.heap);
  free(timers.place);
  timers = Timers();
}

void timersSet(Timers& timers, uint32_t slot, uint64_t deadlineUs) {
  // A slot without a deadline is in no place, so one that loses its deadline is.
  if (timers.deadlines[slot] == deadlineUs) return;
  const bool known = timers.place[slot] != NOWHERE;
  timers.deadlines[slot] = deadlineUs;
  if (deadlineUs == NO_DEADLINE) {
    remove(timers, slot);
    return;
  }
  if (!known) {
    timers.count += 1;
    siftUp(timers, timers.count - 1, slot);
    return;
  }
  siftDown(timers, timers.place[slot], slot);
  siftUp(timers, timers.place[slot], slot);
}

uint64_t timersNext(const Timers& timers) {
  return timers.count == 0 ? NO_DEADLINE : timers.deadlines[timers.heap[0]];
}

uint32_t timersFirst(const Timers& timers) { return timers.heap[0]; }

}  // namespace netrt
