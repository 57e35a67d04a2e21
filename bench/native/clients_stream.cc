// Clients of ws: RFC 6455 over TCP, as little of it as the workload needs. Each message is one
// unfragmented binary frame; what a client sends is masked, as it must be, with a mask of zeros.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "clients.h"

namespace bench {

namespace {

constexpr uint8_t FRAME_BINARY = 0x82;
constexpr uint8_t FRAME_MASKED = 0x80;
constexpr uint8_t LENGTH_16 = 126;
constexpr char UPGRADE[] =
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";

struct StreamClient {
  int handle = -1;
  bool upgraded = false;
  // Received and not yet read.
  uint32_t length = 0;
  uint8_t bytes[8192];
};

class StreamClients : public Clients {
 public:
  using Clients::Clients;
  ~StreamClients() override {
    for (const StreamClient& client : clients_) close(client.handle);
  }

  bool open() override {
    clients_.resize(options.peers);
    if (options.lossPercent == 0) return true;
    std::fprintf(stderr, "a stream loses nothing that a simulator could drop\n");
    return false;
  }

  bool start(uint32_t index) override;
  bool ready(uint32_t index) const override { return clients_[index].upgraded; }
  uint32_t receive(uint32_t index) override;
  void input(uint32_t index) override;

  void advance(uint32_t index) override {
    if (clients_[index].handle >= 0) receive(index);
  }

 private:
  void parse(StreamClient& client);

  std::vector<StreamClient> clients_;
};

bool StreamClients::start(uint32_t index) {
  const int handle = socket(AF_INET, SOCK_STREAM, 0);
  if (handle < 0) return false;
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(options.port));
  const int on = 1;
  setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(handle, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    close(handle);
    return false;
  }
  clients_[index].handle = handle;
  return send(handle, UPGRADE, sizeof(UPGRADE) - 1, 0) == sizeof(UPGRADE) - 1;
}

// Reads whole frames, and keeps what is not whole yet.
void StreamClients::parse(StreamClient& client) {
  uint32_t at = 0;
  if (!client.upgraded) {
    const void* end = memmem(client.bytes, client.length, "\r\n\r\n", 4);
    if (end == nullptr) return;
    at = static_cast<uint32_t>(static_cast<const uint8_t*>(end) - client.bytes) + 4;
    client.upgraded = std::memcmp(client.bytes, "HTTP/1.1 101", 12) == 0;
  }
  for (;;) {
    const uint32_t left = client.length - at;
    const uint8_t* frame = client.bytes + at;
    if (left < 4) break;
    const bool extended = frame[1] == LENGTH_16;
    const uint32_t head = extended ? 4 : 2;
    const uint32_t length = extended ? (uint32_t{frame[2]} << 8 | frame[3]) : frame[1];
    if (left < head + length) break;
    if (frame[0] == FRAME_BINARY) took(frame + head, length);
    at += head + length;
  }
  std::memmove(client.bytes, client.bytes + at, client.length - at);
  client.length -= at;
}

uint32_t StreamClients::receive(uint32_t index) {
  StreamClient& client = clients_[index];
  const uint64_t before = counters.states;
  for (;;) {
    const size_t room = sizeof(client.bytes) - client.length;
    const ssize_t count = recv(client.handle, client.bytes + client.length, room, MSG_DONTWAIT);
    if (count <= 0) {
      if (count == 0 && client.upgraded) {
        counters.lost++;
        client.upgraded = false;
      }
      break;
    }
    client.length += static_cast<uint32_t>(count);
    parse(client);
    if (static_cast<size_t>(count) < room) break;
  }
  return static_cast<uint32_t>(counters.states - before);
}

void StreamClients::input(uint32_t index) {
  uint8_t bytes[8 + MESSAGE_BYTES_MAX] = {FRAME_BINARY};
  const uint32_t length = options.inputBytes;
  uint32_t at = 2;
  if (length < LENGTH_16) {
    bytes[1] = static_cast<uint8_t>(FRAME_MASKED | length);
  } else {
    bytes[1] = FRAME_MASKED | LENGTH_16;
    bytes[2] = static_cast<uint8_t>(length >> 8);
    bytes[3] = static_cast<uint8_t>(length);
    at = 4;
  }
  at += 4;
  bytes[at] = KIND_INPUT;
  std::memcpy(bytes + at + 4, &index, sizeof(index));
  // A server that does not read closes the window: then the input is lost, and counted as sent.
  send(clients_[index].handle, bytes, at + length, MSG_DONTWAIT | MSG_NOSIGNAL);
  counters.inputs++;
}

}  // namespace

std::unique_ptr<Clients> clientsStream(const Options& options) {
  return std::make_unique<StreamClients>(options);
}

}  // namespace bench
