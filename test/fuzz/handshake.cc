// The target `handshake`: the way from a request to a slot, behind every seal. Somebody with the
// keys of a backend, of a server or of a client says what no one of them would: private tokens,
// challenges and answers of any content, in any order, from any address, at any time.
//
// Input: two bytes of profile, one of options (1: the host is a client), then operations: a byte
// whose low half says what, and whose high half is its parameter, a peer at most times.
#include <algorithm>
#include <cstring>

#include "core/config.h"
#include "core/packet.h"
#include "core/seal.h"
#include "machine.h"
#include "peer.h"
#include "targets.h"

namespace netrt::fuzz {

namespace {

constexpr uint32_t OPERATIONS_MAX = 64;
constexpr uint32_t SLOTS = 2;

struct World {
  Profile profile;
  Machine machine;
  Peer peers[PEERS];
};

World world;

void hear(void*, Machine& machine, uint32_t to, const uint8_t* bytes, size_t length) {
  const bool server = machine.host.config.role == ROLE_SERVER;
  // All servers that a client asks are one here: the peer whose token it has.
  for (uint32_t index = 0; index < PEERS; index++) {
    if (!server || index == to) peerHear(world.peers[index], machine, bytes, length);
  }
}

// Overwrites part of `bytes` with what the input says.
void patch(Input& input, uint8_t* bytes, size_t size) {
  const size_t offset = input.take16() % size;
  const uint8_t* source;
  const size_t count = std::min<size_t>(input.take(input.take8(), source), size - offset);
  if (count > 0) std::memcpy(bytes + offset, source, count);
}

void pass(uint64_t us) {
  world.machine.nowUs += us;
  machineTurn(world.machine);
}

// A packet of any type with any body.
void sealed(Input& input, Peer& peer) {
  const uint8_t choice = input.take8();
  const uint8_t type = static_cast<uint8_t>(1 + (choice & 15) % (PACKET_TYPES - 1));
  const uint8_t* bytes;
  const size_t count = input.take(input.take16() % (PAYLOAD_BYTES_MAX + 1), bytes);
  peerSend(peer, world.machine, type, peerNumber(peer, choice >> 4), bytes, count);
}

// ---- Toward a server ----

void requestPatched(Input& input, Peer& peer) {
  uint8_t plain[TOKEN_PRIVATE_BYTES];
  uint8_t request[REQUEST_BYTES];
  std::memcpy(plain, peer.identity->plain, TOKEN_PRIVATE_BYTES);
  patch(input, plain, TOKEN_PRIVATE_PLAIN_BYTES);
  requestSeal(*peer.identity, plain, request);
  peer.forged = true;
  peerSendBytes(peer, world.machine, request, REQUEST_BYTES);
}

void requestRaw(Input& input, Peer& peer) {
  uint8_t plain[TOKEN_PRIVATE_BYTES] = {};
  uint8_t request[REQUEST_BYTES];
  const uint8_t* bytes;
  const size_t count = input.take(input.take16() % (TOKEN_PRIVATE_PLAIN_BYTES + 1), bytes);
  if (count > 0) std::memcpy(plain, bytes, count);
  requestSeal(*peer.identity, plain, request);
  peer.forged = true;
  peerSendBytes(peer, world.machine, request, REQUEST_BYTES);
}

// What stands in the clear is bound to the seal, or refused before.
void requestClear(Input& input, Peer& peer) {
  uint8_t request[REQUEST_BYTES];
  std::memcpy(request, peer.identity->request, REQUEST_BYTES);
  const size_t clear = REQUEST_BYTES - TOKEN_PRIVATE_BYTES;
  const size_t offset = input.take8() % clear;
  request[offset] ^= input.take8();
  peerSendBytes(peer, world.machine, request, REQUEST_BYTES);
}

void respond(Peer& peer, const uint8_t* body) {
  peerSend(peer, world.machine, PACKET_RESPONSE, peerNumber(peer, 0), body, CHALLENGE_BODY_BYTES);
}

void responsePatched(Input& input, Peer& peer) {
  uint8_t body[CHALLENGE_BODY_BYTES] = {};
  if (peer.hasChallenge) std::memcpy(body, peer.challenge, CHALLENGE_BODY_BYTES);
  patch(input, body, CHALLENGE_BODY_BYTES);
  respond(peer, body);
}

// An answer whose challenge token opens: as if the server's own challenge key had got about.
void responseForged(Input& input, Peer& peer) {
  static SealKey key;
  if (!key.open) {
    FUZZ_CHECK(sealKeyOpen(key));
    sealKeySet(key, machineEntropy(), 0);
  }
  uint8_t body[CHALLENGE_BODY_BYTES] = {};
  ChallengeToken token;
  token.clientId = peer.identity->secret.clientId;
  std::memcpy(token.userData, peer.identity->secret.userData, USER_DATA_BYTES);
  const uint64_t sequence = input.take8();
  body[0] = static_cast<uint8_t>(sequence);
  FUZZ_CHECK(tokenChallengeWrite(token, body, 8));
  patch(input, body + 8, CHALLENGE_TOKEN_PLAIN_BYTES);
  sealPacket(key, sequence, nullptr, 0, body, 8, CHALLENGE_TOKEN_PLAIN_BYTES);
  respond(peer, body);
}

void rawBytes(Input& input, Peer& peer) {
  const uint8_t* bytes;
  const size_t count = input.take(input.take16() % (PACKET_BYTES_MAX + 8), bytes);
  peerSendBytes(peer, world.machine, bytes, count);
}

void hello(Peer& peer) {
  uint8_t frames[PAYLOAD_BYTES_MAX];
  const size_t bytes = peerHello(world.machine, frames);
  peerPayload(peer, world.machine, {false, 0, frames, bytes});
  peer.greeted = true;
}

void keepAlive(Peer& peer) {
  const uint8_t body[KEEP_ALIVE_BODY_BYTES] = {};
  peerSend(peer, world.machine, PACKET_KEEP_ALIVE, peerNumber(peer, 0), body, sizeof(body));
}

void toServer(Input& input, uint8_t operation) {
  Machine& machine = world.machine;
  const uint8_t parameter = operation >> 4;
  Peer& peer = world.peers[parameter % PEERS];
  Peer& other = world.peers[(parameter + 1) % PEERS];
  switch (operation & 15) {
    case 0:
      return peerSendBytes(peer, machine, peer.identity->request, REQUEST_BYTES);
    case 1:
      return requestPatched(input, peer);
    case 2:
      return requestClear(input, peer);
    case 3:
      return requestRaw(input, peer);
    case 4:
      return respond(peer, peer.challenge);
    case 5:
      return responsePatched(input, peer);
    case 6:
      return responseForged(input, peer);
    case 7:
      return sealed(input, peer);
    case 8:
      return pass((uint64_t{input.take8()} + 1) << parameter);
    case 9:
      return machineTurn(machine);
    case 10:
      return rawBytes(input, peer);
    case 11:
      return hello(peer);
    case 12:
      return keepAlive(peer);
    case 13:
      // Somebody else's packets, token or last datagram, from here.
      if (other.lastBytes > 0) return peerSendBytes(peer, machine, other.last, other.lastBytes);
      return peerSendBytes(peer, machine, other.identity->request, REQUEST_BYTES);
    case 14:
      return machineEnd(machine, machineHandle(machine, parameter), false, 20);
    default:
      return pass((uint64_t{parameter} + 1) * 1000000);
  }
}

// ---- Toward a client ----

void connectWith(Input& input, uint8_t parameter, bool patched) {
  Machine& machine = world.machine;
  if (machine.state > CLIENT_DISCONNECTED || machinePeers(machine) > 0) return;
  uint8_t token[TOKEN_PUBLIC_BYTES];
  std::memcpy(token, world.peers[parameter % PEERS].identity->token, TOKEN_PUBLIC_BYTES);
  if (patched) patch(input, token, TOKEN_PUBLIC_BYTES);
  hostConnect(machine.host, token, machine.nowUs);
  machineTurn(machine);
}

void challenge(Input& input, Peer& peer) {
  uint8_t body[CHALLENGE_BODY_BYTES] = {};
  const size_t bytes = input.take8() == 0 ? CHALLENGE_BODY_BYTES : input.take16() % 400;
  patch(input, body, CHALLENGE_BODY_BYTES);
  peerSend(peer, world.machine, PACKET_CHALLENGE, (uint64_t{1} << 63) + peerNumber(peer, 0), body,
           std::min(bytes, CHALLENGE_BODY_BYTES));
}

void toClient(Input& input, uint8_t operation) {
  Machine& machine = world.machine;
  const uint8_t parameter = operation >> 4;
  Peer& peer = world.peers[parameter % PEERS];
  switch (operation & 15) {
    case 0:
      return challenge(input, peer);
    case 1:
      return peerSend(peer, machine, PACKET_DENIED, (uint64_t{1} << 63) + peerNumber(peer, 0),
                      nullptr, 0);
    case 2:
      return keepAlive(peer);
    case 3:
      return sealed(input, peer);
    case 4:
      return pass((uint64_t{input.take8()} + 1) << parameter);
    case 5:
      return machineTurn(machine);
    case 6:
      return connectWith(input, parameter, false);
    case 7:
      return connectWith(input, parameter, true);
    case 8:
      return rawBytes(input, peer);
    case 9:
      // The servers of a token, one after the other, and one that is in none.
      peer.address = addressOf(world.profile, parameter / 4 == 0 ? 0 : 12 + parameter / 4);
      return;
    case 10:
      return hello(peer);
    case 11:
      return pass((uint64_t{parameter} + 1) * 1000000);
    case 12:
      return machineEnd(machine, machineHandle(machine, 0), false, 20);
    default:
      return peerSendBytes(peer, machine, peer.last, peer.lastBytes);
  }
}

}  // namespace

void handshakeTarget(const uint8_t* data, size_t size) {
  Input input{data, size};
  world.profile = profileTake(input);
  const bool client = (input.take8() & 1) != 0;
  machineOpen(world.machine, 0, world.profile, client ? ROLE_CLIENT : ROLE_SERVER,
              client ? 1 : SLOTS);
  world.machine.sink = hear;
  for (uint32_t index = 0; index < PEERS; index++) {
    peerOpen(world.peers[index], world.profile, index);
    if (client) world.peers[index].address = addressOf(world.profile, 0);
    std::memset(world.peers[index].challenge, 0, CHALLENGE_BODY_BYTES);
  }
  for (uint32_t count = 0; count < OPERATIONS_MAX && !input.ended(); count++) {
    const uint8_t operation = input.take8();
    if (client) {
      toClient(input, operation);
    } else {
      toServer(input, operation);
    }
  }
  machineFinish(world.machine);
  machineClose(world.machine);
}

}  // namespace netrt::fuzz
