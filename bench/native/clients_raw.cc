// Clients of bare datagrams: of the floor and of node:dgram alone. A datagram is one message.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "clients.h"

namespace bench {

void Clients::took(const uint8_t* bytes, uint32_t length) {
  if (length < MESSAGE_HEAD_BYTES) return;
  if (bytes[0] == KIND_STATE) counters.states++;
  if (bytes[0] != KIND_RELIABLE || length < RELIABLE_HEAD_BYTES) return;
  counters.reliables++;
  uint64_t sentUs = 0;
  std::memcpy(&sentUs, bytes + MESSAGE_HEAD_BYTES, sizeof(sentUs));
  counters.reliableUs.push_back(static_cast<uint32_t>(nowNs() / 1000 - sentUs));
}

int Clients::datagramSocket() const {
  const int handle = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (handle < 0) return -1;
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(options.port));
  if (connect(handle, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    close(handle);
    return -1;
  }
  return handle;
}

namespace {

class RawClients : public Clients {
 public:
  using Clients::Clients;
  ~RawClients() override {
    for (const int handle : handles_) close(handle);
  }

  bool open() override { return true; }

  bool start(uint32_t) override {
    const int handle = datagramSocket();
    if (handle >= 0) handles_.push_back(handle);
    return handle >= 0;
  }

  bool ready(uint32_t client) const override { return client < handles_.size(); }

  uint32_t receive(uint32_t client) override {
    const uint64_t before = counters.states;
    uint8_t bytes[2048];
    for (;;) {
      const ssize_t length = recv(handles_[client], bytes, sizeof(bytes), 0);
      if (length <= 0) break;
      if (!loss.drops()) took(bytes, static_cast<uint32_t>(length));
    }
    return static_cast<uint32_t>(counters.states - before);
  }

  void input(uint32_t client) override {
    uint8_t bytes[MESSAGE_BYTES_MAX] = {KIND_INPUT};
    std::memcpy(bytes + 4, &client, sizeof(client));
    counters.inputs++;
    if (!loss.drops()) send(handles_[client], bytes, options.inputBytes, 0);
  }

  void advance(uint32_t) override {}

 private:
  std::vector<int> handles_;
};

}  // namespace

std::unique_ptr<Clients> clientsRaw(const Options& options) {
  return std::make_unique<RawClients>(options);
}

}  // namespace bench
