// Owns the probe of the engine half of the core, less its channels: rings, timers, tables, budgets,
// acks, states, counters. test/engine-probe.ts names the same calls and says what their
// arguments are. Never keeps anything between calls but the machines that the test's handles own.
#include "addon/probe.h"
#include "core/acks.h"
#include "core/bytes.h"
#include "core/config.h"
#include "core/congestion.h"
#include "core/pacing.h"
#include "core/ring.h"
#include "core/rtt.h"
#include "core/state.h"
#include "core/stats.h"
#include "core/table.h"
#include "core/timers.h"

namespace netrt {

namespace {

using Info = Napi::CallbackInfo;
using Napi::Boolean;
using Napi::Number;
using Napi::Value;

template <typename Count>
Value number(const Info& info, Count value) {
  return Number::New(info.Env(), static_cast<double>(value));
}

// ---- Ring ----

struct RingMachine {
  Ring ring;
  Napi::ObjectReference memory;
};

Ring& ringIn(const Info& info) { return probeMachine<RingMachine>(info).ring; }

Value ringOpen(const Info& info) {
  RingMachine* machine = new RingMachine();
  machine->memory = Napi::Persistent(info[0].As<Napi::Object>());
  ringSet(machine->ring, probeBytes(info, 0), probeLength(info, 0));
  return probeHandle(info, machine);
}

void ringInit(Napi::Object exports) {
  probeExport(exports, "ringBytes",
              [](const Info& info) -> Value { return number(info, ringBytes(probeU32(info, 0))); });
  probeExport(exports, "ringOpen", ringOpen);
  probeExport(exports, "ringRoom",
              [](const Info& info) -> Value { return number(info, ringRoom(ringIn(info))); });
  probeExport(exports, "ringPush", [](const Info& info) -> Value {
    return number(info, ringPush(ringIn(info), probeU32(info, 1), probeU32(info, 2)));
  });
  probeExport(exports, "ringPublish", [](const Info& info) { ringPublish(ringIn(info)); });
  probeExport(exports, "ringPeek",
              [](const Info& info) -> Value { return number(info, ringPeek(ringIn(info))); });
  probeExport(exports, "ringNext", [](const Info& info) {
    ringNext(ringIn(info), static_cast<int32_t>(probeU32(info, 1)));
  });
  probeExport(exports, "ringRelease", [](const Info& info) { ringRelease(ringIn(info)); });
}

// ---- Timers and table ----

struct TimersMachine {
  Timers timers;
  ~TimersMachine() { timersClose(timers); }
};

struct TableMachine {
  Table table;
  ~TableMachine() { tableClose(table); }
};

Timers& timersIn(const Info& info) { return probeMachine<TimersMachine>(info).timers; }

Table& tableIn(const Info& info) { return probeMachine<TableMachine>(info).table; }

void timersInit(Napi::Object exports) {
  probeExport(exports, "timersOpen", [](const Info& info) -> Value {
    TimersMachine* machine = new TimersMachine();
    timersOpen(machine->timers, probeU32(info, 0));
    return probeHandle(info, machine);
  });
  probeExport(exports, "timersSet", [](const Info& info) {
    timersSet(timersIn(info), probeU32(info, 1), probeTime(info, 2));
  });
  probeExport(exports, "timersNext",
              [](const Info& info) -> Value { return number(info, timersNext(timersIn(info))); });
  probeExport(exports, "timersFirst",
              [](const Info& info) -> Value { return number(info, timersFirst(timersIn(info))); });
}

void tableInit(Napi::Object exports) {
  probeExport(exports, "tableOpen", [](const Info& info) -> Value {
    TableMachine* machine = new TableMachine();
    tableOpen(machine->table, probeU32(info, 0));
    return probeHandle(info, machine);
  });
  probeExport(exports, "tableInsert", [](const Info& info) {
    tableInsert(tableIn(info), probeU32(info, 1), probeU32(info, 2));
  });
  probeExport(exports, "tableRemove",
              [](const Info& info) { tableRemove(tableIn(info), probeU32(info, 1)); });
  probeExport(exports, "tableFirst", [](const Info& info) -> Value {
    return number(info, tableFirst(tableIn(info), probeU32(info, 1)));
  });
  probeExport(exports, "tableNext", [](const Info& info) -> Value {
    return number(info, tableNext(tableIn(info), probeU32(info, 1)));
  });
}

// ---- Pacing ----

Pacing& pacingIn(const Info& info) { return probeMachine<Pacing>(info); }

void pacingInit(Napi::Object exports) {
  probeExport(exports, "pacingOpen", [](const Info& info) -> Value {
    Pacing* pacing = new Pacing();
    pacingReset(*pacing, probeU32(info, 0), probeTime(info, 1));
    return probeHandle(info, pacing);
  });
  probeExport(exports, "pacingReady", [](const Info& info) -> Value {
    return Boolean::New(info.Env(), pacingReady(pacingIn(info), probeTime(info, 1)));
  });
  probeExport(exports, "pacingSpend",
              [](const Info& info) { pacingSpend(pacingIn(info), probeU32(info, 1), 0); });
  probeExport(exports, "pacingNextUs", [](const Info& info) -> Value {
    return number(info, pacingNextUs(pacingIn(info), probeTime(info, 1)));
  });
}

// ---- Congestion ----

struct Road {
  Congestion congestion;
  Rtt rtt;
};

Road& roadIn(const Info& info) { return probeMachine<Road>(info); }

void congestionInit(Napi::Object exports) {
  probeExport(exports, "congestionOpen", [](const Info& info) -> Value {
    Road* road = new Road();
    congestionReset(road->congestion, probeU32(info, 0), probeTime(info, 1));
    return probeHandle(info, road);
  });
  probeExport(exports, "congestionRtt", [](const Info& info) {
    Rtt& rtt = roadIn(info).rtt;
    rtt.latestUs = probeU32(info, 1);
    rtt.minimumUs = probeU32(info, 2);
    rtt.smoothedUs = probeU32(info, 3);
    congestionSample(roadIn(info).congestion, rtt);
  });
  probeExport(exports, "congestionSent",
              [](const Info& info) { congestionSent(roadIn(info).congestion, probeU32(info, 1)); });
  probeExport(exports, "congestionAcked", [](const Info& info) {
    Road& road = roadIn(info);
    congestionAcked(road.congestion, road.rtt, probeU32(info, 1), probeU32(info, 2),
                    probeU32(info, 3), probeU32(info, 4), probeTime(info, 5));
  });
  probeExport(exports, "congestionTimedOut",
              [](const Info& info) { congestionTimedOut(roadIn(info).congestion); });
  probeExport(exports, "congestionJudge", [](const Info& info) {
    congestionJudge(roadIn(info).congestion, roadIn(info).rtt, probeTime(info, 1));
  });
  probeExport(exports, "congestionRead", [](const Info& info) {
    const Road& road = roadIn(info);
    double* out = probeDoubles(info, 1);
    out[0] = road.congestion.windowBytes;
    out[1] = road.congestion.starting ? 1 : 0;
    out[2] = congestionPacketRate(road.congestion);
    out[3] = static_cast<double>(road.congestion.penaltyUs);
    out[4] = congestionRate(road.congestion, road.rtt, PACING_RATE_MAX);
    out[5] = congestionOpen(road.congestion, road.congestion.windowBytes - 1) ? 1 : 0;
    out[6] = congestionOpen(road.congestion, road.congestion.windowBytes) ? 1 : 0;
  });
}

// ---- One end of a connection: received, sent, RTT ----

struct End {
  Received received;
  Sent sent;
  Rtt rtt;
  SentPacket few[SENT_PACKETS_FEW];
  SentPacket packets[SENT_PACKETS];
};

End& endIn(const Info& info) { return probeMachine<End>(info); }

void rttRead(const Info& info) {
  const Rtt& rtt = endIn(info).rtt;
  double* out = probeDoubles(info, 1);
  out[0] = rtt.smoothedUs;
  out[1] = rtt.varianceUs;
  out[2] = rtt.latestUs;
  out[3] = rtt.minimumUs;
  out[4] = rtt.jitterUs;
  out[5] = static_cast<double>(rtt.samples);
  out[6] = rtt.backoff;
}

void acksRead(const Info& info) {
  const Received& received = endIn(info).received;
  const Sent& sent = endIn(info).sent;
  double* out = probeDoubles(info, 1);
  out[0] = static_cast<double>(received.latest);
  out[1] = static_cast<double>(received.floor);
  out[2] = received.owed;
  out[3] = static_cast<double>(received.gaps);
  out[4] = static_cast<double>(sent.nextNumber);
  out[5] = static_cast<double>(sent.verdictNext);
  out[6] = static_cast<double>(sent.ackedLatest);
  out[7] = sent.eliciting;
  out[8] = sent.acked;
  out[9] = sent.lost;
  out[10] = sent.late;
}

void rttInit(Napi::Object exports) {
  probeExport(exports, "rttReset", [](const Info& info) { rttReset(endIn(info).rtt); });
  probeExport(exports, "rttSample", [](const Info& info) {
    rttSample(endIn(info).rtt, info[1].As<Number>().Int64Value(), probeTime(info, 2));
  });
  probeExport(exports, "rttTimeoutUs", [](const Info& info) -> Value {
    return number(info, rttTimeoutUs(endIn(info).rtt, probeTime(info, 1)));
  });
  probeExport(exports, "rttBackOff",
              [](const Info& info) { rttBackOff(endIn(info).rtt, probeTime(info, 1)); });
  probeExport(exports, "rttReorderUs", [](const Info& info) -> Value {
    return number(info, rttReorderUs(endIn(info).rtt));
  });
  probeExport(exports, "rttRead", rttRead);
}

void receivedInit(Napi::Object exports) {
  probeExport(exports, "receivedAdd", [](const Info& info) {
    End& end = endIn(info);
    receivedAdd(end.received, info[1].As<Number>().Int64Value(), probeTime(info, 2),
                info[3].ToBoolean(), end.sent.nextNumber);
  });
  probeExport(exports, "receivedBitBytes", [](const Info& info) -> Value {
    return number(info, receivedBitBytes(endIn(info).received));
  });
  probeExport(exports, "receivedBitByte", [](const Info& info) -> Value {
    return number(info, receivedBitByte(endIn(info).received, probeU32(info, 1)));
  });
  probeExport(exports, "receivedDelay", [](const Info& info) -> Value {
    return number(info, receivedDelay(endIn(info).received, probeTime(info, 1)));
  });
  probeExport(exports, "receivedDueUs", [](const Info& info) -> Value {
    return number(info, receivedDueUs(endIn(info).received));
  });
  probeExport(exports, "receivedAnswered", [](const Info& info) { endIn(info).received.owed = 0; });
}

Value endOpen(const Info& info) {
  End* end = new End();
  receivedReset(end->received);
  sentOpen(end->sent, end->few, end->packets);
  sentReset(end->sent, info[0].As<Number>().Int64Value());
  return probeHandle(info, end);
}

Value endAdd(const Info& info) {
  End& end = endIn(info);
  SentPacket* packet =
      sentAdd(end.sent, probeTime(info, 1), probeU32(info, 2), info[3].ToBoolean());
  packet->reported = end.received.latest;
  return number(info, packet->number);
}

void sentInit(Napi::Object exports) {
  probeExport(exports, "endOpen", endOpen);
  probeExport(exports, "sentReset", [](const Info& info) {
    sentReset(endIn(info).sent, info[1].As<Number>().Int64Value());
  });
  probeExport(exports, "sentAdd", endAdd);
  probeExport(exports, "sentUnrecorded", [](const Info& info) -> Value {
    return number(info, sentUnrecorded(endIn(info).sent));
  });
  probeExport(exports, "sentReady", [](const Info& info) -> Value {
    return Boolean::New(info.Env(), sentReady(endIn(info).sent));
  });
  probeExport(exports, "sentInFlight", [](const Info& info) -> Value {
    return number(info, sentInFlight(endIn(info).sent));
  });
}

Value endVerdict(const Info& info) {
  End& end = endIn(info);
  const SentPacket* packet = acksVerdict(end.sent, end.rtt, probeTime(info, 1));
  if (packet == nullptr) return info.Env().Null();
  return number(info, packet->state == SENT_ACKED ? packet->number : -1 - packet->number);
}

void acksInit(Napi::Object exports) {
  probeExport(exports, "acksReceive", [](const Info& info) {
    End& end = endIn(info);
    acksReceive(end.sent, end.received, end.rtt, info[1].As<Number>().Int64Value(),
                probeU32(info, 2), probeBytes(info, 3), probeU32(info, 4), probeU32(info, 5),
                probeTime(info, 6));
  });
  probeExport(exports, "acksVerdict", endVerdict);
  probeExport(exports, "acksTimeoutUs", [](const Info& info) -> Value {
    return number(info, acksTimeoutUs(endIn(info).sent, endIn(info).rtt));
  });
  probeExport(exports, "acksDeadlineUs", [](const Info& info) -> Value {
    return number(info, acksDeadlineUs(endIn(info).sent, endIn(info).rtt));
  });
  probeExport(exports, "acksExpire", [](const Info& info) -> Value {
    return Boolean::New(info.Env(),
                        acksExpire(endIn(info).sent, endIn(info).rtt, probeTime(info, 1)));
  });
  probeExport(exports, "acksRead", acksRead);
}

// ---- State, stats, config ----

// Everything that was read, in the order of the struct, 64-bit numbers as low and high half.
Value configOut(const Info& info) {
  HostConfig config;
  configRead(config, probeWords(info, 0));
  double* out = probeDoubles(info, 1);
  size_t count = 0;
  for (const uint32_t word : {config.role,
                              uint32_t{config.raw},
                              static_cast<uint32_t>(config.protocolId),
                              static_cast<uint32_t>(config.protocolId >> 32),
                              config.peersMax,
                              config.channelCount,
                              config.payloadBytesMax,
                              config.rate,
                              config.queueBytesMax,
                              config.queueMessagesMax,
                              config.chunkCount,
                              config.messageCount,
                              config.carriedCount,
                              config.pendingMax,
                              config.tokensMax,
                              config.nameHash,
                              config.congestion,
                              config.packetRateMax,
                              config.byteRateMax,
                              config.suites,
                              config.addressCount}) {
    out[count++] = word;
  }
  for (uint32_t index = 0; index < config.addressCount; index++) {
    const Address& address = config.addresses[index];
    for (const uint32_t word : {uint32_t{address.type}, uint32_t{address.port}, address.a,
                                address.b, address.c, address.d}) {
      out[count++] = word;
    }
  }
  for (uint32_t place = 0; place < config.channelCount; place++) {
    out[count++] = config.channelOrder[place];
  }
  for (uint32_t channel = 0; channel < config.channelCount; channel++) {
    const Policy& policy = config.policies[channel];
    for (const uint32_t word :
         {policy.order, policy.repair, policy.copies, uint32_t{policy.copiesForced},
          policy.expiryMs, policy.priority, policy.messageBytesMax, policy.strategy,
          policy.blockBytesMax, policy.hash}) {
      out[count++] = word;
    }
  }
  return number(info, count);
}

void stateInit(Napi::Object exports) {
  probeExport(exports, "clientNext", [](const Info& info) -> Value {
    return number(info,
                  clientNext(info[0].As<Number>().Int32Value(), info[1].As<Number>().Int32Value()));
  });
  probeExport(exports, "connectionNext", [](const Info& info) -> Value {
    return number(
        info, connectionNext(info[0].As<Number>().Int32Value(), info[1].As<Number>().Int32Value()));
  });
  probeExport(exports, "configRead", configOut);
}

void statsInit(Napi::Object exports) {
  probeExport(exports, "statsWords", [](const Info& info) -> Value {
    return number(info, statsWords(probeU32(info, 0)));
  });
  probeExport(exports, "statsHostWord", [](const Info& info) -> Value {
    return number(info, statsHostWord(probeU32(info, 0)));
  });
  probeExport(exports, "statsRejectWord", [](const Info& info) -> Value {
    return number(info, statsRejectWord(info[0].As<Number>().Int32Value()));
  });
  probeExport(exports, "statsChannelWord", [](const Info& info) -> Value {
    return number(info, statsChannelWord(probeU32(info, 0), probeU32(info, 1)));
  });
  probeExport(exports, "statsPeerWord", [](const Info& info) -> Value {
    return number(info, statsPeerWord(probeU32(info, 0)));
  });
  probeExport(exports, "statsAdd", [](const Info& info) {
    statsAdd(probeWords(info, 0), probeU32(info, 1), probeU32(info, 2));
  });
}

}  // namespace

void probeEngineInit(Napi::Object exports) {
  ringInit(exports);
  timersInit(exports);
  tableInit(exports);
  pacingInit(exports);
  congestionInit(exports);
  rttInit(exports);
  receivedInit(exports);
  sentInit(exports);
  acksInit(exports);
  stateInit(exports);
  statsInit(exports);
}

}  // namespace netrt
