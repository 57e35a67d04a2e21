/*
 * Owns the user of a host: what it was told, by connection, and what it sends.
 * Never looks at a packet.
 * Invariants, checked at every record: a handle is used once, nothing is told of a connection before its beginning or
 * after its end.
 */
import type { Fragment } from "../../lib/assembly.js";
import {
  FRAGMENT_RECORD_BYTES,
  NO_ROOM,
  RECORD_BLOCK,
  RECORD_BYTES,
  RECORD_CLOSE,
  RECORD_CONNECT,
  RECORD_DISCONNECT,
  RECORD_FATE,
  RECORD_FRAGMENT,
  RECORD_MESSAGE,
  RECORD_MOVE,
  RECORD_SEND,
  ringNext,
  ringPeek,
  ringRelease,
  TTL_DEFAULT,
} from "../../lib/engine/ring.js";
import { type SimHost, simPush } from "../hosts.js";
import { check } from "./attack.js";

export interface Message {
  readonly channel: number;
  readonly id: number;
  readonly body: Uint8Array;
}

export interface End {
  readonly reason: number;
  readonly text: string;
  readonly local: boolean;
}

/** What a user was told of one connection. */
export class Told {
  readonly messages: Message[] = [];
  readonly fates: { channel: number; tag: number; fate: number }[] = [];
  /** The addresses to which it moved, as words. */
  readonly moves: string[] = [];
  end: End | undefined;

  /** First bytes of what came on a channel. */
  bytes(channel: number): number[] {
    return this.messages.filter((one) => one.channel === channel).map(({ body }) => body[0]);
  }
}

const decoder = new TextDecoder();

/** The user of a host: reads its ring, writes into the other. */
export class User {
  readonly host: SimHost;
  /** By handle. */
  readonly told = new Map<number, Told>();
  /** In the order in which they came. */
  readonly peers: number[] = [];
  /** Called for each message instead of keeping it. */
  onMessage: ((peer: number, message: Message) => void) | undefined;
  /** Called for each piece of a block. */
  onBlock: ((peer: number, channel: number, fragment: Fragment) => void) | undefined;
  /** Called for each piece of a long message. */
  onFragment: ((peer: number, channel: number, fragment: Fragment) => void) | undefined;

  constructor(host: SimHost) {
    this.host = host;
  }

  /** Of the last peer that came. */
  get peer(): number {
    return this.peers[this.peers.length - 1] ?? 0;
  }

  of(peer: number): Told {
    const told = this.told.get(peer);
    check(told !== undefined, `peer ${peer} was announced before anything else of it`);
    return told;
  }

  send(peer: number, channel: number, body: Uint8Array, tag = 0): boolean {
    return simPush(this.host, RECORD_SEND, [peer, channel, TTL_DEFAULT, tag], body);
  }

  close(peer: number, reason: number, text = ""): void {
    simPush(this.host, RECORD_CLOSE, [peer, 0, reason, 0], new TextEncoder().encode(text));
  }

  /** Reads everything that the host published. */
  drain(): void {
    const ring = this.host.in;
    for (let word = ringPeek(ring); word !== NO_ROOM; word = ringPeek(ring)) {
      const [first, peer, channel, bytes, word4, word5] = ring.words.subarray(word, word + 6);
      const start = word * 4 + RECORD_BYTES;
      const body = ring.bytes.slice(start, start + bytes);
      this.#read(first >>> 24, peer, channel, body, word4, word5);
      ringNext(ring, word);
    }
    ringRelease(ring);
  }

  #read(
    kind: number,
    peer: number,
    channel: number,
    body: Uint8Array,
    word4: number,
    word5: number,
  ): void {
    if (kind === RECORD_CONNECT) {
      check(!this.told.has(peer), "a handle is used once");
      this.told.set(peer, new Told());
      this.peers.push(peer);
    } else if (kind === RECORD_DISCONNECT) {
      this.#live(peer).end = { reason: word4, text: decoder.decode(body), local: word5 === 1 };
    } else if (kind === RECORD_MOVE) {
      const address = new Uint32Array(body.buffer, body.byteOffset + 8, 6);
      this.#live(peer).moves.push(address.join());
    } else if (kind === RECORD_MESSAGE) {
      const message = { channel, id: word4, body };
      const told = this.#live(peer);
      if (this.onMessage === undefined) told.messages.push(message);
      else this.onMessage(peer, message);
    } else if (kind === RECORD_FRAGMENT || kind === RECORD_BLOCK) {
      this.#live(peer);
      const [total] = new Uint32Array(body.buffer, 0, 1);
      const rest = body.subarray(FRAGMENT_RECORD_BYTES);
      const take = kind === RECORD_BLOCK ? this.onBlock : this.onFragment;
      take?.(peer, channel, { key: word4, index: word5, total, body: rest });
    } else if (kind === RECORD_FATE) {
      this.#live(peer).fates.push({ channel, tag: word4, fate: word5 });
    }
  }

  #live(peer: number): Told {
    const told = this.of(peer);
    check(told.end === undefined, "nothing is told of a peer after its end (R-47)");
    return told;
  }
}
