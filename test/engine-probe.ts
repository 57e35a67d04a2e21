/*
 * Owns the shape in which the unit tests see the engine half of the core: the rings, the timers, the acks, the
 * frames, the pool and the channels, as machines that a handle names.
 * Never holds code.
 * Invariants: the calls of `EngineProbe` are those of native/addon/probe_engine.cc and
 * native/addon/probe_line.cc. A time is µs in one number, below 2^53.
 */

export type RingHandle = { readonly ringHandle: unique symbol };
export type TimersHandle = { readonly timersHandle: unique symbol };
export type TableHandle = { readonly tableHandle: unique symbol };
export type PacingHandle = { readonly pacingHandle: unique symbol };
export type RoadHandle = { readonly roadHandle: unique symbol };
/** One end of a connection, as far as packets go: what it received, what it sent, its RTT. */
export type EndHandle = { readonly endHandle: unique symbol };
/** Channels of one connection with what they need: a pool, a plan, the user's ring, the page. */
export type LineHandle = { readonly lineHandle: unique symbol };

/** What `rttRead` answers. */
export const RTT_FIELDS = [
  "smoothedUs",
  "varianceUs",
  "latestUs",
  "minimumUs",
  "jitterUs",
  "samples",
  "backoff",
] as const;
/** What `acksRead` answers. */
export const ACKS_FIELDS = [
  "latest",
  "floor",
  "owed",
  "gaps",
  "nextNumber",
  "verdictNext",
  "ackedLatest",
  "eliciting",
  "acked",
  "lost",
  "late",
] as const;
/** What `channelRead` answers. */
export const CHANNEL_FIELDS = [
  "listed",
  "nextId",
  "resends",
  "copying",
  "earliestExpiryUs",
  "holeFirst",
  "holeLast",
  "skipping",
  "expectedId",
  "passId",
  "held",
  "broken",
  "gapId",
  "nackDueUs",
] as const;
/** What `poolRead` answers: free parts as counted, and the lengths of the free lists where those are walked. */
export const POOL_FIELDS = ["chunksFree", "messagesFree", "carriedsFree", "chunkList"] as const;
/** What `carryPlan` answers for each message, in the order of the packet. */
export const RIDE_FIELDS = ["channel", "id", "ride", "message", "bytes", "tag"] as const;

/** What `congestionRead` answers: the window, whether it doubles, packets a second, the penalty, the
 * rate, and whether one more byte than a full window may be on its way (below it, at it). */
export const ROAD_FIELDS = [
  "windowBytes",
  "starting",
  "packetRate",
  "penaltyUs",
  "rate",
  "openBelow",
  "openAt",
] as const;

/** Words of an ack header and of a frame as `payloadRead` answers them. */
export const ACK_WORDS = 5;
export const FRAME_WORDS = 16;

/** The engine half of the core. */
export interface EngineProbe {
  // --- ring ---
  ringBytes(capacity: number): number;
  /** Over memory whose control words hold the positions. */
  ringOpen(memory: Uint8Array): RingHandle;
  ringRoom(ring: RingHandle): number;
  ringPush(ring: RingHandle, kind: number, payloadBytes: number): number;
  ringPublish(ring: RingHandle): void;
  ringPeek(ring: RingHandle): number;
  ringNext(ring: RingHandle, word: number): void;
  ringRelease(ring: RingHandle): void;

  // --- timers ---
  timersOpen(slots: number): TimersHandle;
  timersSet(timers: TimersHandle, slot: number, deadlineUs: number): void;
  timersNext(timers: TimersHandle): number;
  timersFirst(timers: TimersHandle): number;

  // --- table ---
  tableOpen(capacity: number): TableHandle;
  tableInsert(table: TableHandle, hash: number, index: number): void;
  tableRemove(table: TableHandle, index: number): void;
  tableFirst(table: TableHandle, hash: number): number;
  tableNext(table: TableHandle, index: number): number;

  // --- pacing ---
  pacingOpen(rate: number, nowUs: number): PacingHandle;
  pacingReady(pacing: PacingHandle, nowUs: number): boolean;
  pacingSpend(pacing: PacingHandle, bytes: number): void;
  pacingNextUs(pacing: PacingHandle, nowUs: number): number;

  // --- congestion ---
  congestionOpen(mode: number, nowUs: number): RoadHandle;
  /** A sample of the round-trip time: latest, minimum, smoothed. */
  congestionRtt(road: RoadHandle, latestUs: number, minimumUs: number, smoothedUs: number): void;
  congestionSent(road: RoadHandle, flightBytes: number): void;
  congestionAcked(
    road: RoadHandle,
    ackedLatest: number,
    nextNumber: number,
    acked: number,
    lost: number,
    nowUs: number,
  ): void;
  congestionTimedOut(road: RoadHandle): void;
  congestionJudge(road: RoadHandle, nowUs: number): void;
  /** ROAD_FIELDS. */
  congestionRead(road: RoadHandle, out: Float64Array): void;

  // --- rtt and acks ---
  endOpen(nextNumber: number): EndHandle;
  rttReset(end: EndHandle): void;
  rttSample(end: EndHandle, rawUs: number, nowUs: number): void;
  rttTimeoutUs(end: EndHandle, sentUs: number): number;
  rttBackOff(end: EndHandle, nowUs: number): void;
  rttReorderUs(end: EndHandle): number;
  rttRead(end: EndHandle, out: Float64Array): void;
  receivedAdd(end: EndHandle, number: number, receivedUs: number, eliciting: boolean): void;
  receivedBitBytes(end: EndHandle): number;
  receivedBitByte(end: EndHandle, index: number): number;
  receivedDelay(end: EndHandle, nowUs: number): number;
  receivedDueUs(end: EndHandle): number;
  /** A packet with acks goes out: none is owed any more. */
  receivedAnswered(end: EndHandle): void;
  sentReset(end: EndHandle, nextNumber: number): void;
  /** A packet that reports everything received until now; its number. */
  sentAdd(end: EndHandle, nowUs: number, bytes: number, eliciting: boolean): number;
  sentUnrecorded(end: EndHandle): number;
  sentReady(end: EndHandle): boolean;
  sentInFlight(end: EndHandle): number;
  acksReceive(
    end: EndHandle,
    latest: number,
    delay: number,
    bits: Uint8Array,
    offset: number,
    bitBytes: number,
    receivedUs: number,
  ): void;
  /** The next verdict: the packet's number when it is acked, -1 - number when it is lost; null for none yet. */
  acksVerdict(end: EndHandle, nowUs: number): number | null;
  acksTimeoutUs(end: EndHandle): number;
  acksDeadlineUs(end: EndHandle): number;
  acksExpire(end: EndHandle, nowUs: number): boolean;
  acksRead(end: EndHandle, out: Float64Array): void;

  // --- frame: writers answer the offset behind what they wrote, or -1 ---
  payloadCheck(bytes: Uint8Array, offset: number, end: number, channelCount: number): boolean;
  /** Fills `words` with present, latest, delay, bitsOffset, bitBytes; then for each frame kind, channel, id,
   * offset, bytes, code, nameHash, channelCount. The number of frames, or -1. */
  payloadRead(bytes: Uint8Array, offset: number, end: number, words: Uint32Array): number;
  messageFrameBytes(bodyBytes: number): number;
  /** Without `present` the header is one byte. */
  ackHeaderWrite(
    out: Uint8Array,
    offset: number,
    present: boolean,
    latest: number,
    delay: number,
    bits: Uint8Array,
  ): number;
  messageWrite(
    out: Uint8Array,
    offset: number,
    channel: number,
    id: number,
    body: Uint8Array,
  ): number;
  messageShorten(out: Uint8Array, offset: number, start: number, bodyBytes: number): number;
  fragmentWrite(
    out: Uint8Array,
    offset: number,
    channel: number,
    id: number,
    index: number,
    total: number,
    body: Uint8Array,
  ): number;
  blockWrite(
    out: Uint8Array,
    offset: number,
    channel: number,
    id: number,
    index: number,
    total: number,
    body: Uint8Array,
    number: number,
  ): number;
  ageWrite(out: Uint8Array, offset: number, ageMs: number): number;
  windowWrite(out: Uint8Array, offset: number, channel: number, id: number): number;
  skipWrite(out: Uint8Array, offset: number, channel: number, id: number): number;
  nackWrite(out: Uint8Array, offset: number, channel: number, id: number, bits: Uint8Array): number;
  pingWrite(out: Uint8Array, offset: number): number;
  pathWrite(out: Uint8Array, offset: number, kind: number, proof: Uint8Array): number;
  helloWrite(
    out: Uint8Array,
    offset: number,
    version: number,
    nameHash: number,
    hashes: Uint32Array,
    /** The longest payload, packets and bytes a second. */
    limits: Uint32Array,
    suites: number,
    publicKey: Uint8Array,
  ): number;
  layoutWrite(out: Uint8Array, offset: number, channel: number, body: Uint8Array): number;
  closeWrite(out: Uint8Array, offset: number, reason: number, text: Uint8Array): number;

  // --- state, stats, config ---
  clientNext(state: number, event: number): number;
  connectionNext(state: number, event: number): number;
  statsWords(slots: number): number;
  statsHostWord(counter: number): number;
  statsRejectWord(reason: number): number;
  statsChannelWord(channel: number, counter: number): number;
  statsPeerWord(slot: number): number;
  statsAdd(page: Uint32Array, word: number, amount: number): void;
  /** Everything that was read, one number after the other; how many. */
  configRead(words: Uint32Array, out: Float64Array): number;

  // --- queue, channel, plan, delivery ---
  /** `policies`: POLICY_WORDS words for each channel. `completion` and `page` are the test's. */
  lineOpen(
    policies: Uint32Array,
    chunkCount: number,
    messageCount: number,
    carriedCount: number,
    completion: Uint8Array,
    page: Uint32Array,
  ): LineHandle;
  /** The room of the user's ring; a record of the test's own in it; and its publishing. */
  lineRoom(line: LineHandle): number;
  linePush(line: LineHandle, kind: number, payloadBytes: number): number;
  linePublish(line: LineHandle): void;
  poolRead(line: LineHandle, out: Float64Array): void;
  bodyChunks(bytes: number): number;
  /** The body, or -1. */
  bodyCreate(line: LineHandle, source: Uint8Array, offset: number, bytes: number): number;
  bodyCopy(line: LineHandle, body: number, bytes: number, target: Uint8Array, offset: number): void;
  bodyRetain(line: LineHandle, body: number): void;
  bodyRelease(line: LineHandle, body: number): void;
  /** A message that holds the body; a number that names it, or -1. */
  messageCreate(line: LineHandle, body: number): number;
  messageRelease(line: LineHandle, message: number): void;
  messageForgetBody(line: LineHandle, message: number): void;
  carriedCreate(line: LineHandle): number;
  carriedRelease(line: LineHandle, carried: number): void;

  channelRead(line: LineHandle, channel: number, out: Float64Array): void;
  /** As if so many messages had gone out and come in. Only before the first. */
  channelSeek(line: LineHandle, channel: number, id: number): void;
  /** bodyCreate, then channelEnqueue; what finds no memory is given back. */
  channelEnqueue(
    line: LineHandle,
    channel: number,
    peer: number,
    source: Uint8Array,
    nowUs: number,
    ttlMs: number,
    tag: number,
  ): boolean;
  channelFlushed(line: LineHandle, channel: number): void;
  channelWants(line: LineHandle, channel: number, flushing: boolean): boolean;
  channelInWindow(line: LineHandle, channel: number, id: number): boolean;
  channelSkipDue(line: LineHandle, channel: number): boolean;
  /** A packet carries the skip that is due; its id. */
  channelSkip(line: LineHandle, channel: number): number;
  channelConsumed(line: LineHandle, channel: number, id16: number): boolean;
  channelPause(line: LineHandle, channel: number, paused: boolean): void;
  channelWindowDue(line: LineHandle, channel: number): boolean;
  /** The mark that a packet takes along now. */
  channelWindow(line: LineHandle, channel: number): number;
  channelWindowVerdict(line: LineHandle, channel: number, id: number, acked: boolean): void;
  channelSkipVerdict(line: LineHandle, channel: number, skipId: number, acked: boolean): void;
  planReset(line: LineHandle, room: number): void;
  planRoom(line: LineHandle): number;
  channelPlanFresh(line: LineHandle, channel: number): void;
  channelPlanResends(line: LineHandle, channel: number): void;
  channelPlanCopies(line: LineHandle, channel: number): void;
  channelPlanHead(line: LineHandle, channel: number): void;
  channelStuck(line: LineHandle, channel: number): boolean;
  /** channelCarried for each planned message; RIDE_FIELDS of each into `out`, their bodies one after the
   * other into `bodies`. How many. `lossShare`: in 65536ths. */
  carryPlan(
    line: LineHandle,
    out: Float64Array,
    bodies: Uint8Array,
    lossShare: number,
    nowUs: number,
  ): number;
  channelTrim(line: LineHandle, channel: number, peer: number): void;
  channelPass(line: LineHandle, channel: number, peer: number): void;
  channelVerdict(
    line: LineHandle,
    channel: number,
    peer: number,
    message: number,
    acked: boolean,
    nowUs: number,
    arrivalUs: number,
  ): boolean;
  channelSettled(
    line: LineHandle,
    channel: number,
    peer: number,
    message: number,
    acked: boolean,
    nowUs: number,
  ): void;
  channelNacked(
    line: LineHandle,
    channel: number,
    peer: number,
    id16: number,
    bits: Uint8Array,
    nowUs: number,
    roundTripUs: number,
  ): boolean;
  channelForget(line: LineHandle, message: number): void;
  channelExpire(line: LineHandle, channel: number, peer: number, nowUs: number): void;
  channelDrop(line: LineHandle, channel: number, peer: number): void;
  deliveryReceive(
    line: LineHandle,
    channel: number,
    peer: number,
    id16: number,
    source: Uint8Array,
    offset: number,
    bytes: number,
    holds: boolean,
    nowUs: number,
    ageMs: number,
    /** Of a fragment: total, index, 1 for a block, its number, the longest payload. */
    fragment?: Uint32Array,
  ): number;
  deliverySkip(line: LineHandle, channel: number, peer: number, id16: number): number;
  deliveryRelease(line: LineHandle, channel: number, peer: number): number;
  deliveryDrop(line: LineHandle, channel: number): void;
  gapUpdate(line: LineHandle, channel: number, nowUs: number, delayUs: number): void;
  gapDeadlineUs(line: LineHandle, channel: number): number;
  gapExpire(line: LineHandle, channel: number, nowUs: number): void;
  /** The bytes of the bitmap. */
  gapMissing(line: LineHandle, channel: number, bits: Uint8Array): number;
}
