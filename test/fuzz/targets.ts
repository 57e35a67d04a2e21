/*
 * targets: what the fuzz targets share in TypeScript: the input that is read byte by byte, and the digest of what
 * came out. It mirrors test/fuzz/targets.h; the digests of an input are equal in both languages.
 */
import { hash32 } from "../../lib/engine/hash.js";

export const TARGETS = [
  "bytes",
  "packet",
  "frame",
  "token",
  "handshake",
  "connection",
  "script",
  "host",
] as const;
export type TargetName = (typeof TARGETS)[number];

/** Past its end an input is zeros: a short file is a whole program too. */
export class Input {
  offset = 0;

  constructor(readonly bytes: Uint8Array) {}

  get ended(): boolean {
    return this.offset >= this.bytes.length;
  }

  take8(): number {
    return this.ended ? 0 : this.bytes[this.offset++];
  }

  take16(): number {
    const low = this.take8();
    return low | (this.take8() << 8);
  }

  take32(): number {
    const low = this.take16();
    return (low | (this.take16() << 16)) >>> 0;
  }

  /** Up to `count` bytes of what is left. */
  take(count: number): Uint8Array {
    const start = this.offset;
    this.offset = Math.min(start + count, this.bytes.length);
    return this.bytes.subarray(start, this.offset);
  }
}

/** The digest of what came out of an input. */
export class Digest {
  readonly #scratch = new Uint8Array(4);
  value = 0;

  emit(bytes: Uint8Array): void {
    this.value = hash32(bytes, 0, bytes.length, this.value);
  }

  emit8(value: number): void {
    this.emit(Uint8Array.of(value));
  }

  emit32(value: number): void {
    new DataView(this.#scratch.buffer).setUint32(0, value >>> 0, true);
    this.emit(this.#scratch);
  }

  get text(): string {
    return (this.value >>> 0).toString(16).padStart(8, "0");
  }
}
