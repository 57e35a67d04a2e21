// cipher: the C++ engine's cipher in the place of node:crypto's, for long runs of lockstep.
//
// node:crypto takes ten microseconds and more to set up a cipher for a packet, which is most of what the
// TypeScript engine does in a world. That both ciphers give the same bytes is what test/vectors and every
// run without --fast show; here it lets five times as many steps look at the rest of the protocol.
// Never touches what it does not know: anything but ChaCha20-Poly1305 stays with node:crypto.
import crypto from "node:crypto";
import { createRequire, syncBuiltinESMExports } from "node:module";
import type { CoreProbe, KeyHandle } from "../probe.js";

const AEAD = "chacha20-poly1305";
const TAG_BYTES = 16;
const SCRATCH_BYTES = 2048;
/** Keys that are kept ready; more, and all are made ready anew. */
const KEYS_MAX = 256;

type Create = typeof crypto.createCipheriv;

/** Keys made ready, by their first words: a collision is told by comparing all. */
class Keys {
  readonly #probe: CoreProbe;
  readonly #known = new Map<number, { readonly bytes: Uint8Array; readonly handle: KeyHandle }>();

  constructor(probe: CoreProbe) {
    this.#probe = probe;
  }

  ready(bytes: Uint8Array): KeyHandle {
    const name = bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24);
    const known = this.#known.get(name);
    if (known !== undefined && Buffer.compare(known.bytes, bytes) === 0) return known.handle;
    if (this.#known.size === KEYS_MAX) this.#known.clear();
    const handle = this.#probe.sealKeyOpen();
    this.#probe.sealKeySet(handle, bytes, 0);
    this.#known.set(name, { bytes: bytes.slice(), handle });
    return handle;
  }
}

const NOTHING = new Uint8Array(0);

/** What the engine calls of node:crypto's Cipher and Decipher, as one object that is used again and again. */
class Fast {
  readonly #probe: CoreProbe;
  readonly #keys: Keys;
  readonly #scratch = new Uint8Array(SCRATCH_BYTES);
  readonly #nonce = new Uint8Array(12);
  #key: KeyHandle | null = null;
  #associated: Uint8Array = NOTHING;
  #tag: Uint8Array = NOTHING;
  #opens = false;
  #length = 0;

  constructor(probe: CoreProbe) {
    this.#probe = probe;
    this.#keys = new Keys(probe);
  }

  begin(key: Uint8Array, nonce: Uint8Array, opens: boolean): this {
    this.#key = this.#keys.ready(key);
    this.#nonce.set(nonce);
    this.#associated = NOTHING;
    this.#opens = opens;
    this.#length = 0;
    return this;
  }

  setAAD(associated: Uint8Array): void {
    this.#associated = associated;
  }

  setAuthTag(tag: Uint8Array): void {
    this.#tag = tag;
  }

  /** The whole body, in one call: the engine makes no other. */
  update(bytes: Uint8Array): Uint8Array {
    this.#scratch.set(bytes);
    this.#length = bytes.length;
    this.#run();
    return this.#scratch.subarray(0, bytes.length);
  }

  #failed = false;
  #ran = false;

  #run(): void {
    const scratch = this.#scratch;
    const key = this.#key as KeyHandle;
    const length = this.#length;
    this.#ran = true;
    if (this.#opens) {
      scratch.set(this.#tag, length);
      const opened = this.#probe.aeadOpen(
        key,
        this.#nonce,
        this.#associated,
        scratch,
        0,
        length + TAG_BYTES,
      );
      this.#failed = opened < 0;
    } else {
      this.#probe.aeadSeal(key, this.#nonce, this.#associated, scratch, 0, length);
    }
  }

  final(): void {
    if (!this.#ran) this.#run();
    this.#ran = false;
    if (this.#opens && this.#failed) throw new Error("the tag does not fit");
  }

  getAuthTag(): Uint8Array {
    return this.#scratch.subarray(this.#length, this.#length + TAG_BYTES);
  }
}

/** From now on, in this process. */
export function cipherShare(probeFile: string): void {
  const probe = createRequire(import.meta.url)(probeFile) as CoreProbe;
  if (probe.sealInit() === null) throw new Error("the C++ engine has no cipher");
  const fast = new Fast(probe);
  const { createCipheriv, createDecipheriv } = crypto;
  const replace = (name: "createCipheriv" | "createDecipheriv", own: unknown, opens: boolean) => {
    const create = (...args: Parameters<Create>) =>
      args[0] === AEAD
        ? fast.begin(args[1] as Uint8Array, args[2] as Uint8Array, opens)
        : (own as Create)(...args);
    Object.assign(crypto, { [name]: create });
  };
  replace("createCipheriv", createCipheriv, false);
  replace("createDecipheriv", createDecipheriv, true);
  syncBuiltinESMExports();
}
