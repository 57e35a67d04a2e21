/*
 * The parts of the arena that judge and that play, without a socket.
 */
import { describe, expect, test } from "vitest";
import {
  beginEnvelope,
  type Envelope,
  openEnvelope,
  sealEnvelope,
} from "../../examples/arena/envelope.js";
import { readState, World } from "../../examples/arena/game.js";
import {
  type Input,
  readInput,
  readLine,
  writeInput,
  writeLine,
} from "../../examples/arena/protocol.js";
import { deliveredOf, noCounts, Stream } from "../../examples/arena/tally.js";
import { ByteReader, ByteWriter } from "../../lib/bytes.js";
import { MESSAGE_BYTES_MAX } from "../../lib/engine/limits.js";
import { Random } from "../../lib/sim/random.js";

function judge(sequences: readonly number[]) {
  const counts = noCounts();
  const stream = new Stream(counts);
  for (const sequence of sequences) stream.take(sequence);
  return { ...counts, delivered: deliveredOf(counts) };
}

describe("a stream", () => {
  test.each([
    [[0, 1, 2], { delivered: 3, inOrder: 3, outOfOrder: 0, duplicates: 0 }],
    [[0, 2, 5], { delivered: 3, inOrder: 3, outOfOrder: 0, duplicates: 0 }],
    [[0, 2, 1], { delivered: 3, inOrder: 2, outOfOrder: 1, duplicates: 0 }],
    [[0, 2, 1, 1], { delivered: 3, inOrder: 2, outOfOrder: 1, duplicates: 1 }],
    [[0, 0, 1, 0], { delivered: 2, inOrder: 2, outOfOrder: 0, duplicates: 2 }],
    [[5000, 1, 5000], { delivered: 2, inOrder: 1, outOfOrder: 1, duplicates: 1 }],
  ])("of %j", (sequences, counts) => {
    expect(judge(sequences)).toMatchObject(counts);
  });
});

describe("an envelope", () => {
  const reader = new ByteReader();
  const envelope: Envelope = { sender: 0, sequence: 0 };
  const writer = new ByteWriter();
  beginEnvelope(writer, 7, 70_000);
  writeLine(writer, "well played");
  const message = sealEnvelope(writer).slice();

  test("tells who and which, and holds the content", () => {
    expect(openEnvelope(reader, message, envelope)).toBe(true);
    expect(envelope).toEqual({ sender: 7, sequence: 70_000 });
    expect(readLine(reader)).toBe("well played");
  });

  test("with any bit flipped, or cut, does not open", () => {
    for (let bit = 0; bit < message.length * 8; bit++) {
      const damaged = message.slice();
      damaged[bit >> 3] ^= 1 << (bit & 7);
      expect(openEnvelope(reader, damaged, envelope)).toBe(false);
    }
    for (let count = 0; count < message.length; count++) {
      expect(openEnvelope(reader, message.subarray(0, count), envelope)).toBe(false);
    }
  });
});

test("an input comes back as it was", () => {
  const writer = new ByteWriter();
  const read: Input = { moveX: 0, moveY: 0, fire: false, aim: 0 };
  for (const moveX of [-1, 0, 1]) {
    for (const fire of [false, true]) {
      const input = { moveX, moveY: 0 - moveX, fire, aim: 200 + moveX };
      writer.reset();
      writeInput(writer, input);
      expect(readInput(new ByteReader(writer.finish()), read)).toBe(true);
      expect(read).toEqual(input);
    }
  }
  expect(readInput(new ByteReader(Uint8Array.of(0b11, 0)), read)).toBe(false);
});

describe("the world", () => {
  function play(players: number, ticks: number, seed: number) {
    const world = new World(players, 128, seed);
    const random = new Random(seed);
    const writer = new ByteWriter();
    let kills = 0;
    let longest = 0;
    let last = new Uint8Array(0);
    for (let tick = 0; tick < ticks; tick++) {
      world.command(random.below(players), {
        moveX: random.below(3) - 1,
        moveY: random.below(3) - 1,
        fire: random.chance(80),
        aim: random.below(256),
      });
      kills += world.step().length;
      writer.reset();
      world.write(writer);
      last = writer.finish().slice();
      longest = Math.max(longest, last.length);
    }
    return { kills, longest, last };
  }

  test("is the same for the same seed and commands, and another for others", () => {
    const { last } = play(32, 2000, 1);
    expect(play(32, 2000, 1).last).toEqual(last);
    expect(play(32, 2000, 2).last).not.toEqual(last);
  });

  test("has people shot, and comes back from its bytes", () => {
    const { kills, last } = play(32, 4000, 3);
    expect(kills).toBeGreaterThan(0);
    const view = readState(new ByteReader(last));
    expect(view?.tick).toBe(4000);
    expect(view?.players).toHaveLength(32);
    expect(readState(new ByteReader(last.subarray(0, -1)))).toBeNull();
  });

  test("of 128 players fits one packet", () => {
    const envelopeBytes = 10;
    expect(play(128, 1000, 4).longest + envelopeBytes).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
  });
});
