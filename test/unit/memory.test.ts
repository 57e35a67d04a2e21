/*
 * A host that ran out of message memory, in virtual time, on both engines. A server of 128 clients
 * once refused, for want of memory, the packets whose acks would have released it, and stood still until
 * everything expired.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { parseAddress } from "../../lib/address.js";
import { configureAddresses, configureProtocol } from "../../lib/configure.js";
import {
  CONFIG_CHUNKS,
  CONFIG_MESSAGES,
  ENTROPY_BYTES,
  ROLE_CLIENT,
  ROLE_SERVER,
} from "../../lib/engine/config.js";
import { BATCH_STRIDE } from "../../lib/engine/host.js";
import { KEY_BYTES, MESSAGES_PER_PACKET_MAX } from "../../lib/engine/limits.js";
import {
  NO_ROOM,
  RECORD_CONNECT,
  RECORD_MESSAGE,
  RECORD_SEND,
  ringNext,
  ringPeek,
  ringRelease,
  TTL_DEFAULT,
} from "../../lib/engine/ring.js";
import { REJECT_MEMORY, statsRejectWord } from "../../lib/engine/stats.js";
import { defineProtocol, reliable } from "../../lib/index.js";
import { mintToken } from "../../lib/token.js";
import { engines } from "../engines.js";
import { MEMORY_WORDS, openSimHost, type SimHost, simPush } from "../hosts.js";

const protocol = defineProtocol("memory/1", { chat: reliable() });
const SERVER = "10.0.0.1:4000";
const CLIENT = "10.0.0.2:5000";
const STEP_US = 10_000;
const START_US = 1_000_000;
const UNIX_SECONDS = 1_700_000_000;
/** Messages of the server's pool, and how many it sends: the rest is less than one packet may need. */
const POOL_MESSAGES = 100;
const SENT = POOL_MESSAGES - MESSAGES_PER_PACKET_MAX + 24;

/** One end: its host, and what its user has seen. */
class End {
  readonly host: SimHost;
  readonly #address: Uint32Array;
  peer = 0;
  received = 0;

  constructor(engine: "js" | "native", role: number, address: string, key: Uint8Array) {
    const { config } = configureProtocol(role, protocol, 1, {});
    if (role === ROLE_SERVER) {
      configureAddresses(config, [parseAddress(address)]);
      config[CONFIG_MESSAGES] = POOL_MESSAGES;
      config[CONFIG_CHUNKS] = 2 * POOL_MESSAGES;
    }
    this.host = openSimHost(engine, {
      config,
      privateKey: key,
      entropy: new Uint8Array(ENTROPY_BYTES).fill(role + 1),
      submissionCapacity: 65_536,
      completionCapacity: 1_048_576,
    });
    const { type, port, a, b, c, d } = parseAddress(address);
    this.#address = Uint32Array.of(type, port, a, b, c, d);
  }

  get messagesFree(): number {
    const words = new Uint32Array(MEMORY_WORDS);
    this.host.memory(words);
    return words[1];
  }

  send(count: number): void {
    for (let index = 0; index < count; index++) {
      const words = [this.peer, 0, TTL_DEFAULT, 0] as const;
      expect(simPush(this.host, RECORD_SEND, words, Uint8Array.of(index))).toBe(true);
    }
  }

  /** One turn that only sends: to the other end, or nowhere. */
  turn(nowUs: number, other: End | null): void {
    const { host } = this;
    host.submit(nowUs);
    host.advance(nowUs);
    host.flush();
    for (let count = host.transmit(nowUs); count > 0; count = host.transmit(nowUs)) {
      for (let index = 0; index < count; index++) {
        const start = index * BATCH_STRIDE;
        const bytes = host.batchBytes.slice(start, start + host.lengths[index]);
        other?.host.receive(nowUs, nowUs, UNIX_SECONDS, this.#address, bytes, 0, bytes.length);
      }
    }
    host.publish();
    other?.host.publish();
  }

  drain(): void {
    const ring = this.host.in;
    for (let word = ringPeek(ring); word !== NO_ROOM; word = ringPeek(ring)) {
      ringNext(ring, word);
      if (ring.words[word] >>> 24 === RECORD_CONNECT) this.peer = ring.words[word + 1];
      if (ring.words[word] >>> 24 === RECORD_MESSAGE) this.received += 1;
    }
    ringRelease(ring);
  }
}

interface Ends {
  readonly server: End;
  readonly client: End;
  /** Some steps in which nothing is lost. */
  exchange(): void;
  /** One step of one end; to null what it sends is lost. */
  turn(end: End, other: End | null): void;
}

/** A server with little memory, and a client that is connected to it. */
function connectEnds(engine: "js" | "native"): Ends {
  const key = new Uint8Array(KEY_BYTES).fill(7);
  const server = new End(engine, ROLE_SERVER, SERVER, key);
  const client = new End(engine, ROLE_CLIENT, CLIENT, key);
  onTestFinished(() => {
    server.host.close();
    client.host.close();
  });
  const now = UNIX_SECONDS * 1000;
  client.host.connect(mintToken({ protocol, key, clientId: 1, servers: [SERVER], now }), START_US);
  let nowUs = START_US;
  const turn = (end: End, other: End | null): void => {
    nowUs += STEP_US;
    end.turn(nowUs, other);
    server.drain();
    client.drain();
  };
  const exchange = (): void => {
    for (let step = 0; step < 100; step++) {
      turn(client, server);
      turn(server, client);
    }
  };
  exchange();
  expect([server.peer !== 0, client.peer !== 0]).toEqual([true, true]);
  // The memory is taken by messages that arrive; nobody has said so yet.
  server.send(SENT);
  turn(server, client);
  expect(client.received).toBe(SENT);
  expect(server.messagesFree).toBe(POOL_MESSAGES - SENT);
  return { server, client, exchange, turn };
}

describe.each(engines)("on the %s engine, without memory for another packet,", (engine) => {
  test("a packet's acks count, and what is in turn is delivered", () => {
    const { server, client, turn } = connectEnds(engine);
    client.send(1);
    turn(client, server);
    expect(server.messagesFree).toBe(POOL_MESSAGES);
    expect(server.received).toBe(1);
  });

  test("what would have to be held is refused, and comes again; the acks count all the same", () => {
    const { server, client, turn, exchange } = connectEnds(engine);
    const lost = 20;
    server.send(lost);
    turn(server, null);
    const free = server.messagesFree;
    // The first message rides twice, and both packets are lost: the third comes before its turn.
    for (const other of [null, null, server]) {
      client.send(1);
      turn(client, other);
    }
    expect(server.host.page[statsRejectWord(REJECT_MEMORY)]).toBe(1);
    expect(server.received).toBe(0);
    // Not all of it: copies of acked messages ride in the packet that has no verdict yet.
    expect(server.messagesFree).toBeGreaterThan(free);
    exchange();
    expect(server.received).toBe(3);
    expect(client.received).toBe(SENT + lost);
    expect(server.messagesFree).toBe(POOL_MESSAGES);
  });
});
