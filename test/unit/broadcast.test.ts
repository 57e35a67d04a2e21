/*
 * A message to every peer: one body for all of them, whose memory comes back, whoever takes it: nobody, one, or one
 * whose queue is full.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { CONFIG_QUEUE_MESSAGES_MAX } from "../../lib/engine/config.js";
import { RECORD_BROADCAST, TTL_DEFAULT } from "../../lib/engine/ring.js";
import { defineProtocol, reliable } from "../../lib/index.js";
import { Duo } from "../duo.js";
import { engines } from "../engines.js";
import { simPush } from "../hosts.js";

const protocol = defineProtocol("broadcast/1", { chat: reliable() });
const CHAT = 0;
const NOBODY = 0;
/** Of several pieces of memory. */
const BYTES = 700;

describe.each(engines)("a broadcast of the %s engine", (engine) => {
  function open(queueMessages = 1000): Duo {
    const configure = (config: Uint32Array) => {
      config[CONFIG_QUEUE_MESSAGES_MAX] = queueMessages;
    };
    const duo = new Duo({ server: engine, client: engine }, protocol, { server: { configure } });
    onTestFinished(() => duo.close());
    return duo;
  }

  function broadcast(duo: Duo, count: number, except: number): void {
    for (let index = 0; index < count; index++) {
      const body = new Uint8Array(BYTES).fill(index);
      const words = [except, CHAT, TTL_DEFAULT, 0] as const;
      expect(simPush(duo.server.host, RECORD_BROADCAST, words, body)).toBe(true);
    }
  }

  test("to nobody keeps no memory", () => {
    const duo = open();
    const before = duo.server.memory();
    broadcast(duo, 20, NOBODY);
    duo.server.turn();
    expect(duo.server.memory()).toEqual(before);
  });

  test("reaches the peer once, and its memory comes back with the acks", () => {
    const duo = open();
    duo.connect();
    const before = duo.server.memory();
    for (let round = 0; round < 3; round++) {
      broadcast(duo, 20, NOBODY);
      duo.rounds(40);
    }
    const all = Array.from({ length: 20 }, (_, index) => index);
    expect(duo.client.received(CHAT)).toEqual([...all, ...all, ...all]);
    expect(duo.server.memory()).toEqual(before);
  });

  test("without its only peer is one to nobody", () => {
    const duo = open();
    duo.connect();
    const before = duo.server.memory();
    broadcast(duo, 20, duo.server.peer);
    duo.rounds(20);
    expect(duo.client.received(CHAT)).toEqual([]);
    expect(duo.server.memory()).toEqual(before);
  });

  test("that finds a queue full keeps no memory for it", () => {
    const duo = open(4);
    duo.connect();
    const before = duo.server.memory();
    broadcast(duo, 20, NOBODY);
    duo.rounds(40);
    expect(duo.client.received(CHAT)).toEqual([0, 1, 2, 3]);
    expect(duo.server.memory()).toEqual(before);
  });
});
