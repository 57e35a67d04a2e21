/*
 * Owns the "line" of the TypeScript engine for test/engine-probe-js.ts: channels with pool, plan, ring and page.
 * Never adds behaviour: each call is one call of lib/engine, or a struct filled and emptied around one.
 * Invariant: a message or record has the number that it was first seen with, for ever.
 */
import * as channels from "../lib/engine/channel.js";
import * as delivery from "../lib/engine/delivery.js";
import { Frame } from "../lib/engine/frame.js";
import * as gap from "../lib/engine/gap.js";
import { PAYLOAD_BYTES_MAX } from "../lib/engine/limits.js";
import * as plans from "../lib/engine/plan.js";
import { POLICY_WORDS, Policy, policyRead } from "../lib/engine/policy.js";
import * as queue from "../lib/engine/queue.js";
import * as repair from "../lib/engine/repair.js";
import * as rides from "../lib/engine/ride.js";
import { Ring, ringPublish, ringPush, ringRoom, ringSet } from "../lib/engine/ring.js";
import * as windows from "../lib/engine/window.js";
import { CHANNEL_FIELDS, type EngineProbe, type LineHandle } from "./engine-probe.js";

class Line {
  readonly outlet: channels.Outlet;
  readonly channels: channels.Channel[] = [];
  readonly plan = new plans.Plan();
  readonly seen: unknown[] = [];
  readonly #names = new Map<unknown, number>();

  constructor(policies: Uint32Array, pool: queue.Pool, completion: Uint8Array, page: Uint32Array) {
    const ring = new Ring();
    ringSet(ring, completion);
    this.outlet = { pool, completion: ring, page };
    for (let start = 0; start < policies.length; start += POLICY_WORDS) {
      const policy = new Policy();
      policyRead(policy, policies, start);
      const channel = new channels.Channel(policy);
      channel.index = this.channels.length;
      this.channels.push(channel);
    }
  }

  nameOf(value: unknown): number {
    if (value === null) return -1;
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    this.#names.set(value, this.seen.length);
    return this.seen.push(value) - 1;
  }

  message(name: number): queue.Message {
    return this.seen[name] as queue.Message;
  }
}

const asLine = (handle: LineHandle) => handle as unknown as Line;
const poolOf = (handle: LineHandle) => asLine(handle).outlet.pool;
const outletOf = (handle: LineHandle) => asLine(handle).outlet;
const channelOf = (handle: LineHandle, index: number) => asLine(handle).channels[index];

type Queue = Pick<
  EngineProbe,
  | Extract<keyof EngineProbe, `${"line" | "pool" | "body" | "carried"}${string}`>
  | "messageCreate"
  | "messageRelease"
  | "messageForgetBody"
>;

const queues: Queue = {
  lineOpen(policies, chunkCount, messageCount, carriedCount, completion, page) {
    const pool = new queue.Pool(chunkCount, messageCount, carriedCount);
    return new Line(policies, pool, completion, page) as unknown as LineHandle;
  },
  lineRoom: (line) => ringRoom(outletOf(line).completion),
  linePush: (line, kind, bytes) => ringPush(outletOf(line).completion, kind, bytes),
  linePublish: (line) => ringPublish(outletOf(line).completion),
  poolRead(line, out) {
    const pool = poolOf(line);
    let chunkList = 0;
    if (pool.chunksFree > 0) {
      let chunk = pool.chunkFree;
      for (; chunk !== queue.NO_CHUNK; chunk = pool.chunkNext[chunk]) chunkList += 1;
    }
    out.set([pool.chunksFree, pool.messagesFree, pool.carriedsFree, chunkList]);
  },
  bodyChunks: queue.bodyChunks,
  bodyCreate(line, source, offset, bytes) {
    const body = queue.bodyCreate(poolOf(line), source, offset, bytes);
    return body === queue.NO_CHUNK ? -1 : body;
  },
  bodyCopy: (line, body, bytes, target, offset) =>
    queue.bodyCopy(poolOf(line), body, 0, bytes, target, offset),
  bodyRetain: (line, body) => queue.bodyRetain(poolOf(line), body),
  bodyRelease: (line, body) => queue.bodyRelease(poolOf(line), body),
  messageCreate(line, body) {
    const message = queue.messageCreate(poolOf(line));
    if (message !== null) message.body = body;
    return asLine(line).nameOf(message);
  },
  messageRelease: (line, message) =>
    queue.messageRelease(poolOf(line), asLine(line).message(message)),
  messageForgetBody: (line, message) =>
    queue.messageForgetBody(poolOf(line), asLine(line).message(message)),
  carriedCreate: (line) => asLine(line).nameOf(queue.carriedCreate(poolOf(line))),
  carriedRelease: (line, carried) =>
    queue.carriedRelease(poolOf(line), asLine(line).seen[carried] as queue.Carried),
};

type Plans = Pick<
  EngineProbe,
  Extract<keyof EngineProbe, `${"plan" | "channelPlan"}${string}`> | "channelStuck" | "carryPlan"
>;

const planning: Plans = {
  planReset: (line, room) => plans.planReset(asLine(line).plan, room),
  planRoom: (line) => asLine(line).plan.room,
  channelPlanFresh: (line, channel) =>
    plans.channelPlanFresh(channelOf(line, channel), asLine(line).plan),
  channelPlanResends: (line, channel) =>
    plans.channelPlanResends(channelOf(line, channel), asLine(line).plan),
  channelPlanCopies: (line, channel) =>
    plans.channelPlanCopies(channelOf(line, channel), asLine(line).plan),
  channelPlanHead: (line, channel) =>
    plans.channelPlanHead(channelOf(line, channel), asLine(line).plan),
  channelStuck: (line, channel) => plans.channelStuck(channelOf(line, channel)),
  carryPlan(line, out, bodies, lossShare, nowUs) {
    const { plan, outlet, channels: all } = asLine(line);
    let end = 0;
    for (let index = 0; index < plan.count; index++) {
      const message = plan.messages[index] as queue.Message;
      const { bytes, tag } = message;
      queue.bodyCopy(outlet.pool, message.body, message.start, bytes, bodies, end);
      end += bytes;
      const ride = rides.channelCarried(all[message.channel], outlet, message, lossShare, nowUs);
      const name = asLine(line).nameOf(message);
      out.set([message.channel, message.id, ride, name, bytes, tag], index * 6);
    }
    return plan.count;
  },
};

type Channels = Omit<
  Pick<EngineProbe, Extract<keyof EngineProbe, `${"channel" | "delivery" | "gap"}${string}`>>,
  keyof Plans
>;

function channelRead(channel: channels.Channel): number[] {
  let held = 0;
  for (let message = channel.heldFirst; message !== null; message = message.next) held += 1;
  const all = { ...channel, held, broken: channel.broken ? 1 : 0 };
  return CHANNEL_FIELDS.map((field) => all[field]);
}

const machines: Channels = {
  channelRead(line, channel, out) {
    out.set(channelRead(channelOf(line, channel)));
  },
  channelSeek(line, channel, id) {
    const ids = { nextId: id, expectedId: id, consumedId: id, toldId: id };
    Object.assign(channelOf(line, channel), ids);
  },
  channelEnqueue(line, channel, peer, source, nowUs, ttlMs, tag) {
    const outlet = outletOf(line);
    const bytes = source.length;
    const body = queue.bodyCreate(outlet.pool, source, 0, bytes);
    if (body === queue.NO_CHUNK) return false;
    const its = channelOf(line, channel);
    const most = PAYLOAD_BYTES_MAX;
    const taken = channels.channelEnqueue(its, outlet, peer, body, bytes, most, nowUs, ttlMs, tag);
    if (!taken) queue.bodyRelease(outlet.pool, body);
    return taken;
  },
  channelFlushed: (line, channel) => channels.channelFlushed(channelOf(line, channel)),
  channelWants: (line, channel, flushing) =>
    channels.channelWants(channelOf(line, channel), flushing),
  channelInWindow: (line, channel, id) => channels.channelInWindow(channelOf(line, channel), id),
  channelSkipDue: (line, channel) => channels.channelSkipDue(channelOf(line, channel)),
  channelSkip(line, channel) {
    const its = channelOf(line, channel);
    its.skipping = channels.channelSkipId(its);
    return its.skipping;
  },
  channelConsumed: (line, channel, id16) => windows.channelConsumed(channelOf(line, channel), id16),
  channelPause: (line, channel, paused) => windows.channelPause(channelOf(line, channel), paused),
  channelWindowDue: (line, channel) => channels.channelWindowDue(channelOf(line, channel)),
  channelWindow(line, channel) {
    const its = channelOf(line, channel);
    its.toldId = channels.channelMark(its);
    return its.toldId;
  },
  channelWindowVerdict: (line, channel, id, acked) =>
    windows.channelWindowVerdict(channelOf(line, channel), id, acked),
  channelSkipVerdict: (line, channel, skipId, acked) =>
    repair.channelSkipVerdict(channelOf(line, channel), skipId, acked),
  channelTrim: (line, channel, peer) =>
    rides.channelTrim(channelOf(line, channel), outletOf(line), peer),
  channelPass: (line, channel, peer) =>
    rides.channelPass(channelOf(line, channel), outletOf(line), peer),
  channelVerdict(line, channel, peer, name, acked, nowUs, arrivalUs) {
    const message = asLine(line).message(name);
    const its = channelOf(line, channel);
    return repair.channelVerdict(its, outletOf(line), peer, message, acked, nowUs, arrivalUs);
  },
  channelSettled(line, channel, peer, name, acked, nowUs) {
    const message = asLine(line).message(name);
    repair.channelSettled(channelOf(line, channel), outletOf(line), peer, message, acked, nowUs);
  },
  channelNacked(line, channel, peer, id16, bits, nowUs, roundTripUs) {
    const its = channelOf(line, channel);
    const bytes = bits.length;
    const outlet = outletOf(line);
    return repair.channelNacked(its, outlet, peer, id16, bits, 0, bytes, nowUs, roundTripUs);
  },
  channelForget: (line, name) => repair.channelForget(outletOf(line), asLine(line).message(name)),
  channelExpire: (line, channel, peer, nowUs) =>
    repair.channelExpire(channelOf(line, channel), outletOf(line), peer, nowUs),
  channelDrop: (line, channel, peer) =>
    repair.channelDrop(channelOf(line, channel), outletOf(line), peer),
  deliveryReceive(line, channel, peer, id16, source, offset, bytes, holds, nowUs, ageMs, fragment) {
    const frame = Object.assign(new Frame(), { id: id16, offset, bytes, ageMs });
    if (fragment !== undefined) {
      const [total, index, block, number, payloadBytes] = fragment;
      Object.assign(frame, { total, index, block: block !== 0, number, payloadBytes });
    }
    const its = channelOf(line, channel);
    return delivery.deliveryReceive(its, outletOf(line), peer, frame, source, holds, nowUs);
  },
  deliverySkip: (line, channel, peer, id16) =>
    delivery.deliverySkip(channelOf(line, channel), outletOf(line), peer, id16),
  deliveryRelease: (line, channel, peer) =>
    delivery.deliveryRelease(channelOf(line, channel), outletOf(line), peer),
  deliveryDrop: (line, channel) => delivery.deliveryDrop(channelOf(line, channel), outletOf(line)),
  gapUpdate: (line, channel, nowUs, delayUs) =>
    gap.gapUpdate(channelOf(line, channel), nowUs, delayUs, 0),
  gapDeadlineUs: (line, channel) => gap.gapDeadlineUs(channelOf(line, channel)),
  gapExpire: (line, channel, nowUs) => gap.gapExpire(channelOf(line, channel), nowUs),
  gapMissing: (line, channel, bits) => gap.gapMissing(channelOf(line, channel), bits, 0),
};

export const jsLine: Queue & Plans & Channels = { ...queues, ...planning, ...machines };
