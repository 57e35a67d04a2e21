/*
 * seeds: the inputs that the fuzzers begin with, made by the project's own encoders: lawful datagrams, payloads and
 * tokens, and scripts of ordinary sessions. `npm run fuzz -- --seed-corpus` runs it.
 *
 *   node dist/test/fuzz/seeds.js TARGET FOLDER
 */
import fs from "node:fs";
import path from "node:path";
import { ADDRESS_IPV4, ADDRESS_IPV6 } from "../../lib/engine/address.js";
import { Writer, writeBytes, writerSet, writeU32 } from "../../lib/engine/bytes.js";
import { fragmentLength } from "../../lib/engine/fragment.js";
import {
  AckHeader,
  ackHeaderWrite,
  blockHeadWrite,
  closeWrite,
  fragmentHeadWrite,
  helloWrite,
  layoutWrite,
  messageHeadWrite,
  messageShorten,
  nackWrite,
  pingWrite,
  skipWrite,
  windowWrite,
} from "../../lib/engine/frame.js";
import {
  KEY_BYTES,
  NETRT_VERSION,
  PAYLOAD_BYTES_MAX,
  SESSION_HEADER_BYTES,
  TOKEN_SERVERS_MAX,
} from "../../lib/engine/limits.js";
import { packetHeaderWrite, sessionHeaderWrite } from "../../lib/engine/packet.js";
import {
  ChallengeToken,
  PrivateToken,
  tokenChallengeWrite,
  tokenPrivateWrite,
} from "../../lib/engine/token.js";
import { identityOf } from "./peer.js";
import { profileTake } from "./profile.js";
import { Input, TARGETS, type TargetName } from "./targets.js";

// --- what stands in payloads ---

type Part = (writer: Writer) => void;

function written(...parts: readonly Part[]): Uint8Array {
  const writer = new Writer();
  writerSet(writer, new Uint8Array(PAYLOAD_BYTES_MAX), 0, PAYLOAD_BYTES_MAX);
  for (const part of parts) part(writer);
  return writer.bytes.slice(0, writer.offset);
}

const bodyOf = (bytes: number) => Uint8Array.from({ length: bytes }, (_, index) => index * 3);

function acks(latest: number, delay: number, ...bits: number[]): Part {
  return (writer) => {
    const header = new AckHeader();
    Object.assign(header, { present: latest >= 0, latest, delay, bitBytes: bits.length });
    ackHeaderWrite(writer, header);
    writeBytes(writer, Uint8Array.from(bits), 0, bits.length);
  };
}

function message(channel: number, id: number, bytes: number, last = false): Part {
  return (writer) => {
    const start = writer.offset;
    messageHeadWrite(writer, channel, id, bytes);
    writeBytes(writer, bodyOf(bytes), 0, bytes);
    if (last) messageShorten(writer, start, bytes);
  };
}

const skip =
  (channel: number, id: number): Part =>
  (writer) =>
    skipWrite(writer, channel, id);
const ping: Part = (writer) => pingWrite(writer);

function nack(channel: number, id: number, ...bits: number[]): Part {
  return (writer) => {
    nackWrite(writer, channel, id, bits.length);
    writeBytes(writer, Uint8Array.from(bits), 0, bits.length);
  };
}

function fragment(channel: number, id: number, index: number, total: number): Part {
  return (writer) => {
    fragmentHeadWrite(writer, channel, id, index, total);
    const bytes = fragmentLength(total, PAYLOAD_BYTES_MAX, index);
    writeBytes(writer, bodyOf(bytes), 0, bytes);
  };
}

function block(channel: number, id: number, number: number, index: number, total: number): Part {
  return (writer) => {
    blockHeadWrite(writer, channel, id, number, index, total);
    const bytes = fragmentLength(total, PAYLOAD_BYTES_MAX, index);
    writeBytes(writer, bodyOf(bytes), 0, bytes);
  };
}

const mark =
  (channel: number, id: number): Part =>
  (writer) =>
    windowWrite(writer, channel, id);

function layout(channel: number, bytes: number): Part {
  return (writer) => layoutWrite(writer, channel, bodyOf(bytes), 0, bytes);
}

function close(reason: number, bytes: number): Part {
  return (writer) => closeWrite(writer, reason, bodyOf(bytes), bytes);
}

function hello(channels: number): Part {
  return (writer) => {
    const publicKey = bodyOf(KEY_BYTES);
    const longest = PAYLOAD_BYTES_MAX;
    helloWrite(writer, NETRT_VERSION, 0x66757a7a, channels, longest, 0, 0, 3, publicKey);
    for (let channel = 0; channel < channels; channel++) writeU32(writer, 0x1000 + channel);
  };
}

const NOTHING = acks(-1, 0);

/** Frames as peers send them, one after the other and alone. */
const FRAMES: readonly (readonly Part[])[] = [
  [ping],
  [hello(1)],
  [hello(6)],
  [hello(6), message(0, 0, 5), message(3, 0, 12, true)],
  [message(0, 0, 0, true)],
  [message(0, 1, 40), message(1, 0, 3), message(1, 1, 3), message(2, 0, 30, true)],
  [message(3, 0, 20), message(3, 2, 20), message(4, 0, 9), message(5, 7, 1, true)],
  [message(3, 200, 130, true)],
  [skip(3, 5)],
  [skip(2, 1), message(2, 1, 8, true)],
  [nack(3, 0)],
  [nack(2, 0, 0x05), ping],
  [nack(4, 1, 0, 0, 0x80), message(0, 9, 4, true)],
  [fragment(3, 0, 1, 1150)],
  [fragment(3, 1, 5, 5200), ping],
  [fragment(0, 0, 2, 2060), fragment(5, 1, 1, 1101)],
  [fragment(3, 0, 0, 1101)],
  [block(3, 0, 0, 0, 2)],
  [block(3, 1, 0, 1, 1030), mark(3, 0)],
  [block(4, 2, 258, 1, 2)],
  [mark(3, 0), mark(4, 64)],
  [close(1, 3)],
  [close(7, 120)],
  [close(2, 0)],
  [hello(6), layout(3, 5), close(4, 9)],
  [layout(64, 200), close(4, 8)],
  Array.from({ length: 30 }, (_, id) => message(5, id, 1, id === 29)),
];

// --- the stateless targets ---

function packetSeeds(): Uint8Array[] {
  const seeds: Uint8Array[] = [];
  for (let type = 1; type < 7; type++) {
    for (const high of [0, 1, 0x80000000]) {
      const bytes = new Uint8Array(9 + [0, 8, 308, 1200][type % 4] + 16);
      const header = packetHeaderWrite(type, 0x01020304 >>> (8 * (type % 4)), high, bytes, 0);
      seeds.push(bytes.slice(0, bytes.length - 9 + header));
    }
  }
  const session = [0, 40, 1200].map((body) => {
    const bytes = new Uint8Array(SESSION_HEADER_BYTES + body + 16);
    sessionHeaderWrite(0x010203, bytes, 0);
    return bytes;
  });
  return [...seeds, ...session, new Uint8Array(18), new Uint8Array(1078)];
}

const ACK_HEADERS = [NOTHING, acks(0, 0), acks(258, 1250), acks(7, 0, 0x3f), acks(7, 9, 0, 5)];

function frameSeeds(): Uint8Array[] {
  return ACK_HEADERS.flatMap((header) =>
    FRAMES.map((parts) => Uint8Array.of(5, ...written(header, ...parts))),
  );
}

function tokenSeeds(): Uint8Array[] {
  const seeds: Uint8Array[] = [];
  for (const ipv6 of [0, 4]) {
    const profile = profileTake(new Input(Uint8Array.of(0, ipv6)));
    for (const index of [0, 1, 2]) {
      const { secret, plain, token, request } = identityOf(profile, index);
      const challenge = new ChallengeToken();
      challenge.clientIdLo = secret.clientIdLo;
      challenge.userData.set(secret.userData);
      const bytes = new Uint8Array(300);
      tokenChallengeWrite(challenge, bytes, 0);
      seeds.push(Uint8Array.of(0, ...plain.subarray(0, 1008)));
      seeds.push(Uint8Array.of(8, ...plain.subarray(0, 1008)));
      seeds.push(Uint8Array.of(2, ...token), Uint8Array.of(6, ...request));
      seeds.push(Uint8Array.of(4, ...bytes.subarray(0, 284)));
    }
    seeds.push(...fullTokens(ipv6 !== 0));
  }
  return seeds;
}

/** With as many servers as a token can name, and one more: what follows reads as an address too. */
function fullTokens(ipv6: boolean): Uint8Array[] {
  const token = new PrivateToken();
  token.timeoutSeconds = 5;
  token.serverCount = TOKEN_SERVERS_MAX;
  for (const [index, server] of token.servers.entries()) {
    server.type = ipv6 ? ADDRESS_IPV6 : ADDRESS_IPV4;
    server.port = 4000 + index;
  }
  token.clientToServerKey.fill(ipv6 ? ADDRESS_IPV6 : ADDRESS_IPV4);
  const full = new Uint8Array(1024);
  tokenPrivateWrite(token, full, 0);
  const beyond = full.slice();
  beyond[12] += 1;
  return [full, beyond].map((bytes) => Uint8Array.of(0, ...bytes.subarray(0, 1008)));
}

function bytesSeeds(): Uint8Array[] {
  const programs = [
    [0, 0, 1, 0, 2, 0, 3, 0],
    [4, 0, 4, 6, 4, 31, 5, 0, 0, 0],
    [3, 0, 3, 0, 3, 0, 3, 0, 7, 4],
    [6, 2, 7, 9, 4, 12, 0, 0, 6, 1],
  ];
  const data = [1, 2, 3, 0x80, 1, 0xff, 0xff, 0xff, 0x7f, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
  return programs.map((steps) => Uint8Array.of(steps.length / 2, ...steps, ...data));
}

// --- the stateful targets: profiles, then operations ---

const PROFILES = [0x40, 0x48, 0x50, 0x60, 0x47, 0x00, 0x80, 0xc8].flatMap((first) =>
  [0, 9, 2, 19, 4, 0x41].map((second) => [first, second]),
);

function connectionSeeds(): Uint8Array[] {
  const framed = FRAMES.map((parts) => written(...parts)).filter((bytes) => bytes.length < 256);
  const says = (operation: number, bytes: Uint8Array) => [operation, bytes.length, ...bytes];
  // Time passes, the user sends on all channels, its messages are acked, some of them late.
  const users = [
    0x0b, 2, 20, 0x3b, 0x41, 9, 0x99, 9, 0x06, 0x0f, 9, 0x4b, 1, 200, 0x99, 40, 0x00, 0,
  ];
  // Acks of what was sent, of what was not, and with bits that reach below the first.
  const claims = (latest: number) => says(2, written(acks(latest, 9), ping));
  const below = says(2, written(acks(1, 0, 0x03), ping));
  const few = PROFILES.slice(0, 6).flatMap((profile, index) => [
    Uint8Array.of(...profile, index % 2, ...below, 0x0a),
    ...[0, 1, 2, 3, 4, 5, 0xffff].map((latest) =>
      Uint8Array.of(...profile, index % 2, ...claims(latest), 0x0a),
    ),
  ]);
  const sessions = PROFILES.flatMap((profile, index) => [
    Uint8Array.of(...profile, index % 2, ...users, 0x0d),
    Uint8Array.of(
      ...profile,
      index % 2,
      ...framed.flatMap((bytes, at) => (at % PROFILES.length === index ? says(0, bytes) : [])),
      0x0a,
      ...framed.flatMap((bytes, at) => ((at + 1) % 5 === index % 5 ? says(0, bytes) : [0x99, 3])),
    ),
  ]);
  return [...few, ...sessions];
}

function handshakeSeeds(): Uint8Array[] {
  const server = (peer: number) => {
    const high = peer << 4;
    return [high, 0x09, high | 4, 0x09, high | 12, high | 11, 0x09];
  };
  const client = [0x06, 0x00, 0, 0, 0, 0, 0x05, 0x02, 0x05, 0x0a, 0x05];
  const denied = [0x16, 0x11, 0x05, 0x0b, 0x05, 0x5b, 0x06];
  return PROFILES.flatMap((profile, index) => [
    Uint8Array.of(...profile, 0, ...server(index % 8), ...server((index + 5) % 8), 0xff, 0x0e),
    Uint8Array.of(...profile, 1, ...client, 0x0c, 0x05),
    Uint8Array.of(...profile, 1, ...denied),
    Uint8Array.of(...profile, 0, 1, 8, 0, 4, 0xff, 0xff, 0xff, 0xff, 9, 6, 3, 0, 0, 0, 9),
  ]);
}

function scriptSeeds(): Uint8Array[] {
  const steady = (channel: number) => [0x08, channel, 0x18, channel, 0x01, 0x05, 0x97, 60];
  const lossy = (channel: number) => [0x4a, channel, 0x01, 0x03, 0x23, 0x04, 0x05, 0xb7, 9, 0x3c];
  // Messages in fragments, blocks, a user who pauses and one who watches packets.
  const long = [
    0x09, 0xc3, 0x19, 0x83, 0x29, 0x85, 0x09, 0x40, 0x01, 0x33, 0x05, 0x97, 60, 0x01, 0x05,
  ];
  return PROFILES.flatMap((profile) => [
    Uint8Array.of(...profile, ...[0, 1, 2, 3, 4, 5].flatMap(steady), 0x2c),
    Uint8Array.of(...profile, ...[0, 1, 2, 3, 4, 5].flatMap(lossy), 0xfc, 0x2d, 0xee, 0x08),
    Uint8Array.of(
      ...profile,
      ...long,
      0x7e,
      0xcf,
      0xbf,
      ...long,
      0xae,
      0x3c,
      ...long,
      0xae,
      0xfc,
      0x08,
    ),
  ]);
}

function hostSeeds(): Uint8Array[] {
  const joins = (peer: number) => {
    const high = peer << 4;
    return [high, 0x0a, high, 0x0a, high | 1, high | 5, 0x0a];
  };
  return PROFILES.map((profile, index) =>
    Uint8Array.of(
      ...profile,
      ...joins(index % 8),
      ...joins((index + 1) % 8),
      ...[0x0b, 0, 20, 0x0c, 0x0a, 0x99, 30],
      ...joins((index + 2) % 8),
      ...joins((index + 3) % 8),
      ...[0x0d, 0x04, 0x99, 99, 0xf9, 99],
    ),
  );
}

/** Zeros at the end are there without being written: an even first byte pads. */
function trimmed(seed: Uint8Array): Uint8Array {
  let end = seed.length;
  while (end > 1 && seed[end - 1] === 0) end -= 1;
  return seed.subarray(0, end);
}

const SEEDS: Record<TargetName, () => Uint8Array[]> = {
  bytes: bytesSeeds,
  packet: packetSeeds,
  frame: frameSeeds,
  token: () => tokenSeeds().map(trimmed),
  handshake: handshakeSeeds,
  connection: connectionSeeds,
  script: scriptSeeds,
  host: hostSeeds,
};

const [target, folder] = process.argv.slice(2);
if (!TARGETS.includes(target as TargetName) || folder === undefined) {
  console.error("seeds TARGET FOLDER");
  process.exit(2);
}
for (const [index, seed] of SEEDS[target as TargetName]().entries()) {
  fs.writeFileSync(path.join(folder, `seed-${index}`), seed);
}
