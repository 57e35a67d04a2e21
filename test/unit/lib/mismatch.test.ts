/*
 * What a user reads of a mismatch, from what the peer says of it: every setting, every kind of name; and what a hostile peer
 * says, which is bounded, never thrown at, and as if it had not come.
 */
import { constants, deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Driver } from "../../../lib/driver.js";
import {
  RECORD_BYTES,
  RECORD_LAYOUT,
  Ring,
  ringBytes,
  ringPush,
  ringSet,
} from "../../../lib/engine/ring.js";
import {
  type ChannelPolicy,
  critical,
  defineProtocol,
  realTime,
  reliable,
  timeSensitive,
} from "../../../lib/index.js";
import { mismatchError, tellLayouts } from "../../../lib/mismatch.js";
import {
  array,
  bits,
  object,
  quantized,
  type Schema,
  schema,
  u8,
  vec3,
} from "../../../lib/schema/index.js";

const Input = schema({ id: u8, aim: vec3(quantized(-1, 1, 0.002)) });
const defined = (channel: ChannelPolicy) =>
  defineProtocol("words/1", { chat: reliable(), channel });

/** What a side of this definition says of the channel: the records that its driver submits. */
function said(protocol: ReturnType<typeof defined>): Map<number, Uint8Array> {
  const submission = new Ring();
  ringSet(submission, new Uint8Array(ringBytes(65_536)));
  const words: number[] = [];
  const driver = {
    submission,
    push(kind: number, payloadBytes: number): number {
      expect(kind).toBe(RECORD_LAYOUT);
      words.push(ringPush(submission, kind, payloadBytes));
      return words[words.length - 1];
    },
    submitted: () => undefined,
  };
  tellLayouts(driver as unknown as Driver, protocol);
  return new Map(
    words.map((word) => {
      const start = word * 4 + RECORD_BYTES;
      const bytes = submission.bytes.slice(start, start + submission.words[word + 3]);
      return [submission.words[word + 2], bytes];
    }),
  );
}

const CHANNEL = 1;
const PREFIX = 'protocol "words/1" differs between server and client: ';
/** The error's words behind what all have in common. */
function words(
  protocol: ReturnType<typeof defined>,
  layout: Uint8Array,
  text = "channel 1",
): string {
  const { code, message } = mismatchError(protocol, text, layout);
  expect(code).toBe("ERR_NETRT_PROTOCOL_MISMATCH");
  expect(message.startsWith(PREFIX)).toBe(true);
  return message.slice(PREFIX.length);
}

describe("each setting of a policy is named, with both values", () => {
  test.each<[ChannelPolicy, ChannelPolicy, string]>([
    [reliable(), critical(), "strategy reliable here, critical there"],
    [reliable(), reliable({ order: "none" }), "order ordered here, none there"],
    [realTime(), realTime({ redundancy: "high" }), "redundancy low here, high there"],
    [reliable({ redundancy: 1 }), reliable(), "redundancy 1 here, low there"],
    [
      timeSensitive(),
      timeSensitive({ redundancy: "adaptive" }),
      "redundancy none here, adaptive there",
    ],
    [timeSensitive({ expiry: 400 }), timeSensitive(), "expiry 400 ms here, 200 ms there"],
    [critical(), critical({ expiry: "long" }), "expiry never here, 10000 ms there"],
    [realTime({ priority: 9 }), realTime({ priority: 10 }), "priority 9 here, 10 there"],
    [
      realTime({ messageBytesMax: 8 }),
      realTime({ messageBytesMax: 9 }),
      "messageBytesMax 8 bytes here, 9 bytes there",
    ],
    [
      reliable({ blockBytesMax: 800 }),
      reliable({ blockBytesMax: 900 }),
      "blockBytesMax 800 bytes here, 900 bytes there",
    ],
  ])("%#", (ours, theirs, difference) => {
    const layout = said(defined(theirs)).get(CHANNEL) as Uint8Array;
    expect(words(defined(ours), layout)).toBe(`channel "channel": ${difference}`);
  });
});

describe("of messages the first field that differs is named", () => {
  const Coarse = schema({ id: u8, aim: vec3(quantized(-1, 1, 0.01)) });
  test.each<[Schema<unknown>, string | RegExp]>([
    [Coarse, "aim.x: quantized(-1,1,1000) here, quantized(-1,1,200) there"],
    [schema({ id: u8 }), /^aim: "aim":\{.*\} here, nothing there$/],
    [schema({ by: u8 }), 'id: "id":range(0,255) here, "by":range(0,255) there'],
    [schema(array(u8, 3)), /^messages: \{"id".* here, array\(range\(0,255\),0,3\) there$/],
  ])("%#", (theirs, difference) => {
    const layout = said(defined(realTime({ message: theirs }))).get(CHANNEL) as Uint8Array;
    const found = words(defined(realTime({ message: Input })), layout);
    const prefix = 'channel "channel": ';
    expect(found.startsWith(prefix)).toBe(true);
    const rest = found.slice(prefix.length);
    if (typeof difference === "string") expect(rest).toBe(difference);
    else expect(rest).toMatch(difference);
  });
});

describe("what was cut", () => {
  const fields = Array.from({ length: 400 }, (_, index) => [
    `field${index}`,
    bits(1 + (index % 50)),
  ]);
  const ours = defined(realTime({ message: schema(object(Object.fromEntries(fields))) }));
  const changed = [...fields.slice(0, 20), ["other", u8], ...fields.slice(21)];
  const theirs = defined(realTime({ message: schema(object(Object.fromEntries(changed))) }));
  const whole = said(theirs).get(CHANNEL) as Uint8Array;

  test("names the field where it is whole, and shows the place where it is not", () => {
    expect(words(ours, whole)).toContain('field20: "field20":');
    for (const bytes of [300, 700, 1024]) {
      expect(whole.length).toBeGreaterThan(bytes);
      const found = words(ours, whole.subarray(0, bytes));
      expect(found).toMatch(
        /from character \d+ of their layout on: field20"\S*… here, other":\S*… there$/,
      );
    }
  });

  test("before the difference says nothing that isn't known", () => {
    for (let bytes = 0; bytes < 20; bytes++) {
      expect(words(ours, whole.subarray(0, bytes))).toContain("has another name or policy there");
    }
  });
});

describe("a hostile peer", () => {
  const ours = defined(realTime({ message: Input }));
  const plain = (text: string) => Buffer.concat([Buffer.of(0), Buffer.from(text)]);
  const deflated = (text: string | Buffer) =>
    Buffer.concat([Buffer.of(1), deflateRawSync(text, { level: constants.Z_BEST_COMPRESSION })]);
  const FALLBACK = 'channel "channel" has another name or policy there, or other messages';
  const POLICY = '"channel" 1 0 1 0 0 1 4 1 0 ';

  test("inflates no more than 64 KiB", () => {
    const bomb = deflated(Buffer.alloc(1024 * 1024, 97));
    expect(bomb.length).toBeLessThan(1100);
    expect(words(ours, bomb)).toContain(FALLBACK);
    expect(words(ours, bomb, "channels")).toBe("the other side has another number of channels");
  });

  test("may nest its list as deep as it likes", () => {
    for (const [open, shut] of [
      ["[", "]"],
      ['{"a":[', "]}"],
    ]) {
      const nested = `[${open.repeat(9000)}${shut.repeat(9000)}]`;
      expect(words(ours, deflated(Buffer.from(nested)), "channels")).toBe(
        "the other side has another number of channels",
      );
    }
    // As many names as there can be, and no more of them.
    const names = JSON.stringify(Array.from({ length: 9000 }, () => "n"));
    const told = words(ours, deflated(Buffer.from(names)), "channels");
    expect(told.match(/"n"/g)?.length).toBeLessThanOrEqual(64);
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["another form", Buffer.of(2, 1, 2)],
    ["no deflate", Buffer.of(1, 0xff, 0xff, 0xff)],
    ["no text", Buffer.of(0, 0xff, 0xfe)],
    ["no name", plain("channel 1 2 3")],
    ["a name that is none", plain(`"\\x" 1 0 1 0 0 1 4 1 0 `)],
    ["too few words", plain('"channel" 1 0 1 ')],
    ["words that are no numbers", plain('"channel" a b c d e f g h i ')],
    ["what we say ourselves", Buffer.from(said(ours).get(CHANNEL) as Uint8Array)],
  ])("that says %s gets the words of one that says nothing", (_what, layout) => {
    expect(words(ours, layout)).toContain(FALLBACK);
  });

  test("makes no error long, and no parser run away", () => {
    for (const layout of [
      "(".repeat(60_000),
      "{".repeat(60_000),
      `{"${"a".repeat(50_000)}":bool}`,
    ]) {
      for (const bytes of [plain(POLICY + layout), deflated(POLICY + layout)]) {
        expect(words(ours, bytes).length).toBeLessThan(1000);
      }
    }
    const list = JSON.stringify(Array.from({ length: 9000 }, () => "a"));
    expect(words(ours, plain(list), "channels").length).toBeLessThan(1000);
    expect(words(ours, plain('{"a":1}'), "channels")).toContain("another number");
    expect(words(ours, plain(`"${"n".repeat(9000)}" 1 0 1 0 0 1 4 1 0 `)).length).toBeLessThan(
      1000,
    );
  });

  test("may say anything", () => {
    const grammar = fc.stringMatching(/^[{}()",:a-z0-9 -]{0,80}$/);
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      grammar.map((text) => plain(POLICY + text)),
      grammar.map((text) => deflated(text)),
    );
    fc.assert(
      fc.property(
        bytes,
        fc.constantFrom("channel 1", "channel 99", "channels", "", "x"),
        (layout, text) => {
          expect(words(ours, layout, text).length).toBeLessThan(2000);
        },
      ),
    );
  });
});
