/*
 * Owns payloads between netrt peers as values: read and written by an engine, for tests that look at the wire.
 * Never adds a rule: what an engine refuses is null here.
 */

import {
  FRAME_AGE,
  FRAME_BLOCK,
  FRAME_CHALLENGE,
  FRAME_CLOSE,
  FRAME_FRAGMENT,
  FRAME_HELLO,
  FRAME_LAYOUT,
  FRAME_MESSAGE,
  FRAME_NACK,
  FRAME_PING,
  FRAME_RESPONSE,
  FRAME_SKIP,
  FRAME_WINDOW,
} from "../lib/engine/frame.js";
import { KEY_BYTES, NETRT_VERSION } from "../lib/engine/limits.js";
import { ACK_WORDS, type EngineProbe, FRAME_WORDS } from "./engine-probe.js";

export interface Ack {
  readonly latest: number;
  readonly delay: number;
  readonly bits: Uint8Array;
}

interface HelloValue {
  readonly kind: "hello";
  readonly version: number;
  readonly nameHash: number;
  readonly hashes: readonly number[];
  /** What its sender takes: bytes of a payload, packets and bytes a second (0 for any number). */
  readonly limits: readonly [payloadBytes: number, packetRate: number, byteRate: number];
  /** What its sender can seal under, and its public key. */
  readonly suites: number;
  readonly key: Uint8Array;
}

interface FragmentValue {
  readonly kind: "fragment";
  readonly channel: number;
  readonly id: number;
  readonly index: number;
  readonly total: number;
  readonly body: Uint8Array;
}

export type FrameValue =
  | HelloValue
  | { readonly kind: "foreign hello"; version: number; rest: Uint8Array }
  | { readonly kind: "window"; channel: number; id: number }
  | FragmentValue
  | { readonly kind: "age"; ms: number }
  | (Omit<FragmentValue, "kind"> & { readonly kind: "block"; number: number })
  | { readonly kind: "skip"; channel: number; id: number }
  | { readonly kind: "layout"; channel: number; body: Uint8Array }
  | { readonly kind: "close"; reason: number; text: Uint8Array }
  | { readonly kind: "ping" }
  | { readonly kind: "challenge" | "response"; proof: Uint8Array }
  | { readonly kind: "nack"; channel: number; id: number; bits: Uint8Array }
  | { readonly kind: "message"; channel: number; id: number; body: Uint8Array };

export interface Payload {
  readonly ack: Ack | null;
  readonly frames: readonly FrameValue[];
}

/** More than any payload has frames: a ping is one byte. */
const FRAMES_MAX = 1400;
const words = new Uint32Array(ACK_WORDS + FRAMES_MAX * FRAME_WORDS);

function frameValue(bytes: Uint8Array, fields: Uint32Array): FrameValue {
  const [kind, channel, id, offset, size, code, nameHash, channelCount] = fields;
  const [total, index, number, payloadBytes, packetRate, byteRate, suites, keyOffset] =
    fields.subarray(8);
  const body = bytes.slice(offset, offset + size);
  switch (kind) {
    case FRAME_HELLO: {
      if (code !== NETRT_VERSION) return { kind: "foreign hello", version: code, rest: body };
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const hashes = Array.from({ length: channelCount }, (_, index) =>
        view.getUint32(offset + 4 * index, true),
      );
      const limits = [payloadBytes, packetRate, byteRate] as const;
      const key = bytes.slice(keyOffset, keyOffset + KEY_BYTES);
      return { kind: "hello", version: code, nameHash, hashes, limits, suites, key };
    }
    case FRAME_SKIP:
      return { kind: "skip", channel, id };
    case FRAME_AGE:
      return { kind: "age", ms: total };
    case FRAME_WINDOW:
      return { kind: "window", channel, id };
    case FRAME_FRAGMENT:
      return { kind: "fragment", channel, id, index, total, body };
    case FRAME_BLOCK:
      return { kind: "block", channel, id, index, total, body, number };
    case FRAME_LAYOUT:
      return { kind: "layout", channel, body };
    case FRAME_CLOSE:
      return { kind: "close", reason: code, text: body };
    case FRAME_PING:
      return { kind: "ping" };
    case FRAME_CHALLENGE:
      return { kind: "challenge", proof: body };
    case FRAME_RESPONSE:
      return { kind: "response", proof: body };
    case FRAME_NACK:
      return { kind: "nack", channel, id, bits: body };
    case FRAME_MESSAGE:
      return { kind: "message", channel, id, body };
    default:
      throw new Error(`a frame of an unknown kind: ${kind}`);
  }
}

/** What an engine reads, or null. */
export function readPayload(engine: EngineProbe, bytes: Uint8Array): Payload | null {
  const count = engine.payloadRead(bytes, 0, bytes.length, words);
  if (count < 0) return null;
  const [present, latest, delay, bitsOffset, bitBytes] = words;
  const bits = bytes.slice(bitsOffset, bitsOffset + bitBytes);
  const frames = Array.from({ length: count }, (_, index) => {
    const start = ACK_WORDS + index * FRAME_WORDS;
    return frameValue(bytes, words.subarray(start, start + FRAME_WORDS));
  });
  return { ack: present === 0 ? null : { latest, delay, bits }, frames };
}

function writeFrame(
  engine: EngineProbe,
  out: Uint8Array,
  offset: number,
  frame: FrameValue,
): number {
  switch (frame.kind) {
    case "hello": {
      const hashes = Uint32Array.from(frame.hashes);
      const limits = Uint32Array.from(frame.limits);
      const { version, nameHash, suites, key } = frame;
      return engine.helloWrite(out, offset, version, nameHash, hashes, limits, suites, key);
    }
    case "foreign hello":
      // No engine writes one.
      out.set([FRAME_HELLO, frame.version, ...frame.rest], offset);
      return offset + 2 + frame.rest.length;
    case "skip":
      return engine.skipWrite(out, offset, frame.channel, frame.id);
    case "age":
      return engine.ageWrite(out, offset, frame.ms);
    case "window":
      return engine.windowWrite(out, offset, frame.channel, frame.id);
    case "fragment": {
      const { channel, id, index, total, body } = frame;
      return engine.fragmentWrite(out, offset, channel, id, index, total, body);
    }
    case "block": {
      const { channel, id, index, total, body, number } = frame;
      return engine.blockWrite(out, offset, channel, id, index, total, body, number);
    }
    case "layout":
      return engine.layoutWrite(out, offset, frame.channel, frame.body);
    case "close":
      return engine.closeWrite(out, offset, frame.reason, frame.text);
    case "ping":
      return engine.pingWrite(out, offset);
    case "challenge":
      return engine.pathWrite(out, offset, FRAME_CHALLENGE, frame.proof);
    case "response":
      return engine.pathWrite(out, offset, FRAME_RESPONSE, frame.proof);
    case "nack":
      return engine.nackWrite(out, offset, frame.channel, frame.id, frame.bits);
    case "message":
      return engine.messageWrite(out, offset, frame.channel, frame.id, frame.body);
  }
}

/** The bytes as an engine writes them: the last message without a length. */
export function writePayload(engine: EngineProbe, payload: Payload): Uint8Array {
  const out = new Uint8Array(8192);
  const { ack, frames } = payload;
  const none = new Uint8Array(0);
  let end = engine.ackHeaderWrite(
    out,
    0,
    ack !== null,
    ack?.latest ?? 0,
    ack?.delay ?? 0,
    ack?.bits ?? none,
  );
  let start = end;
  for (const frame of frames) {
    start = end;
    end = writeFrame(engine, out, start, frame);
  }
  const last = frames[frames.length - 1];
  if (last?.kind === "message") end = engine.messageShorten(out, end, start, last.body.length);
  return out.slice(0, end);
}
