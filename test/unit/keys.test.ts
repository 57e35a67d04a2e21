/*
 * Session keys: what hellos agree on, when packets change to them, which packets count before, at and after the change,
 * and what neither a forger nor a restart can do.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { CONFIG_RAW, CONFIG_SUITES, ENTROPY_BYTES } from "../../lib/engine/config.js";
import {
  PACKET_DISCONNECT,
  PACKET_KEEP_ALIVE,
  PACKET_PAYLOAD,
  REJECT_TYPE,
} from "../../lib/engine/packet.js";
import { REASON_CLOSED, REASON_VIOLATION } from "../../lib/engine/state.js";
import {
  PEER_CIPHER,
  PEER_PACKETS_RECEIVED,
  REJECT_KEY,
  REJECT_REPLAY,
  REJECT_SEAL,
} from "../../lib/engine/stats.js";
import { defineProtocol, realTime, reliable } from "../../lib/index.js";
import { Random } from "../../lib/sim/random.js";
import { Duo, type DuoOptions, MS, type Packet, type Side } from "../duo.js";
import { engines } from "../engines.js";
import { SESSION_PREFIX } from "../tap.js";

const protocol = defineProtocol("keys/1", { state: realTime(), chat: reliable() });
const CHAT = 1;
const EPOCH = 2 ** 24;

function open(engine: "js" | "native", options: DuoOptions = {}): Duo {
  const duo = new Duo({ server: engine, client: engine }, protocol, options);
  onTestFinished(() => duo.close());
  return duo;
}

function connected(engine: "js" | "native", options: DuoOptions = {}): Duo {
  const duo = open(engine, options);
  duo.connect();
  return duo;
}

const isSession = ({ bytes }: Packet) => bytes[0] === SESSION_PREFIX;
const hasHello = ({ payload }: Packet) =>
  payload?.frames.some(({ kind }) => kind === "hello") === true;
const suites = (bits: number) => ({
  configure: (config: Uint32Array) => {
    config[CONFIG_SUITES] = bits;
  },
});

/** Everything that a packet could have moved. */
function stateOf(side: Side): unknown {
  return {
    memory: side.memory(),
    received: side.peerWord(PEER_PACKETS_RECEIVED),
    events: side.events.length,
    dueUs: side.deadlineUs(),
  };
}

/** A packet that a side would send now, with one message. */
function saying(side: Side, value: number): Packet {
  side.send(CHAT, value);
  const packets = side.turn();
  expect(packets.length).toBe(1);
  return packets[0];
}

describe.each(engines)("session keys of the %s engine", (engine) => {
  test("are told in a hello, and all packets go under them once both have it (R-61, R-62)", () => {
    const duo = open(engine);
    const packets: Packet[] = [];
    const said: number[] = [];
    for (let round = 0; round < 40; round++) {
      for (const side of [duo.client, duo.server]) {
        if (side.peer !== 0) {
          side.send(CHAT, round);
          if (side === duo.server) said.push(round);
        }
        for (const packet of side.turn()) {
          packets.push(packet);
          duo.other(side).receive(packet);
        }
      }
      duo.nowUs += 10 * MS;
    }
    // The tap, which knows the page alone, opened every packet but the request.
    expect(packets.filter(({ key }) => key === null).length).toBe(1);
    const first = packets.findIndex(isSession);
    expect(packets.slice(0, first).filter(hasHello).length).toBe(2);
    // A side that has changed never goes back; both have within a few packets.
    expect(packets.slice(first + 4).every(isSession)).toBe(true);
    expect(packets.slice(first).some(hasHello)).toBe(false);
    expect(said.length).toBeGreaterThan(30);
    expect(duo.client.received(CHAT)).toEqual(said);
  });

  test.each([
    [3, 3, 2],
    [3, 1, 1],
    [1, 3, 1],
    [1, 1, 1],
    // What nobody knows yet means nothing.
    [0xfd, 0xfd, 1],
    [0xff, 0xff, 2],
  ])("are of the suite that both have: %i and %i (R-61)", (server, client, cipher) => {
    const duo = connected(engine, { server: suites(server), client: suites(client) });
    for (const side of [duo.server, duo.client]) expect(side.peerWord(PEER_CIPHER)).toBe(cipher);
    expect(duo.tap.aes).toBe(cipher === 2);
    duo.server.send(CHAT, 7);
    duo.round();
    expect(duo.client.received(CHAT)).toEqual([7]);
  });

  test("wait for the hello that is lost, on either side (R-62)", () => {
    for (const lossy of ["client", "server"] as const) {
      const duo = open(engine);
      for (let round = 0; round < 20; round++) {
        for (const side of [duo.client, duo.server]) {
          for (const packet of side.turn()) {
            const lost = side === duo[lossy] && packet.type === PACKET_PAYLOAD;
            if (!lost) duo.other(side).receive(packet);
            expect(isSession(packet)).toBe(false);
          }
        }
        duo.nowUs += 20 * MS;
      }
      duo.rounds(40);
      for (const side of [duo.server, duo.client]) {
        expect(side.peerWord(PEER_CIPHER)).toBeGreaterThan(0);
      }
    }
  });

  test("take what was sent before the change and comes behind it, and nothing else (R-64)", () => {
    const duo = open(engine);
    const held: Packet[] = [];
    // The client's packets before its change wait; the first of them got through, with its hello.
    for (let round = 0; !held.some(isSession); round++) {
      expect(round).toBeLessThan(100);
      for (const side of [duo.client, duo.server]) {
        if (side === duo.client && side.peer !== 0) side.send(CHAT, round);
        for (const packet of side.turn()) {
          const late = side === duo.client && packet.payload !== null && duo.server.peer !== 0;
          if (late) held.push(packet);
          else duo.other(side).receive(packet);
        }
        // Acks of the hello come back, so that the client changes.
      }
      duo.nowUs += 10 * MS;
    }
    const change = held.findIndex(isSession);
    expect(change).toBeGreaterThan(0);
    const before = held.slice(0, change);
    duo.server.receive(held[change]);
    // Below the first session packet, in any order, once.
    for (const packet of [...before].reverse()) duo.server.receive(packet);
    expect(duo.server.rejected(REJECT_KEY)).toBe(0);
    expect([...duo.server.received(CHAT)].sort((one, two) => one - two)).toEqual(
      duo.server.received(CHAT),
    );
    for (const packet of before) duo.server.receive(packet);
    expect(duo.server.rejected(REJECT_REPLAY)).toBe(before.length);
    // At it and above, however authentic.
    const state = stateOf(duo.server);
    const { number } = held[change];
    for (const [index, at] of [number, number + 1, number + 1000].entries()) {
      for (const [type, body] of [
        [PACKET_PAYLOAD, Uint8Array.of(0, 4)],
        [PACKET_KEEP_ALIVE, new Uint8Array(8)],
        [PACKET_DISCONNECT, new Uint8Array(0)],
      ] as const) {
        duo.server.receive(duo.tap.sealToken(true, type, BigInt(at), body));
      }
      expect(duo.server.rejected(REJECT_KEY)).toBe(3 * (index + 1));
    }
    expect(stateOf(duo.server)).toEqual(state);
  });

  test("refuse what a forger sends: changed, again, without keys; nothing moves (R-6, R-63)", () => {
    const duo = connected(engine);
    const packet = saying(duo.client, 1);
    const state = stateOf(duo.server);
    for (let bit = 0; bit < packet.bytes.length * 8; bit++) {
      const changed = packet.bytes.slice();
      changed[bit >> 3] ^= 1 << (bit & 7);
      duo.server.receive(changed);
    }
    for (const bytes of [new Uint8Array(20), new Uint8Array(1224)]) {
      bytes[0] = SESSION_PREFIX;
      duo.server.receive(bytes);
    }
    expect(stateOf(duo.server)).toEqual(state);
    // Each bit of number, body and tag fails at the seal or as a number that was used; of the prefix at the type.
    expect(duo.server.rejected(REJECT_SEAL)).toBeGreaterThan((packet.bytes.length - 4) * 8);
    expect(duo.server.rejected(REJECT_TYPE)).toBeGreaterThan(0);
    duo.server.receive(packet);
    expect(duo.server.received(CHAT)).toEqual([1]);
    const replays = duo.server.rejected(REJECT_REPLAY);
    duo.server.receive(packet);
    expect(duo.server.rejected(REJECT_REPLAY)).toBe(replays + 1);
    expect(duo.server.received(CHAT)).toEqual([1]);
  });

  test("end with closes and empty packets, of which one alone is an end (R-16, R-63)", () => {
    const duo = connected(engine);
    duo.server.close(REASON_CLOSED, "bye");
    const goodbyes: Packet[] = [];
    for (let round = 0; round < 12; round++) {
      goodbyes.push(...duo.server.turn());
      duo.nowUs += 30 * MS;
    }
    expect(goodbyes.length).toBe(10);
    expect(goodbyes.every(isSession)).toBe(true);
    expect(goodbyes.slice(8).map(({ bytes }) => bytes.length)).toEqual([20, 20]);
    duo.client.receive(goodbyes[9]);
    expect(duo.client.end).toMatchObject({ local: false, text: "" });
  });

  // The points of small order (RFC 7748 section 7), and one that stands for 0 in another form.
  test.each([
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  ])("are not made from the public key %s (R-61)", (hex) => {
    const duo = open(engine);
    duo.handshake();
    const hashes = [0, 1].map((channel) => protocol.channelHash(channel));
    const { nameHash } = protocol;
    const key = Uint8Array.from(Buffer.from(hex, "hex"));
    const hello = { kind: "hello" as const, version: 3, nameHash, hashes, suites: 3, key };
    duo.server.receive(duo.client.forgeFrames(5000, [{ ...hello, limits: [1200, 0, 0] }]));
    expect(duo.server.peer).toBe(0);
    const closes = duo.server.turn().flatMap(({ payload }) => payload?.frames ?? []);
    expect(closes).toContainEqual(
      expect.objectContaining({ kind: "close", reason: REASON_VIOLATION }),
    );
  });

  test("are others when somebody with the token's keys takes a suite out of a hello (R-61)", () => {
    const duo = open(engine);
    for (let round = 0; round < 60; round++) {
      for (const side of [duo.client, duo.server]) {
        for (const packet of side.turn()) {
          const fromClient = side === duo.client;
          if (!fromClient || !hasHello(packet) || isSession(packet)) {
            duo.other(side).receive(packet);
            continue;
          }
          const body = Uint8Array.from(duo.tap.see(packet.bytes, true)?.body ?? []);
          const start = body[0] === 0 ? 1 : 5 + (body[0] & 0x3f);
          expect(body[start + 15]).toBe(3);
          body[start + 15] = 1;
          duo.server.receive(duo.tap.sealToken(true, PACKET_PAYLOAD, BigInt(packet.number), body));
        }
      }
      duo.nowUs += 10 * MS;
    }
    // The client can't open what the server seals now: better no connection than a weaker one.
    expect(duo.server.peerWord(PEER_CIPHER)).toBe(1);
    expect(duo.client.peerWord(PEER_CIPHER)).toBe(0);
    expect(duo.client.rejected(REJECT_SEAL)).toBeGreaterThan(0);
    duo.server.send(CHAT, 1);
    duo.rounds(600);
    expect(duo.client.received(CHAT)).toEqual([]);
    expect(duo.client.end).toBeDefined();
    expect(duo.server.end).toBeDefined();
  });
});

describe.each(engines)("epochs of the %s engine (R-64)", (engine) => {
  /** Leaves numbers out until a side's next is so many below the end of its epoch. */
  function near(duo: Duo, side: Side, left: number): void {
    duo.rounds(20, 100 * MS);
    const next = () => duo.tap.highest(side === duo.client) + 1;
    while (EPOCH - (next() % EPOCH) > EPOCH / 4) {
      side.host.skip(EPOCH / 4);
      // The other end hears of the leap: half an epoch is as far as it may be.
      side.send(CHAT, 255);
      duo.rounds(20, 100 * MS);
    }
    side.host.skip(EPOCH - (next() % EPOCH) - left);
  }

  test("follow from the number, both ways, one after the other, and nothing is lost", () => {
    const duo = connected(engine);
    for (const side of [duo.server, duo.client]) {
      const other = duo.other(side);
      for (let epoch = 0; epoch < 2; epoch++) {
        near(duo, side, 5);
        const keys = new Set<string>();
        const before = other.received(CHAT).length;
        for (let value = 0; value < 12; value++) {
          const packet = saying(side, value);
          keys.add(Buffer.from(packet.key as Uint8Array).toString("hex"));
          other.receive(packet);
          duo.nowUs += MS;
        }
        expect(keys.size).toBe(2);
        expect(other.received(CHAT).slice(before)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        expect(other.rejected(REJECT_KEY) + other.rejected(REJECT_SEAL)).toBe(0);
      }
    }
    duo.rounds(20);
    expect([duo.server.end, duo.client.end]).toEqual([undefined, undefined]);
  });

  test("move with what opened, not with a forgery; what is late opens under the key before", () => {
    const duo = connected(engine);
    const { client, server } = duo;
    near(duo, client, 3);
    const packets = Array.from({ length: 8 }, (_, value) => {
      duo.nowUs += MS;
      return saying(client, value);
    });
    const epoch = Math.floor(packets[0].number / EPOCH) + 1;
    const over = packets.findIndex(({ number }) => number >= epoch * EPOCH);
    // One number may be left out.
    expect([2, 3]).toContain(over);
    const before = server.received(CHAT).length;
    server.receive(packets[0]);
    const state = stateOf(server);
    // Of the next epoch by their number, and of the one after it.
    for (const low of [0, 1, 5, 100, EPOCH / 4]) {
      const bytes = new Uint8Array(60).fill(low);
      bytes.set([SESSION_PREFIX, low & 255, (low >> 8) & 255, low >> 16]);
      server.receive(bytes);
    }
    expect(stateOf(server)).toEqual(state);
    expect(server.rejected(REJECT_SEAL)).toBe(5);
    server.receive(packets[7]);
    for (const packet of packets.slice(1, 7).reverse()) server.receive(packet);
    expect(server.received(CHAT).slice(before)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});

describe("a restart with the same token and the same data (R-12)", () => {
  test.each(engines)("uses no number under a key again, in the %s engine", (engine) => {
    const used = new Set<string>();
    const starts = new Set<number>();
    let token: Uint8Array | undefined;
    let sealed = 0;
    for (let start = 0; start < 6; start++) {
      const entropy = (role: number) => {
        const random = new Random(100 + 2 * start + role);
        return Uint8Array.from({ length: ENTROPY_BYTES }, () => random.next32() >>> 24);
      };
      const duo = connected(engine, { entropy, ...(token === undefined ? {} : { token }) });
      token = duo.token;
      for (let round = 0; round < 40; round++) {
        for (const side of [duo.client, duo.server]) {
          side.send(CHAT, round);
          for (const packet of side.turn()) duo.other(side).receive(packet);
        }
        duo.nowUs += 10 * MS;
      }
      for (const { key, number, type } of duo.sent) {
        if (key === null) continue;
        const fresh = `${Buffer.from(key).toString("hex")} ${number}`;
        expect(used.has(fresh), `type ${type}, number ${number}`).toBe(false);
        used.add(fresh);
        sealed += 1;
      }
      starts.add(Math.min(...duo.sent.filter(({ key }) => key !== null).map((one) => one.number)));
    }
    expect(sealed).toBeGreaterThan(6 * 80);
    expect(starts.size).toBe(6);
  });

  test.each(engines)("and a recorded hello give nobody a session, in the %s engine", (engine) => {
    const first = connected(engine);
    const recorded = first.sent.filter(hasHello);
    expect(recorded.length).toBeGreaterThan(1);
    const duo = open(engine, {
      token: first.token,
      entropy: (role) => new Uint8Array(ENTROPY_BYTES).fill(0x40 + role),
    });
    duo.connect();
    const state = [stateOf(duo.server), stateOf(duo.client)];
    for (const packet of recorded) {
      duo.server.receive(packet);
      duo.client.receive(packet);
    }
    expect([stateOf(duo.server), stateOf(duo.client)]).toEqual(state);
    duo.client.send(CHAT, 9);
    duo.round();
    expect(duo.server.received(CHAT)).toEqual([9]);
  });
});

test.each(engines)(
  "a bare NETCODE host of the %s engine is numbered at random too, and has no session packets (R-12, R-63)",
  (engine) => {
    const raw = {
      configure: (config: Uint32Array) => {
        config[CONFIG_RAW] = 1;
      },
    };
    const entropy = (role: number) => new Uint8Array(ENTROPY_BYTES).fill(0x51 + role);
    const duo = open(engine, { server: raw, client: raw, entropy });
    duo.connect();
    expect(duo.sent.some(isSession)).toBe(false);
    const slotted = duo.sent.filter(({ type }) => type >= PACKET_KEEP_ALIVE);
    expect(slotted.every(({ number }) => number > 2 ** 46 && number < 2 ** 48)).toBe(true);
    for (const side of [duo.server, duo.client]) {
      const bytes = new Uint8Array(60).fill(SESSION_PREFIX);
      const state = stateOf(side);
      side.receive(bytes);
      expect(side.rejected(REJECT_TYPE)).toBe(1);
      expect(stateOf(side)).toEqual(state);
    }
  },
);
