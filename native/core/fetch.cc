// Memory that is asked for ahead: see fetch.h.
#include "core/fetch.h"

#include <cstddef>

#include "core/stats.h"

namespace netrt {

namespace {

constexpr size_t CACHE_LINE_BYTES = 64;

void fetch(const void* memory, size_t bytes) {
  const char* start = static_cast<const char*>(memory);
  for (size_t at = 0; at < bytes; at += CACHE_LINE_BYTES) __builtin_prefetch(start + at, 1);
}

}  // namespace

void fetchConnection(const Connection& connection, const uint32_t* page) {
  fetch(&connection, offsetof(Connection, layout));
  fetch(page + statsPeerWord(connection.slot), PEER_WORDS * sizeof(uint32_t));
  // The oldest packet without a verdict: the one that is acked, most likely.
  const Sent& sent = connection.sent;
  fetch(sent.packets + (static_cast<uint64_t>(sent.verdictNext) & sent.mask), sizeof(SentPacket));
  for (uint64_t left = connection.busy; left != 0;) {
    fetch(&connectionNextBusy(connection, left), offsetof(Channel, seen));
  }
}

void fetchSubmission(const Host& host, int32_t word) {
  const Ring& ring = host.submission;
  const int32_t next = ringBehind(ring, word);
  if (next == NO_ROOM) return;
  const uint32_t slot = ring.words[next + 1] & 0xffff;
  const uint32_t channel = ring.words[next + 2] & 0xff;
  const uint32_t channelCount = host.config.channelCount;
  if (slot >= host.config.peersMax || channel >= channelCount) return;
  fetch(host.connections + slot, offsetof(Connection, heardUs));
  fetch(host.channels + size_t{slot} * channelCount + channel, offsetof(Channel, consumedId));
  fetch(host.page + statsPeerWord(slot) + PEER_QUEUED_BYTES, sizeof(uint32_t));
}

}  // namespace netrt
