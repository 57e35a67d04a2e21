/*
 * What the third decoder reads and writes with, after the conventions of docs/PROTOCOL.md: bounded, little-endian, varints.
 * Owns the refusal, which decoder.ts turns into an answer. Never imports the engines, never knows a frame.
 */

/** */
const VARINT_BYTES_MAX = 4;

export class RefusedError extends Error {}

export function refuse(why: string): never {
  throw new RefusedError(why);
}

/** Bounded reading, little-endian. */
export class Reader {
  #next = 0;

  constructor(
    readonly bytes: Uint8Array,
    /** How many channels the protocol has. */
    readonly channels: number,
    /** The longest payload that both ends take, as far as is known. */
    public payload: number,
  ) {}

  /** The byte that is read next, if there is one. */
  get next(): number | undefined {
    return this.bytes[this.#next];
  }

  get done(): boolean {
    return this.#next === this.bytes.length;
  }

  take(count: number): Uint8Array {
    if (count > this.bytes.length - this.#next) refuse("R-1: read past the end");
    this.#next += count;
    return this.bytes.slice(this.#next - count, this.#next);
  }

  get left(): number {
    return this.bytes.length - this.#next;
  }

  rest(): Uint8Array {
    return this.take(this.left);
  }

  integer(byteCount: number): number {
    return this.take(byteCount).reduceRight((high, byte) => high * 256 + byte, 0);
  }

  /** */
  varint(): number {
    let value = 0;
    for (let count = 0; count < VARINT_BYTES_MAX; count++) {
      const byte = this.integer(1);
      value += (byte % 128) * 128 ** count;
      if (byte < 128) {
        if (byte === 0 && count > 0) refuse("R-4: not the shortest form");
        return value;
      }
    }
    return refuse("R-4: more than 4 bytes");
  }

  channel(number = this.integer(1)): number {
    if (number >= this.channels) refuse(`R-20: no channel ${number}`);
    return number;
  }

  /** Bits without a zero byte at the end. */
  bits(byteCount: number, most: number): Uint8Array {
    if (byteCount > most) refuse(`more than ${most} bytes of bits`);
    const bits = this.take(byteCount);
    if (bits.at(-1) === 0) refuse("R-21, R-49: the last byte of bits is 0");
    return bits;
  }
}

/** Writing; a value that the field can't hold is the caller's mistake. */
export class Writer {
  readonly bytes: number[] = [];

  integer(value: number, byteCount: number): void {
    if (!Number.isInteger(value) || value < 0 || value >= 256 ** byteCount) {
      throw new RangeError(`${value} does not fit into ${byteCount} bytes`);
    }
    for (let index = 0; index < byteCount; index++) {
      this.bytes.push(Math.floor(value / 256 ** index) % 256);
    }
  }

  varint(value: number): void {
    if (value >= 128 ** VARINT_BYTES_MAX) throw new RangeError(`${value} is no varint`);
    let left = value;
    for (; left >= 128; left = Math.floor(left / 128)) this.bytes.push((left % 128) + 128);
    this.bytes.push(left);
  }

  raw(bytes: Uint8Array): void {
    this.bytes.push(...bytes);
  }
}
