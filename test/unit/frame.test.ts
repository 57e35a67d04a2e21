/*
 * What stands inside a payload: the examples of docs/PROTOCOL.md byte by byte, everything back as it was written, and one byte
 * string for each meaning: whatever else is refused (R-2, R-20, R-21, R-31, R-34, R-35, R-54, R-55, R-56).
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LAYOUT_CHANNELS } from "../../lib/engine/layout.js";
import {
  ACK_BITS_MAX,
  CHANNELS_MAX,
  CLOSE_TEXT_BYTES_MAX,
  FRAGMENT_BYTES_MAX,
  LAYOUT_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  MESSAGES_PER_PACKET_MAX,
  NACK_BITS_BYTES_MAX,
  NETRT_VERSION,
  PAYLOAD_BYTES_MAX,
  VARINT_MAX,
} from "../../lib/engine/limits.js";
import { documentTable } from "../document.js";
import { bitsOf } from "../ends.js";
import { type FrameValue, type Payload, readPayload, writePayload } from "../payload.js";
import { type EngineProbe, twins } from "../twins.js";

const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const text = (value: string) => new TextEncoder().encode(value);
const zeros = (count: number) => "00".repeat(count);
/** Suites and public key of a hello. */
const KEY = `01${zeros(32)}`;
const byte = (value: number) => value.toString(16).padStart(2, "0");

const message = (channel: number, id: number, body: Uint8Array): FrameValue => ({
  kind: "message",
  channel,
  id,
  body,
});
const ack = (latest: number, delay: number, numbers: readonly number[] = []) => ({
  latest,
  delay,
  bits: bitsOf(latest, numbers),
});
/** In units of 8 µs. */
const ms = (count: number) => count * 125;

/** What the examples mean, by what they are called. */
const MEANINGS: Record<string, Payload> = {
  "nothing received, nothing to say": { ack: null, frames: [] },
  "packet 258 received 10 ms ago, all before it known": { ack: ack(258, ms(10)), frames: [] },
  "packets 7 and 1 to 6 received just now": { ack: ack(7, 0, [1, 2, 3, 4, 5, 6]), frames: [] },
  "packets 7, 6 and 4 received 1 ms ago; ping": {
    ack: ack(7, ms(1), [6, 4]),
    frames: [{ kind: "ping" }],
  },
  "hello of version 3, name hash 0x12345678, payloads to 1200 B, 30 packets and 100,000 B a second, both suites, the public key 0, 3, 6, … 93, two channels with hashes 0xaabbccdd and 1":
    {
      ack: null,
      frames: [
        {
          kind: "hello",
          version: 3,
          nameHash: 0x12345678,
          hashes: [0xaabbccdd, 1],
          limits: [1200, 30, 100_000],
          suites: 3,
          key: Uint8Array.from({ length: 32 }, (_, index) => 3 * index),
        },
      ],
    },
  "message of 1101 B in fragments, the second, 77 B of zeros, id 5 of channel 1": {
    ack: null,
    frames: [
      { kind: "fragment", channel: 1, id: 5, index: 1, total: 1101, body: new Uint8Array(77) },
    ],
  },
  'block 258 of 2 B on channel 1, its only fragment "hi", id 6': {
    ack: null,
    frames: [
      { kind: "block", channel: 1, id: 6, number: 258, index: 0, total: 2, body: text("hi") },
    ],
  },
  "block 258 of 2 B on channel 1, given up, id 7": {
    ack: null,
    frames: [
      {
        kind: "block",
        channel: 1,
        id: 7,
        number: 258,
        index: 1,
        total: 2,
        body: new Uint8Array(0),
      },
    ],
  },
  'message 3 of channel 1, "hi", 300 ms old': {
    ack: null,
    frames: [{ kind: "age", ms: 300 }, message(1, 3, text("hi"))],
  },
  "channel 1 is consumed up to id 64": {
    ack: null,
    frames: [{ kind: "window", channel: 1, id: 64 }],
  },
  'message 3 of channel 1, "hi"': { ack: null, frames: [message(1, 3, text("hi"))] },
  'message 9 of channel 0, "a", and message 300 of channel 2, "bc"': {
    ack: null,
    frames: [message(0, 9, text("a")), message(2, 300, text("bc"))],
  },
  "skip of channel 1 to id 65537": { ack: null, frames: [{ kind: "skip", channel: 1, id: 1 }] },
  'close, reason 1, "bye"': {
    ack: null,
    frames: [{ kind: "close", reason: 1, text: text("bye") }],
  },
  'what channel 1 is, "ab", and close, reason 4, "channel 1"': {
    ack: null,
    frames: [
      { kind: "layout", channel: 1, body: text("ab") },
      { kind: "close", reason: 4, text: text("channel 1") },
    ],
  },
  "nack of ids 9, 10 and 12 of channel 1": {
    ack: null,
    frames: [{ kind: "nack", channel: 1, id: 9, bits: Uint8Array.of(0b101) }],
  },
};

const examples = documentTable("Examples").map(([meaning, code]) => ({
  meaning,
  hex: code.replaceAll("`", ""),
}));

describe.each(twins)("the examples of docs/PROTOCOL.md in $name", ({ engine }) => {
  test.each(examples)("$meaning", ({ meaning, hex }) => {
    const bytes = bytesOf(hex);
    expect(MEANINGS).toHaveProperty([meaning]);
    expect(readPayload(engine, bytes)).toEqual(MEANINGS[meaning]);
    expect(hexOf(writePayload(engine, MEANINGS[meaning]))).toBe(hex);
    expect(engine.payloadCheck(bytes, 0, bytes.length, 3)).toBe(true);
  });

  test("are all that there is a meaning for", () => {
    expect(examples.map(({ meaning }) => meaning).sort()).toEqual(Object.keys(MEANINGS).sort());
  });
});

// --- any payload ---

const u8 = fc.integer({ min: 0, max: 255 });
const u16 = fc.integer({ min: 0, max: 65_535 });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const channel = fc.nat(CHANNELS_MAX - 1);
const bitfield = (most: number) =>
  fc.uint8Array({ maxLength: most }).map((bits) => {
    // Canonical: no zero byte at the end.
    const last = bits.findLastIndex((each) => each !== 0);
    return bits.slice(0, last + 1);
  });
const body = fc.oneof(
  fc.uint8Array({ maxLength: 5 }),
  fc.constantFrom(126, 127, 128, 129, 255, 256).map((size) => new Uint8Array(size).fill(size)),
);
const frame: fc.Arbitrary<FrameValue> = fc.oneof(
  fc.record({
    kind: fc.constant("hello" as const),
    version: fc.constant(NETRT_VERSION),
    nameHash: u32,
    hashes: fc.array(u32, { minLength: 1, maxLength: CHANNELS_MAX }),
    // Its own limit cuts the fragments behind it: here they are those of a full payload.
    limits: fc.tuple(fc.constant(PAYLOAD_BYTES_MAX), u16, u32),
    suites: u8.map((bits) => bits | 1),
    key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  }),
  fc.record({
    kind: fc.constant("foreign hello" as const),
    version: u8.filter((version) => version !== NETRT_VERSION),
    rest: fc.uint8Array({ maxLength: 60 }),
  }),
  fc.record({ kind: fc.constant("window" as const), channel, id: u16 }),
  fc.record({
    kind: fc.constant("layout" as const),
    channel: fc.nat(LAYOUT_CHANNELS),
    body: fc.uint8Array({ maxLength: LAYOUT_BYTES_MAX }),
  }),
  fc
    .record({ channel, id: u16, total: fc.integer({ min: MESSAGE_BYTES_MAX + 1, max: 65_536 }) })
    .chain(({ channel, id, total }) =>
      fc.nat(Math.ceil(total / FRAGMENT_BYTES_MAX) - 1).map((index) => ({
        kind: "fragment" as const,
        channel,
        id,
        total,
        index,
        body: new Uint8Array(Math.min(FRAGMENT_BYTES_MAX, total - index * FRAGMENT_BYTES_MAX)),
      })),
    ),
  fc.record({ kind: fc.constant("skip" as const), channel, id: u16 }),
  fc.record({
    kind: fc.constant("close" as const),
    reason: u8,
    text: fc.uint8Array({ maxLength: CLOSE_TEXT_BYTES_MAX }),
  }),
  fc.record({ kind: fc.constant("ping" as const) }),
  fc.record({ kind: fc.constant("age" as const), ms: fc.integer({ min: 1, max: VARINT_MAX }) }),
  fc.record({
    kind: fc.constant("nack" as const),
    channel,
    id: u16,
    bits: bitfield(NACK_BITS_BYTES_MAX),
  }),
  fc.record({ kind: fc.constant("message" as const), channel, id: u16, body }),
);

/** Leaves out what may not stand behind what is there (R-20, R-32). */
function lawful(frames: readonly FrameValue[]): FrameValue[] {
  const last = new Map<string, number>();
  const foreign = frames.findIndex(({ kind }) => kind === "foreign hello");
  const kept = (foreign < 0 ? frames : frames.slice(0, foreign + 1)).filter((each) => {
    if (each.kind === "foreign hello") return !last.has("hello");
    if (["message", "fragment", "block", "age"].includes(each.kind)) return true;
    const place = "channel" in each && each.kind !== "layout" ? each.channel : 0;
    if (place <= (last.get(each.kind) ?? -1)) return false;
    last.set(each.kind, place);
    return true;
  });
  // An age stands in front of a message or a fragment (R-50).
  const carrying = ["message", "fragment"];
  return kept.filter(({ kind }, at) => kind !== "age" || carrying.includes(kept[at + 1]?.kind));
}

const payload: fc.Arbitrary<Payload> = fc.record({
  ack: fc.option(fc.record({ latest: u16, delay: u16, bits: bitfield(ACK_BITS_MAX / 8) })),
  frames: fc.array(frame, { maxLength: 8 }).map(lawful),
});

const check = (engine: EngineProbe, bytes: Uint8Array, channels = CHANNELS_MAX) =>
  engine.payloadCheck(bytes, 0, bytes.length, channels);

describe.each(twins)("any payload in $name", ({ engine }) => {
  test("comes back as it was written", () => {
    fc.assert(
      fc.property(payload, (value) => {
        const bytes = writePayload(engine, value);
        expect(readPayload(engine, bytes)).toEqual(value);
        expect(check(engine, bytes)).toBe(true);
      }),
    );
  });

  test("of any bytes is refused, or is what would be written for its meaning (R-2)", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      // Near to lawful ones: one byte is another.
      fc.tuple(payload, fc.nat(), u8).map(([value, place, changed]) => {
        const written = writePayload(engine, value);
        written[place % written.length] = changed;
        return written;
      }),
    );
    fc.assert(
      fc.property(bytes, (given) => {
        const read = readPayload(engine, given);
        if (read === null) {
          expect(check(engine, given)).toBe(false);
        } else {
          expect(hexOf(writePayload(engine, read))).toBe(hexOf(given));
        }
      }),
      { numRuns: 500 },
    );
  });

  test("cut anywhere is refused, or means what it meant up to there (R-1)", () => {
    fc.assert(
      fc.property(payload, (value) => {
        const bytes = writePayload(engine, value);
        for (let end = 0; end < bytes.length; end++) {
          const cut = bytes.slice(0, end);
          const read = readPayload(engine, cut);
          if (read === null) continue;
          expect(read.ack).toEqual(value.ack);
          expect(read.frames.length).toBeLessThanOrEqual(value.frames.length);
          // Only these may be shorter: their end is the payload's.
          const open = ["message", "foreign hello"].includes(read.frames.at(-1)?.kind ?? "");
          const whole = open ? -1 : read.frames.length;
          expect(read.frames.slice(0, whole)).toEqual(
            value.frames.slice(0, read.frames.length).slice(0, whole),
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  test("is read within its bounds: nothing before the offset, nothing behind the end (R-1)", () => {
    fc.assert(
      fc.property(payload, fc.nat(20), (value, offset) => {
        const bytes = writePayload(engine, value);
        const around = new Uint8Array(bytes.length + offset + 40).fill(0xc1);
        around.set(bytes, offset);
        const end = offset + bytes.length;
        expect(engine.payloadCheck(around, offset, end, CHANNELS_MAX)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe("the engines", () => {
  test("write the same bytes, and refuse the same", () => {
    fc.assert(
      fc.property(payload, fc.uint8Array({ maxLength: 60 }), (value, bytes) => {
        const [first, ...others] = twins.map(({ engine }) => [
          hexOf(writePayload(engine, value)),
          readPayload(engine, bytes),
        ]);
        for (const other of others) expect(other).toEqual(first);
      }),
      { numRuns: 300 },
    );
  });
});

// --- what is refused ---

/** Payloads by hand: the ack header, then frames. */
const REFUSED: readonly [reason: string, hex: string][] = [
  ["nothing at all", ""],
  ["an ack header that is cut", "80 0100 00"],
  ["an ack header without its latest", "80"],
  ["ack bits that are none: 0x01", `01${zeros(4)}`],
  ["ack bits that are none: 0x40", `40${zeros(4)}`],
  ["ack bits that are none: 0xc0", `c0${zeros(4)}`],
  ["ack bits that are none: 0xff", `ff${zeros(70)}`],
  ["an ack bitfield of 33 bytes", `a1 0700 0000 ${"ff".repeat(33)}`],
  ["an ack bitfield of 63 bytes", `bf 0700 0000 ${"ff".repeat(63)}`],
  ["an ack bitfield that ends with a zero byte", "82 0700 0000 ff00"],
  ["an ack bitfield of one zero byte", "81 0700 0000 00"],
  ["an ack bitfield that is cut", "82 0700 0000 ff"],
  ["frame 0", "00 00"],
  ["frame 9", "00 09"],
  ["frame 0x10", "00 10"],
  ["frame 0x7f", "00 7f 000000"],
  ["an unknown frame behind a known one", "00 04 09"],
  ["a hello of no channel", `00 01 03 00 00000000 b004 0000 00000000 ${KEY}`],
  ["a hello of 65 channels", `00 01 03 41 00000000 b004 0000 00000000 ${KEY} ${zeros(4 * 65)}`],
  ["a hello of 255 channels", `00 01 03 ff 00000000 b004 0000 00000000 ${KEY} ${zeros(4 * 255)}`],
  [
    "a hello with a hash less than it says",
    `00 01 03 02 00000000 b004 0000 00000000 ${KEY} ${zeros(7)}`,
  ],
  [
    "a hello that takes payloads of 199 B",
    `00 01 03 01 00000000 c700 0000 00000000 ${KEY} ${zeros(4)}`,
  ],
  [
    "a hello of 64 channels that takes less than a hello",
    `00 01 03 40 00000000 6f01 0000 00000000 ${KEY} ${zeros(4 * 64)}`,
  ],
  [
    "a hello without the suite that all have",
    `00 01 03 01 00000000 b004 0000 00000000 fe ${zeros(32)} ${zeros(4)}`,
  ],
  [
    "a hello that takes payloads of 1201 B",
    `00 01 03 01 00000000 b104 0000 00000000 ${KEY} ${zeros(4)}`,
  ],
  ["a window of channel 64", "00 08 40 0000"],
  ["a window that is cut", "00 08 01 00"],
  ["a fragment of what a payload holds whole", `00 06 01 0000 01 cc08 ${zeros(76)}`],
  ["a fragment behind the last", "00 06 01 0000 02 cd08"],
  ["a fragment of more than 65,536 B", `00 06 01 0000 00 818004 ${zeros(1024)}`],
  ["a fragment that is cut", `00 06 01 0000 01 cd08 ${zeros(76)}`],
  ["a fragment of channel 64", `00 06 40 0000 01 cd08 ${zeros(77)}`],
  ["a block of 0 B", "00 07 01 0000 0000 00 00"],
  ["a block of more than 16 MiB", `00 07 01 0000 0000 00 81808008 ${zeros(1024)}`],
  ["a block's fragment behind the one that gives up", "00 07 01 0000 0000 02 02"],
  ["a block's fragment that is cut", "00 07 01 0000 0000 00 02 68"],
  ["a skip of channel 64", "00 02 40 0000"],
  ["a skip of channel 255", "00 02 ff 0000"],
  ["a skip that is cut", "00 02 01 00"],
  ["a close text of 121 bytes", `00 03 01 79 ${"61".repeat(121)}`],
  ["a close text of 255 bytes", `00 03 01 ff ${"61".repeat(255)}`],
  ["a close text shorter than it says", "00 03 01 04 627965"],
  ["a close without a reason", "00 03"],
  ["a nack of channel 64", "00 05 40 0000 00"],
  ["a nack bitmap of 33 bytes", `00 05 01 0000 21 ${"ff".repeat(33)}`],
  ["a nack bitmap that ends with a zero byte", "00 05 01 0000 02 ff00"],
  ["a nack bitmap of one zero byte", "00 05 01 0000 01 00"],
  ["a nack that is cut", "00 05 01 0000 02 ff"],
  ["an age of no time", "00 09 00 81 0300 6869"],
  ["a layout of 1,025 B", `00 0a 01 8108 ${zeros(1025)}`],
  ["a layout of channel 65", "00 0a 41 00"],
  ["a message with a length at the end", "00 c1 0300 02 6869"],
  ["an empty message with a length at the end", "00 c1 0300 00"],
  ["a message without its id", "00 81 03"],
  ["a length of two bytes that one would hold", "00 c1 0300 8200 6869 04"],
  ["a length of five bytes", `00 c1 0300 8080808001 ${zeros(20)}`],
  ["a length that never ends", "00 c1 0300 ffffffff ff"],
  ["a length beyond the payload", "00 c1 0300 7f 6869"],
  ["a hello without a version", "00 01"],
  ["1101 bytes in one piece at the end (R-54)", `00 81 0300 ${zeros(MESSAGE_BYTES_MAX + 1)}`],
  ["1101 bytes in one piece (R-54)", `00 c1 0300 cd08 ${zeros(MESSAGE_BYTES_MAX + 1)} 04`],
  ["the longest length there is", "00 c1 0300 ffffff7f 6869"],
];

/** Frames that are lawful each for itself, and not together. */
const REPEATED: readonly [reason: string, hex: string][] = [
  ["two pings", "00 04 04"],
  ["two closes", "00 03 01 00 03 01 00"],
  ["two hellos", `00 ${`01 03 01 00000000 b004 0000 00000000 ${KEY} ${zeros(4)}`.repeat(2)}`],
  [
    "a hello, and one of another version",
    `00 01 03 01 00000000 b004 0000 00000000 ${KEY} ${zeros(4)} 01 04`,
  ],
  ["two skips of one channel", "00 02 01 0000 02 01 0100"],
  ["skips against the order of channels", "00 02 02 0000 02 01 0000"],
  ["two windows of one channel", "00 08 01 0000 08 01 0100"],
  ["two nacks of one channel", "00 05 01 0000 00 05 01 0100 00"],
];

/** Their neighbours that are lawful: what stands at the limit. */
const TAKEN: readonly [reason: string, hex: string][] = [
  ["an ack bitfield of 32 bytes", `a0 0700 0000 ${"ff".repeat(32)}`],
  ["an ack bitfield whose last byte alone is not zero", `a0 0700 0000 ${zeros(31)} 80`],
  ["a hello of one channel", `00 01 03 01 00000000 b004 0000 00000000 ${KEY} ${zeros(4)}`],
  [
    "a hello with suites that nobody knows yet",
    `00 01 03 01 00000000 b004 0000 00000000 ff ${zeros(32)} ${zeros(4)}`,
  ],
  ["a hello of 64 channels", `00 01 03 40 00000000 b004 0000 00000000 ${KEY} ${zeros(4 * 64)}`],
  [
    "a hello that takes payloads of 200 B",
    `00 01 03 01 00000000 c800 0000 00000000 ${KEY} ${zeros(4)}`,
  ],
  ["a hello of another version, with nothing", "00 01 04"],
  ["a hello of another version, with whatever else", `00 04 01 00 ${"ff".repeat(900)}`],
  ["a window of channel 63", "00 08 3f ffff"],
  ["the last fragment of 65,536 B", `00 06 3f ffff 3f 808004 ${zeros(1024)}`],
  ["the last fragment of 16 MiB", `00 07 3f ffff ffff ff7f 80808008 ${zeros(1024)}`],
  ["a block of 16 MiB that is given up", "00 07 3f ffff ffff 808001 80808008"],
  ["a skip of channel 63", "00 02 3f ffff"],
  ["a close text of 120 bytes", `00 03 ff 78 ${"61".repeat(120)}`],
  ["a close text of no bytes", "00 03 01 00"],
  ["a nack bitmap of 32 bytes", `00 05 3f 0000 20 ${"ff".repeat(32)}`],
  ["a nack bitmap of no bytes", "00 05 01 0000 00"],
  ["a layout of 1,024 B", `00 0a 01 8008 ${zeros(1024)}`],
  ["a layout of all channels", "00 0a 40 00"],
  ["an empty message at the end", "00 81 0300"],
  ["a message with a length before a ping", "00 c1 0300 02 6869 04"],
  ["an empty message with a length before a ping", "00 c1 0300 00 04"],
  ["a length of 127 in one byte", `00 c1 0300 7f ${zeros(127)} 04`],
  ["a length of 128 in two bytes", `00 c1 0300 8001 ${zeros(128)} 04`],
  ["1100 bytes in one piece at the end (R-54)", `00 81 0300 ${zeros(MESSAGE_BYTES_MAX)}`],
  ["1100 bytes in one piece (R-54)", `00 c1 0300 cc08 ${zeros(MESSAGE_BYTES_MAX)} 04`],
  ["two messages of one channel", "00 c1 0300 00 81 0400"],
  ["skips of two channels in their order", "00 02 01 0000 02 02 0000"],
];

describe.each(twins)("$name refuses", ({ engine }) => {
  test.each(REFUSED)("%s", (_reason, hex) => {
    const bytes = bytesOf(hex);
    expect(readPayload(engine, bytes)).toBeNull();
    expect(check(engine, bytes)).toBe(false);
  });

  test.each(REPEATED)("%s (R-20)", (_reason, hex) => {
    expect(check(engine, bytesOf(hex))).toBe(false);
  });

  test("channels that the protocol does not have (R-20)", () => {
    for (const [channels, hex] of [
      [1, "00 81 0300"],
      [1, "00 c1 0300 00 04"],
      [1, "00 02 01 0000"],
      [1, "00 05 01 0000 00"],
      [63, "00 bf 0300"],
      [63, "00 02 3f 0000"],
    ] as const) {
      expect(check(engine, bytesOf(hex), channels)).toBe(false);
      expect(check(engine, bytesOf(hex), channels + 1)).toBe(true);
    }
  });

  test("the 65th message (R-20)", () => {
    const empty = "c0 0000 00";
    for (const [count, taken] of [
      [MESSAGES_PER_PACKET_MAX - 1, true],
      [MESSAGES_PER_PACKET_MAX, true],
      [MESSAGES_PER_PACKET_MAX + 1, false],
    ] as const) {
      const sized = bytesOf(`00 ${empty.repeat(count)} 04`);
      const last = bytesOf(`00 ${empty.repeat(count - 1)} 80 0000`);
      expect([check(engine, sized), check(engine, last)]).toEqual([taken, taken]);
    }
  });

  test("every first byte that no frame has (R-35)", () => {
    const known = new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (let first = 0; first < 0x80; first++) {
      // Behind it stands more than any frame asks for, all of it lawful.
      const bytes = bytesOf(`00 ${byte(first)} ${"01".repeat(8)}${zeros(200)}`);
      if (!known.has(first)) expect(check(engine, bytes)).toBe(false);
    }
  });

  test("every ack header whose first byte is neither 0 nor 0x80 to 0xa0 (R-21)", () => {
    for (let first = 1; first < 256; first++) {
      const count = first & 0x3f;
      const bytes = bytesOf(`${byte(first)} 0000 0000 ${"01".repeat(count)}`);
      expect(check(engine, bytes)).toBe(first >= 0x80 && first <= 0xa0);
    }
  });
});

describe.each(twins)("$name takes", ({ engine }) => {
  test.each(TAKEN)("%s", (_reason, hex) => {
    const bytes = bytesOf(hex);
    expect(check(engine, bytes)).toBe(true);
    const read = readPayload(engine, bytes);
    expect(read).not.toBeNull();
    expect(hexOf(writePayload(engine, read as Payload))).toBe(hexOf(bytes));
  });

  test("a channel in the first byte, an id modulo 65536 (R-31)", () => {
    for (const [channelIndex, id] of [
      [0, 0],
      [63, 65_535],
      [31, 65_536],
      [1, 2 ** 40 + 5],
    ]) {
      const bytes = writePayload(engine, {
        ack: null,
        frames: [message(channelIndex, id, text("x")), message(channelIndex, id, text("y"))],
      });
      expect([bytes[1], bytes[6]]).toEqual([0xc0 + channelIndex, 0x80 + channelIndex]);
      const read = readPayload(engine, bytes);
      expect(read?.frames).toEqual([
        message(channelIndex, id % 65_536, text("x")),
        message(channelIndex, id % 65_536, text("y")),
      ]);
    }
  });

  test("a message of any size; its frame is no longer than was reckoned with", () => {
    for (const size of [0, 1, 127, 128, 1099, MESSAGE_BYTES_MAX]) {
      const frames = [message(5, 77, new Uint8Array(size).fill(9))];
      const last = writePayload(engine, { ack: null, frames });
      const sized = writePayload(engine, { ack: null, frames: [...frames, { kind: "ping" }] });
      expect(last.length).toBe(1 + 3 + size);
      expect(sized.length - 2).toBe(engine.messageFrameBytes(size));
      expect(readPayload(engine, last)?.frames).toEqual(frames);
    }
  });

  /** The example's hello, with another limit. */
  function helloTo(payloadBytes: number): string {
    const example = Object.values(MEANINGS).find(({ frames }) => frames[0]?.kind === "hello");
    const bytes = writePayload(engine, example as Payload).slice(1);
    new DataView(bytes.buffer).setUint16(7, payloadBytes, true);
    return hexOf(bytes);
  }

  test("every reason byte and any text bytes are taken; 121 are not (R-34)", () => {
    const close = (reason: number, bytes: number) =>
      bytesOf(`00 03 ${byte(reason)} ${byte(bytes)} ${"ff".repeat(bytes)}`);
    for (let reason = 0; reason < 256; reason++) expect(check(engine, close(reason, 3))).toBe(true);
    expect(check(engine, close(1, CLOSE_TEXT_BYTES_MAX))).toBe(true);
    expect(check(engine, close(1, CLOSE_TEXT_BYTES_MAX + 1))).toBe(false);
  });

  test("with another frame behind it the last message has a length, at the end it has none (R-31)", () => {
    expect(check(engine, bytesOf("00 c0 0000 01 61 04"))).toBe(true);
    expect(check(engine, bytesOf("00 c0 0000 01 61"))).toBe(false);
    expect(check(engine, bytesOf("00 80 0000 61"))).toBe(true);
  });

  test("frames stand in any order; marks of a kind by channel (R-2, R-20)", () => {
    for (const hex of ["00 04 02 00 0100", "00 c0 0000 01 61 04 08 00 0100 02 00 0100"]) {
      expect(check(engine, bytesOf(hex))).toBe(true);
    }
    expect(check(engine, bytesOf("00 02 00 0100 02 01 0100"))).toBe(true);
    expect(check(engine, bytesOf("00 02 01 0100 02 00 0100"))).toBe(false);
  });

  test("a hello may stand behind a message, as far as the form goes (R-32)", () => {
    const hello = helloTo(PAYLOAD_BYTES_MAX);
    expect(check(engine, bytesOf(`00 c0 0000 01 61 ${hello}`))).toBe(true);
    expect(check(engine, bytesOf(`00 ${hello} ${hello}`))).toBe(false);
  });

  test("a block has a byte at least (R-56)", () => {
    expect(check(engine, bytesOf("00 07 00 0000 0000 00 01 61"))).toBe(true);
    expect(check(engine, bytesOf("00 07 00 0000 0000 00 00"))).toBe(false);
  });

  test("fragments behind a hello are cut by its limit (R-54, R-60)", () => {
    const total = "cd08";
    // 1,101 bytes: by 1,200 B the second of two fragments has 77; by 200 B it has 128.
    const piece = (bytes: number) => `06 00 0100 01 ${total} ${zeros(bytes)}`;
    expect(check(engine, bytesOf(`00 ${helloTo(1200)} ${piece(77)}`))).toBe(true);
    expect(check(engine, bytesOf(`00 ${helloTo(200)} ${piece(77)}`))).toBe(false);
    expect(check(engine, bytesOf(`00 ${helloTo(200)} ${piece(128)}`))).toBe(true);
  });

  test("each reason of a close (R-34)", () => {
    for (let reason = 1; reason <= 7; reason++) {
      const frames: FrameValue[] = [{ kind: "close", reason, text: text("späť") }];
      const bytes = writePayload(engine, { ack: null, frames });
      expect(readPayload(engine, bytes)?.frames).toEqual(frames);
    }
  });
});
