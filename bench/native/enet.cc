// A server of the workload on ENet: acks, sequencing and reliable messages, no encryption.
// State goes unreliable and sequenced on channel 0, what is reliable on channel 1, which is what a
// game does with ENet. Its throttle is off: it would drop most of the state on loopback without a
// word, and the row would not be the same work.
#include <enet/enet.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "control.h"

namespace bench {

namespace {

constexpr int BUFFER_BYTES = 4 * 1024 * 1024;
constexpr enet_uint32 TIMEOUT_MS = 600000;

struct Server {
  Options options;
  ENetHost* host = nullptr;
  uint64_t inputs = 0;
  uint64_t states = 0;
  uint64_t reliables = 0;
  uint64_t ticks = 0;
  uint8_t bytes[MESSAGE_BYTES_MAX] = {};
};

void answer(Server& server, ENetPeer* peer) {
  const Options& options = server.options;
  server.bytes[0] = KIND_STATE;
  enet_peer_send(peer, 0, enet_packet_create(server.bytes, options.stateBytes, 0));
  server.states++;
  const uintptr_t answers = reinterpret_cast<uintptr_t>(peer->data) + 1;
  peer->data = reinterpret_cast<void*>(answers);
  if (answers % options.reliableEvery != 0) return;
  server.bytes[0] = KIND_RELIABLE;
  const uint64_t us = nowNs() / 1000;
  std::memcpy(server.bytes + MESSAGE_HEAD_BYTES, &us, sizeof(us));
  enet_peer_send(
      peer, 1, enet_packet_create(server.bytes, options.reliableBytes, ENET_PACKET_FLAG_RELIABLE));
  server.reliables++;
}

// Takes everything that is there; whether anything was. With `answers` each input is answered.
bool serve(Server& server, bool answers) {
  ENetEvent event;
  bool any = false;
  while (enet_host_service(server.host, &event, 0) > 0) {
    any = true;
    if (event.type == ENET_EVENT_TYPE_CONNECT) {
      // At most, and never less (acceleration, no deceleration).
      enet_peer_throttle_configure(event.peer, 5000, ENET_PEER_PACKET_THROTTLE_SCALE, 0);
      enet_peer_timeout(event.peer, 0, TIMEOUT_MS, TIMEOUT_MS);
      event.peer->data = nullptr;
    } else if (event.type == ENET_EVENT_TYPE_RECEIVE) {
      server.inputs++;
      enet_packet_destroy(event.packet);
      if (answers) answer(server, event.peer);
    }
  }
  if (answers && any) enet_host_flush(server.host);
  return any;
}

void mark(const Server& server) {
  std::printf("{\"cpuUs\":%" PRIu64 ",\"rssBytes\":%" PRIu64 ",\"inputs\":%" PRIu64
              ",\"states\":%" PRIu64 ",\"reliables\":%" PRIu64 ",\"ticks\":%" PRIu64 "}\n",
              cpuUs(), rssBytes(), server.inputs, server.states, server.reliables, server.ticks);
}

// What is due at a time: with `locked` a state for everybody, else an answer for each input.
void serveDue(Server& server, bool locked, bool running) {
  serve(server, !locked && running);
  if (!locked || !running) return;
  server.ticks++;
  for (size_t index = 0; index < server.host->peerCount; index++) {
    ENetPeer* peer = &server.host->peers[index];
    if (peer->state == ENET_PEER_STATE_CONNECTED) answer(server, peer);
  }
  enet_host_flush(server.host);
}

void run(Server& server) {
  // A server that is asked for single answers sleeps until something comes, every other one until
  // its next tick.
  const bool echoes = modeIs(server.options, "echo");
  const bool locked = modeIs(server.options, "locked");
  const uint64_t periodNs = static_cast<uint64_t>(1e9 / server.options.rateHz);
  uint64_t dueNs = nowNs();
  bool running = false;
  for (;;) {
    commandWait(echoes ? server.host->socket : -1, dueNs);
    switch (commandNext()) {
      case Command::GO:
        running = true;
        break;
      case Command::HOLD:
        running = false;
        break;
      case Command::MARK:
        mark(server);
        break;
      case Command::QUIT:
        return;
      case Command::NONE:
        break;
    }
    if (!echoes && nowNs() < dueNs) continue;
    // A tick that the process stood still for is not made up.
    const bool late = dueNs + 4 * periodNs < nowNs();
    if (nowNs() >= dueNs) dueNs = late ? nowNs() + periodNs : dueNs + periodNs;
    serveDue(server, locked, running);
  }
}

}  // namespace

}  // namespace bench

int main(int argc, char** argv) {
  static bench::Server server;
  if (!bench::optionsRead(argc, argv, server.options) || enet_initialize() != 0) return 1;
  ENetAddress address;
  enet_address_set_host_ip(&address, "127.0.0.1");
  address.port = static_cast<enet_uint16>(server.options.port);
  server.host = enet_host_create(&address, server.options.peers, 2, 0, 0);
  if (server.host == nullptr) {
    std::fprintf(stderr, "enet_host_create: no host for %u peers\n", server.options.peers);
    return 1;
  }
  enet_socket_set_option(server.host->socket, ENET_SOCKOPT_RCVBUF, bench::BUFFER_BYTES);
  enet_socket_set_option(server.host->socket, ENET_SOCKOPT_SNDBUF, bench::BUFFER_BYTES);
  enet_socket_get_address(server.host->socket, &address);
  setvbuf(stdout, nullptr, _IOLBF, 0);
  std::printf("{\"port\":%u}\n", static_cast<unsigned>(address.port));
  bench::run(server);
  enet_host_destroy(server.host);
  enet_deinitialize();
  return 0;
}
