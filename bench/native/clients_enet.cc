// Clients of ENet: an ENetHost with one peer for each client, so that each has its own socket.
#include <enet/enet.h>

#include <cstdio>
#include <cstring>

#include "clients.h"

namespace bench {

namespace {

constexpr enet_uint32 TIMEOUT_MS = 600000;

// ENet asks a function without context which datagrams to drop; there is one simulator a process.
Loss* interceptLoss = nullptr;

int intercept(ENetHost*, ENetEvent*) { return interceptLoss->drops() ? 1 : 0; }

struct EnetClient {
  ENetHost* host = nullptr;
  ENetPeer* peer = nullptr;
  bool connected = false;
};

class EnetClients : public Clients {
 public:
  using Clients::Clients;
  ~EnetClients() override {
    for (const EnetClient& client : clients_) {
      if (client.host != nullptr) enet_host_destroy(client.host);
    }
    enet_deinitialize();
  }

  bool open() override {
    clients_.resize(options.peers);
    interceptLoss = &loss;
    return enet_initialize() == 0;
  }

  bool start(uint32_t index) override {
    EnetClient& client = clients_[index];
    client.host = enet_host_create(nullptr, 1, 2, 0, 0);
    if (client.host == nullptr) return false;
    if (options.lossPercent > 0) client.host->intercept = intercept;
    ENetAddress address;
    enet_address_set_host_ip(&address, "127.0.0.1");
    address.port = static_cast<enet_uint16>(options.port);
    client.peer = enet_host_connect(client.host, &address, 2, index);
    return client.peer != nullptr;
  }

  bool ready(uint32_t index) const override { return clients_[index].connected; }

  uint32_t receive(uint32_t index) override {
    EnetClient& client = clients_[index];
    const uint64_t before = counters.states;
    ENetEvent event;
    while (enet_host_service(client.host, &event, 0) > 0) {
      if (event.type == ENET_EVENT_TYPE_CONNECT) {
        client.connected = true;
        enet_peer_throttle_configure(event.peer, 5000, ENET_PEER_PACKET_THROTTLE_SCALE, 0);
        enet_peer_timeout(event.peer, 0, TIMEOUT_MS, TIMEOUT_MS);
      } else if (event.type == ENET_EVENT_TYPE_RECEIVE) {
        took(event.packet->data, static_cast<uint32_t>(event.packet->dataLength));
        enet_packet_destroy(event.packet);
      } else if (event.type == ENET_EVENT_TYPE_DISCONNECT) {
        if (client.connected) counters.lost++;
        client.connected = false;
      }
    }
    return static_cast<uint32_t>(counters.states - before);
  }

  void input(uint32_t index) override {
    EnetClient& client = clients_[index];
    uint8_t bytes[MESSAGE_BYTES_MAX] = {KIND_INPUT};
    std::memcpy(bytes + 4, &index, sizeof(index));
    enet_peer_send(client.peer, 0, enet_packet_create(bytes, options.inputBytes, 0));
    counters.inputs++;
    enet_host_flush(client.host);
  }

  // Serving a host is all that ENet knows; receive does it.
  void advance(uint32_t index) override {
    if (clients_[index].host != nullptr) receive(index);
  }

 private:
  std::vector<EnetClient> clients_;
};

}  // namespace

std::unique_ptr<Clients> clientsEnet(const Options& options) {
  return std::make_unique<EnetClients>(options);
}

}  // namespace bench
