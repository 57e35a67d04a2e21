/*
 * The memory of messages: fixed at open, nothing of it lost, nothing of it in two places; bodies of every number of
 * chunks come back byte by byte.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CHUNK_BYTES, MESSAGE_BYTES_MAX } from "../../lib/engine/limits.js";
import { RING_CONTROL_BYTES } from "../../lib/engine/ring.js";
import { statsWords } from "../../lib/engine/stats.js";
import { type EngineProbe, POOL_FIELDS, twins } from "../twins.js";

const CHUNKS = 12;
const MESSAGES = 5;
const CARRIEDS = 4;

function openPool(engine: EngineProbe, chunks = CHUNKS) {
  const completion = new Uint8Array(RING_CONTROL_BYTES + 64);
  const page = new Uint32Array(statsWords(1));
  const line = engine.lineOpen(new Uint32Array(0), chunks, MESSAGES, CARRIEDS, completion, page);
  const out = new Float64Array(POOL_FIELDS.length);
  return {
    create: (source: Uint8Array, offset = 0, bytes = source.length) =>
      engine.bodyCreate(line, source, offset, bytes),
    copy(body: number, bytes: number): Uint8Array {
      const target = new Uint8Array(bytes + 2).fill(0xee);
      engine.bodyCopy(line, body, bytes, target, 1);
      // Not a byte before or behind it.
      expect([target[0], target[bytes + 1]]).toEqual([0xee, 0xee]);
      return target.slice(1, bytes + 1);
    },
    retain: (body: number) => engine.bodyRetain(line, body),
    release: (body: number) => engine.bodyRelease(line, body),
    message: (body: number) => engine.messageCreate(line, body),
    releaseMessage: (message: number) => engine.messageRelease(line, message),
    forgetBody: (message: number) => engine.messageForgetBody(line, message),
    carried: () => engine.carriedCreate(line),
    releaseCarried: (carried: number) => engine.carriedRelease(line, carried),
    /** Free chunks, messages and records; the free chunks in the list are as many as are counted. */
    free(): [chunks: number, messages: number, carrieds: number] {
      engine.poolRead(line, out);
      expect(out[3]).toBe(out[0]);
      return [out[0], out[1], out[2]];
    },
  };
}

const pattern = (size: number, seed = 1) =>
  Uint8Array.from({ length: size }, (_, index) => (index * 31 + seed * 7 + (index >>> 8)) & 0xff);

describe.each(twins)("queue of $name", ({ engine }) => {
  test.each([
    [0, 1],
    [1, 1],
    [CHUNK_BYTES - 1, 1],
    [CHUNK_BYTES, 1],
    [CHUNK_BYTES + 1, 2],
    [2 * CHUNK_BYTES, 2],
    [2 * CHUNK_BYTES + 1, 3],
    [MESSAGE_BYTES_MAX, 5],
    [1200, 5],
  ])("a body of %i bytes takes %i chunks and comes back", (size, chunks) => {
    const pool = openPool(engine);
    expect(engine.bodyChunks(size)).toBe(chunks);
    const source = pattern(size + 3);
    const body = pool.create(source, 3, size);
    expect(pool.free()[0]).toBe(CHUNKS - chunks);
    expect(pool.copy(body, size)).toEqual(source.slice(3));
    pool.release(body);
    expect(pool.free()[0]).toBe(CHUNKS);
  });

  test("the last chunk is given, one more is not", () => {
    for (const [size, fits] of [
      [4 * CHUNK_BYTES - 1, true],
      [4 * CHUNK_BYTES, true],
      [4 * CHUNK_BYTES + 1, false],
    ] as const) {
      const pool = openPool(engine, 4);
      expect(pool.create(pattern(size)) >= 0).toBe(fits);
      expect(pool.free()[0]).toBe(fits ? 0 : 4);
      expect(pool.create(new Uint8Array(0)) >= 0).toBe(!fits);
    }
  });

  test("a pool of no memory gives none", () => {
    const pool = openPool(engine, 0);
    expect(pool.create(new Uint8Array(0))).toBe(-1);
    expect(pool.free()[0]).toBe(0);
  });

  test("a body goes with its last reference", () => {
    const pool = openPool(engine);
    const body = pool.create(pattern(300));
    pool.retain(body);
    pool.retain(body);
    pool.release(body);
    pool.release(body);
    expect(pool.free()[0]).toBe(CHUNKS - 2);
    expect(pool.copy(body, 300)).toEqual(pattern(300));
    pool.release(body);
    expect(pool.free()[0]).toBe(CHUNKS);
  });

  test("messages and records are as many as there are, and come back", () => {
    const pool = openPool(engine);
    const bodies = Array.from({ length: MESSAGES }, (_, seed) => pool.create(pattern(9, seed)));
    const messages = bodies.map((body) => pool.message(body));
    expect(new Set(messages).size).toBe(MESSAGES);
    expect(pool.message(0)).toBe(-1);
    const carrieds = Array.from({ length: CARRIEDS }, () => pool.carried());
    expect(new Set(carrieds).size).toBe(CARRIEDS);
    expect(pool.carried()).toBe(-1);
    expect(pool.free()).toEqual([CHUNKS - MESSAGES, 0, 0]);
    for (const message of messages) pool.releaseMessage(message);
    for (const carried of carrieds) pool.releaseCarried(carried);
    expect(pool.free()).toEqual([CHUNKS, MESSAGES, CARRIEDS]);
  });

  test("a message that forgot its body gives it back once", () => {
    const pool = openPool(engine);
    const body = pool.create(pattern(700));
    pool.retain(body);
    const message = pool.message(body);
    pool.forgetBody(message);
    pool.forgetBody(message);
    pool.releaseMessage(message);
    expect(pool.free()).toEqual([CHUNKS - 3, MESSAGES, CARRIEDS]);
    expect(pool.copy(body, 700)).toEqual(pattern(700));
    pool.release(body);
    expect(pool.free()[0]).toBe(CHUNKS);
  });

  test("any use conserves every chunk, message and record, and the bytes in them", () => {
    const size = fc.oneof(
      fc.constantFrom(0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, MESSAGE_BYTES_MAX),
      fc.nat(MESSAGE_BYTES_MAX),
    );
    const step = fc.oneof(
      fc.record({ do: fc.constant("create" as const), size, index: fc.nat(99) }),
      fc.record({
        do: fc.constantFrom("retain", "release", "hold", "drop", "carry", "decide" as const),
        index: fc.nat(99),
        size,
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const pool = openPool(engine);
        const bodies: { body: number; bytes: Uint8Array; references: number }[] = [];
        const messages: { message: number; its: (typeof bodies)[number] }[] = [];
        const carrieds: number[] = [];
        const unreference = (its: (typeof bodies)[number]) => {
          its.references -= 1;
          if (its.references === 0) bodies.splice(bodies.indexOf(its), 1);
        };
        steps.forEach(({ do: verb, size: bytes, index }, seed) => {
          const its = bodies.length > 0 ? bodies[index % bodies.length] : undefined;
          if (verb === "create") {
            const source = pattern(bytes, seed);
            const free = pool.free()[0];
            const body = pool.create(source);
            expect(body >= 0).toBe(free >= engine.bodyChunks(bytes));
            if (body >= 0) bodies.push({ body, bytes: source, references: 1 });
          } else if (verb === "retain" && its !== undefined) {
            pool.retain(its.body);
            its.references += 1;
          } else if (verb === "release" && its !== undefined) {
            // A message's reference is not ours to give back.
            const held = messages.filter((each) => each.its === its).length;
            if (its.references > held) {
              pool.release(its.body);
              unreference(its);
            }
          } else if (verb === "hold" && its !== undefined) {
            const message = pool.message(its.body);
            expect(message >= 0).toBe(messages.length < MESSAGES);
            if (message >= 0) {
              pool.retain(its.body);
              its.references += 1;
              messages.push({ message, its });
            }
          } else if (verb === "drop" && messages.length > 0) {
            const [held] = messages.splice(index % messages.length, 1);
            pool.releaseMessage(held.message);
            unreference(held.its);
          } else if (verb === "carry") {
            const carried = pool.carried();
            expect(carried >= 0).toBe(carrieds.length < CARRIEDS);
            if (carried >= 0) carrieds.push(carried);
          } else if (verb === "decide" && carrieds.length > 0) {
            pool.releaseCarried(carrieds.splice(index % carrieds.length, 1)[0]);
          }
          const used = bodies.reduce((sum, each) => sum + engine.bodyChunks(each.bytes.length), 0);
          expect(pool.free()).toEqual([
            CHUNKS - used,
            MESSAGES - messages.length,
            CARRIEDS - carrieds.length,
          ]);
          for (const each of bodies) {
            expect(pool.copy(each.body, each.bytes.length)).toEqual(each.bytes);
          }
        });
      }),
      { numRuns: 100 },
    );
  });
});
