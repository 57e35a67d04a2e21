// The sender of blocks (lib/block.ts) over a ring of its own: what it feeds, and when a block is over.
import { describe, expect, test } from "vitest";
import { BlockSender } from "../../../lib/block.js";
import { FATE_DELIVERED, FATE_EXPIRED } from "../../../lib/engine/channel.js";
import {
  NO_ROOM,
  RECORD_WORDS,
  Ring,
  ringBytes,
  ringNext,
  ringPeek,
  ringPublish,
  ringPush,
  ringRelease,
  ringSet,
} from "../../../lib/engine/ring.js";
import { PEER_PAYLOAD_BYTES } from "../../../lib/engine/stats.js";

const FRAGMENT = 1024;
const QUEUE_BYTES = 8 * FRAGMENT;

function open() {
  const memory = new Uint8Array(ringBytes(65_536));
  const submission = new Ring();
  const consumer = new Ring();
  ringSet(submission, memory);
  ringSet(consumer, memory);
  const page = new Uint32Array(64);
  page[PEER_PAYLOAD_BYTES] = 1200;
  const outlet = {
    page,
    submission,
    push: (kind: number, bytes: number) => ringPush(submission, kind, bytes),
    submitted: () => ringPublish(submission),
  };
  const sender = new BlockSender(outlet, 1, 0, QUEUE_BYTES);
  const outcomes: unknown[] = [];
  return {
    sender,
    outcomes,
    begin(size: number): AbortController {
      const controller = new AbortController();
      const { signal } = controller;
      const done = () => outcomes.push("delivered");
      sender.begin(0, new Uint8Array(size), { signal }, done, (error) => outcomes.push(error));
      return controller;
    },
    /** What was fed since the last call: block, index and tag of each fragment. */
    fed(): { block: number; index: number; tag: number }[] {
      const all = [];
      for (let word = ringPeek(consumer); word !== NO_ROOM; word = ringPeek(consumer)) {
        const { words } = consumer;
        const index = words[word + RECORD_WORDS + 1];
        all.push({ block: words[word + 4], index, tag: words[word + 5] });
        ringNext(consumer, word);
      }
      ringRelease(consumer);
      return all;
    },
  };
}

describe("a block on its way out", () => {
  test("takes half of the queue, and is delivered once all of it is", () => {
    const { sender, outcomes, begin, fed } = open();
    begin(6 * FRAGMENT);
    let fragments = fed();
    expect(fragments.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    for (const { tag } of fragments) sender.fated(tag, FATE_DELIVERED);
    sender.pump();
    fragments = fed();
    expect(fragments.map(({ index }) => index)).toEqual([4, 5]);
    for (const { tag } of fragments) sender.fated(tag, FATE_DELIVERED);
    expect(outcomes).toEqual([]);
    sender.pump();
    expect(outcomes).toEqual(["delivered"]);
    expect(sender.idle).toBe(true);
  });

  test("that is given up says so until that arrives, and the next begins behind it", () => {
    const { sender, outcomes, begin, fed } = open();
    const controller = begin(6 * FRAGMENT);
    begin(FRAGMENT);
    fed();
    controller.abort("enough");
    expect(outcomes).toEqual(["enough"]);
    for (let time = 0; time < 3; time++) {
      sender.pump();
      sender.pump();
      const [{ block, index, tag }, ...more] = fed();
      expect([block, index, more.length]).toEqual([0, 6, 0]);
      sender.fated(tag, time < 2 ? FATE_EXPIRED : FATE_DELIVERED);
    }
    sender.pump();
    expect(fed().map(({ block, index }) => [block, index])).toEqual([[1, 0]]);
    expect(outcomes).toEqual(["enough"]);
  });

  test("whose last fragment alone is missing is given up, and its receiver told", () => {
    const { sender, outcomes, begin, fed } = open();
    begin(2 * FRAGMENT);
    const [first, last] = fed();
    sender.fated(first.tag, FATE_DELIVERED);
    sender.fated(last.tag, FATE_EXPIRED);
    sender.pump();
    expect(outcomes).toEqual([expect.objectContaining({ code: "ERR_NETRT_BLOCK" })]);
    const [end] = fed();
    expect(end.index).toBe(2);
    sender.fated(end.tag, FATE_DELIVERED);
    sender.pump();
    expect([sender.idle, outcomes.length]).toEqual([true, 1]);
  });

  test("that never began leaves nothing behind", () => {
    const { sender, begin, fed } = open();
    begin(6 * FRAGMENT);
    const waiting = begin(FRAGMENT);
    waiting.abort();
    for (let round = 0; round < 3; round++) {
      for (const { block, tag } of fed()) {
        expect(block).toBe(0);
        sender.fated(tag, FATE_DELIVERED);
      }
      sender.pump();
    }
    expect(sender.idle).toBe(true);
  });
});
