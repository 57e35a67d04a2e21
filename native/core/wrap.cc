// What goes around a body: see wrap.h.
#include "core/wrap.h"

#include "core/packet.h"
#include "core/stats.h"

namespace netrt {

size_t wrapMoving(Connection& connection, int64_t number, uint8_t* out, size_t offset) {
  const uint64_t sequence = static_cast<uint64_t>(number);
  // The keys are there, and go on to the number's epoch.
  sessionSends(connection, sequence);
  return movingHeaderWrite(sequence, connection.session.path, out, offset);
}

size_t wrapSeal(Connection& connection, Shared& shared, int64_t number, uint64_t nowUs,
                uint8_t* out, size_t offset, size_t headerBytes, size_t bodyBytes) {
  const bool moving = out[offset] == MOVING_PREFIX;
  const uint64_t id = moving ? connection.session.path : shared.config->protocolId;
  packetAssociatedData(id, out[offset], shared.associated);
  const int sealedBytes =
      sealPacket(connection.sendKey, static_cast<uint64_t>(number), shared.associated,
                 PACKET_ASSOCIATED_BYTES, out, offset + headerBytes, bodyBytes);
  // A cipher that fails sends nothing; the number is used up all the same.
  if (sealedBytes < 0) return 0;
  const size_t bytes = headerBytes + static_cast<size_t>(sealedBytes);
  const size_t row = statsPeerWord(connection.slot);
  uint32_t* page = shared.outlet->page;
  page[row + PEER_PACKETS_SENT] += 1;
  statsAdd(page, row + PEER_BYTES_SENT, static_cast<uint32_t>(bytes));
  pacingSpend(connection.pacing, static_cast<uint32_t>(bytes), nowUs);
  connection.spokenUs = nowUs;
  return bytes;
}

}  // namespace netrt
