// ledger: what was sent, what arrived and what became of it; it knows no engine, only their promises.
//
// Owns the invariants of delivery:
//   Reliable    each message at most once, in order, as it was sent; a message that was passed over
//               was reported expired or dropped, never delivered
//   RealTime    strictly newer each time
//   fates       at most one for each message, none missing once the connection has ended
//   the end     after a connection's end was reported nothing of it is; when a drain ended by
//               itself, all that it reported delivered had arrived
import type { Assemblies } from "../../lib/assembly.js";
import { FATE_DELIVERED, FATE_DROPPED, FATE_EXPIRED } from "../../lib/engine/channel.js";
import type { Tap } from "../tap.js";
import type { Blocks } from "./blocks.js";
import { SimError } from "./pair.js";
import type { ChannelPromise } from "./profile.js";
import type { Minted } from "./tokens.js";

/** Bytes before the content: kind, index. Shorter messages are tiny: they can't say who they are. */
const HEAD_BYTES = 5;
const KIND_UNICAST = 0;
const KIND_BROADCAST = 1;
const TINY_BYTE = 0xee;

interface Sent {
  readonly size: number;
  readonly tag: number;
  fate: number;
  delivered: boolean;
}

class Lane {
  readonly sent: Sent[] = [];
  /** Index of the newest message that arrived from the other end. */
  lastIndex = -1;
  lastBroadcast = -1;
  tinySent = 0;
  tinyReceived = 0;
  /** Broken promises that were reported without a tag, and messages that went without one. */
  untaggedBroken = 0;
}

/** One side of a session. */
export class End {
  readonly lanes: Lane[];
  readonly tags = new Map<number, Sent>();
  handle = 0;
  connected = false;
  ended = false;
  /** Its host is gone: nothing more is known of it. */
  abandoned = false;
  reason = 0;
  local = false;
  /** The reason of a drain that this side began, or 0. */
  drainReason = 0;

  constructor(
    readonly session: Session,
    readonly isServer: boolean,
    channels: number,
  ) {
    this.lanes = Array.from({ length: channels }, () => new Lane());
  }

  /** Messages that have come in part, and channels that its user has paused. */
  assemblies: Assemblies | null = null;
  /** What it sends and gets in blocks, in a world that has them. */
  blocks: Blocks | null = null;
  /** Its user has begun to close it. */
  closing = false;
  readonly pauses = new Set<number>();

  get other(): End {
    return this.isServer ? this.session.client : this.session.server;
  }

  get live(): boolean {
    return this.connected && !this.ended && !this.abandoned;
  }
}

/** What one token led to. */
export class Session {
  readonly client: End;
  readonly server: End;
  keys: Minted | null = null;
  /** Sees what goes under its keys. */
  tap: Tap | null = null;
  /** The address at which the server has its client. */
  seenAs: Uint32Array | null = null;
  /** Silence after which it is over; -1 for never. */
  timeoutSeconds = 0;
  /** Somebody else has sent under its keys: what arrives and what is acked is anybody's. */
  tampered = false;

  constructor(
    readonly id: number,
    /** The client's number among the nodes. */
    readonly node: number,
    channels: number,
  ) {
    this.client = new End(this, false, channels);
    this.server = new End(this, true, channels);
  }
}

function contentKey(id: number, isServer: boolean, channel: number, index: number): number {
  return (
    Math.imul(id * 4 + (isServer ? 1 : 0), 0x9e3779b1) + Math.imul(channel, 0x85ebca6b) + index
  );
}

const KEY_BYTES = 4;
const ROW_BYTES = 2048;
/** 256 rows of bytes, each another: what contents are cut from. */
const ROWS = Array.from({ length: 256 }, (_, row) =>
  Uint8Array.from({ length: ROW_BYTES }, (_byte, index) => (row ^ (index * 167)) + (index >>> 8)),
);

/** A message's bytes behind its head follow from its key: a row again and again, and at its start the key itself. */
function contentFill(bytes: Uint8Array, key: number): void {
  const { length } = bytes;
  const row = ROWS[(key ^ (key >>> 8) ^ (key >>> 16) ^ (key >>> 24)) & 0xff];
  for (let start = HEAD_BYTES; start < length; start += ROW_BYTES) {
    bytes.set(length - start < ROW_BYTES ? row.subarray(0, length - start) : row, start);
  }
  for (let index = 0; index < KEY_BYTES && HEAD_BYTES + index < length; index++) {
    bytes[HEAD_BYTES + index] = key >>> (8 * index);
  }
}

function headWrite(bytes: Uint8Array, kind: number, index: number): void {
  bytes[0] = kind;
  for (let byte = 0; byte < 4; byte++) bytes[1 + byte] = index >>> (8 * byte);
}

function indexRead(bytes: Uint8Array): number {
  return (bytes[1] | (bytes[2] << 8) | (bytes[3] << 16) | (bytes[4] << 24)) >>> 0;
}

export class Ledger {
  readonly sessions: Session[] = [];
  #nextTag = 1;
  #expected = Buffer.alloc(ROW_BYTES);
  #scratch = new Uint8Array(ROW_BYTES);
  /** Tags and broken promises that were counted; for the report. */
  delivered = 0;
  fates = 0;

  constructor(readonly promises: readonly ChannelPromise[]) {}

  session(node: number): Session {
    const session = new Session(this.sessions.length, node, this.promises.length);
    this.sessions.push(session);
    return session;
  }

  /** Memory for one message, until the next: its bytes are anybody's. */
  #room(size: number): Uint8Array {
    if (this.#scratch.length < size) this.#scratch = new Uint8Array(2 * size);
    return this.#scratch.subarray(0, size);
  }

  /** The bytes of the next message of this end, entered as sent; and its tag, 0 for none. Valid until the next call. */
  send(
    end: End,
    channel: number,
    size: number,
    tagged: boolean,
  ): { bytes: Uint8Array; tag: number } {
    const lane = end.lanes[channel];
    const bytes = this.#room(size);
    if (size < HEAD_BYTES) {
      lane.tinySent += 1;
      return { bytes: bytes.fill(TINY_BYTE), tag: 0 };
    }
    const index = lane.sent.length;
    const tag = tagged ? this.#nextTag++ : 0;
    const sent: Sent = { size, tag, fate: 0, delivered: false };
    lane.sent.push(sent);
    if (tag !== 0) end.tags.set(tag, sent);
    contentFill(bytes, contentKey(end.session.id, end.isServer, channel, index));
    headWrite(bytes, KIND_UNICAST, index);
    return { bytes, tag };
  }

  /** The submission ring had no room after all. */
  unsend(end: End, channel: number, size: number, tag: number): void {
    const lane = end.lanes[channel];
    if (size < HEAD_BYTES) lane.tinySent -= 1;
    else lane.sent.pop();
    if (tag !== 0) end.tags.delete(tag);
  }

  /** The bytes of a broadcast. */
  broadcast(channel: number, size: number, index: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(size, HEAD_BYTES));
    contentFill(bytes, contentKey(-1, true, channel, index));
    headWrite(bytes, KIND_BROADCAST, index);
    return bytes;
  }

  // --- what an engine tells its user ---

  connected(end: End, handle: number): void {
    if (end.connected || end.ended) throw new SimError("a connection began twice");
    end.connected = true;
    end.handle = handle;
  }

  message(end: End, channel: number, bytes: Uint8Array): void {
    this.alive(end, "a message");
    this.delivered += 1;
    if (end.session.tampered) return;
    const lane = end.lanes[channel];
    const source = end.other.lanes[channel];
    if (bytes.length < HEAD_BYTES) {
      lane.tinyReceived += 1;
      if (lane.tinyReceived > source.tinySent || bytes.some((byte) => byte !== TINY_BYTE)) {
        throw new SimError(`channel ${channel} delivered a tiny message that was not sent`);
      }
      return;
    }
    const kind = bytes[0];
    const index = indexRead(bytes);
    const broadcast = kind === KIND_BROADCAST;
    const key = broadcast
      ? contentKey(-1, true, channel, index)
      : contentKey(end.session.id, end.other.isServer, channel, index);
    if (this.#expected.length < bytes.length) this.#expected = Buffer.alloc(2 * bytes.length);
    contentFill(this.#expected.subarray(0, bytes.length), key);
    const differs = this.#expected.compare(bytes, HEAD_BYTES, undefined, HEAD_BYTES, bytes.length);
    if (kind > KIND_BROADCAST || differs !== 0) {
      throw new SimError(`channel ${channel} delivered message ${index} with other bytes`);
    }
    const last = broadcast ? lane.lastBroadcast : lane.lastIndex;
    const promise = this.promises[channel];
    if (index <= last && promise !== "raw" && promise !== "unordered") {
      throw new SimError(`channel ${channel} delivered ${index} after ${last}`);
    }
    if (broadcast) {
      lane.lastBroadcast = index;
      return;
    }
    const sent = source.sent[index];
    if (sent === undefined || sent.size !== bytes.length || sent.delivered) {
      throw new SimError(`channel ${channel} delivered ${index}, which was not to come`);
    }
    sent.delivered = true;
    lane.lastIndex = Math.max(lane.lastIndex, index);
  }

  fate(end: End, channel: number, tag: number, fate: number): void {
    this.alive(end, "a fate");
    this.fates += 1;
    if (tag === 0) {
      end.lanes[channel].untaggedBroken += 1;
      return;
    }
    const sent = end.tags.get(tag);
    if (sent === undefined || sent.fate !== 0) {
      throw new SimError(`channel ${channel} reported tag ${tag} twice, or out of nowhere`);
    }
    sent.fate = fate;
  }

  ended(end: End, reason: number, local: boolean): void {
    if (end.ended) throw new SimError("a connection ended twice");
    end.ended = true;
    end.reason = reason;
    end.local = local;
  }

  alive(end: End, what: string): void {
    if (!end.connected || end.ended) {
      throw new SimError(`${what} came ${end.ended ? "after the end" : "before the beginning"}`);
    }
  }

  // --- what must hold when no more can come ---

  /** Messages without a fate at an end that is over; their submissions came too late for it. */
  unfated(end: End): number {
    let count = 0;
    for (const sent of end.tags.values()) if (sent.fate === 0) count += 1;
    return count;
  }

  /** Checks a session both of whose ends are over, or at rest. */
  settled(session: Session): void {
    if (session.tampered) return;
    for (const end of [session.client, session.server]) {
      if (end.other.blocks !== null) {
        end.blocks?.settled(end.other.blocks, Ledger.#complete(end));
      }
      for (const [channel, lane] of end.lanes.entries()) {
        const promise = this.promises[channel];
        if (promise === "ordered" || promise === "unordered") {
          this.#settledLane(end, channel, lane);
        }
      }
    }
  }

  /** What an end still holds behind a gap is lost when its own user closes it, or its peer is gone. */
  static #complete(end: End): boolean {
    const { other } = end;
    const drained =
      end.ended && end.drainReason !== 0 && end.local && end.reason === end.drainReason;
    return (drained && other.ended && !other.local && !other.abandoned) || (end.live && other.live);
  }

  #settledLane(end: End, channel: number, lane: Lane): void {
    const { other } = end;
    const complete = Ledger.#complete(end);
    let unknown = 0;
    for (const [index, sent] of lane.sent.entries()) {
      if (sent.delivered) continue;
      const ordered = this.promises[channel] === "ordered";
      const passed = ordered && index < other.lanes[channel].lastIndex;
      const given = sent.fate === FATE_EXPIRED || sent.fate === FATE_DROPPED;
      if (sent.tag === 0) {
        if (passed) unknown += 1;
      } else if (sent.fate === FATE_DELIVERED ? passed || complete : passed && !given) {
        if (end.abandoned && sent.fate === 0) continue;
        throw new SimError(
          `channel ${channel} never delivered ${index} of ${lane.sent.length}, fate ${sent.fate}, session ${end.session.id}`,
        );
      }
    }
    if (unknown > lane.untaggedBroken && !end.abandoned) {
      throw new SimError(`channel ${channel} passed over ${unknown} messages in silence`);
    }
  }
}
