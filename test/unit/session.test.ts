/*
 * Two hosts of one engine and a wire that the test reads and writes, in virtual time: what a session
 * says, packet by packet.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { parseAddress } from "../../lib/address.js";
import { configureAddresses, configureProtocol, type LimitOptions } from "../../lib/configure.js";
import {
  ENTROPY_BYTES,
  ENTROPY_KEYS,
  ENTROPY_NUMBER,
  ROLE_CLIENT,
  ROLE_SERVER,
} from "../../lib/engine/config.js";
import { BATCH_STRIDE } from "../../lib/engine/host.js";
import { CHANNEL_WINDOW, KEY_BYTES } from "../../lib/engine/limits.js";
import {
  NO_ROOM,
  RECORD_BYTES,
  RECORD_CONNECT,
  RECORD_DISCONNECT,
  RECORD_FATE,
  RECORD_MESSAGE,
  RECORD_SEND,
  ringNext,
  ringPeek,
  ringRelease,
  TTL_DEFAULT,
} from "../../lib/engine/ring.js";
import { REASON_MISMATCH, REASON_VIOLATION } from "../../lib/engine/state.js";
import {
  CHANNEL_SKIPPED,
  CHANNEL_SUPERSEDED,
  REJECT_ACK_UNSENT,
  REJECT_PAYLOAD,
  statsChannelWord,
  statsRejectWord,
} from "../../lib/engine/stats.js";
import { ConnectToken, tokenPublicRead } from "../../lib/engine/token.js";
import { defineProtocol, type Protocol, realTime, reliable } from "../../lib/index.js";
import { mintToken } from "../../lib/token.js";
import { engines } from "../engines.js";
import { openSimHost, type SimHost, simPush } from "../hosts.js";
import { KeyPairs, Tap } from "../tap.js";

const SERVER = "10.0.0.1:4000";
const CLIENT = "10.0.0.2:5000";
const UNIX_SECONDS = 1_700_000_000;
const STEP_US = 5000;
const PAYLOAD = 5;
const KEY = new Uint8Array(KEY_BYTES).fill(7);

const protocol = defineProtocol("session/1", {
  state: realTime(),
  input: realTime({ redundancy: "high" }),
  chat: reliable(),
});
const STATE = 0;
const INPUT = 1;
const CHAT = 2;
const HELLO = 1;

/** What a host is made of here; its packets are numbered from 0 on. */
const entropyOf = (role: number) =>
  new Uint8Array(ENTROPY_BYTES).fill(role + 1).fill(0, ENTROPY_NUMBER, ENTROPY_KEYS);

/** One end: its host, the records that its user got, the payloads that it sent. */
class End {
  readonly host: SimHost;
  readonly address: Uint32Array;
  peer = 0;
  readonly messages: { channel: number; bytes: Uint8Array }[] = [];
  readonly fates: { tag: number; fate: number }[] = [];
  end: { reason: number; text: string } | null = null;

  constructor(
    engine: "js" | "native",
    role: number,
    address: string,
    spoken: Protocol,
    options: LimitOptions,
  ) {
    const { config } = configureProtocol(role, spoken, 1, options);
    if (role === ROLE_SERVER) configureAddresses(config, [parseAddress(SERVER)]);
    this.host = openSimHost(engine, {
      config,
      privateKey: KEY,
      entropy: entropyOf(role),
      submissionCapacity: 1_048_576,
      completionCapacity: 1_048_576,
    });
    const { type, port, a, b, c, d } = parseAddress(address);
    this.address = Uint32Array.of(type, port, a, b, c, d);
  }

  send(channel: number, bytes: Uint8Array, ttlMs = TTL_DEFAULT, tag = 0): void {
    expect(simPush(this.host, RECORD_SEND, [this.peer, channel, ttlMs, tag], bytes)).toBe(true);
  }

  drain(): void {
    const ring = this.host.in;
    for (let word = ringPeek(ring); word !== NO_ROOM; word = ringPeek(ring)) {
      ringNext(ring, word);
      const { words } = ring;
      const start = word * 4 + RECORD_BYTES;
      const bytes = ring.bytes.slice(start, start + words[word + 3]);
      const kind = words[word] >>> 24;
      if (kind === RECORD_CONNECT) this.peer = words[word + 1];
      if (kind === RECORD_MESSAGE) this.messages.push({ channel: words[word + 2], bytes });
      if (kind === RECORD_FATE) this.fates.push({ tag: words[word + 4], fate: words[word + 5] });
      if (kind === RECORD_DISCONNECT) {
        this.end = { reason: words[word + 4], text: new TextDecoder().decode(bytes) };
      }
    }
    ringRelease(ring);
  }
}

class Session {
  readonly server: End;
  readonly client: End;
  readonly keys = new ConnectToken();
  readonly tap: Tap;
  nowUs = 1_000_000;
  /** Every datagram that an end sent. */
  readonly sent: { from: End; bytes: Uint8Array }[] = [];

  constructor(engine: "js" | "native", clientProtocol: Protocol, options: LimitOptions = {}) {
    this.server = new End(engine, ROLE_SERVER, SERVER, protocol, options);
    this.client = new End(engine, ROLE_CLIENT, CLIENT, clientProtocol, options);
    onTestFinished(() => {
      this.server.host.close();
      this.client.host.close();
    });
    const token = mintToken({
      protocol: clientProtocol,
      key: KEY,
      clientId: 1,
      servers: [SERVER],
      now: UNIX_SECONDS * 1000,
    });
    tokenPublicRead(token, 0, token.length, this.keys);
    const { clientToServerKey, serverToClientKey } = this.keys;
    this.tap = new Tap(
      { protocolId: clientProtocol.id, clientToServerKey, serverToClientKey },
      new KeyPairs(entropyOf(ROLE_SERVER), entropyOf(ROLE_CLIENT)),
    );
    this.client.host.connect(token, this.nowUs);
  }

  /** One turn of an end, flushed or not; `arrives` says what of its datagrams does. */
  turn(end: End, arrives: (payload: Uint8Array) => boolean = () => true, flush = true): void {
    const other = end === this.server ? this.client : this.server;
    this.nowUs += STEP_US;
    const { host } = end;
    host.submit(this.nowUs);
    host.advance(this.nowUs);
    if (flush) host.flush();
    for (let count = host.transmit(this.nowUs); count > 0; count = host.transmit(this.nowUs)) {
      for (let index = 0; index < count; index++) {
        const start = index * BATCH_STRIDE;
        const bytes = host.batchBytes.slice(start, start + host.lengths[index]);
        this.sent.push({ from: end, bytes });
        if (arrives(this.open(end, bytes))) this.deliver(end, other, bytes);
      }
    }
    host.publish();
    other.host.publish();
    this.server.drain();
    this.client.drain();
  }

  deliver(from: End, to: End, bytes: Uint8Array): void {
    const copy = bytes.slice();
    to.host.receive(this.nowUs, this.nowUs, UNIX_SECONDS, from.address, copy, 0, copy.length);
    to.host.publish();
    to.drain();
  }

  /** The payload of a datagram, or nothing when it has none. */
  open(from: End, bytes: Uint8Array): Uint8Array {
    const packet = this.tap.see(bytes, from === this.client);
    return Uint8Array.from(packet?.type === PAYLOAD ? packet.body : []);
  }

  /** The payloads that an end has sent since a moment. */
  payloads(from: End, since = 0): Uint8Array[] {
    const own = this.sent.slice(since).filter((datagram) => datagram.from === from);
    return own.map(({ bytes }) => this.open(from, bytes)).filter((body) => body.length > 0);
  }

  /** An authentic payload of the client that its host never wrote. */
  forge(number: bigint, body: readonly number[]): void {
    const bytes = this.tap.seal(true, PAYLOAD, number, Uint8Array.from(body));
    this.deliver(this.client, this.server, bytes);
  }

  exchange(steps = 40): void {
    for (let step = 0; step < steps; step++) {
      this.turn(this.client);
      this.turn(this.server);
    }
  }

  /** Until the client has its slot, and the server has not heard of it since. */
  handshake(): void {
    for (let step = 0; step < 100 && !this.#accepted(); step++) {
      this.turn(this.client, (payload) => payload.length === 0);
      this.turn(this.server);
    }
    expect(this.#accepted()).toBe(true);
  }

  #accepted(): boolean {
    return this.payloads(this.client).length > 0;
  }
}

function open(engine: "js" | "native", options: LimitOptions = {}): Session {
  const session = new Session(engine, protocol, options);
  session.exchange();
  expect([session.client.peer !== 0, session.server.peer !== 0]).toEqual([true, true]);
  return session;
}

/** Where the frames of a payload start: behind the ack header. */
const framesOf = (payload: Uint8Array): Uint8Array =>
  payload.subarray(payload[0] === 0 ? 1 : 5 + (payload[0] & 0x3f));

describe.each(engines)("on the %s engine", (engine) => {
  test("R-29: nothing is sent twice, and numbers only go up", () => {
    const session = open(engine);
    let dice = 1;
    for (let step = 0; step < 400; step++) {
      if (step < 300) {
        session.client.send(INPUT, Uint8Array.of(step));
        session.server.send(CHAT, Uint8Array.of(step));
      }
      for (const end of [session.client, session.server]) {
        session.turn(end, () => {
          dice = (Math.imul(dice, 1103515245) + 12345) >>> 0;
          return dice >>> 24 > 64;
        });
      }
    }
    const texts = session.sent.map(
      ({ from, bytes }) => `${from === session.client} ${bytes.join()}`,
    );
    expect(new Set(texts.slice(2)).size).toBe(texts.length - 2);
    expect(session.client.messages.map(({ bytes }) => bytes[0])).toEqual(
      Array.from({ length: 300 }, (_, index) => index & 255),
    );
  });

  test("R-22: an ack of a packet that was never sent ends the connection", () => {
    const session = open(engine);
    session.forge(5000n, [0x80, 0x00, 0x40, 0x00, 0x00]);
    expect(session.server.end?.reason).toBe(REASON_VIOLATION);
    expect(session.server.host.page[statsRejectWord(REJECT_ACK_UNSENT)]).toBe(1);
  });

  test("R-20, R-35: a payload that is not canonical ends it too, and nothing of it took effect", () => {
    const session = open(engine);
    // A lawful message of the chat, and behind it a frame that there is not.
    session.forge(5000n, [0, 0xc0 + CHAT, 0, 0, 1, 65, 0x77]);
    expect(session.server.end?.reason).toBe(REASON_VIOLATION);
    expect(session.server.messages).toEqual([]);
    expect(session.server.host.page[statsRejectWord(REJECT_PAYLOAD)]).toBe(1);
  });

  test("R-32: until one is acked every payload starts with a hello; messages wait for the first", () => {
    const session = new Session(engine, protocol);
    session.handshake();
    const before = session.sent.length;
    for (let step = 0; step < 100; step++) session.turn(session.client, () => false);
    const unheard = session.payloads(session.client, before);
    expect(unheard.length).toBeGreaterThan(2);
    expect(unheard.every((payload) => framesOf(payload)[0] === HELLO)).toBe(true);
    session.forge(5000n, [0, 0x80 + CHAT, 0, 0, 65]);
    session.exchange(5);
    expect(session.client.end?.reason).toBe(REASON_VIOLATION);
  });

  test("R-32: a peer with another channel is told which", () => {
    const other = defineProtocol("session/1", {
      state: realTime(),
      input: realTime({ redundancy: "low" }),
      chat: reliable(),
    });
    const session = new Session(engine, other);
    session.exchange();
    expect(session.client.end).toEqual({ reason: REASON_MISMATCH, text: `channel ${INPUT}` });
    expect(session.server.peer).toBe(0);
  });

  test("R-33, R-44: what expired after it was sent is skipped, and later messages come", () => {
    const session = open(engine);
    session.server.send(CHAT, Uint8Array.of(1), 20, 11);
    session.turn(session.server, () => false);
    session.server.send(CHAT, Uint8Array.of(2), TTL_DEFAULT, 12);
    // The first one's copies are lost as well.
    session.turn(session.server, (payload) => framesOf(payload)[0] !== 0xc0 + CHAT);
    for (let step = 0; step < 20; step++) session.turn(session.server, () => false);
    session.exchange();
    expect(session.client.messages.map(({ bytes }) => [...bytes])).toEqual([[2]]);
    expect(session.server.fates.map(({ tag }) => tag).sort()).toEqual([11, 12]);
    expect(session.client.host.page[statsChannelWord(CHAT, CHANNEL_SKIPPED)]).toBe(1);
  });

  test("R-37: messages wait for a flush, or ride with what goes out anyway", () => {
    const session = open(engine);
    session.server.send(STATE, Uint8Array.of(1));
    const before = session.sent.length;
    session.turn(session.server, undefined, false);
    expect(session.payloads(session.server, before)).toEqual([]);
    // Two packets of the client are owed an ack at once, and the message goes along.
    for (const value of [1, 2]) {
      session.client.send(STATE, Uint8Array.of(value));
      session.turn(session.client);
    }
    session.turn(session.server, undefined, false);
    expect(session.client.messages.map(({ bytes }) => [...bytes])).toEqual([[1]]);
  });

  test("R-40: high redundancy sends seven copies, each in another packet, until one is acked", () => {
    const session = open(engine);
    const before = session.sent.length;
    session.client.send(INPUT, Uint8Array.of(0xaa, 0xbb, 0xcc));
    for (let step = 0; step < 60; step++) session.turn(session.client, () => false);
    const carriers = session
      .payloads(session.client, before)
      .filter((payload) => Buffer.from(payload).includes(Buffer.from([0xaa, 0xbb, 0xcc])));
    expect(carriers.length).toBe(8);
    const again = session.sent.length;
    session.client.send(INPUT, Uint8Array.of(0xdd, 0xee, 0xff));
    session.turn(session.client);
    session.exchange();
    const acked = session
      .payloads(session.client, again)
      .filter((payload) => Buffer.from(payload).includes(Buffer.from([0xdd, 0xee, 0xff])));
    expect(acked.length).toBeLessThan(8);
  });

  test("R-41: a state that missed its flush gives way to the next", () => {
    // 1,000 bytes a second: after the first burst a state of 1,000 bytes waits for its turn.
    const session = open(engine, { sendRate: 1000 });
    for (let value = 0; value < 40; value++) {
      session.server.send(STATE, new Uint8Array(1000).fill(value));
      session.turn(session.server);
      session.turn(session.client);
    }
    const superseded = session.server.host.page[statsChannelWord(STATE, CHANNEL_SUPERSEDED)];
    expect(superseded).toBeGreaterThan(20);
    for (let step = 0; step < 1000; step++) session.exchange(1);
    expect(session.client.messages.at(-1)?.bytes[0]).toBe(39);
  });

  test("R-43: never more than a window of ids on the wire, and the rest once it moves", () => {
    const session = open(engine);
    const count = CHANNEL_WINDOW + 50;
    const message = (index: number): Uint8Array =>
      Uint8Array.of(0xf0, 0xf1, index >>> 8, index & 255, 0xf2, 0xf3);
    for (let index = 0; index < count; index++) session.server.send(CHAT, message(index));
    const before = session.sent.length;
    session.turn(session.server, () => false);
    const wire = Buffer.concat(session.payloads(session.server, before).map(framesOf));
    const onWire = Array.from({ length: count }, (_, index) =>
      wire.includes(Buffer.from(message(index))),
    );
    expect(onWire.filter(Boolean).length).toBe(CHANNEL_WINDOW);
    expect(onWire.slice(0, CHANNEL_WINDOW).every(Boolean)).toBe(true);
    session.exchange(200);
    expect(session.client.messages.map(({ bytes }) => [...bytes])).toEqual(
      Array.from({ length: count }, (_, index) => [...message(index)]),
    );
  });
});
