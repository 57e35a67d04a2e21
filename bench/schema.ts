/*
 * What messages cost, as JSON, MessagePack, Protocol Buffers, packed by hand and with netrt/schema: their
 * sizes, and the time to encode and decode them.
 *
 * Owns: the three messages (a player's input, a snapshot of 64 players, a chat line) and the measuring.
 * Each form encodes to memory of its own choice and decodes into new objects, but the packer by hand and
 * the schema, which use what is there already, as a server does.
 * Run it after `npm run build`: node --expose-gc dist/bench/schema.js
 */
import { decode as decodePack, encode as encodePack } from "@msgpack/msgpack";
import protobuf from "protobufjs";
import {
  array,
  bits,
  bool,
  object,
  quantized,
  range,
  type Schema,
  schema,
  string,
  vec3,
} from "../lib/schema/index.js";
import {
  type Chat,
  type Input,
  packChat,
  packInput,
  packSnapshot,
  type Snapshot,
  unpackChat,
  unpackInput,
  unpackSnapshot,
} from "./packer.js";

const PLAYERS = 64;
/** Messages of a kind, so that no branch is learnt by heart. */
const MESSAGES = 64;
/** Time of one sample, and samples of which the fastest counts: what disturbs only adds. */
const SAMPLE_MS = 25;
const SAMPLES = 12;

const yaw = quantized(-Math.PI, Math.PI, 0.001);
const pitch = quantized(-Math.PI / 2, Math.PI / 2, 0.001);
const inputs: Schema<Input> = schema({
  sequence: range(0, 65535),
  buttons: bits(6),
  yaw,
  aim: vec3(quantized(-1, 1, 0.002)),
});
const player = object({
  id: bits(8),
  alive: bool,
  health: range(0, 100),
  position: vec3(quantized(-250, 250, 1 / 256)),
  yaw,
  pitch,
});
const snapshots: Schema<Snapshot> = schema({ tick: bits(32), players: array(player, PLAYERS) });
const chats: Schema<Chat> = schema({ from: bits(8), text: string(120) });

const proto = protobuf.parse(`syntax = "proto3";
message Vector { float x = 1; float y = 2; float z = 3; }
message Input { uint32 sequence = 1; uint32 buttons = 2; float yaw = 3; Vector aim = 4; }
message Player { uint32 id = 1; bool alive = 2; uint32 health = 3; Vector position = 4; float yaw = 5; float pitch = 6; }
message Snapshot { fixed32 tick = 1; repeated Player players = 2; }
message Chat { uint32 from = 1; string text = 2; }`).root;

// Chance with a seed: the same messages in every run.
let state = 1;
function random(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
const between = (least: number, most: number): number => least + random() * (most - least);
const whole = (most: number): number => Math.floor(random() * (most + 1));
const vector = (size: number) => ({
  x: between(-size, size),
  y: between(-size, size),
  z: between(-size, size),
});
const messages = <T>(make: () => T): T[] => Array.from({ length: MESSAGES }, make);

const inputList = messages<Input>(() => ({
  sequence: whole(65535),
  buttons: whole(63),
  yaw: between(-Math.PI, Math.PI),
  aim: vector(1),
}));
const snapshotList = messages<Snapshot>(() => ({
  tick: whole(2 ** 32 - 1),
  players: Array.from({ length: PLAYERS }, (_, id) => ({
    id,
    alive: random() < 0.8,
    health: whole(100),
    position: vector(250),
    yaw: between(-Math.PI, Math.PI),
    pitch: between(-1.5, 1.5),
  })),
}));
const chatList = messages<Chat>(() => ({
  from: whole(255),
  text: "good game, well played - rematch?".slice(0, 20 + whole(13)),
}));

interface Form<T> {
  readonly name: string;
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): unknown;
  /** Encodes to memory that is there, where the form can. */
  encodeInto?: (value: T, memory: Uint8Array) => unknown;
}

let sunk: unknown;
const NO_MEMORY = new Uint8Array(0);

/**
 * The time of one call, in ns: the fastest of the samples. The loop has seen many functions and inlines
 * none, as little as a server would that sends from many places.
 */
function nsPerCall<A>(
  args: readonly A[],
  call: (arg: A, memory: Uint8Array) => unknown,
  memory = NO_MEMORY,
): number {
  let best = Number.POSITIVE_INFINITY;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const start = process.hrtime.bigint();
    const end = start + BigInt(SAMPLE_MS) * 1_000_000n;
    let calls = 0;
    let now = start;
    while (now < end) {
      for (let round = 0; round < 8; round++) for (const arg of args) sunk = call(arg, memory);
      calls += 8 * args.length;
      now = process.hrtime.bigint();
    }
    best = Math.min(best, Number(now - start) / calls);
  }
  return best;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function formsOf<T extends object>(
  name: string,
  type: Schema<T>,
  sample: T,
  pack: (value: T, bytes: Uint8Array) => number,
  unpack: (bytes: Uint8Array, value: T) => boolean,
): Form<T>[] {
  const message = proto.lookupType(name);
  const memory = new Uint8Array(4096);
  const target = structuredClone(sample);
  const other = structuredClone(sample);
  return [
    {
      name: "JSON",
      encode: (value) => encoder.encode(JSON.stringify(value)),
      decode: (bytes) => JSON.parse(decoder.decode(bytes)) as unknown,
    },
    { name: "@msgpack/msgpack", encode: (value) => encodePack(value), decode: decodePack },
    {
      name: "protobufjs",
      encode: (value) => message.encode(value).finish(),
      decode: (bytes) => message.decode(bytes),
    },
    {
      name: "by hand",
      encode: (value) => memory.slice(0, pack(value, memory)),
      encodeInto: pack,
      decode: (bytes) => unpack(bytes, target),
    },
    {
      name: "netrt/schema",
      encode: (value) => type.encode(value),
      encodeInto: type.encodeInto,
      decode: (bytes) => type.decodeInto(bytes, other),
    },
  ];
}

/** Bytes of garbage per call of decodeInto, with --expose-gc. */
function garbage<T extends object>(type: Schema<T>, list: readonly T[]): string {
  if (globalThis.gc === undefined) return "?";
  const encoded = list.map((value) => type.encode(value));
  const target = type.decode(encoded[0])!;
  const grow = (rounds: number): number => {
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    for (let round = 0; round < rounds; round++) {
      for (const bytes of encoded) type.decodeInto(bytes, target);
    }
    return process.memoryUsage().heapUsed - before;
  };
  grow(2000);
  const few = grow(100);
  // What looking costs is in both.
  return ((grow(1100) - few) / (1000 * encoded.length)).toFixed(2);
}

function measure<T extends object>(title: string, list: readonly T[], forms: Form<T>[]): void {
  console.log(`\n${title}\n${"".padEnd(18)}   bytes   encode   encodeInto   decode (ns)`);
  const rows = forms.map((form) => {
    const encoded = list.map((value) => form.encode(value));
    const bytes = encoded.reduce((sum, { length }) => sum + length, 0) / encoded.length;
    return {
      name: form.name,
      bytes,
      encode: nsPerCall(list, (value) => form.encode(value)),
      into:
        form.encodeInto === undefined
          ? Number.NaN
          : nsPerCall(list, form.encodeInto, new Uint8Array(4096)),
      decode: nsPerCall(encoded, (each) => form.decode(each)),
    };
  });
  const cell = (value: number, width: number): string =>
    (Number.isNaN(value) ? "" : value.toFixed(value < 100 ? 1 : 0)).padStart(width);
  for (const { name, bytes, encode, into, decode } of rows) {
    const cells = [cell(bytes, 8), cell(encode, 9), cell(into, 13), cell(decode, 9)];
    console.log(`${name.padEnd(18)}${cells.join("")}`);
  }
  const [hand, ours] = rows.slice(-2);
  const ratio = (a: number, b: number): string => (a / b).toFixed(2);
  console.log(
    `netrt/schema to by hand: encodeInto x ${ratio(ours.into, hand.into)}, ` +
      `decode x ${ratio(ours.decode, hand.decode)}`,
  );
}

for (const each of [Math.sin, Math.cos, Math.tan, Math.abs, Math.exp]) nsPerCall([1], each);
measure("player input", inputList, formsOf("Input", inputs, inputList[0], packInput, unpackInput));
console.log(`garbage of decodeInto: ${garbage(inputs, inputList)} B`);
measure(
  "snapshot of 64 players",
  snapshotList,
  formsOf("Snapshot", snapshots, snapshotList[0], packSnapshot, unpackSnapshot),
);
console.log(`garbage of decodeInto: ${garbage(snapshots, snapshotList)} B`);
measure("chat line", chatList, formsOf("Chat", chats, chatList[0], packChat, unpackChat));
if (sunk === globalThis) console.log("never");
