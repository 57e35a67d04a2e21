/*
 * The parts of the arena that judge and that play, without a socket.
 */
import { describe, expect, test } from "vitest";
import {
  type Envelope,
  isWhole,
  openEnvelope,
  seal,
  sealBytes,
} from "../../examples/arena/envelope.js";
import { World } from "../../examples/arena/game.js";
import { Input, Line, State } from "../../examples/arena/protocol.js";
import { deliveredOf, noCounts, Stream } from "../../examples/arena/tally.js";
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
  const envelope: Envelope = { sender: 0, sequence: 0 };
  const line = seal(Line, { sender: 7, sequence: 70_000, text: "well played", checksum: 0 });
  const message = Line.encode(line);

  test("tells who and which, before the content is read and after", () => {
    expect(openEnvelope(message, envelope)).toBe(true);
    expect(envelope).toEqual({ sender: 7, sequence: 70_000 });
    const read = Line.decode(message);
    expect(read).toEqual({ ...line, text: "well played" });
    expect(read && isWhole(Line, read)).toBe(true);
    expect(sealBytes(Line, { ...line, checksum: 0 })).toEqual(message);
  });

  test("with any bit flipped, or cut, does not open", () => {
    const opens = (bytes: Uint8Array): boolean => {
      const read = Line.decode(bytes);
      return openEnvelope(bytes, envelope) || (read !== undefined && isWhole(Line, read));
    };
    for (let bit = 0; bit < message.length * 8; bit++) {
      const damaged = message.slice();
      damaged[bit >> 3] ^= 1 << (bit & 7);
      expect(opens(damaged)).toBe(false);
    }
    for (let count = 0; count < message.length; count++) {
      expect(opens(message.subarray(0, count))).toBe(false);
    }
  });
});

test("an input comes back as it was", () => {
  for (const moveX of [-1, 0, 1]) {
    for (const fire of [false, true]) {
      const aim = 200 + moveX;
      const input = { sender: 1, sequence: 2, moveX, moveY: 0 - moveX, fire, aim, checksum: 0 };
      const read = Input.decode(Input.encode(seal(Input, input)));
      expect(read).toEqual({ ...input, moveY: expect.closeTo(-moveX) as number });
    }
  }
  const wrong = Input.encode({
    ...{ sender: 1, sequence: 2, moveX: 1, moveY: 1, fire: false, aim: 0, checksum: 0 },
  });
  // 48 and 13 bits, 3 to the border, and 32.
  expect(wrong).toHaveLength(12);
  // Of the two bits of `moveX` a fourth value is left.
  wrong[6] |= 0b11;
  expect(Input.decode(wrong)).toBeUndefined();
  expect(Input.rejected).toEqual({ reason: "range", field: "moveX" });
});

describe("the world", () => {
  function play(players: number, ticks: number, seed: number) {
    const world = new World(players, 128, seed);
    const random = new Random(seed);
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
      last = State.encode({ ...world.view, sender: 0, sequence: tick, checksum: 0 });
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
    const state = State.decode(last);
    expect(state?.tick).toBe(4000);
    expect(state?.players).toHaveLength(32);
    expect(State.decode(last.subarray(0, -1))).toBeUndefined();
  });

  test("of 128 players fits one packet", () => {
    expect(State.maxBytes).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
    expect(play(128, 1000, 4).longest).toBeLessThanOrEqual(State.maxBytes);
  });
});
