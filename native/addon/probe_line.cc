// Owns the probe of the channels of one connection, with what they need: pool, plan, ring and page.
// test/engine-probe.ts names the same calls and says what their arguments are.
// Never keeps anything between calls but the line that the test's handle owns.
// Invariant: a message or record is named by its place in the pool's memory.
#include "addon/probe.h"
#include "core/channel.h"
#include "core/delivery.h"
#include "core/gap.h"
#include "core/plan.h"
#include "core/policy.h"
#include "core/queue.h"
#include "core/repair.h"
#include "core/ride.h"
#include "core/window.h"

namespace netrt {

namespace {

using Info = Napi::CallbackInfo;
using Napi::Boolean;
using Napi::Number;
using Napi::Value;

struct Line {
  Outlet outlet;
  Plan plan;
  Policy policies[CHANNELS_MAX];
  Channel channels[CHANNELS_MAX];
  // Completion and page are the test's memory.
  Napi::ObjectReference memory[2];
  ~Line() { poolClose(outlet.pool); }
};

template <typename Count>
Value number(const Info& info, Count value) {
  return Number::New(info.Env(), static_cast<double>(value));
}

Line& lineIn(const Info& info) { return probeMachine<Line>(info); }

Pool& poolIn(const Info& info) { return lineIn(info).outlet.pool; }

// The channel that the second argument names.
Channel& channelIn(const Info& info) { return lineIn(info).channels[probeU32(info, 1)]; }

Message& messageIn(const Info& info, size_t index) {
  return poolIn(info).messages[probeU32(info, index)];
}

Value lineOpen(const Info& info) {
  Line* line = new Line();
  const uint32_t* words = probeWords(info, 0);
  for (uint32_t index = 0; index < probeLength(info, 0) / POLICY_WORDS; index++) {
    policyRead(line->policies[index], words, index * POLICY_WORDS);
    line->channels[index].policy = &line->policies[index];
    line->channels[index].index = index;
    channelReset(line->channels[index]);
  }
  poolOpen(line->outlet.pool, probeU32(info, 1), probeU32(info, 2), probeU32(info, 3));
  ringSet(line->outlet.completion, probeBytes(info, 4), probeLength(info, 4));
  line->outlet.page = probeWords(info, 5);
  line->memory[0] = Napi::Persistent(info[4].As<Napi::Object>());
  line->memory[1] = Napi::Persistent(info[5].As<Napi::Object>());
  return probeHandle(info, line);
}

// ---- Queue ----

void poolRead(const Info& info) {
  const Pool& pool = poolIn(info);
  uint32_t chunkList = 0;
  if (pool.chunksFree > 0) {
    for (uint32_t chunk = pool.chunkFree; chunk != NO_CHUNK; chunk = pool.chunkNext[chunk]) {
      chunkList += 1;
    }
  }
  double* out = probeDoubles(info, 1);
  out[0] = pool.chunksFree;
  out[1] = pool.messagesFree;
  out[2] = pool.carriedsFree;
  out[3] = chunkList;
}

Value lineMessage(const Info& info) {
  Message* message = messageCreate(poolIn(info));
  if (message == nullptr) return number(info, -1);
  message->body = probeU32(info, 1);
  return number(info, message - poolIn(info).messages);
}

Value lineCarried(const Info& info) {
  const Carried* carried = carriedCreate(poolIn(info));
  return number(info, carried == nullptr ? -1 : carried - poolIn(info).carrieds);
}

void queueInit(Napi::Object exports) {
  probeExport(exports, "lineOpen", lineOpen);
  probeExport(exports, "lineRoom", [](const Info& info) -> Value {
    return number(info, ringRoom(lineIn(info).outlet.completion));
  });
  probeExport(exports, "linePush", [](const Info& info) -> Value {
    return number(info,
                  ringPush(lineIn(info).outlet.completion, probeU32(info, 1), probeU32(info, 2)));
  });
  probeExport(exports, "linePublish",
              [](const Info& info) { ringPublish(lineIn(info).outlet.completion); });
  probeExport(exports, "poolRead", poolRead);
  probeExport(exports, "bodyChunks", [](const Info& info) -> Value {
    return number(info, bodyChunks(probeU32(info, 0)));
  });
  probeExport(exports, "bodyCreate", [](const Info& info) -> Value {
    const uint32_t body =
        bodyCreate(poolIn(info), probeBytes(info, 1), probeU32(info, 2), probeU32(info, 3));
    return number(info, body == NO_CHUNK ? -1.0 : body);
  });
  probeExport(exports, "bodyCopy", [](const Info& info) {
    bodyCopy(poolIn(info), probeU32(info, 1), 0, probeU32(info, 2), probeBytes(info, 3),
             probeU32(info, 4));
  });
  probeExport(exports, "bodyRetain",
              [](const Info& info) { bodyRetain(poolIn(info), probeU32(info, 1)); });
  probeExport(exports, "bodyRelease",
              [](const Info& info) { bodyRelease(poolIn(info), probeU32(info, 1)); });
  probeExport(exports, "messageCreate", lineMessage);
  probeExport(exports, "messageRelease",
              [](const Info& info) { messageRelease(poolIn(info), &messageIn(info, 1)); });
  probeExport(exports, "messageForgetBody",
              [](const Info& info) { messageForgetBody(poolIn(info), &messageIn(info, 1)); });
  probeExport(exports, "carriedCreate", lineCarried);
  probeExport(exports, "carriedRelease", [](const Info& info) {
    carriedRelease(poolIn(info), poolIn(info).carrieds + probeU32(info, 1));
  });
}

// ---- Channel ----

void channelRead(const Info& info) {
  const Channel& channel = channelIn(info);
  uint32_t held = 0;
  for (const Message* message = channel.heldFirst; message != nullptr; message = message->next) {
    held += 1;
  }
  double* out = probeDoubles(info, 2);
  out[0] = channel.listed;
  out[1] = static_cast<double>(channel.nextId);
  out[2] = channel.resends;
  out[3] = channel.copying;
  out[4] = static_cast<double>(channel.earliestExpiryUs);
  out[5] = static_cast<double>(channel.holeFirst);
  out[6] = static_cast<double>(channel.holeLast);
  out[7] = static_cast<double>(channel.skipping);
  out[8] = static_cast<double>(channel.expectedId);
  out[9] = static_cast<double>(channel.passId);
  out[10] = held;
  out[11] = channel.broken ? 1 : 0;
  out[12] = static_cast<double>(channel.gapId);
  out[13] = static_cast<double>(channel.nackDueUs);
}

Value enqueue(const Info& info) {
  Outlet& outlet = lineIn(info).outlet;
  const uint32_t bytes = static_cast<uint32_t>(probeLength(info, 3));
  const uint32_t body = bodyCreate(outlet.pool, probeBytes(info, 3), 0, bytes);
  if (body == NO_CHUNK) return Boolean::New(info.Env(), false);
  const bool taken =
      channelEnqueue(channelIn(info), outlet, probeU32(info, 2), body, bytes, PAYLOAD_BYTES_MAX,
                     probeTime(info, 4), probeU32(info, 5), probeU32(info, 6));
  if (!taken) bodyRelease(outlet.pool, body);
  return Boolean::New(info.Env(), taken);
}

void channelInit(Napi::Object exports) {
  probeExport(exports, "channelRead", channelRead);
  probeExport(exports, "channelSeek", [](const Info& info) {
    Channel& channel = channelIn(info);
    channel.nextId = info[2].As<Number>().Int64Value();
    channel.expectedId = channel.nextId;
    channel.consumedId = channel.nextId;
    channel.toldId = channel.nextId;
  });
  probeExport(exports, "channelEnqueue", enqueue);
  probeExport(exports, "channelFlushed", [](const Info& info) { channelFlushed(channelIn(info)); });
  probeExport(exports, "channelWants", [](const Info& info) -> Value {
    return Boolean::New(info.Env(), channelWants(channelIn(info), info[2].ToBoolean()));
  });
  probeExport(exports, "channelInWindow", [](const Info& info) -> Value {
    return Boolean::New(info.Env(),
                        channelInWindow(channelIn(info), info[2].As<Number>().Int64Value()));
  });
  probeExport(exports, "channelSkipDue", [](const Info& info) -> Value {
    return Boolean::New(info.Env(), channelSkipDue(channelIn(info)));
  });
  probeExport(exports, "channelSkip", [](const Info& info) -> Value {
    Channel& channel = channelIn(info);
    channel.skipping = channelSkipId(channel);
    return number(info, channel.skipping);
  });
  probeExport(exports, "channelConsumed", [](const Info& info) -> Value {
    return Boolean::New(info.Env(),
                        channelConsumed(channelIn(info), static_cast<uint16_t>(probeU32(info, 2))));
  });
  probeExport(exports, "channelPause",
              [](const Info& info) { channelPause(channelIn(info), info[2].ToBoolean()); });
  probeExport(exports, "channelWindowDue", [](const Info& info) -> Value {
    return Boolean::New(info.Env(), channelWindowDue(channelIn(info)));
  });
  probeExport(exports, "channelWindow", [](const Info& info) -> Value {
    Channel& channel = channelIn(info);
    channel.toldId = channelMark(channel);
    return number(info, channel.toldId);
  });
  probeExport(exports, "channelWindowVerdict", [](const Info& info) {
    channelWindowVerdict(channelIn(info), info[2].As<Number>().Int64Value(), info[3].ToBoolean());
  });
  probeExport(exports, "channelSkipVerdict", [](const Info& info) {
    channelSkipVerdict(channelIn(info), info[2].As<Number>().Int64Value(), info[3].ToBoolean());
  });
  probeExport(exports, "channelTrim", [](const Info& info) {
    channelTrim(channelIn(info), lineIn(info).outlet, probeU32(info, 2));
  });
  probeExport(exports, "channelPass", [](const Info& info) {
    channelPass(channelIn(info), lineIn(info).outlet, probeU32(info, 2));
  });
  probeExport(exports, "channelVerdict", [](const Info& info) -> Value {
    return Boolean::New(
        info.Env(),
        channelVerdict(channelIn(info), lineIn(info).outlet, probeU32(info, 2), messageIn(info, 3),
                       info[4].ToBoolean(), probeTime(info, 5), probeTime(info, 6)));
  });
  probeExport(exports, "channelSettled", [](const Info& info) {
    channelSettled(channelIn(info), lineIn(info).outlet, probeU32(info, 2), messageIn(info, 3),
                   info[4].ToBoolean(), probeTime(info, 5));
  });
  probeExport(exports, "channelNacked", [](const Info& info) -> Value {
    return Boolean::New(
        info.Env(), channelNacked(channelIn(info), lineIn(info).outlet, probeU32(info, 2),
                                  static_cast<uint16_t>(probeU32(info, 3)), probeBytes(info, 4), 0,
                                  static_cast<uint32_t>(probeLength(info, 4)), probeTime(info, 5),
                                  static_cast<uint32_t>(probeU32(info, 6))));
  });
  probeExport(exports, "channelForget",
              [](const Info& info) { channelForget(lineIn(info).outlet, messageIn(info, 1)); });
  probeExport(exports, "channelExpire", [](const Info& info) {
    channelExpire(channelIn(info), lineIn(info).outlet, probeU32(info, 2), probeTime(info, 3));
  });
  probeExport(exports, "channelDrop", [](const Info& info) {
    channelDrop(channelIn(info), lineIn(info).outlet, probeU32(info, 2));
  });
}

// ---- Plan ----

Value carryPlan(const Info& info) {
  constexpr uint32_t FIELDS = 6;
  Line& line = lineIn(info);
  double* out = probeDoubles(info, 1);
  uint8_t* bodies = probeBytes(info, 2);
  for (uint32_t index = 0; index < line.plan.count; index++) {
    Message& message = *line.plan.messages[index];
    const uint32_t bytes = message.bytes;
    const uint32_t tag = message.tag;
    bodyCopy(line.outlet.pool, message.body, message.start, bytes, bodies, 0);
    bodies += bytes;
    const uint32_t ride = channelCarried(line.channels[message.channel], line.outlet, message,
                                         probeU32(info, 3), probeTime(info, 4));
    double* fields = out + index * FIELDS;
    fields[0] = message.channel;
    fields[1] = static_cast<double>(message.id);
    fields[2] = ride;
    fields[3] = static_cast<double>(&message - line.outlet.pool.messages);
    fields[4] = bytes;
    fields[5] = tag;
  }
  return number(info, line.plan.count);
}

void planInit(Napi::Object exports) {
  probeExport(exports, "planReset",
              [](const Info& info) { planReset(lineIn(info).plan, probeU32(info, 1)); });
  probeExport(exports, "planRoom",
              [](const Info& info) -> Value { return number(info, lineIn(info).plan.room); });
  probeExport(exports, "channelPlanFresh",
              [](const Info& info) { channelPlanFresh(channelIn(info), lineIn(info).plan); });
  probeExport(exports, "channelPlanResends",
              [](const Info& info) { channelPlanResends(channelIn(info), lineIn(info).plan); });
  probeExport(exports, "channelPlanCopies",
              [](const Info& info) { channelPlanCopies(channelIn(info), lineIn(info).plan); });
  probeExport(exports, "channelPlanHead",
              [](const Info& info) { channelPlanHead(channelIn(info), lineIn(info).plan); });
  probeExport(exports, "channelStuck", [](const Info& info) -> Value {
    return Boolean::New(info.Env(), channelStuck(channelIn(info)));
  });
  probeExport(exports, "carryPlan", carryPlan);
}

// ---- Delivery ----

// A message of so many bytes, or the fragment that five words tell of: total, index, block, number
// and the longest payload.
Value deliveryIn(const Info& info) {
  Frame frame;
  frame.id = static_cast<uint16_t>(probeU32(info, 3));
  frame.offset = probeU32(info, 5);
  frame.bytes = probeU32(info, 6);
  frame.ageMs = probeU32(info, 9);
  if (info[10].IsTypedArray()) {
    const uint32_t* words = probeWords(info, 10);
    frame.total = words[0];
    frame.index = words[1];
    frame.block = words[2] != 0;
    frame.number = static_cast<uint16_t>(words[3]);
    frame.payloadBytes = words[4];
  }
  return number(info,
                deliveryReceive(channelIn(info), lineIn(info).outlet, probeU32(info, 2), frame,
                                probeBytes(info, 4), info[7].ToBoolean(), probeTime(info, 8)));
}

void deliveryInit(Napi::Object exports) {
  probeExport(exports, "deliveryReceive", deliveryIn);
  probeExport(exports, "deliverySkip", [](const Info& info) -> Value {
    return number(info, deliverySkip(channelIn(info), lineIn(info).outlet, probeU32(info, 2),
                                     static_cast<uint16_t>(probeU32(info, 3))));
  });
  probeExport(exports, "deliveryRelease", [](const Info& info) -> Value {
    return number(info, deliveryRelease(channelIn(info), lineIn(info).outlet, probeU32(info, 2)));
  });
  probeExport(exports, "deliveryDrop",
              [](const Info& info) { deliveryDrop(channelIn(info), lineIn(info).outlet); });
}

// ---- Gap ----

void gapInit(Napi::Object exports) {
  probeExport(exports, "gapUpdate", [](const Info& info) {
    gapUpdate(channelIn(info), probeTime(info, 2), probeU32(info, 3), 0);
  });
  probeExport(exports, "gapDeadlineUs", [](const Info& info) -> Value {
    return number(info, gapDeadlineUs(channelIn(info)));
  });
  probeExport(exports, "gapExpire",
              [](const Info& info) { gapExpire(channelIn(info), probeTime(info, 2)); });
  probeExport(exports, "gapMissing", [](const Info& info) -> Value {
    return number(info, gapMissing(channelIn(info), probeBytes(info, 2), 0));
  });
}

}  // namespace

void probeLineInit(Napi::Object exports) {
  queueInit(exports);
  channelInit(exports);
  planInit(exports);
  deliveryInit(exports);
  gapInit(exports);
}

}  // namespace netrt
