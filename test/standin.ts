/*
 * Owns ciphers that cost next to nothing, in the place of node:crypto's, for tests that are about the protocol: it
 * mirrors native/addon/probe_standin.cc, byte for byte. They are off until a test asks for them.
 *
 * node:crypto takes ten microseconds and more to set up a cipher for a packet, which is most of what the TypeScript
 * engine does in a world. No secret is kept by these. But what was sealed opens, what was changed does not, and what a
 * packet is sealed with depends on its key and its nonce: a test sees a mistake with either.
 * Never touches what it does not know: any other cipher stays with node:crypto.
 */
import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { KEY_BYTES, NONCE_BYTES, TAG_BYTES } from "../lib/engine/limits.js";
import { SUITE_AES, SUITE_CHACHA, sealAvailable, sealSuites } from "../lib/engine/seal.js";

/** FNV-1a's, over words of four bytes, and with the high bits brought down after each. */
const HASH_START = 0x811c9dc5;
const HASH_PRIME = 0x01000193;
const HASH_DOWN = 15;
/** What a public key differs from its private one by. */
const PUBLIC_MASK = 0x5a;
const SHARED_MASK = 0xff;

const SUITES: ReadonlyMap<unknown, number> = new Map([
  ["chacha20-poly1305", SUITE_CHACHA],
  ["aes-256-gcm", SUITE_AES],
]);
const NOTHING = new Uint8Array(0);

function mix(before: number, word: number): number {
  const state = Math.imul(before ^ word, HASH_PRIME);
  return state ^ (state >>> HASH_DOWN);
}

function hash(start: number, bytes: Uint8Array, count: number): number {
  let state = start;
  let index = 0;
  for (; index + 4 <= count; index += 4) {
    const low = bytes[index] | (bytes[index + 1] << 8);
    state = mix(state, low | (bytes[index + 2] << 16) | (bytes[index + 3] << 24));
  }
  for (; index < count; index++) state = mix(state, bytes[index]);
  return state;
}

/** A body on its way: words of four bytes are little-endian here, as on every machine that runs these tests. */
const WORDS = new Uint32Array(512);
const BODY = new Uint8Array(WORDS.buffer);

/** As `hash`, over the body. */
function hashBody(start: number, count: number): number {
  const whole = count >> 2;
  let state = start;
  for (let word = 0; word < whole; word++) state = mix(state, WORDS[word]);
  for (let index = 4 * whole; index < count; index++) state = mix(state, BODY[index]);
  return state;
}

/** Turns the body, and what lies behind its end in its last word. */
function turn(count: number, stream: number): void {
  const words = (count + 3) >> 2;
  for (let word = 0; word < words; word++) WORDS[word] ^= stream;
}

/** What is called of node:crypto's Cipher and Decipher, as one object that is used again and again. */
class StandIn {
  #stream = 0;
  #state = 0;
  #opens = false;
  #given: Uint8Array = NOTHING;
  readonly #tag = Buffer.alloc(TAG_BYTES);

  begin(suite: number, key: Uint8Array, nonce: Uint8Array, opens: boolean): this {
    this.#stream = hash(hash(mix(HASH_START, suite), key, KEY_BYTES), nonce, NONCE_BYTES);
    this.#state = this.#stream;
    this.#opens = opens;
    return this;
  }

  setAAD(associated: Uint8Array): void {
    this.#state = hash(this.#stream, associated, associated.length);
  }

  setAuthTag(tag: Uint8Array): void {
    this.#given = tag;
  }

  /** The whole body, in one call. */
  update(bytes: Uint8Array): Buffer {
    const { length } = bytes;
    BODY.set(bytes);
    if (this.#opens) this.#state = hashBody(this.#state, length);
    turn(length, this.#stream);
    if (!this.#opens) this.#state = hashBody(this.#state, length);
    const out = Buffer.allocUnsafe(length);
    out.set(BODY.subarray(0, length));
    return out;
  }

  final(): void {
    let state = this.#state;
    for (let index = 0; index < TAG_BYTES; index++) {
      state = mix(state, index);
      this.#tag[index] = state >>> 24;
      if (this.#opens && this.#given[index] !== this.#tag[index]) {
        throw new Error("the tag does not fit");
      }
    }
  }

  getAuthTag(): Buffer {
    return this.#tag;
  }
}

// --- keys ---

/** What stands before the bytes of a key in its DER forms is kept as it came. */
class Key {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  export(): Buffer {
    return Buffer.concat([Buffer.alloc(12), this.bytes]);
  }
}

const publicOf = (secret: Uint8Array) => secret.map((byte) => byte ^ PUBLIC_MASK);
const keyOf = ({ key }: { readonly key: Uint8Array }) => key.slice(-KEY_BYTES);

function agreed(secret: Uint8Array, publicKey: Uint8Array): Buffer {
  // Of the keys of low order there is one: zeros.
  if (publicKey.every((byte) => byte === 0)) throw new Error("a key of low order");
  return Buffer.from(secret.map((byte, index) => byte ^ publicKey[index] ^ SHARED_MASK));
}

// --- the place of node:crypto's ---

let on = false;
let placed = false;

function place(): void {
  const sealer = new StandIn();
  const opener = new StandIn();
  const { createCipheriv, createDecipheriv } = crypto;
  const { createPrivateKey, createPublicKey, diffieHellman } = crypto;
  type Create = (name: string, key: Uint8Array, nonce: Uint8Array, options?: object) => unknown;
  const replace =
    (real: unknown, own: StandIn, opens: boolean): Create =>
    (name, key, nonce, options) => {
      const suite = on ? SUITES.get(name) : undefined;
      if (suite === undefined) return (real as Create)(name, key, nonce, options);
      return own.begin(suite, key, nonce, opens);
    };
  Object.assign(crypto, {
    createCipheriv: replace(createCipheriv, sealer, false),
    createDecipheriv: replace(createDecipheriv, opener, true),
    createPrivateKey: (given: { readonly key: Uint8Array }) =>
      on ? new Key(keyOf(given)) : createPrivateKey(given as never),
    createPublicKey: (given: Key | { readonly key: Uint8Array }) => {
      if (!on) return createPublicKey(given as never);
      return new Key(given instanceof Key ? publicOf(given.bytes) : keyOf(given));
    },
    diffieHellman: (given: { readonly privateKey: Key; readonly publicKey: Key }) =>
      on ? agreed(given.privateKey.bytes, given.publicKey.bytes) : diffieHellman(given as never),
  });
  syncBuiltinESMExports();
}

/** From now on, in this process. What the engine proves of node:crypto is proven before. */
export function standIn(wanted: boolean): void {
  const { available, reason } = sealAvailable();
  if (!available) throw new Error(reason);
  sealSuites();
  if (!placed) place();
  placed = true;
  on = wanted;
}
