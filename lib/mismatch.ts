/**
 * Why two peers do not come together: where their definitions of the protocol differ.
 *
 * Owns: what this side says of its channels to a peer that refuses it, and the words for the user.
 * Never does: refuse anybody; the engine compares the hashes.
 * Invariant: what a peer says is bounded before it is read, and what can't be read is as if it had not come.
 */
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import type { Driver } from "./driver.js";
import { LAYOUT_CHANNELS } from "./engine/layout.js";
import { CHANNELS_MAX, COPIES_ADAPTIVE } from "./engine/limits.js";
import { EXPIRY_NEVER, EXPIRY_SUPERSEDED } from "./engine/policy.js";
import { NO_ROOM, PEER_RECORD_BYTES, RECORD_BYTES, RECORD_LAYOUT } from "./engine/ring.js";
import { NetrtError } from "./errors.js";
import { encodePolicy, REDUNDANCY_HIGH_COPIES, REDUNDANCY_LOW_COPIES } from "./policy.js";
import type { Protocol } from "./protocol.js";
import { firstDifference } from "./schema/difference.js";

/** Most that is read of what a peer says, in bytes of text: far more than fits a packet uncompressed. */
const TEXT_BYTES_MAX = 65_536;
/** Longest part of a layout that an error shows, in characters. */
const SHOWN_MAX = 300;
/** Longest layout of this side that an error shows, in characters. */
const LAYOUT_SHOWN_MAX = 1000;
const PLAIN = 0;
const DEFLATED = 1;

/** A client that was refused, or refused us, before it became a peer. */
export interface MismatchedClient {
  /** The client's id from its token. */
  readonly id: bigint;
  readonly address: string;
  /** The 256 bytes that the backend put into the client's token. */
  readonly userData: Uint8Array;
}

// --- what this side says ---

const kept = new WeakMap<Protocol, ReadonlyMap<number, Uint8Array>>();

/** What is said of each channel, and of all: made once for a protocol, however many connect. */
function layoutsOf(protocol: Protocol): ReadonlyMap<number, Uint8Array> {
  let layouts = kept.get(protocol);
  if (layouts === undefined) {
    const made = new Map<number, Uint8Array>();
    for (const [channel, name] of protocol.channelNames.entries()) {
      made.set(channel, pack(channelText(protocol, name)));
    }
    made.set(LAYOUT_CHANNELS, pack(JSON.stringify(protocol.channelNames)));
    layouts = made;
    kept.set(protocol, layouts);
  }
  return layouts;
}

/** Gives the engine what it says to peers of another protocol. Where there is no room it says less. */
export function tellLayouts(driver: Driver, protocol: Protocol): void {
  for (const [channel, bytes] of layoutsOf(protocol)) {
    const word = driver.push(RECORD_LAYOUT, bytes.length);
    if (word === NO_ROOM) return;
    driver.submission.words[word + 2] = channel;
    driver.submission.bytes.set(bytes, word * 4 + RECORD_BYTES);
    driver.submitted();
  }
}

function channelText(protocol: Protocol, name: string): string {
  const policy = protocol.channels[name];
  const words = encodePolicy(policy).join(" ");
  return `${JSON.stringify(name)} ${words} ${policy.message?.layout ?? ""}`;
}

function pack(text: string): Uint8Array {
  const plain = Buffer.from(text);
  const deflated = deflateRawSync(plain, { level: constants.Z_BEST_COMPRESSION });
  return deflated.length < plain.length
    ? Buffer.concat([Buffer.of(DEFLATED), deflated])
    : Buffer.concat([Buffer.of(PLAIN), plain]);
}

// --- what the peer says ---

/** A mismatch as the engine tells it: who (as `readPeer` reads), the close's text, the peer's layout. */
export function readMismatch(
  payload: Uint8Array,
  textBytes: number,
): { peer: Uint8Array; text: string; layout: Uint8Array } {
  const layout = PEER_RECORD_BYTES + textBytes;
  return {
    peer: payload.subarray(0, PEER_RECORD_BYTES),
    text: Buffer.from(payload.subarray(PEER_RECORD_BYTES, layout)).toString(),
    layout: payload.subarray(layout),
  };
}

/** The text, as far as it came; undefined for what is none. */
function unpack(bytes: Uint8Array): string | undefined {
  const [form] = bytes;
  const body = bytes.subarray(1);
  if (form === PLAIN) return Buffer.from(body).toString();
  if (form !== DEFLATED) return undefined;
  try {
    // What was cut ends early: then this is what came before.
    const options = { maxOutputLength: TEXT_BYTES_MAX, finishFlush: constants.Z_SYNC_FLUSH };
    return inflateRawSync(body, options).toString();
  } catch {
    return undefined;
  }
}

interface ChannelText {
  readonly name: string;
  readonly words: readonly number[];
  readonly layout: string;
}

function parseChannel(text: string | undefined): ChannelText | undefined {
  const parts = /^("(?:[^"\\]|\\.)*") ((?:\d{1,10} ){9})(.*)$/s.exec(text ?? "");
  if (parts === null) return undefined;
  const name = parseJson(parts[1]);
  if (typeof name !== "string") return undefined;
  return { name, words: parts[2].trim().split(" ").map(Number), layout: parts[3] };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// --- where they differ ---

function shown(text: string): string {
  if (text === "") return "nothing";
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

/** "expiry 200 ms here, 400 ms there". */
function sides(what: string, here: string, there: string): string {
  return `${what} ${shown(here)} here, ${shown(there)} there`;
}

/** What people look at in a policy, in that order, from its words (lib/policy.ts). */
const SETTINGS: readonly (readonly [name: string, text: (words: readonly number[]) => string])[] = [
  [
    "strategy",
    (words) => named(words[7], ["", "realTime", "timeSensitive", "reliable", "critical"]),
  ],
  ["order", (words) => named(words[0], ["none", "sequenced", "ordered"])],
  ["repair", (words) => named(words[1], ["none", "nack", "ack", "ack+nack"])],
  ["redundancy", (words) => redundancyText(words[2], words[3] === 1)],
  ["expiry", (words) => expiryText(words[4])],
  ["priority", (words) => `${words[5]}`],
  ["messageBytesMax", (words) => `${words[6]} bytes`],
  ["blockBytesMax", (words) => `${words[8]} bytes`],
];

function named(value: number, names: readonly string[]): string {
  return names[value] ?? `${value}`;
}

function redundancyText(copies: number, forced: boolean): string {
  if (copies === 0) return "none";
  if (copies === COPIES_ADAPTIVE) return "adaptive";
  if (copies === REDUNDANCY_LOW_COPIES && !forced) return "low";
  return copies === REDUNDANCY_HIGH_COPIES && forced ? "high" : `${copies}`;
}

function expiryText(value: number): string {
  if (value === EXPIRY_SUPERSEDED) return "immediate";
  return value === EXPIRY_NEVER ? "never" : `${value} ms`;
}

/** Where a channel of one name differs; undefined where nothing is found. */
function channelDifference(here: ChannelText, there: ChannelText): string | undefined {
  if (here.layout !== there.layout) return layoutDifference(here.layout, there.layout);
  for (const [name, text] of SETTINGS) {
    const [ours, theirs] = [text(here.words), text(there.words)];
    if (ours !== theirs) return sides(name, ours, theirs);
  }
  return undefined;
}

function layoutDifference(here: string, there: string): string {
  if (here === "" || there === "") {
    return sides("messages:", here || "bytes", there || "bytes");
  }
  try {
    const found = firstDifference(here, there);
    const field = found?.field ? `${found.field}:` : "messages:";
    return sides(field, found?.left ?? "", found?.right ?? "");
  } catch {
    // A layout of many fields comes cut, and one of a broken peer may be anything.
    let same = 0;
    while (same < there.length && there[same] === here[same]) same += 1;
    return sides(
      `messages, from character ${same} of their layout on:`,
      here.slice(same),
      there.slice(same),
    );
  }
}

// --- the words ---

/**
 * The error of a peer whose protocol is another one.
 *
 * @param text   the close's, which names what differs
 * @param layout what the peer said of it; empty for nothing
 */
export function mismatchError(protocol: Protocol, text: string, layout: Uint8Array): NetrtError {
  const where = `protocol "${protocol.name}" differs between server and client`;
  return new NetrtError(
    "ERR_NETRT_PROTOCOL_MISMATCH",
    `${where}: ${mismatchText(protocol, text, layout)}`,
  );
}

function mismatchText(protocol: Protocol, text: string, layout: Uint8Array): string {
  const channel = Number(/^channel (\d+)$/.exec(text)?.[1] ?? Number.NaN);
  const said = layout.length === 0 ? undefined : unpack(layout);
  if (channel < protocol.channelNames.length) return channelMismatch(protocol, channel, said);
  if (text === "channels") return channelsMismatch(protocol, said);
  const others = new Map([
    ["version", "another version of netrt's protocol"],
    ["name", "another name"],
  ]);
  return `the other side has ${others.get(text) ?? text}`;
}

function channelMismatch(protocol: Protocol, channel: number, said: string | undefined): string {
  const name = protocol.channelNames[channel];
  const here = parseChannel(channelText(protocol, name));
  const there = parseChannel(said);
  if (here && there && here.name !== there.name) {
    return sides(`channel ${channel} is`, JSON.stringify(here.name), JSON.stringify(there.name));
  }
  const difference = here && there && channelDifference(here, there);
  if (difference !== undefined) return `channel "${name}": ${difference}`;
  // A hash that differs is all there is to know of the other's definition, so ours is told.
  const where = `channel "${name}" has another name or policy there, or other messages`;
  const layout = here?.layout ?? "";
  if (layout === "") return where;
  const ours = layout.length > LAYOUT_SHOWN_MAX ? `${layout.slice(0, LAYOUT_SHOWN_MAX)}…` : layout;
  return (
    `${where}; here they are ${ours}, and firstDifference() of netrt/schema names the field in which ` +
    "the layout of the other side differs"
  );
}

function channelsMismatch(protocol: Protocol, said: string | undefined): string {
  const list = said === undefined ? undefined : parseJson(said);
  // Names, and no more of them than there can be: lists in lists once overflowed the stack.
  const named = Array.isArray(list) && list.every((each) => typeof each === "string");
  if (!named) return "the other side has another number of channels";
  const names = list.slice(0, CHANNELS_MAX);
  const there = names.map((each) => JSON.stringify(each)).join(", ");
  const here = protocol.channelNames.map((each) => JSON.stringify(each)).join(", ");
  return sides("channels", here, there);
}
