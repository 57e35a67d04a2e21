/*
 * A server's door, in virtual time, packet by packet: what it answers a stranger, that a token serves once
 * that pending clients are forgotten, numbers before a slot, and that bytes which don't open move
 * nothing.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { parseAddress } from "../../lib/address.js";
import { configureAddresses, configureProtocol } from "../../lib/configure.js";
import {
  CONFIG_QUEUE_MESSAGES_MAX,
  CONFIG_TOKENS_MAX,
  ENTROPY_BYTES,
  ENTROPY_SEQUENCE,
  ROLE_SERVER,
} from "../../lib/engine/config.js";
import { BATCH_STRIDE } from "../../lib/engine/host.js";
import { KEY_BYTES, REQUEST_BYTES } from "../../lib/engine/limits.js";
import { PACKET_CHALLENGE, PACKET_RESPONSE } from "../../lib/engine/packet.js";
import {
  REJECT_ADDRESS_CONNECTED,
  REJECT_CHALLENGE,
  REJECT_EXPIRED,
  REJECT_REPLAY,
  REJECT_RESOURCES,
  REJECT_SEAL,
  REJECT_SERVER,
  REJECT_TOKEN_USED,
  statsRejectWord,
} from "../../lib/engine/stats.js";
import { ConnectToken, requestWrite, tokenPublicRead } from "../../lib/engine/token.js";
import { defineProtocol, reliable } from "../../lib/index.js";
import { mintToken } from "../../lib/token.js";
import { Duo, MS, type Packet, type Side, UNIX_SECONDS } from "../duo.js";
import { engines } from "../engines.js";
import { ADDRESS_WORDS, MEMORY_WORDS, openSimHost, type SimHost } from "../hosts.js";
import { openPacket, sealPacket } from "../peers/netcode-packet.js";

const SERVER = "10.0.0.1:4000";
const KEY = new Uint8Array(KEY_BYTES).fill(7);
const TIMEOUT_SECONDS = 3;
const CHAT = 0;
const protocol = defineProtocol("handshake/1", { chat: reliable() });
/** Numbers before a slot start here. */
const APART = 2n ** 63n;

function addressWords(text: string): Uint32Array {
  const { type, port, a, b, c, d } = parseAddress(text);
  return Uint32Array.of(type, port, a, b, c, d);
}

interface Answer {
  readonly bytes: Uint8Array;
  readonly to: string;
}

/** A server and its strangers. */
class Door {
  readonly host: SimHost;
  nowUs = 1_000_000;
  unixSeconds = UNIX_SECONDS;

  constructor(
    engine: "js" | "native",
    entropy: Uint8Array,
    configure: (config: Uint32Array) => void = () => {},
  ) {
    const { config } = configureProtocol(ROLE_SERVER, protocol, 2, {});
    configureAddresses(config, [parseAddress(SERVER)]);
    configure(config);
    this.host = openSimHost(engine, {
      config,
      privateKey: KEY,
      entropy,
      submissionCapacity: 65_536,
      completionCapacity: 1_048_576,
    });
    onTestFinished(() => this.host.close());
  }

  /** A datagram from an address; what goes out then. */
  ask(from: string, bytes: Uint8Array): Answer[] {
    const { host } = this;
    const words = addressWords(from);
    const copy = bytes.slice();
    host.receive(this.nowUs, this.nowUs, this.unixSeconds, words, copy, 0, copy.length);
    return this.turn();
  }

  turn(): Answer[] {
    const { host } = this;
    host.advance(this.nowUs);
    host.flush();
    const answers: Answer[] = [];
    for (let count = host.transmit(this.nowUs); count > 0; count = host.transmit(this.nowUs)) {
      for (let index = 0; index < count; index++) {
        const start = index * BATCH_STRIDE;
        const to = host.addresses.slice(index * ADDRESS_WORDS, (index + 1) * ADDRESS_WORDS);
        const bytes = host.batchBytes.slice(start, start + host.lengths[index]);
        answers.push({ bytes, to: `${to}` });
      }
    }
    host.publish();
    return answers;
  }

  rejected(reason: number): number {
    return this.host.page[statsRejectWord(reason)];
  }

  pendingFree(): number {
    const words = new Uint32Array(MEMORY_WORDS);
    this.host.memory(words);
    return words[3];
  }
}

function entropyOf(seed: number): Uint8Array {
  const entropy = new Uint8Array(ENTROPY_BYTES).fill(9);
  entropy.fill(seed, ENTROPY_SEQUENCE, ENTROPY_SEQUENCE + 8);
  return entropy;
}

function tokenOf(clientId: number, server = SERVER): ConnectToken {
  const bytes = mintToken({
    protocol,
    key: KEY,
    clientId,
    servers: [server],
    timeoutSeconds: TIMEOUT_SECONDS,
    expireSeconds: 30,
    now: UNIX_SECONDS * 1000,
  });
  const token = new ConnectToken();
  expect(tokenPublicRead(bytes, 0, bytes.length, token)).toBe(true);
  return token;
}

function requestOf(token: ConnectToken): Uint8Array {
  const bytes = new Uint8Array(REQUEST_BYTES);
  expect(requestWrite(token, bytes, 0)).toBe(true);
  return bytes;
}

function numberOf(answer: Answer, token: ConnectToken): bigint {
  const opened = openPacket(answer.bytes, token.serverToClientKey, protocol.id);
  expect(opened?.type).toBe(PACKET_CHALLENGE);
  return opened?.sequence ?? 0n;
}

describe.each(engines)("a stranger before the %s engine", (engine) => {
  test("gets one challenge for a request, to its address, and always fewer bytes than it sent", () => {
    const door = new Door(engine, entropyOf(1));
    const request = requestOf(tokenOf(1));
    const from = "10.0.0.2:5000";
    const sums = [0, 0];
    for (let count = 0; count < 40; count++) {
      const answers = door.ask(from, request);
      expect(answers.map(({ to }) => to)).toEqual([`${addressWords(from)}`]);
      sums[0] += request.length;
      sums[1] += answers[0].bytes.length;
      expect(answers[0].bytes.length).toBeLessThan(request.length);
      door.nowUs += 100 * MS;
      // Nothing comes by itself: a stranger has no timer here.
      expect(door.turn()).toEqual([]);
      expect(sums[1]).toBeLessThan(sums[0]);
    }
  });

  test("gets nothing for what is no request, cut or changed anywhere", () => {
    const door = new Door(engine, entropyOf(1));
    const request = requestOf(tokenOf(1));
    for (let length = 0; length < request.length; length += 7) {
      expect(door.ask("10.0.0.2:5000", request.slice(0, length))).toEqual([]);
    }
    expect(door.ask("10.0.0.2:5000", Uint8Array.from([...request, 0]))).toEqual([]);
    for (let place = 0; place < request.length; place += 5) {
      const changed = request.slice();
      changed[place] ^= 0x10;
      expect(door.ask("10.0.0.2:5000", changed)).toEqual([]);
    }
    expect(door.ask("10.0.0.2:5000", request)).toHaveLength(1);
  });

  test("is forgotten after its token's time-out (R-9)", () => {
    const door = new Door(engine, entropyOf(1));
    const free = door.pendingFree();
    door.ask("10.0.0.2:5000", requestOf(tokenOf(1)));
    expect(door.pendingFree()).toBe(free - 1);
    door.nowUs += TIMEOUT_SECONDS * 1000 * MS - 1;
    door.turn();
    expect(door.pendingFree()).toBe(free - 1);
    door.nowUs += 1;
    door.turn();
    expect(door.pendingFree()).toBe(free);
  });

  test("may show its token again from its own address, and nobody else may (R-8)", () => {
    const door = new Door(engine, entropyOf(1));
    const request = requestOf(tokenOf(1));
    expect(door.ask("10.0.0.2:5000", request)).toHaveLength(1);
    for (const other of ["10.0.0.2:5001", "10.0.0.3:5000"]) {
      expect(door.ask(other, request)).toEqual([]);
    }
    expect(door.rejected(REJECT_TOKEN_USED)).toBe(2);
    expect(door.ask("10.0.0.2:5000", request)).toHaveLength(1);
    door.unixSeconds += 30;
    expect(door.ask("10.0.0.2:5000", request)).toEqual([]);
    expect(door.rejected(REJECT_EXPIRED)).toBe(1);
  });
});

describe.each(engines)("a token before the %s engine", (engine) => {
  test("that names other servers opens nothing (R-7)", () => {
    const door = new Door(engine, entropyOf(1));
    for (const server of ["10.0.0.1:4001", "10.0.0.9:4000", "[::1]:4000"]) {
      expect(door.ask("10.0.0.2:5000", requestOf(tokenOf(1, server)))).toEqual([]);
    }
    expect(door.rejected(REJECT_SERVER)).toBe(3);
    expect(door.ask("10.0.0.2:5000", requestOf(tokenOf(1)))).toHaveLength(1);
  });

  test("is remembered until it has expired, however many others come (R-8)", () => {
    const room = 16;
    const door = new Door(engine, entropyOf(1), (config) => {
      config[CONFIG_TOKENS_MAX] = room;
    });
    const requests = Array.from({ length: 3 * room }, (_, index) => requestOf(tokenOf(index)));
    const asked = requests.map((request, index) => door.ask(`10.0.1.${index}:5000`, request));
    const answered = asked.filter((answers) => answers.length > 0).length;
    expect(answered).toBe(room);
    expect(door.rejected(REJECT_RESOURCES)).toBe(2 * room);
    // None of those that were taken may be shown by somebody else.
    for (const request of requests.slice(0, room)) {
      expect(door.ask("10.0.2.1:5000", request)).toEqual([]);
    }
    expect(door.rejected(REJECT_TOKEN_USED)).toBe(room);
  });

  test("is answered for by its own challenge alone (R-10)", () => {
    const door = new Door(engine, entropyOf(1));
    const [left, right] = [tokenOf(1), tokenOf(2)];
    const body = (from: string, token: ConnectToken): Buffer => {
      const [answer] = door.ask(from, requestOf(token));
      return openPacket(answer.bytes, token.serverToClientKey, protocol.id)?.body as Buffer;
    };
    const challenges = [body("10.0.0.2:5000", left), body("10.0.0.3:5000", right)];
    const respond = (challenge: Buffer, sequence: bigint) =>
      sealPacket({
        type: PACKET_RESPONSE,
        sequence,
        key: left.clientToServerKey,
        protocolId: protocol.id,
        body: challenge,
      });
    expect(door.ask("10.0.0.2:5000", respond(challenges[1], 0n))).toEqual([]);
    expect(door.rejected(REJECT_CHALLENGE)).toBe(1);
    // The right one gets a keep-alive at once.
    expect(door.ask("10.0.0.2:5000", respond(challenges[0], 1n)).length).toBeGreaterThan(0);
  });
});

describe.each(engines)("numbers before a slot in the %s engine (R-12)", (engine) => {
  test("start at 2^63 and 62 random bits, and go up by one", () => {
    const token = tokenOf(1);
    for (const [seed, bits] of [
      [0, 0n],
      [0x55, 0x1555_5555_5555_5555n],
      [0xff, 0x3fff_ffff_ffff_ffffn],
    ] as const) {
      const door = new Door(engine, entropyOf(seed));
      for (let index = 0n; index < 3n; index++) {
        const [answer] = door.ask("10.0.0.2:5000", requestOf(token));
        expect(numberOf(answer, token)).toBe(APART + bits + index);
      }
    }
  });

  test("don't repeat after a restart, under the same token's key", () => {
    const token = tokenOf(1);
    const seen = new Set<bigint>();
    for (const seed of [3, 4, 5]) {
      const door = new Door(engine, entropyOf(seed));
      for (let count = 0; count < 5; count++) {
        const [answer] = door.ask("10.0.0.2:5000", requestOf(token));
        seen.add(numberOf(answer, token));
      }
    }
    expect(seen.size).toBe(15);
  });
});

// --- a connection ---

function connected(engine: "js" | "native", configure?: (config: Uint32Array) => void): Duo {
  const server = configure === undefined ? {} : { configure };
  const duo = new Duo({ server: engine, client: engine }, protocol, { server });
  onTestFinished(() => duo.close());
  return duo;
}

/** Sends a message, and the packets that carry it; nothing is delivered. */
function say(side: Side, body: number): Packet[] {
  side.send(CHAT, body);
  return side.turn();
}

describe.each(engines)("a token at the %s engine", (engine) => {
  test("serves once: not while its client is connected, and not when it is gone (R-8)", () => {
    const duo = connected(engine);
    const request = duo.client.turn()[0];
    expect(request.bytes).toHaveLength(REQUEST_BYTES);
    duo.server.receive(request);
    duo.connect();
    duo.server.receive(request);
    expect(duo.server.rejected(REJECT_ADDRESS_CONNECTED)).toBe(1);
    duo.client.close(1);
    duo.rounds(60);
    expect([duo.client.end?.kind, duo.server.end?.kind]).toEqual(["disconnect", "disconnect"]);
    expect(duo.server.turn()).toEqual([]);
    duo.server.receive(request);
    expect(duo.server.rejected(REJECT_TOKEN_USED)).toBe(1);
    expect(duo.server.turn()).toEqual([]);
  });
});

describe.each(engines)("what does not open moves nothing on the %s engine (R-6)", (engine) => {
  test("neither the window, nor for a number to come, nor for one far ahead", () => {
    const duo = connected(engine);
    duo.connect();
    const { server, client } = duo;
    const [honest] = say(client, 1);
    for (const number of [honest.number, honest.number + 1, honest.number + 300, 2 ** 40]) {
      const forged = client.forge(number, Uint8Array.of(0));
      forged[forged.length - 1] ^= 1;
      server.receive(forged);
    }
    expect(server.rejected(REJECT_SEAL)).toBe(4);
    // Had the window moved, all of these would be replays.
    server.receive(honest);
    for (const packet of say(client, 2)) server.receive(packet);
    expect(server.received(CHAT)).toEqual([1, 2]);
    expect(server.rejected(REJECT_REPLAY)).toBe(0);
  });

  test("nor does it keep a silent peer alive", () => {
    const duo = connected(engine);
    duo.connect();
    const { server, client } = duo;
    for (let step = 0; step < 60; step++) {
      const forged = client.forge(5000 + step, Uint8Array.of(0));
      forged[3] ^= 1;
      server.receive(forged);
      server.turn();
      duo.nowUs += 100 * MS;
    }
    expect(server.end).toMatchObject({ kind: "disconnect", local: true });
  });

  test("and what opened does not open again: a packet counts once (R-5)", () => {
    const duo = connected(engine);
    duo.connect();
    const { server, client } = duo;
    const packets = [1, 2, 3].flatMap((body) => say(client, body));
    for (let times = 0; times < 3; times++) {
      for (const packet of packets) server.receive(packet);
    }
    expect(server.received(CHAT)).toEqual([1, 2, 3]);
    expect(server.rejected(REJECT_REPLAY)).toBe(2 * packets.length);
  });
});

describe.each(engines)("a message that the %s engine does not take (R-45, R-48)", (engine) => {
  test("gives back the memory that it got on its way", () => {
    const duo = connected(engine, (config) => {
      config[CONFIG_QUEUE_MESSAGES_MAX] = 4;
    });
    duo.connect();
    const { server } = duo;
    const before = server.memory();
    for (let round = 0; round < 5; round++) {
      for (let tag = 1; tag <= 20; tag++) server.send(CHAT, new Uint8Array(700).fill(tag), { tag });
      duo.rounds(20);
    }
    expect(server.memory()).toEqual(before);
    const fates = server.events.filter(({ kind }) => kind === "fate");
    expect(fates).toHaveLength(100);
  });
});
