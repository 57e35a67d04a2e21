// The keys of a session: see session.h.
#include "core/session.h"

#include <cstring>
#include <utility>

#include "core/config.h"
#include "core/connection.h"
#include "core/hkdf.h"
#include "core/sequence.h"
#include "core/state.h"

namespace netrt {

namespace {

constexpr char LABEL_SESSION[] = "netrt 3 session";
constexpr char LABEL_UPDATE[] = "netrt 3 update";
// The label, the protocol id, both public keys, both suites and the one that was chosen.
constexpr size_t LABEL_BYTES = sizeof(LABEL_SESSION) - 1;
constexpr size_t INFO_BYTES = LABEL_BYTES + 8 + 2 * KEY_BYTES + 3;
// What is made of it: two keys, and the path's id at the start of a digest.
constexpr size_t MADE_BYTES = 2 * KEY_BYTES + DIGEST_BYTES;

static_assert(INFO_BYTES <= INFO_BYTES_MAX, "what the keys are bound to fits");

uint32_t epochOf(uint64_t number) { return static_cast<uint32_t>(number >> EPOCH_BITS); }

}  // namespace

// What is drawn is forgotten at once, and so is what it was drawn from: who reads this memory later
// finds no key of a session that is over.
void sessionReset(Session& session, Shared& shared) {
  sessionClear(session);
  uint8_t next[DIGEST_BYTES];
  const uint8_t labels[2] = {0, 1};
  hmacSha256(shared.keysSeed, DIGEST_BYTES, labels, 1, session.secret);
  hmacSha256(shared.keysSeed, DIGEST_BYTES, labels + 1, 1, next);
  std::memcpy(shared.keysSeed, next, DIGEST_BYTES);
  sealWipe(next, DIGEST_BYTES);
  // Without memory the key is all zero, which the peer refuses.
  if (!x25519Public(session.secret, session.publicKey)) sealWipe(session.publicKey, KEY_BYTES);
}

namespace {

// What the keys are bound to: both hellos, so that neither can be another than its sender's.
void infoWrite(const Connection& connection, const Shared& shared, uint8_t suites,
               const uint8_t* publicKey, uint8_t* info) {
  const HostConfig& config = *shared.config;
  const bool isServer = config.role == ROLE_SERVER;
  const uint8_t* own = connection.session.publicKey;
  std::memcpy(info, LABEL_SESSION, LABEL_BYTES);
  uint8_t* next = info + LABEL_BYTES;
  for (size_t index = 0; index < 8; index++) {
    next[index] = static_cast<uint8_t>(config.protocolId >> (8 * index));
  }
  std::memcpy(next + 8, isServer ? publicKey : own, KEY_BYTES);
  std::memcpy(next + 8 + KEY_BYTES, isServer ? own : publicKey, KEY_BYTES);
  next += 8 + 2 * KEY_BYTES;
  next[0] = isServer ? suites : static_cast<uint8_t>(config.suites);
  next[1] = isServer ? static_cast<uint8_t>(config.suites) : suites;
  next[2] = connection.session.suite;
}

// Both directions' keys, the client's first, and the path's id; false where the secret is known to
// everybody.
bool keysMake(const Connection& connection, const Shared& shared, uint8_t suites,
              const uint8_t* publicKey, uint8_t* keys) {
  const bool isServer = shared.config->role == ROLE_SERVER;
  const SealKey& fromClient = isServer ? connection.receiveKey : connection.sendKey;
  const SealKey& fromServer = isServer ? connection.sendKey : connection.receiveKey;
  uint8_t salt[2 * KEY_BYTES];
  uint8_t secret[KEY_BYTES] = {};
  uint8_t info[INFO_BYTES];
  uint8_t digest[DIGEST_BYTES] = {};
  std::memcpy(salt, fromClient.bytes, KEY_BYTES);
  std::memcpy(salt + KEY_BYTES, fromServer.bytes, KEY_BYTES);
  infoWrite(connection, shared, suites, publicKey, info);
  const bool made = x25519Agree(connection.session.secret, publicKey, secret) &&
                    hkdfExtract(salt, sizeof(salt), secret, KEY_BYTES, digest) &&
                    hkdfExpand(digest, info, INFO_BYTES, keys, MADE_BYTES);
  sealWipe(salt, sizeof(salt));
  sealWipe(secret, KEY_BYTES);
  sealWipe(digest, DIGEST_BYTES);
  return made;
}

// The key of the epoch behind; there is no way back from it.
void keyUpdate(const SealKey& key, uint8_t* next) {
  const uint8_t* label = reinterpret_cast<const uint8_t*>(LABEL_UPDATE);
  hkdfExpand(key.bytes, label, sizeof(LABEL_UPDATE) - 1, next, KEY_BYTES);
}

}  // namespace

uint32_t sessionDerive(Connection& connection, const Shared& shared, uint8_t suites,
                       const uint8_t* bytes, size_t keyOffset) {
  Session& session = connection.session;
  const bool isServer = shared.config->role == ROLE_SERVER;
  const bool aes = (shared.config->suites & suites & SUITES_AES) != 0;
  session.suite = aes ? SUITE_AES : SUITE_CHACHA;
  uint8_t keys[MADE_BYTES] = {};
  const bool made = keysMake(connection, shared, suites, bytes + keyOffset, keys);
  sealWipe(session.secret, KEY_BYTES);
  if (!made) return REASON_VIOLATION;
  if (!sealKeyOpen(session.otherKey)) return REASON_RESOURCES;
  std::memcpy(session.secret, keys + (isServer ? KEY_BYTES : 0), KEY_BYTES);
  sealSuiteSet(session.otherKey, session.suite, keys, isServer ? 0 : KEY_BYTES);
  session.path = 0;
  for (size_t index = 0; index < PATH_ID_BYTES; index++) {
    session.path |= uint64_t{keys[2 * KEY_BYTES + index]} << (8 * index);
  }
  sealWipe(keys, sizeof(keys));
  // Both are the epochs of first numbers, which lie in the lower half of theirs.
  session.sendEpoch = epochOf(static_cast<uint64_t>(connection.sent.firstNumber));
  session.receiveEpoch = epochOf(connection.replay.newest);
  session.derived = true;
  return 0;
}

// ---- The way in ----

SealKey* sessionKeyOf(Connection& connection, SealKey& scratch, PacketHeader& header) {
  Session& session = connection.session;
  if (header.type < PACKET_SESSION) {
    if (!session.confirmed) return &connection.receiveKey;
    return session.token && header.sequence < session.lowest ? &session.otherKey : nullptr;
  }
  if (!session.derived || connection.replay.newest > SEQUENCE_MAX) return nullptr;
  const uint32_t low = static_cast<uint32_t>(header.sequence);
  const int64_t number = sequenceExpand24(low, connection.replay.newest);
  if (number < 0) return nullptr;
  header.sequence = static_cast<uint64_t>(number);
  const uint32_t epoch = epochOf(header.sequence);
  if (!session.confirmed) return epoch == session.receiveEpoch ? &session.otherKey : nullptr;
  if (epoch == session.receiveEpoch) return &connection.receiveKey;
  if (epoch + 1 == session.receiveEpoch) {
    return session.otherKey.ready && !session.token ? &session.otherKey : nullptr;
  }
  // The next epoch's key counts once a packet opened under it, else a forgery would move it.
  if (epoch != session.receiveEpoch + 1) return nullptr;
  uint8_t next[KEY_BYTES];
  keyUpdate(connection.receiveKey, next);
  sealSuiteSet(scratch, session.suite, next, 0);
  sealWipe(next, KEY_BYTES);
  return &scratch;
}

namespace {

// The other key becomes the one that counts; what counted is kept for what comes late.
void keyChange(Connection& connection, uint64_t lowest, bool token) {
  Session& session = connection.session;
  std::swap(connection.receiveKey, session.otherKey);
  session.lowest = lowest;
  session.token = token;
}

}  // namespace

void sessionOpened(Connection& connection, const SealKey& key, const PacketHeader& header) {
  Session& session = connection.session;
  if (header.type >= PACKET_SESSION) {
    const uint32_t epoch = epochOf(header.sequence);
    if (!session.confirmed) {
      keyChange(connection, header.sequence, true);
      session.confirmed = true;
      // It has our hello: these keys are made from it.
      connection.helloAcked = true;
    } else if (epoch == session.receiveEpoch + 1) {
      if (!session.otherKey.open && !sealKeyOpen(session.otherKey)) return;
      sealSuiteSet(session.otherKey, session.suite, key.bytes, 0);
      keyChange(connection, uint64_t{epoch} << EPOCH_BITS, false);
      session.receiveEpoch = epoch;
    } else if (session.token && header.sequence < session.lowest) {
      session.lowest = header.sequence;
    }
  }
  if (!session.confirmed || !session.otherKey.ready) return;
  // The replay window has passed all that the other key could open.
  const uint64_t newest = connection.replay.newest;
  if (newest > session.lowest && newest - session.lowest >= REPLAY_WINDOW_PACKETS) {
    sealKeyClose(session.otherKey);
    session.token = false;
  }
}

// ---- The way out ----

bool sessionSends(Connection& connection, uint64_t number) {
  Session& session = connection.session;
  if (!session.sending) {
    // The peer has the keys once it has our hello.
    if (!session.derived || !connection.helloAcked) return false;
    sealSuiteSet(connection.sendKey, session.suite, session.secret, 0);
    sealWipe(session.secret, KEY_BYTES);
    session.sending = true;
  }
  while (session.sendEpoch < epochOf(number)) {
    uint8_t next[KEY_BYTES];
    keyUpdate(connection.sendKey, next);
    sealSuiteSet(connection.sendKey, session.suite, next, 0);
    sealWipe(next, KEY_BYTES);
    session.sendEpoch += 1;
  }
  return true;
}

void sessionClear(Session& session) {
  sealWipe(session.secret, KEY_BYTES);
  sealWipe(session.publicKey, KEY_BYTES);
  sealKeyClose(session.otherKey);
  session.derived = false;
  session.confirmed = false;
  session.sending = false;
  session.token = false;
  session.listed = false;
}

}  // namespace netrt
