/*
 * Owns channels of one connection for tests, with packets that a test decides by hand: `Line`.
 * Never adds a rule: what rides and what is delivered is an engine's. The order of service among channels is
 * transmit's; here a test names it.
 */
import { POLICY_WORDS } from "../lib/engine/policy.js";
import {
  NO_ROOM,
  RECORD_BYTES,
  RECORD_FATE,
  RECORD_MESSAGE,
  RECORD_STATE,
  Ring,
  ringBytes,
  ringNext,
  ringPeek,
  ringRelease,
  ringSet,
  TTL_DEFAULT,
} from "../lib/engine/ring.js";
import { statsChannelWord, statsPeerWord, statsWords } from "../lib/engine/stats.js";
import {
  CHANNEL_FIELDS,
  type EngineProbe,
  type LineHandle,
  POOL_FIELDS,
  RIDE_FIELDS,
} from "./engine-probe.js";

export type ChannelFields = Record<(typeof CHANNEL_FIELDS)[number], number>;
type RideFields = Record<(typeof RIDE_FIELDS)[number], number>;

/** A message in a packet. */
export interface Ride extends RideFields {
  readonly body: Uint8Array;
}

export interface LineOptions {
  /** POLICY_WORDS words for each channel. */
  readonly policies: readonly Uint32Array[];
  readonly chunks?: number;
  readonly messages?: number;
  readonly completionCapacity?: number;
}

/** Policies by the words that matter: order, repair, copies, whether room is made for them, expiry. */
export function policyWords(
  order: number,
  repair: number,
  copies = 0,
  forced = 0,
  expiryMs = 0xffffffff,
  strategy = 0,
): Uint32Array {
  const words = new Uint32Array(POLICY_WORDS);
  words.set([order, repair, copies, forced, expiryMs, 1, 1100, strategy, 0]);
  return words;
}

export type LineEvent =
  | { readonly kind: "message"; channel: number; id: number; body: Uint8Array }
  | { readonly kind: "fate"; channel: number; tag: number; fate: number };

/** The peer that everything is for: slot 1, first use. */
export const PEER = 0x1_0001;

export class Line {
  readonly engine: EngineProbe;
  readonly handle: LineHandle;
  readonly page = new Uint32Array(statsWords(2));
  readonly #ring = new Ring();
  readonly #completion: Uint8Array;
  readonly #rides = new Float64Array(64 * RIDE_FIELDS.length);
  readonly #bodies = new Uint8Array(65_536);
  /** What rides from now on has so much loss behind it (65536ths). */
  lossShare = 0;
  nowUs = 1_000_000;

  constructor(engine: EngineProbe, options: LineOptions) {
    const { policies, chunks = 4096, messages = 2048, completionCapacity = 1_048_576 } = options;
    this.engine = engine;
    this.#completion = new Uint8Array(ringBytes(completionCapacity));
    ringSet(this.#ring, this.#completion);
    const words = new Uint32Array(policies.length * POLICY_WORDS);
    for (const [index, policy] of policies.entries()) words.set(policy, index * POLICY_WORDS);
    const [completion, page] = [this.#completion, this.page];
    this.handle = engine.lineOpen(words, chunks, messages, 4096, completion, page);
  }

  channel(index = 0): ChannelFields {
    const out = new Float64Array(CHANNEL_FIELDS.length);
    this.engine.channelRead(this.handle, index, out);
    return Object.fromEntries(CHANNEL_FIELDS.map((field, at) => [field, out[at]])) as ChannelFields;
  }

  /** Free chunks, messages, records. */
  free(): number[] {
    const out = new Float64Array(POOL_FIELDS.length);
    this.engine.poolRead(this.handle, out);
    return [...out.subarray(0, 3)];
  }

  counter(counter: number, channel = 0): number {
    return this.page[statsChannelWord(channel, counter)];
  }

  peerWord(word: number): number {
    return this.page[statsPeerWord(PEER & 0xffff) + word];
  }

  // --- the way out ---

  send(body: Uint8Array | number, options: { channel?: number; ttl?: number; tag?: number } = {}) {
    const bytes = typeof body === "number" ? Uint8Array.of(body) : body;
    const { channel = 0, ttl = TTL_DEFAULT, tag = 0 } = options;
    return this.engine.channelEnqueue(this.handle, channel, PEER, bytes, this.nowUs, ttl, tag);
  }

  flushed(channel = 0): void {
    this.engine.channelFlushed(this.handle, channel);
  }

  /** A packet of at most so many bytes, filled by the calls of `choose`. */
  pack(choose: (engine: EngineProbe, line: LineHandle) => void, room = 1200): Ride[] {
    this.engine.planReset(this.handle, room);
    choose(this.engine, this.handle);
    const fields = this.#rides;
    const count = this.engine.carryPlan(
      this.handle,
      fields,
      this.#bodies,
      this.lossShare,
      this.nowUs,
    );
    let end = 0;
    return Array.from({ length: count }, (_, index) => {
      const start = index * RIDE_FIELDS.length;
      const ride = Object.fromEntries(
        RIDE_FIELDS.map((field, at) => [field, fields[start + at]]),
      ) as RideFields;
      end += ride.bytes;
      return { ...ride, body: this.#bodies.slice(end - ride.bytes, end) };
    });
  }

  /** A packet with what is new. */
  fresh(channel = 0, room = 1200): Ride[] {
    return this.pack((engine, line) => engine.channelPlanFresh(line, channel), room);
  }

  /** A packet with what was lost. */
  resends(channel = 0, room = 1200): Ride[] {
    return this.pack((engine, line) => engine.channelPlanResends(line, channel), room);
  }

  /** A packet with copies. */
  copies(channel = 0, room = 1200): Ride[] {
    return this.pack((engine, line) => engine.channelPlanCopies(line, channel), room);
  }

  /** The verdict of a packet; what is sent now arrives `afterUs` later. Answers what is unsettled by it. */
  decide(rides: readonly Ride[], acked: boolean, afterUs = 0): Ride[] {
    const { engine, handle, nowUs } = this;
    return rides.filter(({ channel, message }) =>
      engine.channelVerdict(handle, channel, PEER, message, acked, nowUs, nowUs + afterUs),
    );
  }

  /** A lost packet was acked after all, or won't be any more. */
  settle(rides: readonly Ride[], acked: boolean): void {
    const { engine, handle, nowUs } = this;
    for (const { channel, message } of rides) {
      engine.channelSettled(handle, channel, PEER, message, acked, nowUs);
    }
  }

  ack(...packets: readonly (readonly Ride[])[]): void {
    for (const rides of packets) this.decide(rides, true);
  }

  /** Lost, and no ack comes late. */
  lose(...packets: readonly (readonly Ride[])[]): void {
    for (const rides of packets) this.settle(this.decide(rides, false), false);
  }

  expire(channel = 0): void {
    this.engine.channelExpire(this.handle, channel, PEER, this.nowUs);
  }

  trim(channel = 0): void {
    this.engine.channelTrim(this.handle, channel, PEER);
  }

  drop(channel = 0): void {
    this.engine.channelDrop(this.handle, channel, PEER);
  }

  // --- the way in ---

  receive(
    id: number,
    body: Uint8Array | number,
    options: { channel?: number; holds?: boolean; ageMs?: number } = {},
  ) {
    const bytes = typeof body === "number" ? Uint8Array.of(body) : body;
    const { channel = 0, holds = true, ageMs = 0 } = options;
    // Somewhere in a datagram.
    const datagram = new Uint8Array(bytes.length + 5).fill(0xdd);
    datagram.set(bytes, 3);
    const id16 = id & 0xffff;
    return this.engine.deliveryReceive(
      this.handle,
      channel,
      PEER,
      id16,
      datagram,
      3,
      bytes.length,
      holds,
      this.nowUs,
      ageMs,
    );
  }

  skip(id: number, channel = 0): number {
    return this.engine.deliverySkip(this.handle, channel, PEER, id & 0xffff);
  }

  release(channel = 0): number {
    return this.engine.deliveryRelease(this.handle, channel, PEER);
  }

  // --- the user's ring ---

  /** What came since: the end of a turn, and the user after it. */
  events(): LineEvent[] {
    this.engine.linePublish(this.handle);
    const ring = this.#ring;
    const events: LineEvent[] = [];
    for (let word = ringPeek(ring); word !== NO_ROOM; word = ringPeek(ring)) {
      const words = ring.words;
      const [first, peer, channel, bytes, word4, word5] = words.subarray(word, word + 6);
      const filler = first >>> 24 === RECORD_STATE;
      if (peer !== PEER && !filler) throw new Error(`an event of another peer: ${peer}`);
      const start = word * 4 + RECORD_BYTES;
      if (first >>> 24 === RECORD_MESSAGE) {
        const body = ring.bytes.slice(start, start + bytes);
        events.push({ kind: "message", channel, id: word4, body });
      } else if (first >>> 24 === RECORD_FATE) {
        events.push({ kind: "fate", channel, tag: word4, fate: word5 });
      }
      ringNext(ring, word);
    }
    ringRelease(ring);
    return events;
  }

  /** Ids of the messages that were delivered since. */
  delivered(channel = 0): number[] {
    return this.events().flatMap((event) =>
      event.kind === "message" && event.channel === channel ? [event.id] : [],
    );
  }

  /** Fates that were reported since, as tag and fate. */
  fates(): [tag: number, fate: number][] {
    return this.events().flatMap((event) =>
      event.kind === "fate" ? [[event.tag, event.fate] as [number, number]] : [],
    );
  }

  /** Takes room from the user's ring until so many bytes are left. */
  fill(left: number): void {
    const bytes = this.engine.lineRoom(this.handle) - left - RECORD_BYTES;
    this.engine.linePush(this.handle, RECORD_STATE, bytes);
  }
}
