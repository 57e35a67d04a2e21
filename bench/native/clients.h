// Owns what the client simulator asks of the clients of one protocol, and what it counts of them.
// Never decides when anything is sent; load does. One client is one socket, whatever the protocol:
// a server of the workload has as many addresses to send to as it has peers.
#ifndef NETRT_BENCH_CLIENTS_H_
#define NETRT_BENCH_CLIENTS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "control.h"

namespace bench {

struct Counters {
  uint64_t inputs = 0;
  uint64_t states = 0;
  uint64_t reliables = 0;
  // Connections that were there and are gone.
  uint64_t lost = 0;
  // How long reliable messages were on their way (µs), since the last mark.
  std::vector<uint32_t> reliableUs;
};

class Clients {
 public:
  explicit Clients(const Options& options) : options(options), loss(options.lossPercent) {}
  virtual ~Clients() = default;

  // Once, before anything else. False, with a line on stderr, where it can't run.
  virtual bool open() = 0;
  // Begins a client's way to the server.
  virtual bool start(uint32_t client) = 0;
  // Whether it is connected.
  virtual bool ready(uint32_t client) const = 0;
  // Takes everything that has arrived; how many states there were.
  virtual uint32_t receive(uint32_t client) = 0;
  // Sends one input, and what waits to go with it.
  virtual void input(uint32_t client) = 0;
  // Does what is due without an input: acks, repairs, keep-alives.
  virtual void advance(uint32_t client) = 0;

  Counters counters;

 protected:
  // Counts a message that has arrived.
  void took(const uint8_t* bytes, uint32_t length);
  // A datagram socket connected to the server, non-blocking; -1 where there is none.
  int datagramSocket() const;

  const Options options;
  Loss loss;
};

std::unique_ptr<Clients> clientsRaw(const Options& options);
std::unique_ptr<Clients> clientsNetrt(const Options& options);
std::unique_ptr<Clients> clientsStream(const Options& options);
std::unique_ptr<Clients> clientsEnet(const Options& options);

}  // namespace bench

#endif  // NETRT_BENCH_CLIENTS_H_
