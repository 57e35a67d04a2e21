// The other end of a host under test: see peer.h.
#include "peer.h"

#include <algorithm>
#include <cstring>

#include "core/bytes.h"
#include "core/frame.h"
#include "core/hkdf.h"
#include "core/payload.h"
#include "core/seal.h"
#include "core/sequence.h"

namespace netrt::fuzz {

namespace {

Identity identities[2][PEERS];

void fill(uint8_t* bytes, size_t count, uint32_t seed) {
  for (size_t index = 0; index < count; index++) {
    bytes[index] = static_cast<uint8_t>(seed * 31 + index * 5 + 1);
  }
}

// Seconds of a token's life, and of the silence that it allows: 7 is short, 6 knows no time-out.
int32_t timeoutOf(uint32_t index) { return index == 6 ? -1 : 1 + static_cast<int32_t>(index % 5); }
uint64_t lifeOf(uint32_t index) { return index == 7 ? 3 : 30; }

void identityMake(Identity& identity, const Profile& profile, uint32_t index) {
  identity.made = true;
  identity.ipv6 = profile.ipv6;
  PrivateToken& secret = identity.secret;
  // Two of them are the same client.
  secret.clientId = 1000 + (index == 5 ? 0 : index);
  secret.timeoutSeconds = timeoutOf(index);
  secret.serverCount = 1 + index % 3;
  for (uint32_t server = 0; server < secret.serverCount; server++) {
    // The one under test is the first of each token; the others are nobody.
    secret.servers[server] = addressOf(profile, server == 0 ? 0 : 12 + server);
  }
  fill(secret.clientToServerKey, KEY_BYTES, 2 * index);
  fill(secret.serverToClientKey, KEY_BYTES, 2 * index + 1);
  fill(secret.userData, USER_DATA_BYTES, index);
  ConnectToken& open = identity.open;
  open.protocolId = PROTOCOL_ID;
  open.createTimestamp = START_SECONDS;
  open.expireTimestamp = START_SECONDS + lifeOf(index);
  open.timeoutSeconds = secret.timeoutSeconds;
  open.serverCount = secret.serverCount;
  std::copy(secret.servers, secret.servers + TOKEN_SERVERS_MAX, open.servers);
  std::memcpy(open.clientToServerKey, secret.clientToServerKey, KEY_BYTES);
  std::memcpy(open.serverToClientKey, secret.serverToClientKey, KEY_BYTES);
  fill(open.nonce, TOKEN_NONCE_BYTES, index);
  FUZZ_CHECK(tokenPrivateWrite(secret, identity.plain, 0));
  uint8_t sealed[TOKEN_PRIVATE_BYTES];
  std::memcpy(sealed, identity.plain, TOKEN_PRIVATE_BYTES);
  requestSeal(identity, sealed, identity.request);
  std::memcpy(open.privateBytes, sealed, TOKEN_PRIVATE_BYTES);
  FUZZ_CHECK(tokenPublicWrite(open, identity.token, 0));
  FUZZ_CHECK(sealKeyOpen(identity.clientToServer) && sealKeyOpen(identity.serverToClient));
  sealKeySet(identity.clientToServer, open.clientToServerKey, 0);
  sealKeySet(identity.serverToClient, open.serverToClientKey, 0);
}

bool speaksToServer(const Machine& machine) { return machine.host.config.role == ROLE_SERVER; }

}  // namespace

Identity& identityOf(const Profile& profile, uint32_t index) {
  Identity& identity = identities[profile.ipv6 ? 1 : 0][index];
  if (!identity.made) identityMake(identity, profile, index);
  return identity;
}

void requestSeal(const Identity& identity, uint8_t* plain, uint8_t* request) {
  static SealScratch scratch;
  static const bool opened = sealInit() != nullptr && sealScratchOpen(scratch);
  FUZZ_CHECK(opened);
  uint8_t associated[TOKEN_ASSOCIATED_BYTES];
  tokenAssociatedData(PROTOCOL_ID, identity.open.expireTimestamp, associated);
  const int sealed = sealToken(scratch, machinePrivateKey(), identity.open.nonce, associated,
                               TOKEN_ASSOCIATED_BYTES, plain, 0, TOKEN_PRIVATE_PLAIN_BYTES);
  FUZZ_CHECK(sealed == static_cast<int>(TOKEN_PRIVATE_BYTES));
  ConnectToken token = identity.open;
  std::memcpy(token.privateBytes, plain, TOKEN_PRIVATE_BYTES);
  FUZZ_CHECK(requestWrite(token, request, 0));
}

void peerOpen(Peer& peer, const Profile& profile, uint32_t index) {
  peer.identity = &identityOf(profile, index);
  peer.address = addressOf(profile, index);
  peer.nextNumber = 0;
  peer.sentCount = 0;
  std::memset(peer.heard, 0, sizeof(peer.heard));
  peer.first = -1;
  peer.latest = -1;
  peer.keepsToken = false;
  peer.greeted = false;
  peer.derived = false;
  peer.hasChallenge = false;
  peer.accepted = false;
  peer.forged = false;
  peer.lastBytes = 0;
}

void peerRestart(Peer& peer) {
  // What it sent and heard stays known, to check the host by.
  peer.nextNumber = 0;
  peer.hasChallenge = false;
  peer.accepted = false;
  peer.greeted = false;
  peer.derived = false;
}

// ---- Its session keys (R-61, R-64) ----

namespace {

struct Pair {
  uint8_t secret[KEY_BYTES];
  uint8_t publicKey[KEY_BYTES];
  Pair() {
    fill(secret, KEY_BYTES, 99);
    x25519Public(secret, publicKey);
  }
};

// Every peer's. Made at the first use, with the ciphers that are there then.
const Pair& pair() {
  static const Pair made;
  return made;
}

// The keys of two who have each other's hello: `suites` and `hostKey` are of the host's.
void derive(Peer& peer, const Machine& machine, uint8_t suites, const uint8_t* hostKey) {
  constexpr char LABEL[] = "netrt 3 session";
  constexpr size_t LABEL_LENGTH = sizeof(LABEL) - 1;
  const bool toServer = speaksToServer(machine);
  const ConnectToken& token = peer.identity->open;
  uint8_t salt[2 * KEY_BYTES];
  std::memcpy(salt, token.clientToServerKey, KEY_BYTES);
  std::memcpy(salt + KEY_BYTES, token.serverToClientKey, KEY_BYTES);
  uint8_t info[LABEL_LENGTH + 8 + 2 * KEY_BYTES + 3];
  uint8_t* next = info + LABEL_LENGTH;
  std::memcpy(info, LABEL, LABEL_LENGTH);
  for (size_t index = 0; index < 8; index++) {
    next[index] = static_cast<uint8_t>(PROTOCOL_ID >> (8 * index));
  }
  std::memcpy(next + 8, toServer ? pair().publicKey : hostKey, KEY_BYTES);
  std::memcpy(next + 8 + KEY_BYTES, toServer ? hostKey : pair().publicKey, KEY_BYTES);
  next += 8 + 2 * KEY_BYTES;
  next[0] = toServer ? SUITES_ALWAYS : suites;
  next[1] = toServer ? suites : SUITES_ALWAYS;
  next[2] = SUITE_CHACHA;
  uint8_t secret[KEY_BYTES];
  uint8_t digest[DIGEST_BYTES];
  uint8_t keys[2 * KEY_BYTES];
  FUZZ_CHECK(x25519Agree(pair().secret, hostKey, secret));
  FUZZ_CHECK(hkdfExtract(salt, sizeof(salt), secret, KEY_BYTES, digest));
  FUZZ_CHECK(hkdfExpand(digest, info, sizeof(info), keys, sizeof(keys)));
  FUZZ_CHECK(peer.sendKey.open || sealKeyOpen(peer.sendKey));
  FUZZ_CHECK(peer.receiveKey.open || sealKeyOpen(peer.receiveKey));
  sealKeySet(peer.sendKey, keys, toServer ? 0 : KEY_BYTES);
  sealKeySet(peer.receiveKey, keys, toServer ? KEY_BYTES : 0);
  std::memcpy(peer.hostKey, hostKey, KEY_BYTES);
  peer.sendEpoch = 0;
  peer.derived = true;
}

// A payload starts with its hello.
void hearHello(Peer& peer, const Machine& machine, const uint8_t* body, size_t bytes) {
  const size_t start = body[0] == 0 ? 1 : 5 + (body[0] & 0x3fu);
  if (bytes < start + HELLO_BYTES || body[start] != 1) return;
  const uint8_t* hostKey = body + start + 16;
  if (peer.derived && std::memcmp(peer.hostKey, hostKey, KEY_BYTES) == 0) return;
  derive(peer, machine, body[start + 15], hostKey);
}

// The key of a number's epoch; there is no way back, and none that leads far.
SealKey& sessionKey(Peer& peer, uint64_t number) {
  constexpr uint64_t EPOCHS_MAX = 8;
  const char label[] = "netrt 3 update";
  const uint64_t epoch = number >> EPOCH_BITS;
  if (epoch - peer.sendEpoch > EPOCHS_MAX) return peer.sendKey;
  for (; peer.sendEpoch < epoch; peer.sendEpoch++) {
    uint8_t next[KEY_BYTES];
    FUZZ_CHECK(hkdfExpand(peer.sendKey.bytes, reinterpret_cast<const uint8_t*>(label),
                          sizeof(label) - 1, next, KEY_BYTES));
    sealKeySet(peer.sendKey, next, 0);
  }
  return peer.sendKey;
}

}  // namespace

// ---- What it hears ----

namespace {

bool sentBefore(const Peer& peer, uint16_t low) {
  for (uint32_t index = peer.sentCount; index > 0; index--) {
    if (static_cast<uint16_t>(peer.sent[index - 1]) == low) return true;
  }
  return false;
}

// What the host says to a peer between netrt peers is canonical, and acks only what was sent.
void checkPayload(const Peer& peer, const Machine& machine, const uint8_t* bytes, size_t offset,
                  size_t count) {
  Reader reader;
  AckHeader header;
  Frame frame;
  const HostConfig& config = machine.host.config;
  FUZZ_CHECK(count <= config.payloadBytesMax);
  const Connection* connection = slotAtAddress(machine.host, peer.address);
  // What both ends take decides how long fragments are.
  if (connection != nullptr) frame.payloadBytes = connection->payloadBytes;
  FUZZ_CHECK(
      payloadCheck(reader, header, frame, bytes, offset, offset + count, config.channelCount));
  if (header.present) FUZZ_CHECK(peer.sentCount == SENT_MAX || sentBefore(peer, header.latest));
}

}  // namespace

void peerHear(Peer& peer, const Machine& machine, const uint8_t* bytes, size_t length) {
  PacketHeader header;
  if (packetHeaderRead(bytes, 0, length, header) != 0 || header.type == PACKET_REQUEST) return;
  const bool server = speaksToServer(machine);
  const bool session = header.type >= PACKET_SESSION;
  if (session && !peer.derived) return;
  if (session) {
    // A host under test never sends so much that there is another epoch.
    const uint64_t latest = static_cast<uint64_t>(std::max<int64_t>(peer.latest, 0));
    header.sequence =
        static_cast<uint64_t>(sequenceExpand24(static_cast<uint32_t>(header.sequence), latest));
  }
  SealKey& token = server ? peer.identity->serverToClient : peer.identity->clientToServer;
  SealKey& key = session ? peer.receiveKey : token;
  uint8_t associated[PACKET_ASSOCIATED_BYTES];
  packetAssociatedData(header.type == PACKET_MOVING ? header.path : PROTOCOL_ID, bytes[0],
                       associated);
  uint8_t body[PACKET_BYTES_MAX];
  std::memcpy(body, bytes, length);
  const int opened = openPacket(key, header.sequence, associated, PACKET_ASSOCIATED_BYTES, body,
                                header.bytes, length - header.bytes);
  // Another client had this address, or another token was shown from here.
  if (opened < 0) return;
  if (header.type == PACKET_CHALLENGE) {
    peer.hasChallenge = true;
    std::memcpy(peer.challenge, body + header.bytes, CHALLENGE_BODY_BYTES);
  }
  if (header.type < PACKET_RESPONSE) return;
  // A packet number is used once, and each is above the one before.
  FUZZ_CHECK(peer.forged || static_cast<int64_t>(header.sequence) > peer.latest);
  peer.latest = static_cast<int64_t>(header.sequence);
  if (peer.first < 0) peer.first = peer.latest;
  peerForget(peer, false);
  if (header.type == PACKET_KEEP_ALIVE) peer.accepted = true;
  if (session) peer.greeted = true;
  const bool payload = header.type == PACKET_PAYLOAD || (session && opened > 0);
  if (payload && !machine.host.config.raw) {
    const size_t count = static_cast<size_t>(opened);
    checkPayload(peer, machine, body, header.bytes, count);
    hearHello(peer, machine, body + header.bytes, count);
  }
}

void peerForget(Peer& peer, bool forgets) {
  const int64_t index = peer.latest - peer.first;
  if (peer.latest >= 0 && index < static_cast<int64_t>(HEARD_MAX)) peer.heard[index] = !forgets;
}

// ---- What it says ----

void peerSendBytes(Peer& peer, Machine& machine, const uint8_t* bytes, size_t length) {
  machineReceive(machine, peer.address, bytes, length);
}

void peerSend(Peer& peer, Machine& machine, uint8_t type, uint64_t number, const uint8_t* body,
              size_t bytes) {
  uint8_t* out = peer.last;
  bytes = std::min(bytes, PAYLOAD_BYTES_MAX);
  const size_t headerBytes = packetHeaderWrite(type, number, out, 0);
  if (bytes > 0) std::memcpy(out + headerBytes, body, bytes);
  uint8_t associated[PACKET_ASSOCIATED_BYTES];
  packetAssociatedData(PROTOCOL_ID, out[0], associated);
  SealKey& key =
      speaksToServer(machine) ? peer.identity->clientToServer : peer.identity->serverToClient;
  const int sealed =
      sealPacket(key, number, associated, PACKET_ASSOCIATED_BYTES, out, headerBytes, bytes);
  FUZZ_CHECK(sealed == static_cast<int>(bytes + TAG_BYTES));
  peer.lastBytes = headerBytes + static_cast<size_t>(sealed);
  if (peer.sentCount < SENT_MAX) peer.sent[peer.sentCount++] = number;
  peerSendBytes(peer, machine, out, peer.lastBytes);
}

namespace {

void sendSession(Peer& peer, Machine& machine, uint64_t number, const uint8_t* body, size_t bytes) {
  uint8_t* out = peer.last;
  const size_t headerBytes = sessionHeaderWrite(number, out, 0);
  if (bytes > 0) std::memcpy(out + headerBytes, body, bytes);
  uint8_t associated[PACKET_ASSOCIATED_BYTES];
  packetAssociatedData(PROTOCOL_ID, out[0], associated);
  const int sealed = sealPacket(sessionKey(peer, number), number, associated,
                                PACKET_ASSOCIATED_BYTES, out, headerBytes, bytes);
  FUZZ_CHECK(sealed == static_cast<int>(bytes + TAG_BYTES));
  peer.lastBytes = headerBytes + static_cast<size_t>(sealed);
  if (peer.sentCount < SENT_MAX) peer.sent[peer.sentCount++] = number;
  peerSendBytes(peer, machine, out, peer.lastBytes);
}

}  // namespace

size_t peerAcks(const Peer& peer, uint8_t* out) {
  AckHeader header;
  uint8_t bits[ACK_BITS_MAX / 8] = {};
  header.present = peer.latest >= 0;
  header.latest = static_cast<uint16_t>(peer.latest);
  for (uint32_t bit = 0; bit < ACK_BITS_MAX; bit++) {
    const int64_t index = peer.latest - peer.first - 1 - bit;
    if (index < 0) break;
    if (index >= static_cast<int64_t>(HEARD_MAX) || !peer.heard[index]) continue;
    bits[bit / 8] = static_cast<uint8_t>(bits[bit / 8] | (1 << (bit % 8)));
    header.bitBytes = bit / 8 + 1;
  }
  Writer writer;
  writerSet(writer, out, 0, ACK_HEADER_BYTES_MAX);
  ackHeaderWrite(writer, header);
  if (header.present) writeBytes(writer, bits, 0, header.bitBytes);
  return writer.offset;
}

size_t peerHello(const Machine& machine, uint8_t* out, uint32_t payloadBytes) {
  const HostConfig& config = machine.host.config;
  Writer writer;
  writerSet(writer, out, 0, PAYLOAD_BYTES_MAX);
  helloWrite(writer, NETRT_VERSION, config.nameHash, config.channelCount, payloadBytes, 0, 0,
             SUITES_ALWAYS, pair().publicKey);
  for (uint32_t channel = 0; channel < config.channelCount; channel++) {
    writeU32(writer, config.policies[channel].hash);
  }
  return writer.offset;
}

uint64_t peerNumber(Peer& peer, uint8_t numbering) {
  if (numbering >= 8) {
    const uint64_t back = numbering - 7;
    return peer.nextNumber >= back ? peer.nextNumber - back : 0;
  }
  // Left out are 1, 2, 4 … 64 numbers.
  peer.nextNumber += numbering == 0 ? 0 : uint64_t{1} << (numbering - 1);
  const uint64_t number = peer.nextNumber;
  peer.nextNumber += 1;
  return number;
}

void peerPayload(Peer& peer, Machine& machine, const Payload& payload) {
  uint8_t body[ACK_HEADER_BYTES_MAX + PAYLOAD_BYTES_MAX];
  size_t bytes = payload.bare ? 0 : peerAcks(peer, body);
  if (payload.bytes > 0) std::memcpy(body + bytes, payload.frames, payload.bytes);
  bytes = std::min(bytes + payload.bytes, PAYLOAD_BYTES_MAX);
  const uint64_t number = peerNumber(peer, payload.numbering);
  if (peer.derived && peer.greeted && !peer.keepsToken) {
    sendSession(peer, machine, number, body, bytes);
  } else {
    peerSend(peer, machine, PACKET_PAYLOAD, number, body, bytes);
  }
}

}  // namespace netrt::fuzz
