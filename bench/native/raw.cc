// The floor: a server of the workload on recvmmsg and sendmmsg alone. No protocol, no encryption,
// no acks; a lost reliable message is lost. What it costs is what the kernel costs. A datagram is
// one message; its head names the client.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <vector>

#include "control.h"

namespace bench {

namespace {

constexpr uint32_t BATCH = 64;
constexpr size_t STRIDE = 1344;
constexpr int BUFFER_BYTES = 4 * 1024 * 1024;

struct Peer {
  sockaddr_in address;
  bool known;
  uint32_t answers;
  uint8_t input[MESSAGE_BYTES_MAX];
};

struct Counters {
  uint64_t inputs = 0;
  uint64_t states = 0;
  uint64_t reliables = 0;
  uint64_t ticks = 0;
  uint64_t receiveCalls = 0;
  uint64_t sendCalls = 0;
  uint64_t datagramsOut = 0;
};

struct Server {
  Options options;
  int handle = -1;
  Counters counters;
  std::vector<Peer> peers;
  mmsghdr in[BATCH];
  iovec inSpans[BATCH];
  sockaddr_in inFrom[BATCH];
  uint8_t inBytes[BATCH][STRIDE];
  mmsghdr out[BATCH];
  iovec outSpans[BATCH];
  uint8_t outBytes[BATCH][STRIDE];
  uint32_t outCount = 0;
};

bool serverOpen(Server& server) {
  server.handle = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  setsockopt(server.handle, SOL_SOCKET, SO_RCVBUF, &BUFFER_BYTES, sizeof(BUFFER_BYTES));
  setsockopt(server.handle, SOL_SOCKET, SO_SNDBUF, &BUFFER_BYTES, sizeof(BUFFER_BYTES));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(server.options.port));
  if (bind(server.handle, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    std::perror("bind");
    return false;
  }
  socklen_t length = sizeof(address);
  getsockname(server.handle, reinterpret_cast<sockaddr*>(&address), &length);
  server.options.port = ntohs(address.sin_port);
  server.peers.resize(server.options.peers);
  for (uint32_t index = 0; index < BATCH; index++) {
    server.inSpans[index] = {server.inBytes[index], STRIDE};
    server.outSpans[index] = {server.outBytes[index], 0};
    server.in[index].msg_hdr = {};
    server.in[index].msg_hdr.msg_iov = &server.inSpans[index];
    server.in[index].msg_hdr.msg_iovlen = 1;
    server.in[index].msg_hdr.msg_name = &server.inFrom[index];
    server.out[index].msg_hdr = {};
    server.out[index].msg_hdr.msg_iov = &server.outSpans[index];
    server.out[index].msg_hdr.msg_iovlen = 1;
    server.out[index].msg_hdr.msg_namelen = sizeof(sockaddr_in);
  }
  return true;
}

void flush(Server& server) {
  uint32_t sent = 0;
  while (sent < server.outCount) {
    const int count = sendmmsg(server.handle, server.out + sent, server.outCount - sent, 0);
    server.counters.sendCalls++;
    if (count < 0) {
      if (errno == EINTR) continue;
      // The kernel has no room, or refuses this one: it is lost, as datagrams are.
      sent++;
      continue;
    }
    sent += static_cast<uint32_t>(count);
    server.counters.datagramsOut += static_cast<uint64_t>(count);
  }
  server.outCount = 0;
}

void add(Server& server, Peer& peer, uint32_t client, uint8_t kind, uint32_t bytes) {
  if (server.outCount == BATCH) flush(server);
  const uint32_t index = server.outCount++;
  uint8_t* out = server.outBytes[index];
  // The content is the peer's own, as a game's is.
  std::memcpy(out + MESSAGE_HEAD_BYTES, peer.input, MESSAGE_HEAD_BYTES);
  out[0] = kind;
  std::memcpy(out + 4, &client, sizeof(client));
  if (kind == KIND_RELIABLE) {
    const uint64_t us = nowNs() / 1000;
    std::memcpy(out + MESSAGE_HEAD_BYTES, &us, sizeof(us));
  }
  server.outSpans[index].iov_len = bytes;
  server.out[index].msg_hdr.msg_name = &peer.address;
}

void answer(Server& server, uint32_t client) {
  Peer& peer = server.peers[client];
  if (!peer.known) return;
  add(server, peer, client, KIND_STATE, server.options.stateBytes);
  server.counters.states++;
  if (++peer.answers % server.options.reliableEvery != 0) return;
  add(server, peer, client, KIND_RELIABLE, server.options.reliableBytes);
  server.counters.reliables++;
}

// Takes everything that is there; whether anything was. With `answers` each input is answered.
bool receive(Server& server, bool answers) {
  bool any = false;
  for (;;) {
    for (uint32_t index = 0; index < BATCH; index++) {
      server.in[index].msg_hdr.msg_namelen = sizeof(sockaddr_in);
    }
    const int count = recvmmsg(server.handle, server.in, BATCH, MSG_DONTWAIT, nullptr);
    server.counters.receiveCalls++;
    for (int index = 0; index < count; index++) {
      uint32_t client = 0;
      std::memcpy(&client, server.inBytes[index] + 4, sizeof(client));
      if (server.in[index].msg_len < MESSAGE_HEAD_BYTES || client >= server.peers.size()) continue;
      Peer& peer = server.peers[client];
      peer.address = server.inFrom[index];
      peer.known = true;
      std::memcpy(peer.input, server.inBytes[index], server.in[index].msg_len);
      server.counters.inputs++;
      if (answers) answer(server, client);
      any = true;
    }
    if (count < static_cast<int>(BATCH)) break;
  }
  if (answers) flush(server);
  return any;
}

void mark(const Server& server) {
  const Counters& counters = server.counters;
  std::printf(
      "{\"cpuUs\":%" PRIu64 ",\"rssBytes\":%" PRIu64 ",\"inputs\":%" PRIu64 ",\"states\":%" PRIu64
      ",\"reliables\":%" PRIu64 ",\"ticks\":%" PRIu64 ",\"datagramsIn\":%" PRIu64
      ",\"receiveCalls\":%" PRIu64 ",\"datagramsOut\":%" PRIu64 ",\"sendCalls\":%" PRIu64 "}\n",
      cpuUs(), rssBytes(), counters.inputs, counters.states, counters.reliables, counters.ticks,
      counters.inputs, counters.receiveCalls, counters.datagramsOut, counters.sendCalls);
}

// What is due at a time: with `locked` a state for everybody, else an answer for each input.
void serveDue(Server& server, bool locked, bool running) {
  receive(server, !locked && running);
  if (!locked || !running) return;
  server.counters.ticks++;
  for (uint32_t client = 0; client < server.peers.size(); client++) answer(server, client);
  flush(server);
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
    commandWait(echoes ? server.handle : -1, dueNs);
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
  if (!bench::optionsRead(argc, argv, server.options) || !bench::serverOpen(server)) return 1;
  setvbuf(stdout, nullptr, _IOLBF, 0);
  std::printf("{\"port\":%u}\n", server.options.port);
  bench::run(server);
  close(server.handle);
  return 0;
}
