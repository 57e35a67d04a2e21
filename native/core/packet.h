// Owns what of a packet is in the clear: prefix byte and sequence; and the sizes of each type, the
// standard's and our own.
// Never opens or seals a packet, and never judges which types a side accepts.
// Invariants: what `packetHeaderWrite` writes is the shortest form; reading accepts longer ones
// with high zero bytes, as the standard does: the prefix byte is under the packet's tag, so a
// longer form is the sender's choice and not a forgery.
#ifndef NETRT_CORE_PACKET_H_
#define NETRT_CORE_PACKET_H_

#include <cstddef>
#include <cstdint>

namespace netrt {

constexpr uint8_t PACKET_REQUEST = 0;
constexpr uint8_t PACKET_DENIED = 1;
constexpr uint8_t PACKET_CHALLENGE = 2;
constexpr uint8_t PACKET_RESPONSE = 3;
constexpr uint8_t PACKET_KEEP_ALIVE = 4;
constexpr uint8_t PACKET_PAYLOAD = 5;
constexpr uint8_t PACKET_DISCONNECT = 6;
// Ours, and only between netrt peers: a payload, or nothing for a disconnect, under session keys
//
constexpr uint8_t PACKET_SESSION = 7;
// The one prefix byte that a session packet has: its type, and three bytes of its number.
constexpr uint8_t SESSION_PREFIX = 0x37;
// Ours as well: a client's payload under session keys, which finds its connection by a path's id
//
constexpr uint8_t PACKET_MOVING = 8;
constexpr uint8_t MOVING_PREFIX = 0x38;

// Shorter than its type can be.
constexpr int REJECT_TOO_SHORT = 1;
// A type that the standard does not have.
constexpr int REJECT_TYPE = 2;
// A sequence of zero bytes, or of more than eight.
constexpr int REJECT_SEQUENCE_BYTES = 3;

struct PacketHeader {
  uint8_t type = PACKET_REQUEST;
  // Of a session or moving packet the low EPOCH_BITS, until its connection knows the rest.
  uint64_t sequence = 0;
  // Bytes of prefix and sequence: where the body starts.
  size_t bytes = 0;
  // MOVING: the path's id.
  uint64_t path = 0;
};

// Reads the header of the packet at bytes[offset, offset + length): 0, or the reason to ignore it
// . A prefix byte of zero is a connection request, which has no sequence.
int packetHeaderRead(const uint8_t* bytes, size_t offset, size_t length, PacketHeader& header);

// Bytes of the sequence in its shortest form, 1 to 8.
size_t sequenceBytes(uint64_t sequence);

// Writes prefix and sequence, at most PACKET_HEADER_BYTES_MAX bytes, and returns how many.
size_t packetHeaderWrite(uint8_t type, uint64_t sequence, uint8_t* bytes, size_t offset);

// Writes a session packet's prefix and the low part of its number: SESSION_HEADER_BYTES.
size_t sessionHeaderWrite(uint64_t number, uint8_t* bytes, size_t offset);

// Writes what a moving packet has before its body: MOVING_HEADER_BYTES.
size_t movingHeaderWrite(uint64_t number, uint64_t path, uint8_t* bytes, size_t offset);

// Writes what the tag covers besides the body: PACKET_ASSOCIATED_BYTES at the start of `out`. The
// id is the protocol's; of a moving packet the path's, whose keys are bound to the protocol's
// already.
void packetAssociatedData(uint64_t protocolOrPath, uint8_t prefixByte, uint8_t* out);

// Whether a body, once opened, has a size that its type allows.
bool packetBodyValid(uint8_t type, size_t bodyBytes);

}  // namespace netrt

#endif  // NETRT_CORE_PACKET_H_
