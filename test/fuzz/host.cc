// The target `host`: a server with three slots, eight clients that come, go, come again and take
// each other's addresses, strangers, and a user who sends, closes, and at times doesn't read.
//
// Input: two bytes of profile, then operations: a byte whose low half says what, and whose high
// half is its parameter: a peer (3 bits), and a variant.
#include <algorithm>
#include <cstring>

#include "core/packet.h"
#include "core/ring.h"
#include "machine.h"
#include "peer.h"
#include "targets.h"

namespace netrt::fuzz {

namespace {

constexpr uint32_t OPERATIONS_MAX = 64;
constexpr uint32_t SLOTS = 3;
// Addresses from here on are strangers'.
constexpr uint32_t STRANGER = 8;

struct World {
  Profile profile;
  Machine machine;
  Peer peers[PEERS];
};

World world;

void hear(void*, Machine& machine, uint32_t to, const uint8_t* bytes, size_t length) {
  // Two clients may have had one address: the one whose key fits hears it.
  for (Peer& peer : world.peers) {
    if (indexOf(peer.address) == to) peerHear(peer, machine, bytes, length);
  }
}

// The next step of a client that wants to connect.
void join(Peer& peer) {
  Machine& machine = world.machine;
  if (!peer.hasChallenge) {
    peerSendBytes(peer, machine, peer.identity->request, REQUEST_BYTES);
  } else {
    peerSend(peer, machine, PACKET_RESPONSE, peerNumber(peer, 0), peer.challenge,
             CHALLENGE_BODY_BYTES);
  }
}

void hello(Peer& peer) {
  uint8_t frames[PAYLOAD_BYTES_MAX];
  const size_t bytes = peerHello(world.machine, frames);
  peerPayload(peer, world.machine, {false, 0, frames, bytes});
  peer.greeted = true;
}

void payload(Input& input, Peer& peer, bool bare, uint8_t numbering) {
  const uint8_t* bytes;
  const size_t count = input.take(input.take8(), bytes);
  peerPayload(peer, world.machine, {bare, numbering, bytes, count});
}

void bare(Peer& peer, uint8_t type, size_t bytes) {
  const uint8_t body[KEEP_ALIVE_BODY_BYTES] = {};
  peerSend(peer, world.machine, type, peerNumber(peer, 0), body, bytes);
}

void stranger(Input& input, uint8_t parameter) {
  const uint8_t* bytes;
  const size_t count = input.take(input.take8(), bytes);
  machineReceive(world.machine, addressOf(world.profile, STRANGER + parameter % 8), bytes, count);
}

void userSends(Input& input, uint8_t parameter) {
  Machine& machine = world.machine;
  uint8_t body[LONG_BYTES];
  const uint8_t choice = input.take8();
  const uint32_t bytes =
      std::min<uint32_t>(uint32_t{input.take8()} * (parameter & 8 ? 24 : 1), LONG_BYTES);
  std::memset(body, choice, bytes);
  for (uint32_t count = choice >> 5; count < 8; count++) {
    machineSend(machine, machineHandle(machine, parameter & 7), choice & 31, body, bytes,
                TTL_DEFAULT);
  }
}

void operate(Input& input, uint8_t operation) {
  Machine& machine = world.machine;
  const uint8_t parameter = operation >> 4;
  const bool variant = parameter >= 8;
  Peer& peer = world.peers[parameter % PEERS];
  Peer& other = world.peers[(parameter + 1) % PEERS];
  const uint8_t text[4] = {9, 8, 7, 6};
  switch (operation & 15) {
    case 0:
      return join(peer);
    case 1:
      return hello(peer);
    case 2:
      return payload(input, peer, false, variant ? 9 : 0);
    case 3:
      return payload(input, peer, true, variant ? 1 : 0);
    case 4:
      return bare(peer, PACKET_DISCONNECT, 0);
    case 5:
      return bare(peer, PACKET_KEEP_ALIVE, KEEP_ALIVE_BODY_BYTES);
    case 6:
      // Where the other one is, or back home.
      peer.address = variant ? other.address : addressOf(world.profile, parameter % PEERS);
      return;
    case 7:
      return stranger(input, parameter);
    case 8:
      return peerSendBytes(peer, machine, variant ? other.last : peer.last,
                           variant ? other.lastBytes : peer.lastBytes);
    case 9:
      machine.nowUs += (uint64_t{input.take8()} + 1) << parameter;
      return machineTurn(machine);
    case 10:
      return machineTurn(machine);
    case 11:
      return userSends(input, parameter);
    case 12:
      return machineBroadcast(machine, parameter, text, 1 + parameter % 4);
    case 13:
      return machineEnd(machine, machineHandle(machine, parameter & 7), variant, 20 + parameter);
    case 14:
      return peerRestart(peer);
    default:
      machine.reads = variant;
  }
}

}  // namespace

void hostTarget(const uint8_t* data, size_t size) {
  Input input{data, size};
  world.profile = profileTake(input);
  machineOpen(world.machine, 0, world.profile, ROLE_SERVER, SLOTS);
  world.machine.sink = hear;
  for (uint32_t index = 0; index < PEERS; index++) {
    peerOpen(world.peers[index], world.profile, index);
  }
  for (uint32_t count = 0; count < OPERATIONS_MAX && !input.ended(); count++) {
    operate(input, input.take8());
  }
  machineFinish(world.machine);
  machineClose(world.machine);
}

}  // namespace netrt::fuzz
