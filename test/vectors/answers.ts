/*
 * Owns what a core answers to the vectors of keys.json and session.json: every answer under a name, so that they can be
 * compared as one list, in this process or printed by one that has another provider of ciphers.
 *
 *   node dist/test/vectors/answers.js PROBE KEYS SESSION
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { CoreProbe } from "../probe.js";

export interface KeyVectors {
  agree: { name: string; secret: string; publicKey: string; shared: string; own?: string }[];
  iterated: { rounds: number; key: string }[];
  lowOrder: string[];
  hmac: { name: string; key: string; data: string; mac: string }[];
  hkdf: { name: string; secret: string; salt: string; info: string; prk: string; okm: string }[];
  gcm: AeadVector[];
}

interface AeadVector {
  name: string;
  key: string;
  nonce: string;
  associated: string;
  plain: string;
  sealed: string;
}

export interface PacketVector {
  from: "client" | "server";
  number: number;
  body: string;
  wire: string;
}

export interface Suite {
  name: string;
  suites: number;
  info: string;
  prk: string;
  clientToServer: string;
  serverToClient: string;
  nextClientToServer: string;
  nextServerToClient: string;
  packets: PacketVector[];
}

interface Half {
  seed: string;
  secret: string;
  publicKey: string;
}

export interface SessionVectors {
  protocol: string;
  tokenClientToServer: string;
  tokenServerToClient: string;
  client: Half;
  server: Half;
  shared: string;
  sessions: Suite[];
}

/** Answers by name, as hex; "refused" where nothing may come of it. */
export type Answers = Record<string, string>;

const REFUSED = "refused";
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const EPOCH = 2 ** 24;
const SESSION_HEADER_BYTES = 4;
const ASSOCIATED_BYTES = 22;
const SESSION_PREFIX = 0x37;
/** Suites as keys have them. */
const [CHACHA, AES] = [0, 1];
const UPDATE = new TextEncoder().encode("netrt 3 update");

export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

// --- what the vectors say ---

export function keysExpected(vectors: KeyVectors): Answers {
  const answers: Answers = {};
  for (const { name, shared, own } of vectors.agree) {
    answers[`agree ${name}`] = shared;
    if (own !== undefined) answers[`public ${name}`] = own;
  }
  for (const { rounds, key } of vectors.iterated) answers[`iterated ${rounds}`] = key;
  for (const key of vectors.lowOrder) answers[`low order ${key}`] = REFUSED;
  for (const { name, mac } of vectors.hmac) answers[`hmac ${name}`] = mac;
  for (const { name, prk, okm } of vectors.hkdf) {
    answers[`extract ${name}`] = prk;
    answers[`expand ${name}`] = okm;
  }
  for (const { name, plain, sealed } of vectors.gcm) {
    answers[`gcm ${name} sealed`] = sealed;
    answers[`gcm ${name} opened`] = plain;
    answers[`gcm ${name} changed`] = REFUSED;
  }
  return answers;
}

export function sessionExpected(vectors: SessionVectors): Answers {
  const answers: Answers = {};
  for (const side of ["client", "server"] as const) {
    answers[`${side} secret`] = vectors[side].secret;
    answers[`${side} public`] = vectors[side].publicKey;
    answers[`${side} shared`] = vectors.shared;
  }
  for (const suite of vectors.sessions) {
    answers[`${suite.name} prk`] = suite.prk;
    answers[`${suite.name} keys`] = suite.clientToServer + suite.serverToClient;
    answers[`${suite.name} next`] = suite.nextClientToServer + suite.nextServerToClient;
    for (const { from, number, wire, body } of suite.packets) {
      answers[`${suite.name} ${from} ${number}`] = wire;
      answers[`${suite.name} ${from} ${number} opened`] = body;
    }
  }
  return answers;
}

// --- what a core says ---

function agreed(core: CoreProbe, secret: Uint8Array, publicKey: Uint8Array): string {
  const shared = new Uint8Array(KEY_BYTES);
  return core.x25519Agree(secret, publicKey, shared) ? hex(shared) : REFUSED;
}

function publicOf(core: CoreProbe, secret: Uint8Array): string {
  const out = new Uint8Array(KEY_BYTES);
  return core.x25519Public(secret, out) ? hex(out) : REFUSED;
}

/** RFC 7748, section 5.2: the scalar and the coordinate of each round are the one before. */
function iterated(core: CoreProbe, rounds: number): string {
  let k: Uint8Array = Uint8Array.from({ length: KEY_BYTES }, (_, index) => (index === 0 ? 9 : 0));
  let u = k;
  for (let round = 0; round < rounds; round++) [k, u] = [bytesOf(agreed(core, k, u)), k];
  return hex(k);
}

function hmac(core: CoreProbe, key: Uint8Array, data: Uint8Array): string {
  const out = new Uint8Array(KEY_BYTES);
  core.hmacSha256(key, data, out);
  return hex(out);
}

function extract(core: CoreProbe, salt: Uint8Array, secret: Uint8Array): string {
  const out = new Uint8Array(KEY_BYTES);
  core.hkdfExtract(salt, secret, out);
  return hex(out);
}

/** Cores make whole digests; the rest is not asked for. */
function expand(core: CoreProbe, prk: Uint8Array, info: Uint8Array, bytes: number): string {
  const out = new Uint8Array(Math.ceil(bytes / KEY_BYTES) * KEY_BYTES);
  core.hkdfExpand(prk, info, out);
  return hex(out.subarray(0, bytes));
}

function gcm(core: CoreProbe, vector: AeadVector, answers: Answers): void {
  const handle = core.sealKeyOpen();
  core.sealSuiteSet(handle, AES, bytesOf(vector.key), 0);
  const [nonce, associated, plain] = [vector.nonce, vector.associated, vector.plain].map(bytesOf);
  const room = new Uint8Array(plain.length + TAG_BYTES);
  room.set(plain);
  core.aeadSeal(handle, nonce, associated, room, 0, plain.length);
  answers[`gcm ${vector.name} sealed`] = hex(room);
  // In the manner of Project Wycheproof: each bit of the text and of the tag counts, and nothing is changed by a refusal.
  let opens = 0;
  for (let bit = 0; bit < 8 * room.length; bit++) {
    const changed = room.slice();
    changed[bit >>> 3] ^= 1 << (bit & 7);
    const before = hex(changed);
    if (core.aeadOpen(handle, nonce, associated, changed, 0, changed.length) >= 0) opens += 1;
    if (hex(changed) !== before) opens += 1;
  }
  answers[`gcm ${vector.name} changed`] = opens === 0 ? REFUSED : `${opens} opened or were changed`;
  const length = core.aeadOpen(handle, nonce, associated, room, 0, room.length);
  answers[`gcm ${vector.name} opened`] = length < 0 ? REFUSED : hex(room.subarray(0, length));
}

export function keysAnswers(core: CoreProbe, vectors: KeyVectors): Answers {
  const answers: Answers = {};
  for (const { name, secret, publicKey, own } of vectors.agree) {
    answers[`agree ${name}`] = agreed(core, bytesOf(secret), bytesOf(publicKey));
    if (own !== undefined) answers[`public ${name}`] = publicOf(core, bytesOf(secret));
  }
  for (const { rounds } of vectors.iterated) answers[`iterated ${rounds}`] = iterated(core, rounds);
  const secret = bytesOf(vectors.agree[0].secret);
  for (const key of vectors.lowOrder) {
    answers[`low order ${key}`] = agreed(core, secret, bytesOf(key));
  }
  for (const { name, key, data } of vectors.hmac) {
    answers[`hmac ${name}`] = hmac(core, bytesOf(key), bytesOf(data));
  }
  for (const { name, secret: input, salt, info, prk, okm } of vectors.hkdf) {
    answers[`extract ${name}`] = extract(core, bytesOf(salt), bytesOf(input));
    answers[`expand ${name}`] = expand(core, bytesOf(prk), bytesOf(info), okm.length / 2);
  }
  for (const vector of vectors.gcm) gcm(core, vector, answers);
  return answers;
}

const ofClient = (suite: Suite, epoch: number) =>
  epoch === 0 ? suite.clientToServer : suite.nextClientToServer;
const ofServer = (suite: Suite, epoch: number) =>
  epoch === 0 ? suite.serverToClient : suite.nextServerToClient;

function packet(core: CoreProbe, protocolId: bigint, suite: Suite, vector: PacketVector): string[] {
  const { from, number, wire } = vector;
  const epoch = Math.floor(number / EPOCH);
  const key = from === "client" ? ofClient(suite, epoch) : ofServer(suite, epoch);
  const handle = core.sealKeyOpen();
  core.sealSuiteSet(handle, (suite.suites & 2) !== 0 ? AES : CHACHA, bytesOf(key), 0);
  const associated = new Uint8Array(ASSOCIATED_BYTES);
  const [idLow, idHigh] = [Number(protocolId & 0xffffffffn), Number(protocolId >> 32n)];
  core.packetAssociatedData(idLow, idHigh, SESSION_PREFIX, associated);
  const body = bytesOf(vector.body);
  const out = new Uint8Array(SESSION_HEADER_BYTES + body.length + TAG_BYTES);
  const start = core.sessionHeaderWrite(number % EPOCH, out, 0);
  out.set(body, start);
  core.sealPacket(handle, number, 0, associated, out, start, body.length);
  const given = bytesOf(wire);
  const length = core.openPacket(handle, number, 0, associated, given, start, given.length - start);
  return [hex(out), length < 0 ? REFUSED : hex(given.subarray(start, start + length))];
}

export function sessionAnswers(
  core: CoreProbe,
  vectors: SessionVectors,
  protocolId: bigint,
): Answers {
  const answers: Answers = {};
  for (const side of ["client", "server"] as const) {
    const other = side === "client" ? vectors.server : vectors.client;
    const secret = hmac(core, bytesOf(vectors[side].seed), Uint8Array.of(0));
    answers[`${side} secret`] = secret;
    answers[`${side} public`] = publicOf(core, bytesOf(secret));
    answers[`${side} shared`] = agreed(core, bytesOf(secret), bytesOf(other.publicKey));
  }
  const salt = bytesOf(vectors.tokenClientToServer + vectors.tokenServerToClient);
  for (const suite of vectors.sessions) {
    const prk = extract(core, salt, bytesOf(vectors.shared));
    answers[`${suite.name} prk`] = prk;
    const keys = expand(core, bytesOf(prk), bytesOf(suite.info), 2 * KEY_BYTES);
    answers[`${suite.name} keys`] = keys;
    const next = [keys.slice(0, 2 * KEY_BYTES), keys.slice(2 * KEY_BYTES)];
    answers[`${suite.name} next`] = next
      .map((key) => expand(core, bytesOf(key), UPDATE, KEY_BYTES))
      .join("");
    for (const vector of suite.packets) {
      const name = `${suite.name} ${vector.from} ${vector.number}`;
      const [sealed, opened] = packet(core, protocolId, suite, vector);
      answers[name] = sealed;
      answers[`${name} opened`] = opened;
    }
  }
  return answers;
}

// --- in a process of its own ---

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [probeFile, keysFile, sessionFile, protocolId] = process.argv.slice(2);
  const core = createRequire(import.meta.url)(probeFile) as CoreProbe;
  const provider = core.sealInit();
  const read = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"));
  const answers =
    provider === null
      ? {}
      : {
          ...keysAnswers(core, read(keysFile) as KeyVectors),
          ...sessionAnswers(core, read(sessionFile) as SessionVectors, BigInt(protocolId)),
        };
  console.log(JSON.stringify({ provider, answers }));
}
