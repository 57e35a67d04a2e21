// Clients of netrt: the core itself, a host for each client, driven without rings to JavaScript.
// All clients share the memory of one submission ring, one completion ring and one page: a host's
// rings are emptied and set back to their beginning after each use, so a thousand clients touch no
// more memory for it than one.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "clients.h"
#include "core/config.h"
#include "core/host.h"
#include "core/ring.h"
#include "core/stats.h"

namespace bench {

namespace {

using namespace netrt;

constexpr uint32_t SUBMISSION_BYTES = 16384;
constexpr uint32_t COMPLETION_BYTES = 16 * COMPLETION_RESERVE_BYTES;
// Channels of the workload's protocol, in the order of bench/workload.ts.
constexpr uint32_t CHANNEL_INPUT = 0;
// When a client is looked after at the latest (µs).
constexpr uint64_t CLIENT_DUE_MAX_US = 1000000;

struct NetrtClient {
  Host host;
  int handle = -1;
  bool connected = false;
  uint64_t dueUs = 0;
};

class NetrtClients : public Clients {
 public:
  using Clients::Clients;
  ~NetrtClients() override;
  bool open() override;
  bool start(uint32_t client) override;
  bool ready(uint32_t client) const override { return clients_[client]->connected; }
  uint32_t receive(uint32_t client) override;
  void input(uint32_t client) override;
  void advance(uint32_t client) override;

 private:
  void drain(NetrtClient& client);
  void transmit(NetrtClient& client, uint64_t nowUs);

  std::vector<std::unique_ptr<NetrtClient>> clients_;
  std::vector<uint32_t> config_;
  std::vector<uint8_t> tokens_;
  std::vector<uint64_t> submission_;
  std::vector<uint64_t> completion_;
  std::vector<uint32_t> page_;
  Address server_;
  Batch batch_;
};

uint8_t* memoryOf(std::vector<uint64_t>& words) { return reinterpret_cast<uint8_t*>(words.data()); }

void ringRewind(Ring& ring) {
  std::memset(ring.control, 0, RING_CONTROL_BYTES);
  ring.head = 0;
  ring.tail = 0;
}

NetrtClients::~NetrtClients() {
  for (const auto& client : clients_) {
    if (client->handle < 0) continue;
    close(client->handle);
    hostClose(client->host);
  }
}

// The file that the tokens are in: CONFIG_WORDS words, then TOKEN_PUBLIC_BYTES for each client.
bool NetrtClients::open() {
  if (sealInit() == nullptr) {
    std::fprintf(stderr,
                 "the clients of netrt find no cipher: libsodium or libcrypto is missing\n");
    return false;
  }
  config_.resize(CONFIG_WORDS);
  tokens_.resize(size_t{options.peers} * TOKEN_PUBLIC_BYTES);
  FILE* file = std::fopen(options.tokens, "rb");
  const bool read = file != nullptr &&
                    std::fread(config_.data(), 4, CONFIG_WORDS, file) == CONFIG_WORDS &&
                    std::fread(tokens_.data(), 1, tokens_.size(), file) == tokens_.size() &&
                    std::getc(file) == EOF;
  if (file != nullptr) std::fclose(file);
  if (!read) {
    std::fprintf(stderr, "%s is no file of %u tokens\n", options.tokens, options.peers);
    return false;
  }
  submission_.resize(ringBytes(SUBMISSION_BYTES) / 8);
  completion_.resize(ringBytes(COMPLETION_BYTES) / 8);
  page_.resize(statsWords(1));
  server_.type = ADDRESS_IPV4;
  server_.port = static_cast<uint16_t>(options.port);
  server_.a = 0x7f000001;
  for (uint32_t index = 0; index < options.peers; index++) {
    clients_.push_back(std::make_unique<NetrtClient>());
  }
  return true;
}

bool NetrtClients::start(uint32_t index) {
  NetrtClient& client = *clients_[index];
  const int handle = datagramSocket();
  if (handle < 0) return false;
  const uint8_t key[KEY_BYTES] = {};
  uint8_t entropy[ENTROPY_BYTES] = {};
  std::memcpy(entropy, &index, sizeof(index));
  std::memset(memoryOf(submission_), 0, RING_CONTROL_BYTES);
  std::memset(memoryOf(completion_), 0, RING_CONTROL_BYTES);
  if (!hostOpen(client.host, config_.data(), page_.data(), key, entropy, memoryOf(submission_),
                ringBytes(SUBMISSION_BYTES), memoryOf(completion_), ringBytes(COMPLETION_BYTES))) {
    close(handle);
    return false;
  }
  client.handle = handle;
  const uint64_t nowUs = nowNs() / 1000;
  hostConnect(client.host, tokens_.data() + size_t{index} * TOKEN_PUBLIC_BYTES, nowUs);
  transmit(client, nowUs);
  return true;
}

// Reads what the host tells, straight from the ring that it filled.
void NetrtClients::drain(NetrtClient& client) {
  Ring& ring = client.host.outlet.completion;
  if (ring.head == 0) return;
  for (uint32_t at = 0; at < ring.head;) {
    const uint32_t* record = ring.words + at / 4;
    const uint32_t kind = record[0] >> 24;
    if (kind == RECORD_MESSAGE) {
      took(reinterpret_cast<const uint8_t*>(record) + RECORD_BYTES, record[3]);
    } else if (kind == RECORD_CONNECT) {
      client.connected = true;
    } else if (kind == RECORD_DISCONNECT) {
      if (client.connected) counters.lost++;
      client.connected = false;
    }
    at += record[0] & 0xffffff;
  }
  ringRewind(ring);
}

void NetrtClients::transmit(NetrtClient& client, uint64_t nowUs) {
  for (;;) {
    const uint32_t count = hostTransmit(client.host, nowUs, batch_);
    if (count == 0) break;
    for (uint32_t index = 0; index < count; index++) {
      if (loss.drops()) continue;
      send(client.handle, batch_.bytes + index * BATCH_STRIDE, batch_.lengths[index], 0);
    }
  }
  drain(client);
  const uint64_t dueUs = hostDeadlineUs(client.host);
  client.dueUs = dueUs < nowUs + CLIENT_DUE_MAX_US ? dueUs : nowUs + CLIENT_DUE_MAX_US;
}

uint32_t NetrtClients::receive(uint32_t index) {
  NetrtClient& client = *clients_[index];
  const uint64_t before = counters.states;
  uint8_t bytes[2048];
  for (;;) {
    const ssize_t length = recv(client.handle, bytes, sizeof(bytes), 0);
    if (length <= 0) break;
    if (loss.drops()) continue;
    const uint64_t nowUs = nowNs() / 1000;
    hostReceive(client.host, nowUs, nowUs, 0, server_, bytes, 0, static_cast<size_t>(length));
    drain(client);
    client.dueUs = 0;
  }
  return static_cast<uint32_t>(counters.states - before);
}

void NetrtClients::input(uint32_t index) {
  NetrtClient& client = *clients_[index];
  Host& host = client.host;
  const uint64_t nowUs = nowNs() / 1000;
  const int32_t word = ringPush(host.submission, RECORD_SEND, options.inputBytes);
  uint32_t* record = host.submission.words + word;
  record[1] = client.host.connections[0].handle;
  record[2] = CHANNEL_INPUT;
  record[4] = TTL_DEFAULT;
  record[5] = 0;
  uint8_t* bytes = reinterpret_cast<uint8_t*>(record) + RECORD_BYTES;
  std::memset(bytes, 0, options.inputBytes);
  bytes[0] = KIND_INPUT;
  std::memcpy(bytes + 4, &index, sizeof(index));
  ringPublish(host.submission);
  hostSubmit(host, nowUs);
  ringRewind(host.submission);
  counters.inputs++;
  hostAdvance(host, nowUs);
  hostFlush(host);
  transmit(client, nowUs);
}

void NetrtClients::advance(uint32_t index) {
  NetrtClient& client = *clients_[index];
  const uint64_t nowUs = nowNs() / 1000;
  if (client.handle < 0 || nowUs < client.dueUs) return;
  hostAdvance(client.host, nowUs);
  transmit(client, nowUs);
}

}  // namespace

std::unique_ptr<Clients> clientsNetrt(const Options& options) {
  return std::make_unique<NetrtClients>(options);
}

}  // namespace bench
