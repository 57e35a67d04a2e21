// Owns a connection's session keys, from the key pair that it tells in its hello to the last key:
// what they are made from, when packets go out under them, which key a packet that
// comes in may be sealed under, and the path's id that comes of the same.
// Never opens or seals a packet, never reads a frame.
// Invariants: nothing here moves but on a packet that opened; a key is wiped when no packet can
// come under it any more, a private key when the peer's public one is there.
#ifndef NETRT_CORE_SESSION_H_
#define NETRT_CORE_SESSION_H_

#include <cstddef>
#include <cstdint>

#include "core/limits.h"
#include "core/packet.h"
#include "core/seal.h"

namespace netrt {

struct Connection;
struct Shared;

struct Session {
  // The private key until the peer's hello came, then the key of our packets until they go under
  // it.
  uint8_t secret[KEY_BYTES] = {};
  uint8_t publicKey[KEY_BYTES] = {};
  // Beside the connection's receiveKey: the session's first key until the peer used it, then the
  // key before, for what comes late. Open only meanwhile.
  SealKey otherKey;
  // The lowest number that receiveKey is known to open, once it is a session key.
  uint64_t lowest = 0;
  // The number above EPOCH_BITS to which receiveKey and the connection's sendKey belong.
  uint32_t receiveEpoch = 0;
  uint32_t sendEpoch = 0;
  uint8_t suite = SUITE_CHACHA;
  // By which a server finds the connection when its client's packets come from elsewhere.
  uint64_t path = 0;
  // The keys are there.
  bool derived = false;
  // A packet of the peer under them opened.
  bool confirmed = false;
  // Our packets go out under them.
  bool sending = false;
  // otherKey is the token's, kept for what was sent before the change.
  bool token = false;
  // A server finds it by the path's id.
  bool listed = false;
};

// Draws the key pair of a connection that begins.
void sessionReset(Session& session, Shared& shared);

// Makes the keys when the peer's hello is here: its suites, and its public key. 0, or the reason to
// close with: REASON_VIOLATION for a key of low order, REASON_RESOURCES where memory is missing.
uint32_t sessionDerive(Connection& connection, const Shared& shared, uint8_t suites,
                       const uint8_t* bytes, size_t keyOffset);

// ---- The way in ----

// The key that a packet with this header may be sealed under, or null for none; completes the
// number of a session or moving packet. `scratch` takes the next epoch's key where that may be it.
SealKey* sessionKeyOf(Connection& connection, SealKey& scratch, PacketHeader& header);

// A packet with this header opened under the key that sessionKeyOf named.
void sessionOpened(Connection& connection, const SealKey& key, const PacketHeader& header);

// ---- The way out ----

// Whether the packet with this number goes under session keys; then sendKey is the right one.
bool sessionSends(Connection& connection, uint64_t number);

// Forgets all keys.
void sessionClear(Session& session);

}  // namespace netrt

#endif  // NETRT_CORE_SESSION_H_
