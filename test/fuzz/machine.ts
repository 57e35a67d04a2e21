/*
 * machine: one host under test in each engine, given the same calls, with its user. It mirrors
 * test/fuzz/machine.cc: what is done there to one host is done here to all engines' at once, and whatever comes out of
 * them is compared (test/sim/pair.ts). What has to hold of it is checked there.
 */
import {
  CONFIG_PEERS_MAX,
  CONFIG_POLICIES,
  CONFIG_RAW,
  CONFIG_ROLE,
  ENTROPY_BYTES,
  ENTROPY_KEYS,
  ENTROPY_NUMBER,
  ROLE_CLIENT,
} from "../../lib/engine/config.js";
import { fragmentCount, fragmentLength } from "../../lib/engine/fragment.js";
import { BATCH_STRIDE } from "../../lib/engine/host.js";
import { CHANNELS_MAX, KEY_BYTES, PAYLOAD_BYTES_MIN } from "../../lib/engine/limits.js";
import { POLICY_WORDS } from "../../lib/engine/policy.js";
import {
  FRAGMENT_RECORD_BYTES,
  NO_ROOM,
  RECORD_BROADCAST,
  RECORD_BYTES,
  RECORD_CLOSE,
  RECORD_CONNECT,
  RECORD_FATE,
  RECORD_FRAGMENT,
  RECORD_MESSAGE,
  RECORD_PAUSE,
  RECORD_SEND,
  RECORD_SEND_BLOCK,
  RECORD_STATE,
  RECORD_WATCH,
  type Ring,
  ringNext,
  ringPeek,
  ringRelease,
  TTL_DEFAULT,
} from "../../lib/engine/ring.js";
import {
  HOST_PEERS,
  PEER_HANDLE,
  PEER_PAYLOAD_BYTES,
  statsHostWord,
  statsPeerWord,
} from "../../lib/engine/stats.js";
import { ADDRESS_WORDS } from "../hosts.js";
import { type EngineName, Pair } from "../sim/pair.js";
import { indexOf, machineConfig, type Profile, START_SECONDS } from "./profile.js";
import type { Digest } from "./targets.js";

const COMPLETION_CAPACITY = 131_072;
const SUBMISSION_CAPACITY = 16_384;
const TAGS_MAX = 1024;
const HANDLES_MAX = 32;
const REASON_CLOSED = 1;
/** Index of the longest block among the words of a policy. */
const BLOCK_WORD = 9;
const NOTHING = new Uint8Array(0);
const OVER = new TextEncoder().encode("over");

export const PRIVATE_KEY = Uint8Array.from({ length: KEY_BYTES }, (_, index) => 3 * index + 1);
/** Packets are numbered from 0 on, so that inputs can say numbers. */
export const ENTROPY = Uint8Array.from({ length: ENTROPY_BYTES }, (_, index) => 7 * index + 1).fill(
  0,
  ENTROPY_NUMBER,
  ENTROPY_KEYS,
);

export interface MachineEvents {
  /** A datagram went out; `to` is what `addressOf` calls it. */
  sent?(to: number, bytes: Uint8Array): void;
  /** Its user got a message. */
  heard?(channel: number, bytes: Uint8Array): void;
}

export class Machine {
  readonly pair: Pair;
  readonly config: Uint32Array;
  readonly #digest: Digest;
  readonly #startUs: number;
  events: MachineEvents = {};
  nowUs: number;
  reads = true;
  handles: number[] = [];
  state = 0;
  /** Channels that its user takes no more of. */
  readonly paused: boolean[] = Array(CHANNELS_MAX).fill(false);
  readonly #blockNext = new Uint16Array(CHANNELS_MAX);
  tagNext = 1;
  fated = 0;

  constructor(
    engines: readonly EngineName[],
    digest: Digest,
    profile: Profile,
    role: number,
    peersMax: number,
  ) {
    this.config = machineConfig(profile, role, peersMax);
    this.#digest = digest;
    this.#startUs = profile.startUs;
    this.nowUs = profile.startUs;
    this.pair = new Pair(engines, {
      config: this.config,
      privateKey: PRIVATE_KEY,
      entropy: ENTROPY,
      submissionCapacity: SUBMISSION_CAPACITY,
      completionCapacity: COMPLETION_CAPACITY,
    });
  }

  get raw(): boolean {
    return this.config[CONFIG_RAW] !== 0;
  }

  get isClient(): boolean {
    return this.config[CONFIG_ROLE] === ROLE_CLIENT;
  }

  /** Connections in use. */
  get peers(): number {
    return this.pair.first.page[statsHostWord(HOST_PEERS)];
  }

  get seconds(): number {
    return START_SECONDS + Math.floor((this.nowUs - this.#startUs) / 1_000_000);
  }

  /** Takes a datagram, if the host is ready for one; it is gone otherwise. */
  receive(from: Uint32Array, bytes: Uint8Array): void {
    if (!this.pair.ready()) return;
    this.pair.receive(this.nowUs, this.nowUs, this.seconds, from, bytes);
  }

  /** One turn; then everything is compared. */
  turn(): void {
    const { pair, nowUs } = this;
    pair.submit(nowUs);
    pair.advance(nowUs);
    pair.flush();
    for (let count = pair.transmit(nowUs); count > 0; count = pair.transmit(nowUs)) {
      const { batchBytes, lengths, addresses } = pair.first;
      for (let index = 0; index < count; index++) {
        const start = index * BATCH_STRIDE;
        const bytes = batchBytes.slice(start, start + lengths[index]);
        const words = index * ADDRESS_WORDS;
        this.#sent(indexOf(addresses.subarray(words, words + ADDRESS_WORDS)), bytes);
      }
    }
    pair.publish();
    pair.compare();
    if (this.reads) this.#read();
  }

  #sent(to: number, bytes: Uint8Array): void {
    this.#digest.emit32(to);
    this.#digest.emit32(bytes.length);
    this.#digest.emit(bytes);
    this.events.sent?.(to, bytes);
  }

  // --- its user ---

  #read(): void {
    for (const [index, host] of this.pair.hosts.entries()) {
      for (let word = ringPeek(host.in); word !== NO_ROOM; word = ringPeek(host.in)) {
        if (index === 0) this.#record(host.in, word);
        ringNext(host.in, word);
      }
      ringRelease(host.in);
    }
  }

  #record(ring: Ring, word: number): void {
    const [head, handle, channel, bytes, fourth] = ring.words.subarray(word, word + 5);
    const kind = head >>> 24;
    const start = 4 * word + RECORD_BYTES;
    const payload = ring.bytes.subarray(start, start + bytes);
    for (const value of [kind, handle, fourth, bytes]) this.#digest.emit32(value);
    this.#digest.emit(payload);
    if (kind === RECORD_FATE || kind >= RECORD_FRAGMENT) this.#digest.emit32(ring.words[word + 5]);
    if (kind === RECORD_CONNECT) {
      if (this.handles.length === HANDLES_MAX) this.handles.shift();
      this.handles.push(handle);
    } else if (kind === RECORD_STATE) {
      this.state = fourth | 0;
    } else if (kind === RECORD_MESSAGE) {
      this.events.heard?.(channel, payload);
    } else if (kind === RECORD_FATE && fourth !== 0) {
      this.fated += 1;
    }
  }

  /** A handle that its user knows, the newest first; 0 is nobody's. */
  handle(index: number): number {
    const count = this.handles.length;
    return count === 0 ? 0 : this.handles[count - 1 - (index % count)];
  }

  /** A message with a tag of its own; whether it was taken. */
  send(handle: number, channel: number, bytes: Uint8Array, ttlMs: number): boolean {
    if (this.tagNext === TAGS_MAX || (this.raw && bytes.length === 0)) return false;
    const tag = this.raw ? 0 : this.tagNext;
    if (!this.pair.push(RECORD_SEND, [handle, channel, ttlMs, tag], bytes)) return false;
    if (tag !== 0) this.tagNext += 1;
    return true;
  }

  broadcast(channel: number, bytes: Uint8Array): void {
    if (this.raw && bytes.length === 0) return;
    this.pair.push(RECORD_BROADCAST, [0, channel, TTL_DEFAULT, 0], bytes);
  }

  /** All pieces of a block, as many as the ring takes. */
  block(handle: number, channel: number, total: number): void {
    const { config, pair } = this;
    const slot = handle & 0xffff;
    if (handle === 0 || slot >= config[CONFIG_PEERS_MAX] || this.raw || total === 0) return;
    const payloadBytes = pair.first.page[statsPeerWord(slot) + PEER_PAYLOAD_BYTES];
    const most = config[CONFIG_POLICIES + channel * POLICY_WORDS + BLOCK_WORD];
    if (payloadBytes < PAYLOAD_BYTES_MIN || total > most) return;
    const number = this.#blockNext[channel];
    this.#blockNext[channel] += 1;
    const count = fragmentCount(total, payloadBytes);
    for (let index = 0; index < count && this.tagNext < TAGS_MAX; index++) {
      const bytes = fragmentLength(total, payloadBytes, index);
      const payload = new Uint8Array(FRAGMENT_RECORD_BYTES + bytes).fill(number + index);
      const view = new DataView(payload.buffer);
      view.setUint32(0, total, true);
      view.setUint32(4, index, true);
      const words = [handle, channel, number, this.tagNext] as const;
      if (!pair.push(RECORD_SEND_BLOCK, words, payload)) return;
      this.tagNext += 1;
    }
  }

  /** The user takes no more of a channel, or does again. */
  pause(handle: number, channel: number): void {
    this.paused[channel] = !this.paused[channel];
    this.pair.push(RECORD_PAUSE, [handle, channel, 0, this.paused[channel] ? 1 : 0], NOTHING);
  }

  /** The user wants to hear of every packet, or no more. */
  watch(handle: number, watched: boolean): void {
    this.pair.push(RECORD_WATCH, [handle, 0, 0, watched ? 1 : 0], NOTHING);
  }

  end(handle: number, drain: boolean, reason: number): void {
    this.pair.push(RECORD_CLOSE, [handle, 0, reason, drain ? 1 : 0], OVER);
  }

  // --- the end ---

  /** Closes everything and lets time pass until it is gone. */
  finish(): void {
    this.reads = true;
    this.turn();
    const { page } = this.pair.first;
    while (this.peers > 0) {
      for (let slot = 0; slot < this.config[CONFIG_PEERS_MAX]; slot++) {
        const handle = page[statsPeerWord(slot) + PEER_HANDLE];
        if (handle !== 0) this.end(handle, false, REASON_CLOSED);
      }
      this.turn();
      const deadlineUs = this.pair.deadlineUs();
      this.nowUs = Math.max(this.nowUs + 1, Math.min(deadlineUs, this.nowUs + 50_000));
    }
    this.turn();
    this.pair.close();
  }
}
