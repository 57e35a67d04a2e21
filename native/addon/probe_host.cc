// Owns the probe of a whole host: the sans-IO verbs of the core as plain calls over typed arrays,
// for test/hosts.ts, which gives the TypeScript engine the same shape. Never opens a socket, reads
// a clock or checks what a test passes. Invariant: the rings and the page of a host outlive it:
// they are referenced until hostClose.
#include <cstring>

#include "addon/probe.h"
#include "core/host.h"

namespace netrt {

namespace {

using Info = Napi::CallbackInfo;
using Napi::Boolean;
using Napi::Number;
using Napi::Value;

// Words of an address: type, port, a, b, c, d.
constexpr size_t ADDRESS_WORDS = 6;

struct ProbeHost {
  Host host;
  Batch batch;
  bool open = false;
  // Page, submission and completion.
  Napi::ObjectReference memory[3];
};

void probeHostClose(ProbeHost& probe) {
  if (!probe.open) return;
  probe.open = false;
  hostClose(probe.host);
  for (Napi::ObjectReference& reference : probe.memory) reference.Reset();
}

ProbeHost& hostIn(const Info& info) { return *info[0].As<Napi::External<ProbeHost>>().Data(); }

// A time is a number below 2^53.
uint64_t timeIn(const Info& info, size_t index) {
  return static_cast<uint64_t>(info[index].As<Number>().Int64Value());
}

// (configWords, page, privateKey, entropy, submission, completion): a handle, or null.
Value create(const Info& info) {
  ProbeHost* probe = new ProbeHost();
  if (!hostOpen(probe->host, probeWords(info, 0), probeWords(info, 1), probeBytes(info, 2),
                probeBytes(info, 3), probeBytes(info, 4), probeLength(info, 4), probeBytes(info, 5),
                probeLength(info, 5))) {
    delete probe;
    return info.Env().Null();
  }
  probe->open = true;
  constexpr size_t KEPT[3] = {1, 4, 5};
  for (size_t index = 0; index < 3; index++) {
    probe->memory[index] = Napi::Persistent(info[KEPT[index]].As<Napi::Object>());
  }
  return Napi::External<ProbeHost>::New(info.Env(), probe, [](Napi::BasicEnv, ProbeHost* data) {
    probeHostClose(*data);
    delete data;
  });
}

// (host, nowUs, receivedUs, unixSeconds, addressWords, bytes, offset, length)
void receive(const Info& info) {
  const uint32_t* words = probeWords(info, 4);
  Address address;
  address.type = static_cast<uint8_t>(words[0]);
  address.port = static_cast<uint16_t>(words[1]);
  address.a = words[2];
  address.b = words[3];
  address.c = words[4];
  address.d = words[5];
  hostReceive(hostIn(info).host, timeIn(info, 1), timeIn(info, 2), timeIn(info, 3), address,
              probeBytes(info, 5), probeU32(info, 6), probeU32(info, 7));
}

// (host, nowUs, batchBytes, lengths, addressWords): the count. The packets stand BATCH_STRIDE
// apart.
Value transmit(const Info& info) {
  ProbeHost& probe = hostIn(info);
  const uint32_t count = hostTransmit(probe.host, timeIn(info, 1), probe.batch);
  for (uint32_t index = 0; index < count; index++) {
    const uint32_t length = probe.batch.lengths[index];
    std::memcpy(probeBytes(info, 2) + index * BATCH_STRIDE,
                probe.batch.bytes + index * BATCH_STRIDE, length);
    probeWords(info, 3)[index] = length;
    const Address& address = probe.batch.addresses[index];
    const uint32_t words[ADDRESS_WORDS] = {address.type, address.port, address.a,
                                           address.b,    address.c,    address.d};
    std::memcpy(probeWords(info, 4) + index * ADDRESS_WORDS, words, sizeof(words));
  }
  return Number::New(info.Env(), count);
}

// (host, words): the free chunks, messages, records of what packets carried, pending entries,
// slots.
void memory(const Info& info) {
  const Host& host = hostIn(info).host;
  uint32_t* words = probeWords(info, 1);
  words[0] = host.outlet.pool.chunksFree;
  words[1] = host.outlet.pool.messagesFree;
  words[2] = host.outlet.pool.carriedsFree;
  words[3] = host.handshake.pendingFreeCount;
  words[4] = host.freeCount;
}

// (host, slot, count): leaves so many packet numbers of a connection out, as if they had been lost
// and decided; nothing that asks for an ack may be in flight.
void skip(const Info& info) {
  Sent& sent = hostIn(info).host.connections[probeU32(info, 1)].sent;
  NETRT_ASSERT(sent.eliciting == 0);
  sent.nextNumber += probeU32(info, 2);
  sent.verdictNext = sent.nextNumber;
}

}  // namespace

void probeHostInit(Napi::Object exports) {
  probeExport(exports, "hostCreate", create);
  probeExport(exports, "hostClose", [](const Info& info) { probeHostClose(hostIn(info)); });
  probeExport(exports, "hostConnect", [](const Info& info) {
    hostConnect(hostIn(info).host, probeBytes(info, 1), timeIn(info, 2));
  });
  probeExport(exports, "hostSubmit",
              [](const Info& info) { hostSubmit(hostIn(info).host, timeIn(info, 1)); });
  probeExport(exports, "hostReady", [](const Info& info) -> Value {
    return Boolean::New(info.Env(), hostReady(hostIn(info).host));
  });
  probeExport(exports, "hostReceive", receive);
  probeExport(exports, "hostAdvance",
              [](const Info& info) { hostAdvance(hostIn(info).host, timeIn(info, 1)); });
  probeExport(exports, "hostFlush", [](const Info& info) { hostFlush(hostIn(info).host); });
  probeExport(exports, "hostTransmit", transmit);
  probeExport(exports, "hostDeadlineUs", [](const Info& info) -> Value {
    return Number::New(info.Env(), static_cast<double>(hostDeadlineUs(hostIn(info).host)));
  });
  probeExport(exports, "hostPublish", [](const Info& info) { hostPublish(hostIn(info).host); });
  probeExport(exports, "hostMemory", memory);
  probeExport(exports, "hostSkip", skip);
}

}  // namespace netrt
