#include "io/turn.h"

#include <cerrno>
#include <cstring>

#include "core/config.h"
#include "core/ring.h"
#include "core/seal.h"

namespace netrt {

namespace {

constexpr uint32_t BATCHES_PER_TURN_MAX = DATAGRAMS_PER_TURN_MAX / BATCH_DATAGRAMS;
static_assert(DATAGRAMS_PER_TURN_MAX % BATCH_DATAGRAMS == 0, "a turn takes whole batches");
static_assert(BATCH_PACKETS <= BATCH_DATAGRAMS, "the host's batch fits the socket's");
static_assert(sizeof(Batch::bytes) >= (BATCH_PACKETS - 1) * BATCH_STRIDE + PACKET_BYTES_MAX,
              "every packet of a batch lies in its memory");

// Words of a ring's control.
constexpr uint32_t RING_HEAD = 0;
constexpr uint32_t RING_TAIL = 16;

uint32_t positionLoad(const uint32_t* control, uint32_t word) {
  return __atomic_load_n(control + word, __ATOMIC_ACQUIRE);
}

void positionStore(uint32_t* control, uint32_t word, uint32_t position) {
  __atomic_store_n(control + word, position, __ATOMIC_RELEASE);
}

void wordSet(uint32_t* page, uint32_t word, uint32_t value) {
  __atomic_store_n(page + word, value, __ATOMIC_RELAXED);
}

// The low word first. One store: a user on another thread may read the words meanwhile.
void pairSet(uint32_t* page, uint32_t word, uint64_t value) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = value << 32 | value >> 32;
#endif
  __atomic_store_n(reinterpret_cast<uint64_t*>(page + word), value, __ATOMIC_RELAXED);
}

// The clock never runs backwards, but stamps of a batch are newer than the time before it.
void timeStep(Engine& engine, uint64_t nowUs) {
  if (nowUs > engine.nowUs) engine.nowUs = nowUs;
}

// ---- The way in ----

// Hands up what was taken from the socket. False: the rest waits for room in the user's ring.
bool batchDeliver(Engine& engine, uint64_t unixSeconds) {
  while (engine.inNext < engine.in.count) {
    if (!hostReady(engine.host)) return false;
    Datagram& datagram = engine.in.datagrams[engine.inNext++];
    engine.seenUs = datagram.receivedUs;
    hostReceive(engine.host, engine.nowUs, datagram.receivedUs, unixSeconds, datagram.from,
                datagram.bytes, 0, datagram.length);
  }
  return true;
}

uint32_t receive(Engine& engine) {
  const uint64_t unixSeconds = clockWallSeconds();
  if (!batchDeliver(engine, unixSeconds)) return TURNED_MORE;
  const uint64_t beganUs = engine.nowUs;
  for (uint32_t batches = 0; batches < BATCHES_PER_TURN_MAX; batches++) {
    if (batches > 0 && engine.nowUs - beganUs >= engine.receiveUsMax) return TURNED_MORE;
    const BatchResult result = receiveBatch(engine.socket, engine.in);
    engine.inNext = 0;
    if (result == BatchResult::FATAL) return TURNED_FAILED;
    timeStep(engine, engine.socket.clock.nowUs);
    if (!batchDeliver(engine, unixSeconds)) return TURNED_MORE;
    if (result == BatchResult::LATER) {
      engine.seenUs = engine.nowUs;
      return 0;
    }
  }
  return TURNED_MORE;
}

// Lets time pass, unless the process stood still and the socket is full of what arrived meanwhile:
// a peer whose datagrams lie in there is not silent. Under a flood that never ends the socket is
// never empty, but what waits in it is young.
void advance(Engine& engine) {
  if (engine.nowUs - engine.seenUs <= SEEN_AGE_MAX_US) hostAdvance(engine.host, engine.nowUs);
}

// ---- The way out ----

uint32_t transmit(Engine& engine) {
  for (;;) {
    switch (sendBatch(engine.socket, engine.out)) {
      case BatchResult::DONE:
        break;
      case BatchResult::LATER:
        return TURNED_BLOCKED;
      case BatchResult::FATAL:
        return TURNED_FAILED;
    }
    sendBatchClear(engine.out);
    // Each batch has its own time: RTT counts from it.
    timeStep(engine, clockNowUs());
    const uint32_t count = hostTransmit(engine.host, engine.nowUs, engine.batch);
    if (count == 0) return 0;
    for (uint32_t index = 0; index < count; index++) {
      sendBatchAdd(engine.out, engine.batch.addresses[index],
                   index * static_cast<uint32_t>(BATCH_STRIDE), engine.batch.lengths[index]);
    }
  }
}

// ---- What the turn leaves ----

void publish(Engine& engine, uint32_t turned) {
  engine.deadlineUs = hostDeadlineUs(engine.host);
  if ((turned & TURNED_BLOCKED) != 0) engine.deadlineUs = engine.nowUs + BLOCKED_RETRY_US;
  pairSet(engine.published, PUBLISHED_DEADLINE, engine.deadlineUs);
  const SocketStats& stats = engine.socket.stats;
  const uint64_t counters[] = {
      stats.receiveCalls, stats.sendCalls,   stats.receivedDatagrams, stats.sentDatagrams,
      stats.truncated,    stats.kernelDrops, stats.localLoss,         stats.unreachable,
      stats.wouldBlock,   stats.tooLarge,    stats.refused,
  };
  static_assert(PUBLISHED_COUNTERS + 2 * sizeof(counters) / sizeof(*counters) == PUBLISHED_WORDS,
                "the counters end the page");
  uint32_t word = PUBLISHED_COUNTERS;
  for (const uint64_t counter : counters) {
    pairSet(engine.published, word, counter);
    word += 2;
  }
}

void faultPublish(Engine& engine, const Fault& fault, uint64_t count) {
  wordSet(engine.published, PUBLISHED_ERROR, static_cast<uint32_t>(fault.error));
  wordSet(engine.published, PUBLISHED_CALL, static_cast<uint32_t>(fault.call));
  wordSet(engine.published, PUBLISHED_COUNT,
          count > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(count));
}

// Puts positions of its own between the core and the user of the submission ring.
void gateSet(Engine& engine, bool gated) {
  Ring& ring = engine.host.submission;
  engine.submitted = ring.control;
  if (!gated) return;
  engine.gate[RING_HEAD] = ring.head;
  engine.gate[RING_TAIL] = ring.tail;
  ring.control = engine.gate;
}

// An own address with port 0 is that of the bound port.
void configPatch(uint32_t* words, uint16_t port) {
  for (uint32_t index = 0; index < words[CONFIG_ADDRESSES]; index++) {
    uint32_t& own = words[CONFIG_ADDRESSES + 2 + index * CONFIG_ADDRESS_WORDS];
    if (own == 0) own = port;
  }
}

}  // namespace

Fault engineOpen(Engine& engine, const EngineOptions& options) {
  const Fault fault = socketOpen(engine.socket, options.socket);
  if (fault.error != 0) return fault;
  uint32_t config[CONFIG_WORDS];
  std::memcpy(config, options.config, sizeof(config));
  configPatch(config, engine.socket.address.port);
  config[CONFIG_SUITES] &= sealSuites();
  if (!hostOpen(engine.host, config, options.page, options.privateKey, options.entropy,
                options.submission, options.submissionBytes, options.completion,
                options.completionBytes)) {
    socketClose(engine.socket);
    Fault exhausted = faultOf(Call::OPEN, ENOMEM);
    exhausted.action = FaultAction::FATAL;
    return exhausted;
  }
  gateSet(engine, options.gated);
  receiveBatchOpen(engine.in);
  sendBatchOpen(engine.out, engine.batch.bytes, sizeof(engine.batch.bytes));
  engine.inNext = 0;
  engine.nowUs = clockNowUs();
  engine.seenUs = engine.nowUs;
  engine.published = options.published;
  engine.published[PUBLISHED_PORT] = engine.socket.address.port;
  publish(engine, 0);
  engineNow(engine);
  return FAULT_NONE;
}

void engineConnect(Engine& engine, const uint8_t* token) {
  timeStep(engine, clockNowUs());
  hostConnect(engine.host, token, engine.nowUs);
}

uint32_t engineTurn(Engine& engine, uint32_t flags) {
  uint32_t turned = 0;
  timeStep(engine, clockNowUs());
  hostSubmit(engine.host, engine.nowUs);
  // After the page counts what was taken: who sees the room sees the counts.
  if (engineGated(engine)) positionStore(engine.submitted, RING_TAIL, engine.host.submission.tail);
  if ((flags & TURN_RECEIVE) != 0) {
    turned |= receive(engine);
    advance(engine);
  }
  if ((flags & TURN_FLUSH) != 0) hostFlush(engine.host);
  if ((flags & TURN_TRANSMIT) != 0) turned |= transmit(engine);
  hostPublish(engine.host);
  publish(engine, turned);
  SocketWarning warning;
  if ((turned & TURNED_FAILED) != 0) {
    faultPublish(engine, engine.socket.fault, 1);
  } else if (socketWarning(engine.socket, engine.nowUs, warning)) {
    faultPublish(engine, warning.fault, warning.count);
    turned |= TURNED_WARNED;
  }
  return turned;
}

void engineNow(Engine& engine) {
  const double nowUs = static_cast<double>(clockNowUs());
  std::memcpy(engine.published + PUBLISHED_NOW, &nowUs, sizeof(nowUs));
}

// ---- With a gate ----

bool engineGated(const Engine& engine) { return engine.host.submission.control == engine.gate; }

uint32_t engineSubmitted(const Engine& engine) { return positionLoad(engine.submitted, RING_HEAD); }

void engineAdmit(Engine& engine, uint32_t head) { positionStore(engine.gate, RING_HEAD, head); }

bool engineTookAll(const Engine& engine) {
  const Ring& ring = engine.host.submission;
  return positionLoad(ring.control, RING_HEAD) == ring.tail;
}

bool engineUnread(const Engine& engine) {
  const uint32_t* control = engine.host.outlet.completion.control;
  return positionLoad(control, RING_HEAD) != positionLoad(control, RING_TAIL);
}

void engineClose(Engine& engine) {
  socketClose(engine.socket);
  hostClose(engine.host);
}

}  // namespace netrt
