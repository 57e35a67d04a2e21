/*
 * The three messages of bench/schema.ts: a player's input, a snapshot of 64 players and a chat line, in
 * every form that is compared.
 *
 * Owns: the definitions, the messages (chance with a seed: the same in every run), and the forms.
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
const MEMORY_BYTES = 4096;

/** One way to write and read a message. */
export interface Form<T> {
  readonly name: string;
  /** To bytes of its own. */
  encode(value: T): Uint8Array;
  /** To memory that is there, where the form can; its length. */
  readonly encodeInto?: (value: T, memory: Uint8Array) => number;
  /** To new objects, where the form does. */
  readonly decode?: (bytes: Uint8Array) => unknown;
  /** To objects that are there, where the form can. */
  readonly decodeInto?: (bytes: Uint8Array) => boolean;
}

/** A kind of message, and all forms of it; the packer by hand and the schema are the last two. */
export interface Kind<T = unknown> {
  readonly name: string;
  readonly list: readonly T[];
  readonly forms: readonly Form<T>[];
  readonly schema: Schema<T>;
}

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
message Player {
  uint32 id = 1; bool alive = 2; uint32 health = 3; Vector position = 4; float yaw = 5; float pitch = 6;
}
message Snapshot { fixed32 tick = 1; repeated Player players = 2; }
message Chat { uint32 from = 1; string text = 2; }`).root;

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

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function kindOf<T extends object>(
  name: string,
  message: string,
  list: readonly T[],
  one: Schema<T>,
  pack: (value: T, bytes: Uint8Array) => number,
  unpack: (bytes: Uint8Array, value: T) => boolean,
): Kind<T> {
  const type = proto.lookupType(message);
  const memory = new Uint8Array(MEMORY_BYTES);
  const target = one.decode(one.encode(list[0])) as T;
  const other = one.decode(one.encode(list[0])) as T;
  const forms: Form<T>[] = [
    {
      name: "JSON",
      encode: (value) => encoder.encode(JSON.stringify(value)),
      decode: (bytes) => JSON.parse(decoder.decode(bytes)) as unknown,
    },
    { name: "@msgpack/msgpack", encode: (value) => encodePack(value), decode: decodePack },
    {
      name: "protobufjs",
      encode: (value) => type.encode(value).finish(),
      decode: (bytes) => type.decode(bytes),
    },
    {
      name: "by hand",
      encode: (value) => memory.slice(0, pack(value, memory)),
      encodeInto: pack,
      decodeInto: (bytes) => unpack(bytes, target),
    },
    {
      name: "netrt/schema",
      encode: (value) => one.encode(value),
      encodeInto: one.encodeInto,
      decode: (bytes) => one.decode(bytes),
      decodeInto: (bytes) => one.decodeInto(bytes, other),
    },
  ];
  return { name, list, forms, schema: one };
}

/** All kinds. */
export const kinds = [
  kindOf("player input", "Input", inputList, inputs, packInput, unpackInput),
  kindOf(
    "snapshot of 64 players",
    "Snapshot",
    snapshotList,
    snapshots,
    packSnapshot,
    unpackSnapshot,
  ),
  kindOf("chat line", "Chat", chatList, chats, packChat, unpackChat),
] as unknown as readonly Kind[];
