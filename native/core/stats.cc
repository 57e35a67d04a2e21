// The page of counters: see stats.h.
#include "core/stats.h"

namespace netrt {

namespace {

constexpr size_t REJECT_WORD = 2 * HOST_COUNTERS;
constexpr size_t CHANNEL_WORD = REJECT_WORD + 2 * REJECT_REASONS;
constexpr size_t PEER_WORD = CHANNEL_WORD + size_t{2} * CHANNEL_COUNTERS * CHANNELS_MAX;

}  // namespace

size_t statsWords(uint32_t slots) { return PEER_WORD + size_t{slots} * PEER_WORDS; }

size_t statsHostWord(uint32_t counter) { return 2 * size_t{counter}; }

size_t statsRejectWord(int reason) { return REJECT_WORD + 2 * static_cast<size_t>(reason); }

size_t statsChannelWord(uint32_t channel, uint32_t counter) {
  return CHANNEL_WORD + 2 * (size_t{channel} * CHANNEL_COUNTERS + counter);
}

size_t statsPeerWord(uint32_t slot) { return PEER_WORD + size_t{slot} * PEER_WORDS; }

void statsAdd(uint32_t* page, size_t word, uint32_t amount) {
  const uint32_t low = page[word] + amount;
  if (low < amount) page[word + 1] += 1;
  page[word] = low;
}

}  // namespace netrt
