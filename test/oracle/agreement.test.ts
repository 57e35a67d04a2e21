/*
 * The decoder that knows only docs/PROTOCOL.md, and both engines: one meaning for the page's examples, for payloads of any
 * content, for what is nearly a payload, and for what engines really sent.
 */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { documentTable } from "../document.js";
import { readPayload, writePayload } from "../payload.js";
import { twins } from "../twins.js";
import {
  decodePayload,
  encodePayload,
  FRAMES,
  type FrameDescription,
  isRefusal,
  LIMITS,
  type PayloadDescription,
} from "./decoder.js";
import { recordWorld } from "./record.js";

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));

/** Holds both engines to the decoder's answer; whether the payload was taken. */
function agree(bytes: Uint8Array, channels: number = LIMITS.channels): boolean {
  const answer = decodePayload(bytes, channels);
  const hex = hexOf(bytes);
  const hold = (what: string, found: unknown, wanted: unknown) => {
    // Most are equal, and `expect` costs more than all the rest.
    if (isDeepStrictEqual(found, wanted)) return;
    const about = { what, hex, channels, answer };
    expect({ ...about, found }).toEqual({ ...about, found: wanted });
  };
  for (const { name, engine } of twins) {
    const taken = engine.payloadCheck(bytes, 0, bytes.length, channels);
    hold(`taken by ${name}`, taken, !isRefusal(answer));
    if (isRefusal(answer)) continue;
    hold(`read by ${name}`, readPayload(engine, bytes), answer);
    hold(`written by ${name}`, hexOf(writePayload(engine, answer)), hex);
  }
  if (isRefusal(answer)) return false;
  hold("written by the decoder", hexOf(encodePayload(answer)), hex);
  return true;
}

describe("the page", () => {
  test("has the frames of the decoder, in its order", () => {
    const rows = documentTable("Frames").map(([first, name]) => [first.replaceAll("`", ""), name]);
    expect(FRAMES.map(({ row }) => row)).toEqual(rows);
  });

  test("has the limits of the decoder", () => {
    const printed = new Map(documentTable("Limits").map(([name, value]) => [name, value]));
    for (const [name, limit] of Object.entries(LIMITS)) {
      expect([name, Number.parseInt((printed.get(name) ?? "").replace(",", ""), 10)]).toEqual([
        name,
        limit,
      ]);
    }
  });

  test.each(documentTable("Examples"))("gives an example: %s", (_meaning, code) => {
    const bytes = bytesOf(code.replaceAll("`", ""));
    expect(agree(bytes)).toBe(true);
    // Cut anywhere, and with each byte changed in each bit.
    for (let end = 0; end < bytes.length; end++) agree(bytes.slice(0, end));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = bytes.slice();
      changed[bit >> 3] ^= 1 << (bit & 7);
      agree(changed);
      agree(changed, 2);
    }
  });
});

// --- generated payloads ---

const u8 = fc.integer({ min: 0, max: 255 });
const u16 = fc.integer({ min: 0, max: 65_535 });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const channel = fc.nat(LIMITS.channels - 1);
const bits = fc
  .uint8Array({ maxLength: 32 })
  .map((bytes) => bytes.slice(0, bytes.findLastIndex((byte) => byte !== 0) + 1));

/** A fragment of a whole of so many bytes, or the empty one behind the last. */
function piece(least: number, most: number, behind: number) {
  return fc
    .tuple(
      channel,
      u16,
      fc.oneof(fc.constantFrom(least, most), fc.integer({ min: least, max: most })),
    )
    .chain(([channel, id, total]) =>
      fc.nat(Math.ceil(total / LIMITS.fragment) - 1 + behind).map((index) => {
        const bytes = Math.min(LIMITS.fragment, total - index * LIMITS.fragment);
        return { channel, id, total, index, body: new Uint8Array(Math.max(bytes, 0)).fill(index) };
      }),
    );
}

const FRAME: { [Kind in FrameDescription["kind"]]: fc.Arbitrary<FrameDescription> } = {
  hello: fc.record({
    kind: fc.constant("hello" as const),
    version: fc.constant(3),
    nameHash: u32,
    hashes: fc.oneof(
      fc.array(u32, { minLength: 1, maxLength: 3 }),
      fc.array(u32, { minLength: LIMITS.channels, maxLength: LIMITS.channels }),
    ),
    limits: fc.tuple(
      fc.oneof(
        fc.constant(LIMITS.payload),
        fc.integer({ min: 112 + 4 * LIMITS.channels, max: 1200 }),
      ),
      u16,
      u32,
    ),
    suites: u8.map((bits) => bits | 1),
    key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  }),
  "foreign hello": fc.record({
    kind: fc.constant("foreign hello" as const),
    version: u8.filter((version) => version !== 3),
    rest: fc.uint8Array({ maxLength: 60 }),
  }),
  // Pieces as a full payload has them: behind a hello with another limit they are none.
  fragment: piece(1101, LIMITS.message, 0).map((each) => ({ kind: "fragment", ...each })),
  block: fc
    .tuple(piece(1, 2 ** 24, 1), u16)
    .map(([each, number]) => ({ kind: "block", number, ...each })),
  window: fc.record({ kind: fc.constant("window" as const), channel, id: u16 }),
  skip: fc.record({ kind: fc.constant("skip" as const), channel, id: u16 }),
  layout: fc.record({
    kind: fc.constant("layout" as const),
    channel: fc.integer({ min: 0, max: LIMITS.channels }),
    body: fc.oneof(
      fc.uint8Array({ maxLength: 5 }),
      fc
        .constantFrom(127, 128, LIMITS["layout of a channel"])
        .map((size) => new Uint8Array(size).fill(size)),
    ),
  }),
  close: fc.record({
    kind: fc.constant("close" as const),
    reason: u8,
    text: fc.uint8Array({ maxLength: LIMITS["close text"] }),
  }),
  ping: fc.record({ kind: fc.constant("ping" as const) }),
  challenge: fc.record({
    kind: fc.constant("challenge" as const),
    proof: fc.uint8Array({ minLength: 8, maxLength: 8 }),
  }),
  response: fc.record({
    kind: fc.constant("response" as const),
    proof: fc.uint8Array({ minLength: 8, maxLength: 8 }),
  }),
  age: fc.record({
    kind: fc.constant("age" as const),
    ms: fc.integer({ min: 1, max: 2 ** 28 - 1 }),
  }),
  nack: fc.record({ kind: fc.constant("nack" as const), channel, id: u16, bits }),
  message: fc.record({
    kind: fc.constant("message" as const),
    channel,
    id: u16,
    body: fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc
        .constantFrom(127, 128, 255, 256, 1023, 1099, 1100)
        .map((size) => new Uint8Array(size).fill(size)),
    ),
  }),
};

/** An age stands in front of a message or a fragment. */
const aged = ({ kind }: FrameDescription, index: number, all: readonly FrameDescription[]) =>
  kind !== "age" || ["message", "fragment"].includes(all[index + 1]?.kind);

/** Leaves out what may not stand behind what is there, and what a hello's limit cuts otherwise. */
function lawful(frames: readonly FrameDescription[]): FrameDescription[] {
  const last = new Map<string, number>();
  let limit: number = LIMITS.payload;
  const foreign = frames.findIndex(({ kind }) => kind === "foreign hello");
  const read = foreign < 0 ? frames : frames.slice(0, foreign + 1);
  const kept = read.filter((frame) => {
    const { kind } = frame;
    if (kind === "foreign hello") return !last.has("hello");
    if (kind === "message") return frame.body.length <= limit - 100;
    if (kind === "age") return true;
    if (kind === "fragment" || kind === "block") return limit === LIMITS.payload;
    const place = "channel" in frame && kind !== "layout" ? frame.channel : 0;
    if (place <= (last.get(kind) ?? -1)) return false;
    last.set(kind, place);
    if (kind === "hello") limit = frame.limits[0];
    return true;
  });
  return kept.filter(aged);
}

const payload: fc.Arbitrary<PayloadDescription> = fc
  .record({
    ack: fc.option(fc.record({ latest: u16, delay: u16, bits })),
    frames: fc.oneof(
      fc.array(fc.oneof(...Object.values(FRAME)), { maxLength: 8 }).map(lawful),
      // Enough messages to pass the limit.
      fc.array(FRAME.message, { maxLength: 70, size: "max" }),
    ),
  })
  .filter((value) => encodePayload(value).length <= LIMITS.payload);

describe("the decoder and the engines agree", () => {
  test("on any payload", () => {
    const kinds = new Map<string, number>();
    fc.assert(
      fc.property(payload, (value) => {
        const messages = value.frames.filter(({ kind }) => kind === "message").length;
        expect(agree(encodePayload(value))).toBe(messages <= LIMITS["messages in a packet"]);
        for (const { kind } of value.frames) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      }),
      { numRuns: 400 },
    );
    expect([...kinds.keys()].sort()).toEqual(Object.keys(FRAME).sort());
  });

  test("on payloads for a protocol of few channels", () => {
    fc.assert(
      fc.property(payload, fc.integer({ min: 1, max: 64 }), (value, channels) => {
        agree(encodePayload(value), channels);
      }),
      { numRuns: 200 },
    );
  });

  test("on what is nearly a payload", () => {
    const taken = [0, 0];
    const change = fc.oneof(
      fc.record({ what: fc.constant("set" as const), byte: u8 }),
      fc.record({ what: fc.constant("insert" as const), byte: u8 }),
      fc.record({ what: fc.constant("remove" as const), byte: u8 }),
      fc.record({ what: fc.constant("flip" as const), byte: u8 }),
    );
    const changes = fc.array(fc.tuple(fc.nat(), change), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(payload, changes, (value, list) => {
        const bytes = [...encodePayload(value)];
        for (const [where, { what, byte }] of list) {
          // Near the start, where most of the structure is.
          const place = where % Math.max(1, Math.min(bytes.length, 24));
          if (what === "set") bytes[place] = byte;
          else if (what === "flip") bytes[place] ^= 1 << (byte & 7);
          else bytes.splice(place, what === "remove" ? 1 : 0, ...(what === "insert" ? [byte] : []));
        }
        taken[Number(agree(Uint8Array.from(bytes.slice(0, LIMITS.payload))))] += 1;
      }),
      { numRuns: 1500 },
    );
    // Both answers came, often.
    expect(Math.min(...taken)).toBeGreaterThan(100);
  });

  test.each([
    { kind: "message", channel: 1, id: 0, body: Uint8Array.of(7) },
    { kind: "fragment", channel: 1, id: 2, index: 2, total: 2049, body: Uint8Array.of(7) },
    { kind: "block", channel: 1, id: 0, number: 3, index: 0, total: 1, body: Uint8Array.of(7) },
    { kind: "block", channel: 1, id: 1, number: 3, index: 1, total: 1, body: new Uint8Array(0) },
  ] as FrameDescription[])(
    "that 64 of the smallest $kind fit a payload, and 65 do not (R-20)",
    (piece) => {
      for (const count of [63, 64, 65, 100]) {
        const frames = Array.from({ length: count }, () => piece);
        const taken = count <= LIMITS["messages in a packet"];
        expect(agree(encodePayload({ ack: null, frames }))).toBe(taken);
        expect(agree(encodePayload({ ack: null, frames: [...frames, { kind: "ping" }] }))).toBe(
          taken,
        );
      }
    },
  );

  test("on every form of a length (R-4)", () => {
    const bytes = [0x00, 0x01, 0x7f, 0x80, 0x81, 0xff];
    let forms: number[][] = [[]];
    const taken = [0, 0];
    for (let length = 1; length <= 5; length++) {
      forms = forms.flatMap((form) => bytes.map((byte) => [...form, byte]));
      for (const form of forms) {
        for (const behind of [0, 1, 127, 300]) {
          const body = new Array<number>(behind).fill(4);
          const given = Uint8Array.from([0, 0xc1, 3, 0, ...form, ...body]);
          taken[Number(agree(given))] += 1;
        }
      }
    }
    expect(Math.min(...taken)).toBeGreaterThan(100);
  });

  test("on every first byte, of the header and of a frame, and every size behind it", () => {
    const taken = [0, 0];
    for (let first = 0; first < 256; first++) {
      for (let size = 0; size < 256; size += size < 70 ? 1 : 13) {
        for (const filler of [0, 1, 0xff]) {
          const rest = new Uint8Array(size).fill(filler);
          taken[Number(agree(Uint8Array.from([first, ...rest])))] += 1;
          taken[Number(agree(Uint8Array.from([0, first, ...rest])))] += 1;
          // A count or a length that says what stands behind it, or more.
          for (const place of [1, 3]) rest[place] = Math.max(0, size - place - 1);
          taken[Number(agree(Uint8Array.from([0, first, ...rest])))] += 1;
        }
      }
    }
    expect(Math.min(...taken)).toBeGreaterThan(1000);
  });

  test("on any bytes", () => {
    // The first byte is that of an ack header: else all would be refused there.
    const head = fc.oneof(
      fc.constant([0]),
      u16.map((latest) => [0x80, latest & 255, latest >> 8, 0, 0]),
    );
    const first = fc.oneof(u8, fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 8, 0x80, 0xbf, 0xc0, 0xff));
    fc.assert(
      fc.property(head, first, fc.uint8Array({ maxLength: 40 }), (start, frame, rest) => {
        agree(Uint8Array.from([...start, frame, ...rest]));
      }),
      { numRuns: 1500 },
    );
  });
});

// --- what was sent ---

/** Worlds whose datagrams are looked at, how long, and how many of them at most. */
const SEEDS = Array.from({ length: 12 }, (_, index) => 100 + index);
const STEPS = 2000;
const DATAGRAMS = 2000;

describe("datagrams of the simulator", () => {
  const kinds = new Map<string, number>();
  let payloads = 0;

  test.each(SEEDS)("world %i: all are payloads to the decoder, and mean the same", (seed) => {
    for (const { bytes, longest } of recordWorld(seed, STEPS, DATAGRAMS)) {
      // What is between ends that take less than a full payload, an engine reads only in its connection.
      if (longest === LIMITS.payload) expect(agree(bytes)).toBe(true);
      const answer = decodePayload(bytes, LIMITS.channels, longest);
      if (isRefusal(answer)) throw new Error(`${answer.refused}: ${hexOf(bytes)}`);
      expect(hexOf(encodePayload(answer))).toBe(hexOf(bytes));
      payloads += 1;
      for (const { kind } of answer.frames) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
  });

  test("were many, with the frames that there are", () => {
    expect(payloads).toBeGreaterThan(300 * SEEDS.length);
    const all = new Set(FRAMES.map(({ kind }) => kind));
    // No world's user sends a block.
    all.delete("block");
    // Nor do ends of a world differ in a channel, or in their version.
    all.delete("layout");
    all.delete("foreign hello");
    expect([...kinds.keys()]).toEqual(expect.arrayContaining([...all]));
  });
});
