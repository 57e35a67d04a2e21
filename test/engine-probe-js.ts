/*
 * Owns the TypeScript engine in the shape of `EngineProbe`, which native/addon/probe_engine.cc and
 * probe_line.cc give the C++ one.
 * Never adds behaviour: each call is one call of lib/engine, or a struct filled and emptied around one.
 */
import * as acks from "../lib/engine/acks.js";
import { Reader, Writer, writeBytes, writerSet, writeU32 } from "../lib/engine/bytes.js";
import { configRead, HostConfig } from "../lib/engine/config.js";
import * as congestion from "../lib/engine/congestion.js";
import * as frame from "../lib/engine/frame.js";
import { PACING_RATE_MAX } from "../lib/engine/limits.js";
import * as pacing from "../lib/engine/pacing.js";
import { payloadCheck } from "../lib/engine/payload.js";
import * as ring from "../lib/engine/ring.js";
import * as rtt from "../lib/engine/rtt.js";
import { clientNext, connectionNext } from "../lib/engine/state.js";
import * as stats from "../lib/engine/stats.js";
import * as table from "../lib/engine/table.js";
import * as timers from "../lib/engine/timers.js";
import {
  ACK_WORDS,
  ACKS_FIELDS,
  type EndHandle,
  type EngineProbe,
  FRAME_WORDS,
  type PacingHandle,
  type RingHandle,
  type RoadHandle,
  RTT_FIELDS,
  type TableHandle,
  type TimersHandle,
} from "./engine-probe.js";
import { jsLine } from "./engine-probe-line.js";

/** The engines' structs are the handles. */
class End {
  readonly received = new acks.Received();
  readonly sent = new acks.Sent();
  readonly rtt = new rtt.Rtt();
}

const asRing = (handle: RingHandle) => handle as unknown as ring.Ring;
const asTimers = (handle: TimersHandle) => handle as unknown as timers.Timers;
const asTable = (handle: TableHandle) => handle as unknown as table.Table;
/** A path: what is known of it, and what is made of it. */
class Road {
  readonly congestion = new congestion.Congestion();
  readonly rtt = new rtt.Rtt();
}
const asRoad = (handle: RoadHandle) => handle as unknown as Road;
const asPacing = (handle: PacingHandle) => handle as unknown as pacing.Pacing;
const asEnd = (handle: EndHandle) => handle as unknown as End;

type Machines = Pick<
  EngineProbe,
  Extract<keyof EngineProbe, `${"ring" | "timers" | "table" | "pacing"}${string}`>
>;

const machines: Machines = {
  ringBytes: ring.ringBytes,
  ringOpen(memory) {
    const opened = new ring.Ring();
    ring.ringSet(opened, memory);
    return opened as unknown as RingHandle;
  },
  ringRoom: (handle) => ring.ringRoom(asRing(handle)),
  ringPush: (handle, kind, bytes) => ring.ringPush(asRing(handle), kind, bytes),
  ringPublish: (handle) => ring.ringPublish(asRing(handle)),
  ringPeek: (handle) => ring.ringPeek(asRing(handle)),
  ringNext: (handle, word) => ring.ringNext(asRing(handle), word),
  ringRelease: (handle) => ring.ringRelease(asRing(handle)),
  timersOpen: (slots) => new timers.Timers(slots) as unknown as TimersHandle,
  timersSet: (handle, slot, deadlineUs) => timers.timersSet(asTimers(handle), slot, deadlineUs),
  timersNext: (handle) => timers.timersNext(asTimers(handle)),
  timersFirst: (handle) => timers.timersFirst(asTimers(handle)),
  tableOpen: (capacity) => new table.Table(capacity) as unknown as TableHandle,
  tableInsert: (handle, hash, index) => table.tableInsert(asTable(handle), hash, index),
  tableRemove: (handle, index) => table.tableRemove(asTable(handle), index),
  tableFirst: (handle, hash) => table.tableFirst(asTable(handle), hash),
  tableNext: (handle, index) => table.tableNext(asTable(handle), index),
  pacingOpen(rate, nowUs) {
    const opened = new pacing.Pacing();
    pacing.pacingReset(opened, rate, nowUs);
    return opened as unknown as PacingHandle;
  },
  pacingReady: (handle, nowUs) => pacing.pacingReady(asPacing(handle), nowUs),
  pacingSpend: (handle, bytes) => pacing.pacingSpend(asPacing(handle), bytes, 0),
  pacingNextUs: (handle, nowUs) => pacing.pacingNextUs(asPacing(handle), nowUs),
};

const roads: Pick<EngineProbe, Extract<keyof EngineProbe, `congestion${string}`>> = {
  congestionOpen(mode, nowUs) {
    const road = new Road();
    congestion.congestionReset(road.congestion, mode, nowUs);
    return road as unknown as RoadHandle;
  },
  congestionRtt(handle, latestUs, minimumUs, smoothedUs) {
    const { congestion: its, rtt: path } = asRoad(handle);
    Object.assign(path, { latestUs, minimumUs, smoothedUs });
    congestion.congestionSample(its, path);
  },
  congestionSent: (handle, flightBytes) =>
    congestion.congestionSent(asRoad(handle).congestion, flightBytes),
  congestionAcked(handle, ackedLatest, nextNumber, acked, lost, nowUs) {
    const { congestion: its, rtt: path } = asRoad(handle);
    congestion.congestionAcked(its, path, ackedLatest, nextNumber, acked, lost, nowUs);
  },
  congestionTimedOut: (handle) => congestion.congestionTimedOut(asRoad(handle).congestion),
  congestionJudge(handle, nowUs) {
    const { congestion: its, rtt: path } = asRoad(handle);
    congestion.congestionJudge(its, path, nowUs);
  },
  congestionRead(handle, out) {
    const { congestion: its, rtt: path } = asRoad(handle);
    const { windowBytes, starting, penaltyUs } = its;
    out.set([
      windowBytes,
      starting ? 1 : 0,
      congestion.congestionPacketRate(its),
      penaltyUs,
      congestion.congestionRate(its, path, PACING_RATE_MAX),
      congestion.congestionOpen(its, windowBytes - 1) ? 1 : 0,
      congestion.congestionOpen(its, windowBytes) ? 1 : 0,
    ]);
  },
};

type Ends = Pick<
  EngineProbe,
  Extract<keyof EngineProbe, `${"end" | "rtt" | "received" | "sent" | "acks"}${string}`>
>;

const ends: Ends = {
  endOpen(nextNumber) {
    const end = new End();
    acks.receivedReset(end.received);
    acks.sentReset(end.sent, nextNumber);
    return end as unknown as EndHandle;
  },
  rttReset: (end) => rtt.rttReset(asEnd(end).rtt),
  rttSample: (end, rawUs, nowUs) => rtt.rttSample(asEnd(end).rtt, rawUs, nowUs),
  rttTimeoutUs: (end, sentUs) => rtt.rttTimeoutUs(asEnd(end).rtt, sentUs),
  rttBackOff: (end, nowUs) => rtt.rttBackOff(asEnd(end).rtt, nowUs),
  rttReorderUs: (end) => rtt.rttReorderUs(asEnd(end).rtt),
  rttRead(end, out) {
    out.set(RTT_FIELDS.map((field) => asEnd(end).rtt[field]));
  },
  receivedAdd(end, number, receivedUs, eliciting) {
    const { received, sent } = asEnd(end);
    acks.receivedAdd(received, number, receivedUs, eliciting, sent.nextNumber);
  },
  receivedBitBytes: (end) => acks.receivedBitBytes(asEnd(end).received),
  receivedBitByte: (end, index) => acks.receivedBitByte(asEnd(end).received, index),
  receivedDelay: (end, nowUs) => acks.receivedDelay(asEnd(end).received, nowUs),
  receivedDueUs: (end) => acks.receivedDueUs(asEnd(end).received),
  receivedAnswered(end) {
    asEnd(end).received.owed = 0;
  },
  sentReset: (end, nextNumber) => acks.sentReset(asEnd(end).sent, nextNumber),
  sentAdd(end, nowUs, bytes, eliciting) {
    const { sent, received } = asEnd(end);
    const packet = acks.sentAdd(sent, nowUs, bytes, eliciting);
    packet.reported = received.latest;
    return packet.number;
  },
  sentUnrecorded: (end) => acks.sentUnrecorded(asEnd(end).sent),
  sentReady: (end) => acks.sentReady(asEnd(end).sent),
  sentInFlight: (end) => acks.sentInFlight(asEnd(end).sent),
  acksReceive(end, latest, delay, bits, offset, bitBytes, receivedUs) {
    const { sent, received, rtt: its } = asEnd(end);
    acks.acksReceive(sent, received, its, latest, delay, bits, offset, bitBytes, receivedUs);
  },
  acksVerdict(end, nowUs) {
    const packet = acks.acksVerdict(asEnd(end).sent, asEnd(end).rtt, nowUs);
    if (packet === null) return null;
    return packet.state === acks.SENT_ACKED ? packet.number : -1 - packet.number;
  },
  acksTimeoutUs: (end) => acks.acksTimeoutUs(asEnd(end).sent, asEnd(end).rtt),
  acksDeadlineUs: (end) => acks.acksDeadlineUs(asEnd(end).sent, asEnd(end).rtt),
  acksExpire: (end, nowUs) => acks.acksExpire(asEnd(end).sent, asEnd(end).rtt, nowUs),
  acksRead(end, out) {
    const { received, sent } = asEnd(end);
    const all = { ...received, ...sent };
    out.set(ACKS_FIELDS.map((field) => all[field]));
  },
};

/** Writes with the engine's writer; the offset behind it, or -1. */
function write(out: Uint8Array, offset: number, calls: (writer: Writer) => void): number {
  const writer = new Writer();
  writerSet(writer, out, offset, out.length);
  calls(writer);
  return writer.failed ? -1 : writer.offset;
}

type Frames = Pick<
  EngineProbe,
  | Extract<
      keyof EngineProbe,
      `${"payload" | "fragment" | "age" | "block" | "window" | "skip" | "nack" | "ping" | "path" | "hello" | "layout" | "close"}${string}`
    >
  | "messageFrameBytes"
  | "ackHeaderWrite"
  | "messageWrite"
  | "messageShorten"
>;

const frames: Frames = {
  payloadCheck(bytes, offset, end, channelCount) {
    const header = new frame.AckHeader();
    const read = new frame.Frame();
    return payloadCheck(new Reader(), header, read, bytes, offset, end, channelCount);
  },
  payloadRead(bytes, offset, end, words) {
    const reader = new Reader();
    Object.assign(reader, { bytes, offset, end });
    const header = new frame.AckHeader();
    if (!frame.ackHeaderRead(reader, header)) return -1;
    const { present, latest, delay, bitsOffset, bitBytes } = header;
    words.set([present ? 1 : 0, latest, delay, bitsOffset, bitBytes]);
    const read = new frame.Frame();
    for (let count = 0; ; count++) {
      const kind = frame.frameNext(reader, read);
      if (kind === frame.FRAME_END) return count;
      if (kind === frame.FRAME_INVALID) return -1;
      const { channel, id, offset: start, bytes: size, code, nameHash, channelCount } = read;
      const { total, index, number, payloadBytesMax, packetRateMax, byteRateMax } = read;
      const { suites, keyOffset } = read;
      const limits = [payloadBytesMax, packetRateMax, byteRateMax];
      const fields = [kind, channel, id, start, size, code, nameHash, channelCount];
      fields.push(kind === frame.FRAME_AGE ? read.ageMs : total, index, number, ...limits);
      fields.push(suites, keyOffset);
      words.set(fields, ACK_WORDS + count * FRAME_WORDS);
    }
  },
  messageFrameBytes: frame.messageFrameBytes,
  ackHeaderWrite(out, offset, present, latest, delay, bits) {
    const header = new frame.AckHeader();
    Object.assign(header, { present, latest, delay, bitBytes: bits.length });
    return write(out, offset, (writer) => {
      frame.ackHeaderWrite(writer, header);
      if (present) writeBytes(writer, bits, 0, bits.length);
    });
  },
  messageWrite: (out, offset, channel, id, body) =>
    write(out, offset, (writer) => {
      frame.messageHeadWrite(writer, channel, id, body.length);
      writeBytes(writer, body, 0, body.length);
    }),
  messageShorten: (out, offset, start, bodyBytes) =>
    write(out, offset, (writer) => frame.messageShorten(writer, start, bodyBytes)),
  fragmentWrite: (out, offset, channel, id, index, total, body) =>
    write(out, offset, (writer) => {
      frame.fragmentHeadWrite(writer, channel, id, index, total);
      writeBytes(writer, body, 0, body.length);
    }),
  blockWrite: (out, offset, channel, id, index, total, body, number) =>
    write(out, offset, (writer) => {
      frame.blockHeadWrite(writer, channel, id, number, index, total);
      writeBytes(writer, body, 0, body.length);
    }),
  windowWrite: (out, offset, channel, id) =>
    write(out, offset, (writer) => frame.windowWrite(writer, channel, id)),
  ageWrite: (out, offset, ageMs) => write(out, offset, (writer) => frame.ageWrite(writer, ageMs)),
  skipWrite: (out, offset, channel, id) =>
    write(out, offset, (writer) => frame.skipWrite(writer, channel, id)),
  nackWrite: (out, offset, channel, id, bits) =>
    write(out, offset, (writer) => {
      frame.nackWrite(writer, channel, id, bits.length);
      writeBytes(writer, bits, 0, bits.length);
    }),
  pingWrite: (out, offset) => write(out, offset, frame.pingWrite),
  pathWrite: (out, offset, kind, proof) =>
    write(out, offset, (writer) => frame.pathWrite(writer, kind, proof)),
  helloWrite: (out, offset, version, nameHash, hashes, limits, suites, publicKey) =>
    write(out, offset, (writer) => {
      const { length } = hashes;
      const [payloadBytes, packetRate, byteRate] = limits;
      frame.helloWrite(
        writer,
        version,
        nameHash,
        length,
        payloadBytes,
        packetRate,
        byteRate,
        suites,
        publicKey,
      );
      for (const hash of hashes) writeU32(writer, hash);
    }),
  layoutWrite: (out, offset, channel, body) =>
    write(out, offset, (writer) => frame.layoutWrite(writer, channel, body, 0, body.length)),
  closeWrite: (out, offset, reason, text) =>
    write(out, offset, (writer) => frame.closeWrite(writer, reason, text, text.length)),
};

/** All that was read, in the order of the class, 64-bit numbers as low and high half. */
function configNumbers(config: HostConfig): number[] {
  const addresses = config.addresses.flatMap(({ type, port, a, b, c, d }) => [
    type,
    port,
    a,
    b,
    c,
    d,
  ]);
  const policies = config.policies.flatMap((policy) => Object.values(policy).map(Number));
  const { addresses: _a, policies: _p, channelOrder, ...plain } = config;
  const count = config.addresses.length;
  return [...Object.values(plain).map(Number), count, ...addresses, ...channelOrder, ...policies];
}

export const jsEngine: EngineProbe = {
  ...machines,
  ...roads,
  ...ends,
  ...frames,
  ...jsLine,
  clientNext,
  connectionNext,
  statsWords: stats.statsWords,
  statsHostWord: stats.statsHostWord,
  statsRejectWord: stats.statsRejectWord,
  statsChannelWord: stats.statsChannelWord,
  statsPeerWord: stats.statsPeerWord,
  statsAdd: stats.statsAdd,
  configRead(words, out) {
    const config = new HostConfig();
    configRead(config, words);
    const numbers = configNumbers(config);
    out.set(numbers);
    return numbers.length;
  },
};
