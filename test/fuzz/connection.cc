// The target `connection`: an authenticated peer says whatever it likes, time passes, and the user
// at the other end sends, closes and reads. The host under test is a server, or a client.
//
// Input: two bytes of profile, one of options (1: the host is a client; 2: no hello; 4: the peer
// left a hello half said; 8: the peer takes short payloads only; 64: it stays under the token's
// keys), then operations: a byte whose low half says what, and whose high half is its parameter.
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

struct World {
  Machine machine;
  Peer peer;
  uint32_t index;
};

World world;

void hear(void*, Machine& machine, uint32_t to, const uint8_t* bytes, size_t length) {
  if (to == world.index) peerHear(world.peer, machine, bytes, length);
}

// The peer is a client: request, challenge, response, and the keep-alive that accepts it.
void joinServer(Machine& machine, Peer& peer) {
  peerSendBytes(peer, machine, peer.identity->request, REQUEST_BYTES);
  machineTurn(machine);
  FUZZ_CHECK(peer.hasChallenge);
  peerSend(peer, machine, PACKET_RESPONSE, peerNumber(peer, 0), peer.challenge,
           CHALLENGE_BODY_BYTES);
  machineTurn(machine);
  FUZZ_CHECK(peer.accepted);
}

// The peer is the server of a client under test.
void joinClient(Machine& machine, Peer& peer) {
  const uint8_t body[CHALLENGE_BODY_BYTES] = {1, 2, 3};
  hostConnect(machine.host, peer.identity->token, machine.nowUs);
  machineTurn(machine);
  peerSend(peer, machine, PACKET_CHALLENGE, uint64_t{1} << 63, body, sizeof(body));
  machineTurn(machine);
  const uint8_t accept[KEEP_ALIVE_BODY_BYTES] = {0, 0, 0, 0, 4};
  peerSend(peer, machine, PACKET_KEEP_ALIVE, peerNumber(peer, 0), accept, sizeof(accept));
  machineTurn(machine);
  FUZZ_CHECK(machine.host.client.state == CLIENT_CONNECTED);
}

void join(const Profile& profile, uint8_t options) {
  Machine& machine = world.machine;
  Peer& peer = world.peer;
  const bool client = (options & 1) != 0;
  machineOpen(machine, 0, profile, client ? ROLE_CLIENT : ROLE_SERVER, client ? 1 : 2);
  machine.sink = hear;
  // A client's server is at the address 0, with the keys of the token that the client has.
  const uint32_t index = 1 + options / 16 % 4;
  peerOpen(peer, profile, index);
  world.index = client ? 0 : index;
  if (client) {
    peer.address = addressOf(profile, 0);
    joinClient(machine, peer);
  } else {
    joinServer(machine, peer);
  }
  if (profile.raw || (options & 2) != 0) return;
  peer.keepsToken = (options & 64) != 0;
  uint8_t hello[PAYLOAD_BYTES_MAX];
  const size_t bytes = peerHello(machine, hello, (options & 8) != 0 ? 400 : PAYLOAD_BYTES_MAX);
  peerPayload(peer, machine, {false, 0, hello, (options & 4) != 0 ? bytes / 2 : bytes});
  peer.greeted = (options & 4) == 0;
}

// ---- The operations ----

void payload(Input& input, uint8_t parameter, bool bare) {
  const uint8_t* bytes;
  const size_t count = input.take(input.take8(), bytes);
  peerPayload(world.peer, world.machine, {bare, parameter, bytes, count});
}

// A long message: its head from the input, its body made up.
void longMessage(Input& input, uint8_t parameter) {
  uint8_t frames[PAYLOAD_BYTES_MAX];
  const uint16_t id = input.take16();
  frames[0] = static_cast<uint8_t>(0x80 | (input.take8() & 0x3f));
  frames[1] = static_cast<uint8_t>(id);
  frames[2] = static_cast<uint8_t>(id >> 8);
  const size_t count = 4 * size_t{input.take8()};
  std::memset(frames + 3, static_cast<int>(count & 0xff), count);
  peerPayload(world.peer, world.machine, {false, parameter, frames, 3 + count});
}

void sealed(Input& input, uint8_t parameter) {
  const uint8_t type = static_cast<uint8_t>(1 + input.take8() % (PACKET_TYPES - 1));
  const uint8_t* bytes;
  const size_t count = input.take(input.take8(), bytes);
  peerSend(world.peer, world.machine, type, peerNumber(world.peer, parameter), bytes, count);
}

void keepAlive(uint8_t parameter) {
  const uint8_t body[KEEP_ALIVE_BODY_BYTES] = {};
  peerSend(world.peer, world.machine, PACKET_KEEP_ALIVE, peerNumber(world.peer, parameter), body,
           sizeof(body));
}

// Acks that tell only part of the truth: some packets are lost.
void partial(Input& input, uint8_t parameter) {
  Peer& peer = world.peer;
  const uint8_t mask = input.take8();
  uint8_t body[ACK_HEADER_BYTES_MAX + 1];
  size_t bytes = peerAcks(peer, body);
  if (bytes > 5) {
    for (size_t index = 5; index < bytes; index++) body[index] &= mask;
    while (bytes > 5 && body[bytes - 1] == 0) bytes -= 1;
    body[0] = static_cast<uint8_t>(0x80 | (bytes - 5));
    body[3] = input.take8();
  }
  body[bytes] = 4;  // a ping
  peerPayload(peer, world.machine, {true, parameter, body, bytes + 1});
}

void jump(Input& input, uint8_t parameter) {
  const uint64_t distance = uint64_t{input.take8()} << (4 * (parameter % 14));
  world.peer.nextNumber = std::min(world.peer.nextNumber + distance, uint64_t{1} << 62);
}

void pass(Input& input, uint8_t parameter) {
  world.machine.nowUs += (uint64_t{input.take8()} + 1) << parameter;
  machineTurn(world.machine);
}

void userSends(Input& input, uint8_t parameter) {
  constexpr uint32_t TTLS[4] = {TTL_DEFAULT, 0, 40, 2000};
  Machine& machine = world.machine;
  uint8_t body[LONG_BYTES];
  const uint8_t choice = input.take8();
  const uint32_t count = 1 + (choice & 7);
  const uint32_t bytes =
      std::min<uint32_t>(uint32_t{input.take8()} * (choice & 8 ? 24 : 1), LONG_BYTES);
  std::memset(body, choice, bytes);
  for (uint32_t message = 0; message < count; message++) {
    machineSend(machine, machineHandle(machine, 0), parameter, body, bytes, TTLS[choice >> 6]);
  }
}

void block(Input& input, uint32_t channel) {
  Machine& machine = world.machine;
  const uint32_t total = 64u * input.take8() + 1;
  if (channel < machine.host.config.channelCount) {
    machineBlock(machine, machineHandle(machine, 0), channel, total);
  }
}

// What the user wants to hear: everything or nothing, of packets, of a channel.
void wish(uint8_t parameter) {
  Machine& machine = world.machine;
  const uint32_t handle = machineHandle(machine, 0);
  if (parameter < 4) {
    machine.reads = (parameter & 1) != 0;
  } else if (parameter < 8) {
    machineWatch(machine, handle, (parameter & 1) != 0);
  } else {
    machinePause(machine, handle, parameter - 8u);
  }
}

void operate(Input& input, uint8_t operation) {
  Machine& machine = world.machine;
  const uint8_t parameter = operation >> 4;
  const uint8_t over[4] = {0, 1, 2, 3};
  switch (operation & 15) {
    case 0:
    case 1:
      return payload(input, parameter, false);
    case 2:
      return payload(input, parameter, true);
    case 3:
      return longMessage(input, parameter);
    case 4:
      return sealed(input, parameter);
    case 5:
      return keepAlive(parameter);
    case 6:
      return partial(input, parameter);
    case 7:
      return jump(input, parameter);
    case 8:
      // Replayed, as it was or with a bit turned.
      if (parameter > 0 && world.peer.lastBytes > parameter) world.peer.last[parameter] ^= 1;
      return peerSendBytes(world.peer, machine, world.peer.last, world.peer.lastBytes);
    case 9:
      return pass(input, parameter);
    case 10:
      return machineTurn(machine);
    case 11:
      return userSends(input, parameter);
    case 12:
      if (parameter < 8) return machineBroadcast(machine, parameter, over, parameter % 5);
      return block(input, parameter - 8u);
    case 13:
      return machineEnd(machine, machineHandle(machine, 0), (parameter & 1) != 0, 20 + parameter);
    case 14:
      return wish(parameter);
    default:
      // The peer heard nothing of the last packets.
      peerForget(world.peer, (parameter & 1) == 0);
  }
}

}  // namespace

void connectionTarget(const uint8_t* data, size_t size) {
  Input input{data, size};
  const Profile profile = profileTake(input);
  join(profile, input.take8());
  for (uint32_t count = 0; count < OPERATIONS_MAX && !input.ended(); count++) {
    operate(input, input.take8());
  }
  machineFinish(world.machine);
  machineClose(world.machine);
}

}  // namespace netrt::fuzz
