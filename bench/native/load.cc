// The client simulator: all clients of one server in one process, without a thread or a wait for a
// socket. What is measured is the server; this only has to keep up with it, and to do the same
// whatever the protocol.
//
// Clients wait for no socket (no poll, no epoll), so a server's send wakes nobody: that cost would
// be the server's, and no network has it.
//   locked  all clients answer a tick of the server together, a third of a tick after it began; a
//           tick that shows nowhere is answered half a tick late. So acks ride with inputs.
//   watch   as locked, and what arrives is taken every half millisecond: for delivery times.
//   flat    a client answers each state at once.
//   echo    one client sends one input at a time, at a rate, and counts how long the answer takes.
//   idle    connected, and silent.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "clients.h"

namespace bench {

namespace {

// Clients on their way to the server at a time.
constexpr uint32_t STARTED_MAX = 64;
constexpr uint64_t CONNECT_NS_MAX = 60000000000;
// How often clients without traffic are looked after.
constexpr uint64_t CARE_NS = 5000000;
constexpr uint64_t PROBE_NS = 1000000;
constexpr uint64_t WATCH_NS = 500000;
// Clients that are asked whether the server has ticked.
constexpr uint32_t PROBES = 4;
// From the tick to its answer at most: an ack is held for 20 ms.
constexpr uint64_t ANSWER_NS_MAX = 12000000;
// A client whose input or state was lost starts again after this.
constexpr uint64_t FLAT_RETRY_NS = 20000000;
// After a look at all clients that showed nothing.
constexpr uint64_t FLAT_PAUSE_NS = 50000;
// How long before an input the client stops sleeping.
constexpr uint64_t ECHO_AWAKE_NS = 100000;
constexpr uint64_t ECHO_NS_MAX = 100000000;
constexpr size_t SAMPLES_MAX = 1 << 20;

struct Load {
  Options options;
  std::unique_ptr<Clients> clients;
  bool running = false;
  // States that `locked` has seen since its last answer.
  uint32_t states = 0;
  std::vector<uint64_t> sentNs;
  std::vector<uint32_t> echoNs;
};

uint32_t quantile(const std::vector<uint32_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  const size_t index = static_cast<size_t>(share * static_cast<double>(sorted.size()));
  return sorted[std::min(index, sorted.size() - 1)];
}

void printSamples(const char* name, std::vector<uint32_t>& samples) {
  std::sort(samples.begin(), samples.end());
  std::printf(",\"%s\":{\"count\":%zu,\"p50\":%u,\"p99\":%u,\"p999\":%u,\"max\":%u}", name,
              samples.size(), quantile(samples, 0.5), quantile(samples, 0.99),
              quantile(samples, 0.999), samples.empty() ? 0 : samples.back());
  samples.clear();
}

// What took longer than half a tick was lost at first.
std::vector<uint32_t> repaired(const Load& load) {
  const double halfUs = 5e5 / load.options.rateHz;
  std::vector<uint32_t> late;
  for (const uint32_t us : load.clients->counters.reliableUs) {
    if (us > halfUs) late.push_back(us);
  }
  return late;
}

void mark(Load& load) {
  // What the server's own mark counted as sent is there: loopback delivers before a send returns.
  const bool counts = !modeIs(load.options, "flat") && !modeIs(load.options, "echo");
  for (uint32_t client = 0; counts && client < load.options.peers; client++) {
    if (load.clients->ready(client)) load.states += load.clients->receive(client);
  }
  Counters& counters = load.clients->counters;
  std::printf("{\"cpuUs\":%" PRIu64 ",\"inputs\":%" PRIu64 ",\"states\":%" PRIu64
              ",\"reliables\":%" PRIu64 ",\"lost\":%" PRIu64,
              cpuUs(), counters.inputs, counters.states, counters.reliables, counters.lost);
  std::vector<uint32_t> late = repaired(load);
  printSamples("echoNs", load.echoNs);
  printSamples("reliableUs", counters.reliableUs);
  printSamples("repairedUs", late);
  std::printf("}\n");
}

// False: it is to end.
bool commands(Load& load) {
  for (;;) {
    switch (commandNext()) {
      case Command::NONE:
        return true;
      case Command::GO:
        load.running = true;
        break;
      case Command::HOLD:
        load.running = false;
        break;
      case Command::MARK:
        mark(load);
        break;
      case Command::QUIT:
        return false;
    }
  }
}

void care(Load& load, uint32_t count) {
  for (uint32_t client = 0; client < count; client++) {
    load.clients->receive(client);
    load.clients->advance(client);
  }
}

bool connectAll(Load& load) {
  const uint32_t peers = load.options.peers;
  const uint64_t endNs = nowNs() + CONNECT_NS_MAX;
  uint64_t careNs = nowNs() + CARE_NS;
  uint32_t started = 0;
  uint32_t done = 0;
  while (done < peers) {
    while (started < peers && started < done + STARTED_MAX) {
      if (!load.clients->start(started++)) {
        std::perror("a client's socket");
        return false;
      }
    }
    while (done < started && load.clients->ready(done)) done++;
    for (uint32_t client = done; client < started; client++) {
      load.clients->receive(client);
      load.clients->advance(client);
    }
    if (nowNs() > careNs) {
      care(load, done);
      careNs = nowNs() + CARE_NS;
    }
    if (nowNs() > endNs) {
      std::fprintf(stderr, "%u of %u clients connected within a minute\n", done, peers);
      return false;
    }
    if (!commands(load)) return false;
    sleepUntilNs(nowNs() + 100000);
  }
  return true;
}

void burst(Load& load) {
  for (uint32_t client = 0; client < load.options.peers; client++) {
    load.clients->receive(client);
    load.clients->input(client);
  }
}

void runLocked(Load& load) {
  const uint32_t peers = load.options.peers;
  const bool watches = modeIs(load.options, "watch");
  const uint64_t periodNs = static_cast<uint64_t>(1e9 / load.options.rateHz);
  const uint64_t answerNs = std::min(periodNs / 3, ANSWER_NS_MAX);
  uint64_t burstNs = nowNs();
  // The longest wait for a tick that shows.
  uint64_t lateNs = nowNs();
  bool seen = false;
  while (commands(load)) {
    if (!load.running) {
      care(load, peers);
      burstNs = nowNs();
      lateNs = burstNs;
      sleepUntilNs(nowNs() + CARE_NS);
      continue;
    }
    for (uint32_t client = 0; client < (watches ? peers : std::min(peers, PROBES)); client++) {
      load.states += load.clients->receive(client);
    }
    if (!seen && load.states > 0) {
      seen = true;
      burstNs = nowNs() + answerNs;
    }
    if (nowNs() >= (seen ? burstNs : lateNs)) {
      burst(load);
      seen = false;
      load.states = 0;
      lateNs = nowNs() + periodNs + periodNs / 2 - answerNs;
    }
    const uint64_t nextNs = nowNs() + (watches ? WATCH_NS : PROBE_NS);
    sleepUntilNs(seen ? std::min(nextNs, burstNs) : nextNs);
  }
}

void runFlat(Load& load) {
  const uint32_t peers = load.options.peers;
  load.sentNs.assign(peers, 0);
  while (commands(load)) {
    if (!load.running) {
      care(load, peers);
      sleepUntilNs(nowNs() + CARE_NS);
      continue;
    }
    const uint64_t now = nowNs();
    bool any = false;
    for (uint32_t client = 0; client < peers; client++) {
      const uint32_t states = load.clients->receive(client);
      any = any || states > 0;
      if (states == 0 && now < load.sentNs[client] + FLAT_RETRY_NS) continue;
      load.clients->input(client);
      load.sentNs[client] = now;
    }
    if (!any) sleepUntilNs(now + FLAT_PAUSE_NS);
  }
}

void runEcho(Load& load) {
  const uint64_t periodNs = static_cast<uint64_t>(1e9 / load.options.rateHz);
  uint64_t dueNs = nowNs();
  while (commands(load)) {
    care(load, 1);
    if (nowNs() + ECHO_AWAKE_NS < dueNs) sleepUntilNs(dueNs - ECHO_AWAKE_NS);
    if (!load.running) {
      sleepUntilNs(nowNs() + 1000000);
      dueNs = nowNs();
      continue;
    }
    if (nowNs() < dueNs) continue;
    dueNs += periodNs;
    const uint64_t startNs = nowNs();
    load.clients->input(0);
    uint64_t endNs = 0;
    do {
      if (load.clients->receive(0) > 0) endNs = nowNs();
    } while (endNs == 0 && nowNs() < startNs + ECHO_NS_MAX);
    if (endNs != 0 && load.echoNs.size() < SAMPLES_MAX) {
      load.echoNs.push_back(static_cast<uint32_t>(endNs - startNs));
    }
    if (dueNs < nowNs()) dueNs = nowNs();
  }
}

void runIdle(Load& load) {
  while (commands(load)) {
    care(load, load.options.peers);
    sleepUntilNs(nowNs() + CARE_NS);
  }
}

std::unique_ptr<Clients> clientsOf(const Options& options) {
  if (std::strcmp(options.protocol, "raw") == 0) return clientsRaw(options);
  if (std::strcmp(options.protocol, "netrt") == 0) return clientsNetrt(options);
  if (std::strcmp(options.protocol, "ws") == 0) return clientsStream(options);
#ifdef BENCH_ENET
  if (std::strcmp(options.protocol, "enet") == 0) return clientsEnet(options);
#endif
  std::fprintf(stderr, "no clients of %s in this build\n", options.protocol);
  return nullptr;
}

int run(Load& load) {
  descriptorsMost();
  load.clients = clientsOf(load.options);
  if (load.clients == nullptr || !load.clients->open() || !connectAll(load)) return 1;
  std::printf("{\"connected\":%u}\n", load.options.peers);
  if (modeIs(load.options, "flat")) {
    runFlat(load);
  } else if (modeIs(load.options, "echo")) {
    runEcho(load);
  } else if (modeIs(load.options, "idle")) {
    runIdle(load);
  } else {
    runLocked(load);
  }
  return 0;
}

}  // namespace

}  // namespace bench

int main(int argc, char** argv) {
  bench::Load load;
  if (!bench::optionsRead(argc, argv, load.options)) return 1;
  setvbuf(stdout, nullptr, _IOLBF, 4096);
  return bench::run(load);
}
