/**
 * Marks: what stands in a message and is no value of it.
 *
 * Owns: align and check words. In a delta they take no part.
 */
import { checkInteger } from "../errors.js";
import { Node, type Sink, type Source } from "./node.js";
import type { ReadCode } from "./reading.js";
import type { WriteCode } from "./writing.js";

/** Bits to the next byte at most. */
const ALIGN_BITS_MAX = 7;
const WORD_BITS = 32;

export abstract class MarkNode extends Node<undefined> {
  override get isMark(): true {
    return true;
  }

  readonly blank = "undefined";

  check(): void {}

  same(): boolean {
    return true;
  }

  copy(): undefined {
    return undefined;
  }

  writeChange(): void {}

  readChange(): undefined {
    return undefined;
  }
}

/** Zeros to the next byte border. */
export class AlignNode extends MarkNode {
  readonly minBits = 0;
  readonly maxBits = ALIGN_BITS_MAX;
  readonly layout = "align";

  write(sink: Sink): void {
    sink.align();
  }

  read(source: Source): undefined {
    source.align();
    return undefined;
  }

  override emitWrite(code: WriteCode): void {
    code.align();
  }

  override emitRead(code: ReadCode, _place: string, path: string): void {
    code.align(path);
  }
}

/** A word of 32 bits that is always the same: what comes before it was read as it was written. */
export class CheckNode extends MarkNode {
  readonly minBits = WORD_BITS;
  readonly maxBits = WORD_BITS;
  readonly layout: string;
  readonly #word: number;

  constructor(word: number) {
    super();
    this.#word = checkInteger("check: word", word, 0, 2 ** WORD_BITS - 1);
    this.layout = `check(${word})`;
  }

  write(sink: Sink): void {
    sink.put(this.#word, WORD_BITS);
  }

  read(source: Source): undefined {
    if (source.take(WORD_BITS) !== this.#word) source.refuse("check");
    return undefined;
  }

  override emitWrite(code: WriteCode): void {
    code.put(`${this.#word}`, WORD_BITS);
  }

  override emitRead(code: ReadCode, _place: string, path: string): void {
    code.take(WORD_BITS, (value) => code.refuse(`${value} !== ${this.#word}`, "check", path));
  }
}
