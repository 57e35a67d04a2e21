// Owns the memory of which of the last 256 sequences were received, so that none is taken twice.
// Never moves on a packet that did not open: test, open, then advance.
// Invariants: a sequence is acceptable if it is newer than the newest seen, or less than 256 older
// and not seen. Distances are taken by subtraction: the reference once added the window to the
// sequence, which wraps near 2^64 and refused honest packets there (test/unit/replay.test.ts pins
// it). Bit `sequence mod 256` belongs to the one sequence of that residue that is inside the
// window.
#ifndef NETRT_CORE_REPLAY_H_
#define NETRT_CORE_REPLAY_H_

#include <cstdint>

#include "core/limits.h"

namespace netrt {

struct ReplayWindow {
  uint64_t newest = 0;
  uint32_t seen[REPLAY_WINDOW_PACKETS / 32] = {};
};

void replayReset(ReplayWindow& window);

// Whether a sequence is above all that were received.
bool replayNewer(const ReplayWindow& window, uint64_t sequence);

// Whether a packet of this sequence may be opened: not seen, and not too old to know.
bool replayTest(const ReplayWindow& window, uint64_t sequence);

// Remembers the sequence of a packet that opened.
void replayAdvance(ReplayWindow& window, uint64_t sequence);

}  // namespace netrt

#endif  // NETRT_CORE_REPLAY_H_
