/*
 * Owns an attacker with a token: it has the keys of its own connection, so what it seals opens. It speaks through the
 * independent NETCODE of test/peers, packet by packet: nothing goes out that the attack did not say.
 * It reads what goes under session keys, and itself stays under the token's, as a peer may.
 * Never keeps a rule by itself: no acks, no keep-alives, no numbers but those that it is told or counts up.
 */
import {
  decodePublicToken,
  encodeRequest,
  type OpenedPacket,
  PACKET_TYPES,
  type PublicToken,
  sealPacket,
} from "../peers/netcode.js";
import { KeyPairs, Tap } from "../tap.js";
import { check } from "./attack.js";
import { ack, hello, NO_ACK, payload, SECRET } from "./wire.js";
import { MS, type Recipient, type World, wordsOf } from "./world.js";

const ACK_BYTES = 32;

export class Insider implements Recipient {
  readonly address: string;
  readonly token: Uint8Array;
  readonly open: PublicToken;
  /** Handle of its connection, once announced. */
  peer = 0;
  /** The number of its next packet. */
  number = 0n;
  /** Everything that opened, in the order of arrival. */
  packets: OpenedPacket[] = [];
  /** Datagrams that came, and those that did not open. */
  datagrams = 0;
  unopened = 0;
  keep = true;
  readonly #from: Uint32Array;
  readonly #world: World;
  readonly #tap: Tap;
  /** Numbers of the server's packets that have a slot's numbers, as far as acks reach. */
  #seen = new Set<number>();
  #latest = -1;

  constructor(world: World, address: string, token: Uint8Array = world.token()) {
    this.#world = world;
    this.address = address;
    this.#from = wordsOf(address);
    this.token = token;
    const open = decodePublicToken(token);
    check(open !== undefined, "a token can be read");
    this.open = open;
    const pairs = new KeyPairs();
    pairs.own(SECRET);
    this.#tap = new Tap(open, pairs);
    world.join(this);
  }

  take(bytes: Uint8Array): void {
    this.datagrams += 1;
    const packet = this.#tap.see(bytes, false);
    if (packet === undefined) {
      this.unopened += 1;
      return;
    }
    if (this.keep) this.packets.push(packet);
    if (packet.sequence >= 1n << 53n) return;
    const number = Number(packet.sequence);
    this.#seen.add(number);
    this.#seen.delete(number - 8 * ACK_BYTES - 1);
    this.#latest = Math.max(this.#latest, number);
  }

  /** The payloads that came. */
  get payloads(): Buffer[] {
    return this.packets.filter(({ type }) => type === PACKET_TYPES.payload).map(({ body }) => body);
  }

  /** Highest number that came; -1 for none. */
  get latest(): number {
    return this.#latest;
  }

  // --- what it says ---

  request(): Buffer {
    return encodeRequest(this.open);
  }

  seal(type: number, body: Uint8Array = new Uint8Array(0), number = this.number++): Buffer {
    return sealPacket({
      type,
      sequence: number,
      key: this.open.clientToServerKey,
      protocolId: this.open.protocolId,
      body,
    });
  }

  post(bytes: Uint8Array): void {
    this.#world.post(this.#from, bytes);
  }

  /** A payload of these parts, under the next number. */
  say(...parts: readonly Uint8Array[]): void {
    const bytes = this.seal(PACKET_TYPES.payload, payload(...parts));
    this.#tap.follow(bytes, true);
    this.post(bytes);
  }

  /** The same as a datagram, for a host by hand. */
  packet(...parts: readonly Uint8Array[]): { from: Uint32Array; bytes: Uint8Array } {
    const bytes = this.seal(PACKET_TYPES.payload, payload(...parts));
    return { from: this.#from, bytes: Uint8Array.from(bytes) };
  }

  /** The true ack header of now: everything that came. */
  trueAck(): Uint8Array {
    if (this.#latest < 0) return NO_ACK;
    const bits = new Array<number>(ACK_BYTES).fill(0);
    for (const number of this.#seen) {
      const index = this.#latest - 1 - number;
      if (index >= 0 && index < 8 * ACK_BYTES) bits[index >>> 3] |= 1 << (index & 7);
    }
    while (bits[bits.length - 1] === 0) bits.pop();
    return ack(this.#latest, 0, bits);
  }

  // --- the way in ---

  /** Up to the challenge. */
  challenged(): OpenedPacket {
    this.post(this.request());
    this.#world.step();
    const challenge = this.packets.find(({ type }) => type === PACKET_TYPES.challenge);
    check(challenge !== undefined, "a request with a good token is challenged");
    return challenge;
  }

  /** Up to a slot: NETCODE is connected, and nothing was said yet. */
  admitted(): this {
    const { body } = this.challenged();
    this.post(this.seal(PACKET_TYPES.response, body));
    this.#world.step();
    check(
      this.packets.some(({ type }) => type === PACKET_TYPES.keepAlive),
      "a good response gets a slot",
    );
    return this;
  }

  /** Up to an announced peer whose hello is acked both ways. */
  connected(): this {
    this.admitted();
    const before = this.#world.server.peers.length;
    this.say(this.trueAck(), hello(this.#world.protocol));
    this.#world.until(
      "an insider is announced",
      () => this.#world.server.peers.length > before,
      SECOND_LIMIT_US,
    );
    this.peer = this.#world.server.peer;
    this.say(this.trueAck());
    this.#world.step();
    return this;
  }

  /** How its connection ended, if it did. */
  get end() {
    return this.#world.server.of(this.peer).end;
  }
}

const SECOND_LIMIT_US = 1000 * MS;
