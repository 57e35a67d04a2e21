/*
 * codec: the stateless targets (bytes, packet, frame, token) over one engine, as test/fuzz/{bytes,packet,frame,token}.cc
 * are over the C++ core. What is accepted is encoded again; the digest tells what came out.
 */
import { CHANNELS_MAX, KEY_BYTES, NETRT_VERSION } from "../../lib/engine/limits.js";
import { PACKET_MOVING, PACKET_SESSION } from "../../lib/engine/packet.js";
import { ACK_WORDS, FRAME_WORDS } from "../engine-probe.js";
import {
  CHALLENGE_BLOB,
  CHALLENGE_WORDS,
  CONNECT_BLOB,
  CONNECT_WORDS,
  OPERATION,
  PRIVATE_BLOB,
  PRIVATE_WORDS,
  REQUEST_BLOB,
  REQUEST_WORDS,
} from "../probe.js";
import type { Twin } from "../twins.js";
import { Digest, Input } from "./targets.js";

// --- bytes ---

const STEPS_MAX = 48;
const DATA_MAX = 1280;
const GUARD = 16;
const BITS_MAX = 32;
const OPERATIONS = 8;

const isWhole = (operation: number) =>
  operation !== OPERATION.BITS && operation !== OPERATION.ALIGN;

/** Each step as the probe takes it; whole bytes begin at a byte border, over an align. */
function programOf(input: Input): { steps: number[][]; words: number[][] } {
  const steps: number[][] = [];
  const words: number[][] = [];
  for (let left = Math.min(input.take8(), STEPS_MAX); left > 0; left--) {
    const operation = input.take8() % OPERATIONS;
    const given = input.take8();
    const count = operation === OPERATION.BITS ? 1 + (given % BITS_MAX) : given;
    if (isWhole(operation)) words.push([OPERATION.ALIGN, 0, 0]);
    steps.push([operation, words.length, count]);
    words.push([operation, 0, count]);
  }
  return { steps, words };
}

/** Runs step by step, because each copies to a place of its own. */
export function bytesTarget(twin: Twin, bytes: Uint8Array): string {
  const digest = new Digest();
  const input = new Input(bytes);
  const { steps, words } = programOf(input);
  const data = input.take(DATA_MAX).slice();
  const values = new Uint32Array(words.length);
  const state = new Uint32Array(3);
  const copy = new Uint8Array(256);
  const program = Uint32Array.from(words.flat());
  twin.core.readProgram(program, data, 0, data.length, copy, values, state);
  for (const [, word] of steps) digest.emit32(values[word]);
  const [offset, bitOffset, failed] = state;
  digest.emit32(offset);
  digest.emit8(failed);
  for (let index = 0; index + 1 < steps.length; index++) {
    const low = values[steps[index][1]] & 0xffff;
    digest.emit32(twin.core.sequenceExpand16(low, values[steps[index + 1][1]]));
  }
  if (failed !== 0) return digest.text;
  const need = offset + (bitOffset > 0 ? 1 : 0);
  for (const room of [need + GUARD, need, need - 1]) {
    if (room >= 0) writeAll(twin, digest, { words, values, data, need, room });
  }
  return digest.text;
}

interface Writing {
  readonly words: readonly number[][];
  readonly values: Uint32Array;
  readonly data: Uint8Array;
  readonly need: number;
  readonly room: number;
}

/** Writes what was read; copied and skipped bytes are those of the data. */
function writeAll(twin: Twin, digest: Digest, writing: Writing): void {
  const { words, values, data, need, room } = writing;
  const program = Uint32Array.from(
    words.flatMap(([operation, , count], index) => [operation, values[index], count]),
  );
  const out = new Uint8Array(DATA_MAX + 2 * GUARD).fill(0xa5);
  const state = new Uint32Array(3);
  twin.core.writeProgram(program, out, 0, room, new Uint8Array(256), state);
  const failed = state[2] !== 0;
  if (failed !== room < need) throw new Error(`${need} bytes into ${room}: failed ${failed}`);
  if (failed) return;
  // The probe copies from one place only: the bytes of copies and skips are put in afterwards.
  let place = 0;
  const patched = out.slice(0, need);
  const cursor = new Uint32Array(3);
  for (let index = 0; index < words.length; index++) {
    const [operation, , count] = words[index];
    if (operation !== OPERATION.SKIP && operation !== OPERATION.BYTES) continue;
    const before = Uint32Array.from(words.slice(0, index).flat());
    twin.core.readProgram(
      before,
      data,
      0,
      data.length,
      new Uint8Array(256),
      new Uint32Array(index),
      cursor,
    );
    place = cursor[0];
    patched.set(data.subarray(place, place + count), place);
  }
  digest.emit(patched);
}

// --- packet ---

const PROTOCOL_LOW = 0x55667788;
const PROTOCOL_HIGH = 0x11223344;
const NUMBERS_MAX = 64;
const TAG_BYTES = 16;

export function packetTarget(twin: Twin, bytes: Uint8Array): string {
  const { core } = twin;
  const digest = new Digest();
  const header = new Uint32Array(4);
  const reason =
    bytes.length === 0 ? 1 : core.packetHeaderRead(bytes.slice(), 0, bytes.length, header);
  digest.emit8(reason);
  const [type, low, high, headerBytes] = header;
  if (reason === 0 && type !== 0) {
    const out = new Uint8Array(16);
    const session = type === PACKET_SESSION || type === PACKET_MOVING;
    const written = session
      ? core.sessionHeaderWrite(low, out, 0)
      : core.packetHeaderWrite(type, low, high, out, 0);
    // A moving packet's head has one form; what was read is all of it but the path's id.
    digest.emit(type === PACKET_MOVING ? bytes.subarray(0, headerBytes) : out.subarray(0, written));
    const associated = new Uint8Array(22);
    core.packetAssociatedData(PROTOCOL_LOW, PROTOCOL_HIGH, bytes[0], associated);
    digest.emit(associated);
    digest.emit8(core.packetBodyValid(type, bytes.length - headerBytes - TAG_BYTES) ? 1 : 0);
  }
  const input = new Input(bytes);
  const numbers: number[] = [];
  while (numbers.length < 2 * NUMBERS_MAX && !input.ended) {
    numbers.push(input.take32(), input.take32());
  }
  const results = new Uint8Array(numbers.length / 2);
  // Whatever is fresh advances the window, and nothing else does: an advance by an old number changes nothing
  // that a test could see, so the whole can run in one call.
  for (let count = 1; count <= results.length; count++) {
    const part = results.slice(0, count);
    core.replayRun(Uint32Array.from(numbers.slice(0, 2 * count)), freshOf(results, count), part);
    results[count - 1] = part[count - 1];
  }
  for (const fresh of results) digest.emit8(fresh);
  return digest.text;
}

/** Which of the first numbers advanced the window; the last only asks. */
function freshOf(results: Uint8Array, count: number): Uint8Array {
  const advances = results.slice(0, count);
  advances[count - 1] = 0;
  return advances;
}

// --- frame ---

const KIND = {
  HELLO: 1,
  SKIP: 2,
  CLOSE: 3,
  PING: 4,
  NACK: 5,
  FRAGMENT: 6,
  BLOCK: 7,
  WINDOW: 8,
  AGE: 9,
  LAYOUT: 10,
  CHALLENGE: 11,
  RESPONSE: 12,
  MESSAGE: 128,
} as const;

export function frameTarget(twin: Twin, bytes: Uint8Array): string {
  const digest = new Digest();
  if (bytes.length < 2) return digest.text;
  const channels = 1 + (bytes[0] % CHANNELS_MAX);
  const payload = bytes.slice(1);
  const lawful = twin.engine.payloadCheck(payload, 0, payload.length, channels);
  digest.emit8(lawful ? 1 : 0);
  if (!lawful || payload.length > 2048) return digest.text;
  const words = new Uint32Array(ACK_WORDS + FRAME_WORDS * (payload.length + 1));
  const count = twin.engine.payloadRead(payload, 0, payload.length, words);
  if (count < 0) throw new Error("a payload that was accepted could not be read");
  const out = new Uint8Array(4096);
  const [present, latest, delay, bitsOffset, bitBytes] = words;
  const bits = payload.slice(bitsOffset, bitsOffset + (present === 0 ? 0 : bitBytes));
  let end = twin.engine.ackHeaderWrite(out, 0, present !== 0, latest, delay, bits);
  for (let index = 0; index < count; index++) {
    const start = ACK_WORDS + index * FRAME_WORDS;
    const frame = words.subarray(start, start + FRAME_WORDS);
    digest.emit8(frame[0]);
    const next = frameWrite(twin, out, end, frame, payload);
    if (frame[0] !== KIND.MESSAGE || index < count - 1) end = next;
    else end = twin.engine.messageShorten(out, next, end, frame[4]);
  }
  if (Buffer.compare(out.subarray(0, end), payload) !== 0) {
    throw new Error(`${hex(payload)} was written again as ${hex(out.subarray(0, end))}`);
  }
  digest.emit(out.subarray(0, end));
  return digest.text;
}

/** Writes a frame that was read at `at`; the offset behind it. */
function frameWrite(
  twin: Twin,
  out: Uint8Array,
  at: number,
  frame: Uint32Array,
  payload: Uint8Array,
): number {
  const { engine } = twin;
  const [kind, channel, id, offset, bytes, code, nameHash, channelCount] = frame;
  const [total, part, number] = frame.subarray(8, 11);
  const body = payload.slice(offset, offset + bytes);
  switch (kind) {
    case KIND.HELLO: {
      if (code !== NETRT_VERSION) {
        // No engine writes one.
        out.set([KIND.HELLO, code, ...body], at);
        return at + 2 + bytes;
      }
      const view = new DataView(payload.buffer, offset);
      const hashes = Uint32Array.from({ length: channelCount }, (_, index) =>
        view.getUint32(4 * index, true),
      );
      const [suites, keyOffset] = frame.subarray(14);
      const key = payload.slice(keyOffset, keyOffset + KEY_BYTES);
      return engine.helloWrite(out, at, code, nameHash, hashes, frame.slice(11, 14), suites, key);
    }
    case KIND.SKIP:
      return engine.skipWrite(out, at, channel, id);
    case KIND.LAYOUT:
      return engine.layoutWrite(out, at, channel, body);
    case KIND.CLOSE:
      return engine.closeWrite(out, at, code, body);
    case KIND.FRAGMENT:
      return engine.fragmentWrite(out, at, channel, id, part, total, body);
    case KIND.BLOCK:
      return engine.blockWrite(out, at, channel, id, part, total, body, number);
    case KIND.WINDOW:
      return engine.windowWrite(out, at, channel, id);
    case KIND.AGE:
      return engine.ageWrite(out, at, total);
    case KIND.PING:
      return engine.pingWrite(out, at);
    case KIND.CHALLENGE:
    case KIND.RESPONSE:
      return engine.pathWrite(out, at, kind, body);
    case KIND.NACK:
      return engine.nackWrite(out, at, channel, id, body);
    case KIND.MESSAGE:
      return engine.messageWrite(out, at, channel, id, body);
    default:
      throw new Error(`this target has no writer for frame ${kind}`);
  }
}

// --- token ---

const PRIVATE_PLAIN = 1008;
const PRIVATE_SEALED = 1024;
const SIZES = [PRIVATE_PLAIN, 2048, 284, 1078, PRIVATE_PLAIN];
const WRITTEN = [PRIVATE_SEALED, 2048, 300, 1078];

export function tokenTarget(twin: Twin, bytes: Uint8Array): string {
  const digest = new Digest();
  if (bytes.length === 0) return digest.text;
  const kind = (bytes[0] >> 1) % SIZES.length;
  const exact = (bytes[0] & 1) !== 0 && kind !== 4;
  let given = bytes.slice(1);
  if (!exact) {
    given = new Uint8Array(SIZES[kind]);
    given.set(bytes.subarray(1, 1 + SIZES[kind]));
  }
  if (kind === 4) sealedRound(twin, digest, given);
  else tokenRound(twin, digest, kind, given);
  return digest.text;
}

function tokenRound(twin: Twin, digest: Digest, kind: number, bytes: Uint8Array): void {
  const { core } = twin;
  const shapes = [
    [core.tokenPrivateRead, core.tokenPrivateWrite, PRIVATE_WORDS, PRIVATE_BLOB],
    [core.tokenPublicRead, core.tokenPublicWrite, CONNECT_WORDS, CONNECT_BLOB],
    [core.tokenChallengeRead, core.tokenChallengeWrite, CHALLENGE_WORDS, CHALLENGE_BLOB],
    [core.requestRead, core.requestWrite, REQUEST_WORDS, REQUEST_BLOB],
  ] as const;
  const [read, write, wordCount, blobBytes] = shapes[kind];
  const words = new Uint32Array(wordCount);
  const blob = new Uint8Array(blobBytes);
  const lawful = read(bytes, 0, bytes.length, words, blob);
  digest.emit8(lawful ? 1 : 0);
  if (!lawful) return;
  const out = new Uint8Array(WRITTEN[kind]);
  if (kind === 3) {
    // A request is written from the token that it shows.
    const token = new Uint32Array(CONNECT_WORDS);
    token.set(words.subarray(0, 2));
    token.set(words.subarray(2, 4), 4);
    const parts = new Uint8Array(CONNECT_BLOB);
    parts.set(blob.subarray(0, REQUEST_BLOB));
    parts.set(bytes.subarray(words[4], words[4] + PRIVATE_SEALED), REQUEST_BLOB);
    if (!write(token, parts, out, 0)) throw new Error("a request could not be written again");
  } else if (!write(words, blob, out, 0)) {
    throw new Error("a token could not be written again");
  }
  digest.emit(out);
}

function sealedRound(twin: Twin, digest: Digest, plain: Uint8Array): void {
  const { core } = twin;
  const key = new Uint8Array(32);
  key.set([1, 2, 3]);
  const nonce = new Uint8Array(24);
  nonce.set([4, 5, 6]);
  const associated = new Uint8Array(29);
  core.tokenAssociatedData(7, 0, 8, 0, associated);
  const bytes = new Uint8Array(PRIVATE_SEALED);
  bytes.set(plain);
  core.sealToken(key, nonce, associated, bytes, 0, PRIVATE_PLAIN);
  digest.emit(bytes);
  const opened = core.openToken(key, nonce, associated, bytes, 0, PRIVATE_SEALED);
  tokenRound(twin, digest, 0, bytes.slice(0, opened));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
