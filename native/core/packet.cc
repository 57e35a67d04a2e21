// The clear part of NETCODE packets: see packet.h.
#include "core/packet.h"

#include <cstring>

#include "core/limits.h"

namespace netrt {

namespace {

// The id of the path, behind the number of a moving packet.
int pathIdRead(const uint8_t* bytes, size_t offset, size_t length, PacketHeader& header) {
  if (length < MOVING_HEADER_BYTES + TAG_BYTES) return REJECT_TOO_SHORT;
  header.bytes = MOVING_HEADER_BYTES;
  header.path = 0;
  for (size_t index = 0; index < PATH_ID_BYTES; index++) {
    header.path |= uint64_t{bytes[offset + SESSION_HEADER_BYTES + index]} << (8 * index);
  }
  return 0;
}

}  // namespace

int packetHeaderRead(const uint8_t* bytes, size_t offset, size_t length, PacketHeader& header) {
  header.type = PACKET_REQUEST;
  header.sequence = 0;
  header.bytes = 1;
  if (length < PACKET_BYTES_MIN) return REJECT_TOO_SHORT;
  const uint8_t prefix = bytes[offset];
  if (prefix == 0) return 0;
  const uint8_t type = prefix & 0x0f;
  // Type 0 with sequence bytes is a request that claims to be sealed: there is no such packet.
  const bool ours = prefix == SESSION_PREFIX || prefix == MOVING_PREFIX;
  if (type == PACKET_REQUEST || (type >= PACKET_TYPES && !ours)) return REJECT_TYPE;
  const size_t count = prefix >> 4;
  if (count == 0 || count > SEQUENCE_BYTES_MAX) return REJECT_SEQUENCE_BYTES;
  if (length < 1 + count + TAG_BYTES) return REJECT_TOO_SHORT;
  uint64_t sequence = 0;
  for (size_t index = 0; index < count; index++) {
    sequence |= uint64_t{bytes[offset + 1 + index]} << (8 * index);
  }
  header.type = type;
  header.sequence = sequence;
  header.bytes = 1 + count;
  return type == PACKET_MOVING ? pathIdRead(bytes, offset, length, header) : 0;
}

size_t sequenceBytes(uint64_t sequence) {
  size_t count = 1;
  while (count < SEQUENCE_BYTES_MAX && sequence >> (8 * count) != 0) count++;
  return count;
}

size_t packetHeaderWrite(uint8_t type, uint64_t sequence, uint8_t* bytes, size_t offset) {
  NETRT_ASSERT(type > PACKET_REQUEST && type < PACKET_TYPES);
  const size_t count = sequenceBytes(sequence);
  bytes[offset] = static_cast<uint8_t>((count << 4) | type);
  for (size_t index = 0; index < count; index++) {
    bytes[offset + 1 + index] = static_cast<uint8_t>(sequence >> (8 * index));
  }
  return 1 + count;
}

size_t sessionHeaderWrite(uint64_t number, uint8_t* bytes, size_t offset) {
  bytes[offset] = SESSION_PREFIX;
  for (size_t index = 1; index < SESSION_HEADER_BYTES; index++) {
    bytes[offset + index] = static_cast<uint8_t>(number >> (8 * (index - 1)));
  }
  return SESSION_HEADER_BYTES;
}

size_t movingHeaderWrite(uint64_t number, uint64_t path, uint8_t* bytes, size_t offset) {
  sessionHeaderWrite(number, bytes, offset);
  bytes[offset] = MOVING_PREFIX;
  for (size_t index = 0; index < PATH_ID_BYTES; index++) {
    bytes[offset + SESSION_HEADER_BYTES + index] = static_cast<uint8_t>(path >> (8 * index));
  }
  return MOVING_HEADER_BYTES;
}

void packetAssociatedData(uint64_t protocolOrPath, uint8_t prefixByte, uint8_t* out) {
  // Written for each packet, so without loops: these are four stores.
  std::memcpy(out, VERSION_INFO, VERSION_BYTES);
  const uint8_t id[8] = {
      static_cast<uint8_t>(protocolOrPath),       static_cast<uint8_t>(protocolOrPath >> 8),
      static_cast<uint8_t>(protocolOrPath >> 16), static_cast<uint8_t>(protocolOrPath >> 24),
      static_cast<uint8_t>(protocolOrPath >> 32), static_cast<uint8_t>(protocolOrPath >> 40),
      static_cast<uint8_t>(protocolOrPath >> 48), static_cast<uint8_t>(protocolOrPath >> 56),
  };
  std::memcpy(out + VERSION_BYTES, id, sizeof id);
  out[VERSION_BYTES + sizeof id] = prefixByte;
}

bool packetBodyValid(uint8_t type, size_t bodyBytes) {
  switch (type) {
    case PACKET_DENIED:
    case PACKET_DISCONNECT:
      return bodyBytes == 0;
    case PACKET_CHALLENGE:
    case PACKET_RESPONSE:
      return bodyBytes == CHALLENGE_BODY_BYTES;
    case PACKET_KEEP_ALIVE:
      return bodyBytes == KEEP_ALIVE_BODY_BYTES;
    case PACKET_PAYLOAD:
      return bodyBytes >= 1 && bodyBytes <= PAYLOAD_BYTES_MAX;
    case PACKET_SESSION:
      return bodyBytes <= PAYLOAD_BYTES_MAX;
    case PACKET_MOVING:
      return bodyBytes >= 1 && bodyBytes <= PAYLOAD_BYTES_MAX - PATH_ID_BYTES;
    default:
      return false;
  }
}

}  // namespace netrt
