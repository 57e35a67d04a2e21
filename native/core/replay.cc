// The replay window: see replay.h.
#include "core/replay.h"

namespace netrt {

namespace {

constexpr uint32_t MASK = REPLAY_WINDOW_PACKETS - 1;

uint32_t bitOf(uint64_t sequence) { return static_cast<uint32_t>(sequence) & MASK; }

}  // namespace

void replayReset(ReplayWindow& window) { window = ReplayWindow(); }

bool replayNewer(const ReplayWindow& window, uint64_t sequence) { return sequence > window.newest; }

bool replayTest(const ReplayWindow& window, uint64_t sequence) {
  if (replayNewer(window, sequence)) return true;
  if (window.newest - sequence >= REPLAY_WINDOW_PACKETS) return false;
  const uint32_t bit = bitOf(sequence);
  return ((window.seen[bit >> 5] >> (bit & 31)) & 1) == 0;
}

void replayAdvance(ReplayWindow& window, uint64_t sequence) {
  if (replayNewer(window, sequence)) {
    const uint64_t ahead = sequence - window.newest;
    if (ahead >= REPLAY_WINDOW_PACKETS) {
      for (uint32_t& word : window.seen) word = 0;
    } else {
      // The bits of the numbers passed over still tell of numbers 256 older.
      for (uint64_t step = 1; step < ahead; step++) {
        const uint32_t bit = bitOf(window.newest + step);
        window.seen[bit >> 5] &= ~(uint32_t{1} << (bit & 31));
      }
    }
    window.newest = sequence;
  } else if (window.newest - sequence >= REPLAY_WINDOW_PACKETS) {
    return;
  }
  const uint32_t bit = bitOf(sequence);
  window.seen[bit >> 5] |= uint32_t{1} << (bit & 31);
}

}  // namespace netrt
