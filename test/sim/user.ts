// user: the users of the hosts: what they send and close, and how they read what their host tells.

import { Assemblies, type Assembly, type Fragment } from "../../lib/assembly.js";
import { BLOCK_TAGS } from "../../lib/block.js";
import {
  FRAGMENT_RECORD_BYTES,
  NO_ROOM,
  RECORD_BLOCK,
  RECORD_BROADCAST,
  RECORD_BYTES,
  RECORD_CLOSE,
  RECORD_CONNECT,
  RECORD_DISCONNECT,
  RECORD_FATE,
  RECORD_FRAGMENT,
  RECORD_MESSAGE,
  RECORD_MISMATCH,
  RECORD_MOVE,
  RECORD_PAUSE,
  RECORD_SEND,
  RECORD_STATE,
  RECORD_WORDS,
  type Ring,
  ringNext,
  ringPeek,
  ringRelease,
  TTL_DEFAULT,
} from "../../lib/engine/ring.js";
import { CHANNEL_COUNTERS } from "../../lib/engine/stats.js";
import { ADDRESS_WORDS } from "../hosts.js";
import { Blocks } from "./blocks.js";
import type { End } from "./ledger.js";
import type { Node } from "./node.js";
import { SimError } from "./pair.js";
import { fillRandom } from "./tokens.js";
import type { World } from "./world.js";

/** A close that says so at once has an odd reason, a drain an even one; the core's own are below. */
const REASONS_FROM = 20;
const CLOSE_TEXT_MAX = 140;

// --- what users do ---

export function userActs(world: World, node: Node): void {
  for (const end of node.live) end.blocks?.pump();
  if (world.settling) {
    userResumes(node);
    return;
  }
  const { random, profile } = world;
  if (!node.isServer && node.state <= 0 && random.chance(30)) world.connect(node);
  // One in a while drops its host without a word.
  else if (!node.isServer && node.session !== null && random.below(3000) === 0) {
    if (world.faults.has("vanish")) {
      world.reopen(node);
      world.connect(node);
    }
  }
  // Deaf and dumb: a user who lets minutes go by.
  if (world.faults.has("deaf") && node.index === 1 && !random.chance(5)) return;
  const { live } = node;
  for (const end of live) {
    if (random.below(400) === 0 && world.faults.has("close")) {
      userCloses(world, node, end, random.chance(60));
    }
    if (random.chance(50)) sends(world, node, end);
    if (end.blocks !== null && !end.closing) sendsBlocks(world, end.blocks);
  }
  if (node.isServer && live.length > 0 && random.chance(5)) broadcasts(world, node);
  if (!profile.raw && live.length > 0 && random.chance(3)) wishes(world, node);
  // A message to a connection that never was.
  if (random.below(200) === 0) {
    node.pair.push(RECORD_SEND, [random.next32(), random.below(70), TTL_DEFAULT, 0], NOTHING);
    const beyond = profile.channels.length + random.below(70);
    node.pair.push(RECORD_BROADCAST, [0, beyond, TTL_DEFAULT, 0], NOTHING);
  }
}

const NOTHING = new Uint8Array(3);
const ORDERS = ["none", "sequenced", "ordered"] as const;

/** A user pauses a channel, or goes on: all of them, once the world settles. */
function wishes(world: World, node: Node): void {
  const { random, profile } = world;
  const end = node.live[random.below(node.live.length)];
  const channel = random.below(profile.channels.length);
  const paused = random.chance(40) ? 1 : 0;
  if (node.pair.push(RECORD_PAUSE, [end.handle, channel, 0, paused], NOTHING.subarray(0, 0))) {
    if (paused === 1) end.pauses.add(channel);
    else end.pauses.delete(channel);
  }
}

/** Nobody waits for a user any more. */
export function userResumes(node: Node): void {
  for (const end of node.live) {
    for (const channel of [...end.pauses]) {
      const resumed = node.pair.push(
        RECORD_PAUSE,
        [end.handle, channel, 0, 0],
        NOTHING.subarray(0, 0),
      );
      if (resumed) end.pauses.delete(channel);
    }
  }
}

function sizeOf(world: World, bytesMax: number): number {
  const { random } = world;
  const dice = random.below(100);
  if (world.profile.sendsMax > 20 && dice < 90) return bytesMax;
  if (dice < 3) return random.below(5);
  if (dice < 60) return Math.min(5 + random.below(60), bytesMax);
  if (dice < 97) return Math.min(5 + random.below(bytesMax), bytesMax);
  return dice === 97 ? bytesMax + 1 : bytesMax;
}

function ttlOf(world: World, channel: number): number {
  const { random, profile } = world;
  // What only a nack repairs is bounded: without one, time alone tells that it is lost.
  const longest = profile.channels[channel].promise === "timely" ? 2000 : 60_000;
  return random.chance(85) ? TTL_DEFAULT : [0, 1, 30, 150, 1000, longest][random.below(6)];
}

function sends(world: World, node: Node, end: End): void {
  const { random, profile, ledger } = world;
  for (let count = random.below(profile.sendsMax + 1); count > 0; count--) {
    const channel = random.below(profile.channels.length);
    const bytesMax = profile.channels[channel].bytesMax;
    const size = Math.max(sizeOf(world, bytesMax), profile.raw ? 5 : 0);
    const tagged = !profile.raw && (random.chance(85) || size > bytesMax);
    const { bytes, tag } = ledger.send(end, channel, size, tagged);
    const words = [end.handle, channel, ttlOf(world, channel), tag] as const;
    if (!node.pair.push(RECORD_SEND, words, bytes)) ledger.unsend(end, channel, size, tag);
  }
}

/** Blocks that a user begins in a row, and how many bytes it lets wait. */
const BLOCKS_MAX = 3;
const BLOCKS_BYTES_MAX = 1_000_000;

/** Now and then a user sends blocks, or gives one up. They draw from a row of numbers of their own. */
function sendsBlocks({ late, profile }: World, blocks: Blocks): void {
  if (late.below(80) === 0) blocks.abort(late.below(8));
  if (late.below(50) !== 0) return;
  const takers = profile.channels.flatMap(({ blockBytesMax = 0 }, channel) =>
    blockBytesMax > 0 ? [{ channel, blockBytesMax }] : [],
  );
  const { channel, blockBytesMax } = takers[late.below(takers.length)];
  for (let count = 1 + late.below(BLOCKS_MAX); count > 0; count--) {
    const most = [1, 1500, blockBytesMax, blockBytesMax][late.below(4)];
    const size = Math.min(1 + late.below(most), blockBytesMax);
    if (blocks.leftBytes + size <= BLOCKS_BYTES_MAX) blocks.send(channel, size, late.next32());
  }
}

function broadcasts(world: World, node: Node): void {
  const { random, profile, ledger } = world;
  const channel = random.below(profile.channels.length);
  const size = sizeOf(world, profile.channels[channel].bytesMax);
  if (profile.raw) return;
  const bytes = ledger.broadcast(channel, size, node.broadcasts);
  const except = random.chance(30) ? [...node.ends.keys()][0] : 0;
  node.broadcasts += 1;
  node.pair.push(RECORD_BROADCAST, [except, channel, ttlOf(world, channel), 0], bytes);
}

export function userCloses(world: World, node: Node, end: End, drain: boolean): void {
  const { random } = world;
  const reason = REASONS_FROM + 2 * random.below(100) + (drain ? 0 : 1);
  const text = fillRandom(random, new Uint8Array(random.below(CLOSE_TEXT_MAX + 1)));
  const words = [end.handle, 0, reason, drain ? 1 : 0] as const;
  const close = () => {
    if (node.pair.push(RECORD_CLOSE, words, text) && drain && end.drainReason === 0) {
      end.drainReason = reason;
    }
  };
  end.closing = true;
  if (drain && end.blocks !== null) end.blocks.whenIdle(close);
  else close();
}

// --- what users read ---

/** Reads the whole completion ring; every engine's is released the same way. */
export function userReads(world: World, node: Node): void {
  for (const [index, host] of node.pair.hosts.entries()) {
    for (let word = ringPeek(host.in); word !== NO_ROOM; word = ringPeek(host.in)) {
      if (index === 0) reads(world, node, host.in, word);
      ringNext(host.in, word);
    }
    ringRelease(host.in);
  }
}

function reads(world: World, node: Node, ring: Ring, word: number): void {
  const { ledger } = world;
  world.trace?.record(world.nowUs - world.startUs, node.index, ring, word);
  const { words } = ring;
  const kind = words[word] >>> 24;
  const handle = words[word + 1];
  const channel = words[word + 2];
  const start = word * 4 + RECORD_BYTES;
  const payload = ring.bytes.subarray(start, start + words[word + 3]);
  switch (kind) {
    case RECORD_CONNECT:
      connected(world, node, handle, payload);
      break;
    case RECORD_DISCONNECT:
      ended(world, node, handle, words[word + 4], words[word + 5] === 1);
      break;
    case RECORD_MESSAGE:
      endOf(node, handle)
        .assemblies?.peek(channel)
        ?.whole(words[word + 4]);
      messageOf(world, endOf(node, handle), channel, payload);
      break;
    case RECORD_FRAGMENT:
      fragmentOf(world, endOf(node, handle), channel, ring, word, payload);
      break;
    case RECORD_BLOCK:
      blockOf(world, endOf(node, handle), channel, ring, word, payload);
      break;
    case RECORD_FATE:
      if (words[word + 4] >= BLOCK_TAGS) {
        ledger.alive(endOf(node, handle), "a fate");
        endOf(node, handle).blocks?.fate(words[word + 4], words[word + 5]);
        break;
      }
      ledger.fate(endOf(node, handle), channel, words[word + 4], words[word + 5]);
      if (words[word + 4] !== 0 && world.bird.sings("fate")) {
        ledger.fate(endOf(node, handle), channel, words[word + 4], words[word + 5]);
      }
      break;
    case RECORD_MOVE:
      moved(world, endOf(node, handle), payload);
      break;
    case RECORD_MISMATCH:
      // Who was refused; where a peer was announced its end is told as well.
      break;
    case RECORD_STATE:
      node.watch.moved(words[word + 4] | 0);
      node.state = words[word + 4] | 0;
      break;
    default:
      throw new SimError(`a record of kind ${kind}, out of ${CHANNEL_COUNTERS}`);
  }
}

/** A fragment, put together as lib's users have it. */
function fragmentOf(
  world: World,
  end: End,
  channel: number,
  ring: Ring,
  word: number,
  payload: Uint8Array,
): void {
  const fragment = fragmentAt(ring, word, payload);
  const assembly = assemblyOf(world, end, channel);
  const message = assembly.message(fragment, world.profile.payloadBytesMax);
  if (message !== null) messageOf(world, end, channel, message);
}

function fragmentAt({ words }: Ring, word: number, payload: Uint8Array): Fragment {
  const body = payload.subarray(FRAGMENT_RECORD_BYTES);
  const total = words[word + RECORD_WORDS];
  return { key: words[word + 4], index: words[word + 5], total, body };
}

function assemblyOf({ profile }: World, end: End, channel: number): Assembly {
  end.assemblies ??= new Assemblies(
    profile.channels.map(({ words: [order] }) => ({ order: ORDERS[order] })),
  );
  return end.assemblies.channel(channel);
}

/** What a block's memory may be above what came of it: it doubles, from so many bytes on. */
const BLOCK_MEMORY_FIRST = 65_536;

/** A fragment of a block, as lib's users have it or as the canary has it. */
function blockOf(
  world: World,
  end: End,
  channel: number,
  ring: Ring,
  word: number,
  payload: Uint8Array,
): void {
  world.ledger.alive(end, "a fragment");
  const { blocks, session } = end;
  const theirs = end.other.blocks;
  if (session.tampered) return;
  if (blocks === null || theirs === null) throw new SimError("a block, and nobody sends any");
  if (world.bird.sings("block")) return;
  const fragment = fragmentAt(ring, word, payload);
  const assembly = assemblyOf(world, end, channel);
  const bytes = assembly.block(fragment);
  const progress = assembly.takeProgress();
  if (progress !== null) blocks.came(channel, progress.state);
  const { blockBytesMax = 0 } = world.profile.channels[channel];
  const memory = Math.min(2 * (progress?.doneBytes ?? 0), blockBytesMax) + BLOCK_MEMORY_FIRST;
  if (assembly.blockBytes > memory) throw new SimError(`a block has ${assembly.blockBytes} bytes`);
  if (bytes === null) return;
  world.blocks += 1;
  blocks.whole(channel, fragment.key, bytes, theirs);
}

/** A message, as it is or as the canary has it. */
function messageOf(world: World, end: End, channel: number, payload: Uint8Array): void {
  const { bird, ledger, profile } = world;
  const { promise } = profile.channels[channel];
  const lasting = promise === "ordered" || promise === "unordered";
  if (lasting && !end.session.tampered && bird.sings("silent")) return;
  if (payload.length > 5 && !end.session.tampered && bird.sings("bytes")) payload[5] ^= 1;
  ledger.message(end, channel, payload);
  if (payload.length > 5 && !end.session.tampered && bird.sings("twice")) {
    ledger.message(end, channel, payload);
  }
}

function endOf(node: Node, handle: number): End {
  const end = node.ends.get(handle);
  if (end === undefined) throw new SimError(`an event of the unknown connection ${handle}`);
  return end;
}

function connected(world: World, node: Node, handle: number, payload: Uint8Array): void {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const session = node.isServer ? world.ledger.sessions[view.getUint32(32, true)] : node.session;
  if (session === null) throw new SimError("a client without a session connected");
  const end = node.isServer ? session.server : session.client;
  world.ledger.connected(end, handle);
  const { channels, queueBytesMax } = world.profile;
  if (channels.some(({ blockBytesMax = 0 }) => blockBytesMax > 0)) {
    end.blocks = new Blocks(node.pair, handle, queueBytesMax, channels.length);
  }
  if (node.ends.has(handle)) throw new SimError(`the handle ${handle} came twice`);
  node.ends.set(handle, end);
  node.live.push(end);
  if (!node.isServer) return;
  const words = Array.from({ length: ADDRESS_WORDS }, (_, at) => view.getUint32(8 + at * 4, true));
  session.seenAs = Uint32Array.from(words);
}

/** A client proves where it is, so it is there, or was. */
function moved(world: World, end: End, payload: Uint8Array): void {
  const { session } = end;
  const words = new Uint32Array(payload.slice(8, 8 + 4 * ADDRESS_WORDS).buffer);
  if (world.bird.sings("move")) words[1] += 1000;
  if (!world.nat.mayBe(session.node, words)) {
    throw new SimError(`the connection of client ${session.node} moved to another's ${words}`);
  }
  session.seenAs = words;
}

function ended(world: World, node: Node, handle: number, reason: number, local: boolean): void {
  // A client hears of the end also when the two never came to speak the same protocol.
  const early = !node.isServer && !node.ends.has(handle);
  const end = early ? node.session?.client : endOf(node, handle);
  if (end === undefined) throw new SimError("the end of a client without a session");
  world.ledger.ended(end, reason, local);
  const place = node.live.indexOf(end);
  if (place >= 0) node.live.splice(place, 1);
  if (world.bird.sings("afterlife")) world.ledger.message(end, 0, new Uint8Array(1));
  node.unfated += world.ledger.unfated(end) + (end.blocks?.unfated ?? 0);
  end.blocks?.ended();
}
