/**
 * The code of a compiled writer.
 *
 * Owns: how bits are gathered into words before they are stored.
 * Never does: know a type: nodes say which bits come next.
 * Invariants: while every size so far is fixed, positions are constants and a store takes whole words.
 * From the first size that depends on the value on, `o` is the byte, and `n` bits of it are in `s`.
 * Nothing behind the message is touched.
 */
import type { Node } from "./node.js";

/** Bits of a word while positions are constants. */
const STILL_BITS = 32;
/** Bits that go with up to 7 others into a word, while positions are variables. */
const MOVING_BITS = 24;

export class WriteCode {
  readonly constants: unknown[];
  /** Whether positions are variables. */
  moving = false;
  /** Whether a node is called. */
  calls = false;
  #lines: string[] = [];
  #names = 0;
  #parts: string[] = [];
  #bits = 0;
  /** Bytes stored so far, while positions are constants. */
  #bytes = 0;

  constructor(constants: unknown[]) {
    this.constants = constants;
  }

  line(text: string): void {
    this.#lines.push(text);
  }

  /** A name that nothing has. */
  fresh(): string {
    return `v${this.#names++}`;
  }

  /** A new variable with a value. */
  name(value: string): string {
    const name = this.fresh();
    this.line(`const ${name} = ${value};`);
    return name;
  }

  constant(value: unknown): string {
    return `k${this.constants.push(value) - 1}`;
  }

  /** Emits that the value does not fit when the condition holds. */
  refuse(condition: string): void {
    this.line(`if (${condition}) throw MISFIT;`);
  }

  /** Puts the lowest `bits` (0 to 32) of a variable, which has no others set. */
  put(name: string, bits: number): void {
    let done = 0;
    while (done < bits) {
      const limit = this.moving ? MOVING_BITS : STILL_BITS;
      const room = limit - this.#bits;
      const count = Math.min(room, bits - done);
      let part = done > 0 ? `(${name} >>> ${done})` : name;
      if (count < bits - done && this.moving) part = `(${part} & ${2 ** count - 1})`;
      this.#parts.push(this.#bits > 0 ? `${part} << ${this.#bits}` : part);
      this.#bits += count;
      done += count;
      if (this.#bits === limit) this.#store();
    }
  }

  /** A whole number of 0 to 53 bits. */
  putWide(name: string, bits: number): void {
    if (bits <= 32) {
      this.put(name, bits);
      return;
    }
    this.put(this.name(`${name} % 4294967296`), 32);
    this.put(this.name(`Math.floor(${name} / 4294967296)`), bits - 32);
  }

  /** Puts 8 bits of an expression, which may have higher ones, after `flush`. */
  byte(expression: string): void {
    this.line(`s |= (${expression}) << n; b[o++] = s; s = s >>> 8 & 127;`);
    this.line("if (n > 0) b[o] = s;");
  }

  /** Stores what was put, so that a branch or loop can follow; positions are variables from here on. */
  flush(): void {
    if (this.moving) {
      this.#store();
      return;
    }
    const rest = this.#bits & 7;
    const whole = this.#bits >>> 3;
    this.#store();
    this.moving = true;
    const bytes = this.#bytes - (rest > 0 ? 1 : 0);
    this.line(`o += ${bytes}; n = ${rest}; s = ${rest > 0 ? `w >>> ${8 * whole}` : "0"};`);
  }

  align(): void {
    this.flush();
    this.line("if (n > 0) { o += 1; n = 0; s = 0; }");
  }

  /** Lets the node write a variable by itself. */
  call(node: Node<unknown>, name: string): void {
    this.calls = true;
    this.flush();
    const constant = this.constant(node);
    this.line(`${constant}.check(${name}, "");`);
    this.line("W.offset = o; W.bitOffset = n;");
    this.line(`${constant}.write(W, ${name});`);
    this.line("o = W.offset; n = W.bitOffset; s = n > 0 ? b[o] : 0;");
  }

  /** The body of `(v, b, o)`, and the bits that it wrote. */
  finish(): { body: string; end: string } {
    const bits = this.#bytes * 8 + this.#bits;
    this.#store();
    const head = ["let s = 0, n = 0, w = 0;"];
    if (this.moving) head.push("const start = o;");
    if (this.calls) head.push("writerSet(W, b, o, b.length);");
    const body = [...head, ...this.#lines].join("\n");
    return { body, end: this.moving ? "(o - start) * 8 + n" : `${bits}` };
  }

  #store(): void {
    if (this.#bits === 0) return;
    const word = this.#parts.join(" | ");
    const bits = this.#bits;
    this.#parts = [];
    this.#bits = 0;
    if (this.moving) {
      // Up to 7 bits wait in `s`; all are stored, and what is no whole byte waits again. Those that wait
      // decide whether there is a last byte.
      this.line(`s |= (${word}) << n; n += ${bits};`);
      const most = (bits + 14) >>> 3;
      const least = (bits + 7) >>> 3;
      for (let index = 0; index < most; index++) {
        const shifted = index === 0 ? "s" : `s >>> ${8 * index}`;
        const condition = index < least ? "" : `if (n > ${8 * index}) `;
        this.line(`${condition}b[o${index === 0 ? "" : ` + ${index}`}] = ${shifted};`);
      }
      this.line("o += n >>> 3; s >>>= n & 24; n &= 7;");
      return;
    }
    this.line(`w = ${word};`);
    const bytes = (bits + 7) >>> 3;
    for (let index = 0; index < bytes; index++) {
      const shifted = index === 0 ? "w" : `w >>> ${8 * index}`;
      const at = this.#bytes + index;
      this.line(`b[o${at === 0 ? "" : ` + ${at}`}] = ${shifted};`);
    }
    this.#bytes += bytes;
  }
}
