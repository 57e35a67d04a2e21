/*
 * A third decoder of payloads between netrt peers, written from docs/PROTOCOL.md alone: what the page says, in the page's
 * words and order, and nothing that only the engines know.
 * Owns: bytes to a plain description or a refusal, and a description back to bytes.
 * Never imports the engines; keeps no state: rules that need a connection are not its concern.
 * A new frame is one entry of FRAMES, and one member of FrameDescription.
 */

import { Reader, RefusedError, refuse, Writer } from "./bytes.js";

/** The limits that the page prints; agreement.test.ts holds them to its table. */
export const LIMITS = {
  payload: 1200,
  message: 65536,
  fragment: 1024,
  "messages in a packet": 64,
  channels: 64,
  "ack bitfield": 256,
  "close text": 120,
  "layout of a channel": 1024,
} as const;
/** */
const VERSION = 3;
/** The table of frames: the least that a hello may tell as its longest payload. */
const PAYLOAD_BYTES_MIN = 200;
/** a message longer than a payload less this goes in fragments; a fragment has a payload less the other. */
const WHOLE_LESS = 100;
const FRAGMENT_LESS = 72;
const FRAGMENT_STEP = 64;
/** R-49 leaves the longest bitmap to the table of frames. */
const NACK_BITMAP_BYTES_MAX = 32;
/** */
const PROOF_BYTES = 8;
/** */
const BLOCK_BYTES_MAX = 16 * 1024 * 1024;

/** `bits`: the bitfield, first byte first. */
export interface AckDescription {
  readonly latest: number;
  readonly delay: number;
  readonly bits: Uint8Array;
}

interface FragmentDescription {
  readonly kind: "fragment";
  readonly channel: number;
  readonly id: number;
  readonly index: number;
  readonly total: number;
  readonly body: Uint8Array;
}

export type FrameDescription =
  | {
      readonly kind: "hello";
      version: number;
      nameHash: number;
      hashes: readonly number[];
      limits: readonly [payloadBytes: number, packetRate: number, byteRate: number];
      suites: number;
      key: Uint8Array;
    }
  | { readonly kind: "foreign hello"; version: number; rest: Uint8Array }
  | FragmentDescription
  | { readonly kind: "age"; ms: number }
  | (Omit<FragmentDescription, "kind"> & { readonly kind: "block"; number: number })
  | { readonly kind: "window"; channel: number; id: number }
  | { readonly kind: "skip"; channel: number; id: number }
  | { readonly kind: "layout"; channel: number; body: Uint8Array }
  | { readonly kind: "close"; reason: number; text: Uint8Array }
  | { readonly kind: "ping" }
  | { readonly kind: "challenge"; proof: Uint8Array }
  | { readonly kind: "response"; proof: Uint8Array }
  | { readonly kind: "nack"; channel: number; id: number; bits: Uint8Array }
  | { readonly kind: "message"; channel: number; id: number; body: Uint8Array };

export interface PayloadDescription {
  /** Null: nothing was received yet. */
  readonly ack: AckDescription | null;
  readonly frames: readonly FrameDescription[];
}

/** Why a payload is none: the rule, and what is wrong. */
export interface Refusal {
  readonly refused: string;
}

export function isRefusal(answer: PayloadDescription | Refusal): answer is Refusal {
  return "refused" in answer;
}

type Kind = FrameDescription["kind"];
type Frame<Name extends Kind> = Extract<FrameDescription, { kind: Name }>;

/** A row of the page's table of frames. */
interface Row<Name extends Kind = Kind> {
  readonly kind: Name;
  /** First byte and name, as the table prints them. */
  readonly row: readonly [first: string, name: string];
  /** The lowest first byte, and how many more there are. */
  readonly first: number;
  readonly more: number;
  /** Whether this is the form at the end of a payload, or the one before it; both where left out. */
  readonly last?: boolean;
  /** Whether it is this row's form of the first byte; always where left out. */
  takes?(second: number | undefined): boolean;
  read(reader: Reader, first: number): Frame<Name>;
  /** What stands behind the first byte. */
  write(writer: Writer, frame: Frame<Name>): void;
}

function row<Name extends Kind>(entry: Row<Name>): Row {
  return entry as unknown as Row;
}

/** in one piece goes what is no longer. */
function readBody(reader: Reader, size: number): Uint8Array {
  if (size > reader.payload - WHOLE_LESS) refuse(`R-54: ${size} bytes in one piece`);
  return reader.take(size);
}

/** index, total, and the bytes that follow from them. */
function readPiece(reader: Reader, block: boolean) {
  const index = reader.varint();
  const total = reader.varint();
  const least = block ? 1 : reader.payload - WHOLE_LESS + 1;
  const most = block ? BLOCK_BYTES_MAX : LIMITS.message;
  if (total < least || total > most) refuse(`R-54, R-56: a whole of ${total} bytes`);
  const room = reader.payload - FRAGMENT_LESS;
  const size = Math.min(room - (room % FRAGMENT_STEP), LIMITS.fragment);
  const count = Math.ceil(total / size);
  if (index >= count + (block ? 1 : 0)) refuse(`R-54, R-56: no fragment ${index}`);
  return { index, total, body: reader.take(Math.max(Math.min(size, total - index * size), 0)) };
}

/** The page's table of frames, row by row. */
export const FRAMES: readonly Row[] = [
  row({
    kind: "hello",
    row: ["0x01", "hello"],
    first: 0x01,
    more: 0,
    takes: (second) => second === VERSION,
    read(reader) {
      const version = reader.integer(1);
      const count = reader.integer(1);
      if (count < 1 || count > LIMITS.channels) refuse(`a hello of ${count} channels`);
      const nameHash = reader.integer(4);
      const limits = [reader.integer(2), reader.integer(2), reader.integer(4)] as const;
      if (limits[0] < Math.max(PAYLOAD_BYTES_MIN, 112 + 4 * count) || limits[0] > LIMITS.payload)
        refuse(`payloads of ${limits[0]} bytes`);
      reader.payload = Math.min(reader.payload, limits[0]);
      const suites = reader.integer(1);
      if (suites % 2 === 0) refuse("R-61: suites without the first");
      const key = reader.take(32);
      const hashes = Array.from({ length: count }, () => reader.integer(4));
      return { kind: "hello", version, nameHash, hashes, limits, suites, key };
    },
    write(writer, { version, nameHash, hashes, limits, suites, key }) {
      writer.integer(version, 1);
      writer.integer(hashes.length, 1);
      writer.integer(nameHash, 4);
      writer.integer(limits[0], 2);
      writer.integer(limits[1], 2);
      writer.integer(limits[2], 4);
      writer.integer(suites, 1);
      writer.raw(key);
      for (const hash of hashes) writer.integer(hash, 4);
    },
  }),
  row({
    kind: "foreign hello",
    row: ["0x01", "hello of another version"],
    first: 0x01,
    more: 0,
    read: (reader) => ({ kind: "foreign hello", version: reader.integer(1), rest: reader.rest() }),
    write(writer, { version, rest }) {
      writer.integer(version, 1);
      writer.raw(rest);
    },
  }),
  row({
    kind: "skip",
    row: ["0x02", "skip"],
    first: 0x02,
    more: 0,
    read: (reader) => ({ kind: "skip", channel: reader.channel(), id: reader.integer(2) }),
    write(writer, { channel, id }) {
      writer.integer(channel, 1);
      writer.integer(id, 2);
    },
  }),
  row({
    kind: "close",
    row: ["0x03", "close"],
    first: 0x03,
    more: 0,
    read(reader) {
      const reason = reader.integer(1);
      const size = reader.integer(1);
      if (size > LIMITS["close text"]) refuse(`a text of ${size} bytes`);
      return { kind: "close", reason, text: reader.take(size) };
    },
    write(writer, { reason, text }) {
      writer.integer(reason, 1);
      writer.integer(text.length, 1);
      writer.raw(text);
    },
  }),
  row({
    kind: "ping",
    row: ["0x04", "ping"],
    first: 0x04,
    more: 0,
    read: () => ({ kind: "ping" }),
    write() {},
  }),
  row({
    kind: "nack",
    row: ["0x05", "nack"],
    first: 0x05,
    more: 0,
    read(reader) {
      const channel = reader.channel();
      const id = reader.integer(2);
      const bits = reader.bits(reader.integer(1), NACK_BITMAP_BYTES_MAX);
      return { kind: "nack", channel, id, bits };
    },
    write(writer, { channel, id, bits }) {
      writer.integer(channel, 1);
      writer.integer(id, 2);
      writer.integer(bits.length, 1);
      writer.raw(bits);
    },
  }),
  row({
    kind: "fragment",
    row: ["0x06", "fragment"],
    first: 0x06,
    more: 0,
    read(reader) {
      const channel = reader.channel();
      const id = reader.integer(2);
      return { kind: "fragment", channel, id, ...readPiece(reader, false) };
    },
    write(writer, { channel, id, index, total, body }) {
      writer.integer(channel, 1);
      writer.integer(id, 2);
      writer.varint(index);
      writer.varint(total);
      writer.raw(body);
    },
  }),
  row({
    kind: "block",
    row: ["0x07", "block"],
    first: 0x07,
    more: 0,
    read(reader) {
      const channel = reader.channel();
      const id = reader.integer(2);
      const number = reader.integer(2);
      return { kind: "block", channel, id, number, ...readPiece(reader, true) };
    },
    write(writer, { channel, id, number, index, total, body }) {
      writer.integer(channel, 1);
      writer.integer(id, 2);
      writer.integer(number, 2);
      writer.varint(index);
      writer.varint(total);
      writer.raw(body);
    },
  }),
  row({
    kind: "window",
    row: ["0x08", "window"],
    first: 0x08,
    more: 0,
    read: (reader) => ({ kind: "window", channel: reader.channel(), id: reader.integer(2) }),
    write(writer, { channel, id }) {
      writer.integer(channel, 1);
      writer.integer(id, 2);
    },
  }),
  row({
    kind: "age",
    row: ["0x09", "age"],
    first: 0x09,
    more: 0,
    read(reader) {
      const ms = reader.varint();
      if (ms === 0) refuse("R-50: an age of nothing");
      return { kind: "age", ms };
    },
    write(writer, { ms }) {
      writer.varint(ms);
    },
  }),
  row({
    kind: "layout",
    row: ["0x0a", "layout"],
    first: 0x0a,
    more: 0,
    read(reader) {
      const channel = reader.integer(1);
      if (channel > LIMITS.channels) refuse(`R-66: a layout of channel ${channel}`);
      const length = reader.varint();
      if (length > LIMITS["layout of a channel"]) refuse(`R-66: a layout of ${length} bytes`);
      return { kind: "layout", channel, body: reader.take(length) };
    },
    write(writer, { channel, body }) {
      writer.integer(channel, 1);
      writer.varint(body.length);
      writer.raw(body);
    },
  }),
  row({
    kind: "challenge",
    row: ["0x0b", "challenge"],
    first: 0x0b,
    more: 0,
    read: (reader) => ({ kind: "challenge", proof: reader.take(PROOF_BYTES) }),
    write: (writer, { proof }) => writer.raw(proof),
  }),
  row({
    kind: "response",
    row: ["0x0c", "response"],
    first: 0x0c,
    more: 0,
    read: (reader) => ({ kind: "response", proof: reader.take(PROOF_BYTES) }),
    write: (writer, { proof }) => writer.raw(proof),
  }),
  row({
    kind: "message",
    row: ["0x80 + channel", "message, last"],
    first: 0x80,
    more: 63,
    last: true,
    read(reader, first) {
      const channel = reader.channel(first - 0x80);
      return {
        kind: "message",
        channel,
        id: reader.integer(2),
        body: readBody(reader, reader.left),
      };
    },
    write(writer, { id, body }) {
      writer.integer(id, 2);
      writer.raw(body);
    },
  }),
  row({
    kind: "message",
    row: ["0xc0 + channel", "message"],
    first: 0xc0,
    more: 63,
    last: false,
    read(reader, first) {
      const channel = reader.channel(first - 0xc0);
      const id = reader.integer(2);
      return { kind: "message", channel, id, body: readBody(reader, reader.varint()) };
    },
    write(writer, { id, body }) {
      writer.integer(id, 2);
      writer.varint(body.length);
      writer.raw(body);
    },
  }),
];

// --- reading ---

/** */
function readAck(reader: Reader): AckDescription | null {
  const first = reader.integer(1);
  if (first === 0) return null;
  if (first < 0x80) refuse(`R-21: an ack header that begins with ${first}`);
  const latest = reader.integer(2);
  const delay = reader.integer(2);
  return { latest, delay, bits: reader.bits(first - 0x80, LIMITS["ack bitfield"] / 8) };
}

function readFrame(reader: Reader): FrameDescription {
  const first = reader.integer(1);
  const entry = FRAMES.find(
    ({ first: low, more, takes }) =>
      first >= low && first <= low + more && (takes?.(reader.next) ?? true),
  );
  if (entry === undefined) return refuse(`R-35: no frame begins with ${first}`);
  const frame = entry.read(reader, first);
  if (entry.last === false && reader.done) refuse("R-31: the last message has a length");
  return frame;
}

/** one hello, ping, layout, close, challenge and response; skips, windows and nacks each in the order of channels. */
function checkPlaces(frames: readonly FrameDescription[]): void {
  const last = new Map<Kind, number>();
  for (const frame of frames) {
    const kind = frame.kind === "foreign hello" ? "hello" : frame.kind;
    const place = "channel" in frame && frame.kind !== "layout" ? frame.channel : 0;
    if (place <= (last.get(kind) ?? -1)) refuse(`R-20: another ${kind}`);
    last.set(kind, place);
  }
}

/** an age is that of the message or fragment behind it. */
function checkAges(frames: readonly FrameDescription[]): void {
  for (const [index, { kind }] of frames.entries()) {
    const next = frames[index + 1]?.kind;
    if (kind === "age" && next !== "message" && next !== "fragment") refuse("R-50: a lone age");
  }
}

/** What a payload says, for a protocol of so many channels; or why it is refused as a whole. */
export function decodePayload(
  bytes: Uint8Array,
  channels: number = LIMITS.channels,
  longest: number = LIMITS.payload,
): PayloadDescription | Refusal {
  try {
    const reader = new Reader(bytes, channels, longest);
    const ack = readAck(reader);
    const frames: FrameDescription[] = [];
    while (!reader.done) frames.push(readFrame(reader));
    const carrying: readonly Kind[] = ["message", "fragment", "block"];
    const messages = frames.filter(({ kind }) => carrying.includes(kind)).length;
    checkPlaces(frames.filter(({ kind }) => !carrying.includes(kind) && kind !== "age"));
    checkAges(frames);
    if (messages > LIMITS["messages in a packet"]) refuse(`R-20: ${messages} messages`);
    return { ack, frames };
  } catch (error) {
    if (error instanceof RefusedError) return { refused: error.message };
    throw error;
  }
}

// --- writing ---

function writeFrame(writer: Writer, frame: FrameDescription, last: boolean): void {
  const entry = FRAMES.find((each) => each.kind === frame.kind && (each.last ?? last) === last);
  if (entry === undefined) throw new RangeError(`no row for ${frame.kind}`);
  writer.integer(entry.first + (entry.more > 0 && "channel" in frame ? frame.channel : 0), 1);
  entry.write(writer, frame);
}

/** The one byte string of a description. Throws RangeError when a field can't hold its value. */
export function encodePayload({ ack, frames }: PayloadDescription): Uint8Array {
  const writer = new Writer();
  if (ack === null) {
    writer.integer(0, 1);
  } else {
    writer.integer(0x80 + ack.bits.length, 1);
    writer.integer(ack.latest, 2);
    writer.integer(ack.delay, 2);
    writer.raw(ack.bits);
  }
  for (const [index, frame] of frames.entries()) {
    writeFrame(writer, frame, index === frames.length - 1);
  }
  return Uint8Array.from(writer.bytes);
}
