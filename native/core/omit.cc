// Numbers that are left out: see omit.h.
#include "core/omit.h"

#include "core/sip.h"

namespace netrt {

void omitNext(Connection& connection, const Shared& shared) {
  const uint32_t words[] = {connection.handle, connection.omits, 0};
  const uint32_t drawn = sipHash(shared.hashKey, words, 3);
  const uint32_t packets = OMIT_PACKETS_MIN + drawn % (OMIT_PACKETS_MAX - OMIT_PACKETS_MIN + 1);
  const uint32_t sooner = connection.omits == 0 ? OMIT_SOONER : 1;
  connection.omitNumber = connection.sent.nextNumber + packets / sooner;
  connection.omits += 1;
}

void omitDue(Connection& connection, const Shared& shared, uint64_t nowUs) {
  Sent& sent = connection.sent;
  const bool due = sent.nextNumber >= connection.omitNumber && !shared.config->raw;
  if (!due || sentInFlight(sent) + 1 >= IN_FLIGHT_MAX) return;
  SentPacket* packet = sentAdd(sent, nowUs, 0, false);
  packet->state = SENT_OMITTED;
  sent.omittedLatest = packet->number;
  sent.omitted += 1;
  omitNext(connection, shared);
}

bool omitAcked(const Sent& sent, int64_t latest, const uint8_t* bits, size_t bitsOffset,
               uint32_t bitBytes) {
  if (sent.omittedLatest < latest - int64_t{bitBytes} * 8) return false;
  if (sentOmitted(sent, latest)) return true;
  for (uint32_t index = 0; index < bitBytes * 8; index++) {
    const bool acked = (bits[bitsOffset + (index >> 3)] & (1u << (index & 7))) != 0;
    if (acked && sentOmitted(sent, latest - 1 - index)) return true;
  }
  return false;
}

}  // namespace netrt
