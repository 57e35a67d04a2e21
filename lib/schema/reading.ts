/**
 * The code of a compiled reader.
 *
 * Owns: how fields of fixed size are gathered into runs with one check of the bounds, and where their
 * bits are.
 * Never does: know a type: nodes say which bits come next.
 * Invariants: nothing is read past the end. While every size so far is fixed, positions are constants;
 * from the first other on `p` is the bit. A field's code runs after the field was found to be there,
 * and in the order of the fields; `line` runs before the pending ones.
 */
import { member, type Node, type Reason } from "./node.js";

/**
 * What a reader gives for what it refuses: `compile` puts an expression in its place. No name and no
 * quoted text has this character.
 */
export const REFUSAL = "\u0001";
/** Bits of a word that are there at any position in its first byte. */
const WORD_BITS = 25;

interface Field {
  readonly bits: number;
  readonly sink: (value: string) => void;
}

export class ReadCode {
  readonly constants: unknown[];
  /** Whether positions are variables. */
  moving = false;
  /** Whether a node is called. */
  calls = false;
  /** What stands before the functions. */
  readonly declarations: string[] = [];
  readonly #shapes = new Map<object, string>();
  #lines: string[] = [];
  #names = 0;
  #fields: Field[] = [];
  /** Bits read so far, while positions are constants. */
  #bits = 0;

  constructor(constants: unknown[]) {
    this.constants = constants;
  }

  line(text: string): void {
    this.#lines.push(text);
  }

  /** A new variable with a value. */
  name(value: string): string {
    const name = `v${this.#names++}`;
    this.line(`let ${name} = ${value};`);
    return name;
  }

  /**
   * An expression for a new object with these fields, each with a value of its kind. It comes from a
   * constructor of its own: V8 keeps what it knows of fields by the way in which objects came to be, and a
   * literal's way is shared with the definition, whose fields of the same names are types. Numbers with a
   * fraction would then be boxed one by one (test/unit/schema/reuse.test.ts).
   */
  shape(owner: object, fields: () => readonly (readonly [name: string, blank: string])[]): string {
    let name = this.#shapes.get(owner);
    if (name === undefined) {
      name = `N${this.#shapes.size}`;
      this.#shapes.set(owner, name);
      const body = fields().map(([field, blank]) => `this${member(field)} = ${blank};`);
      this.declarations.push(`function ${name}() { ${body.join(" ")} }`);
      this.declarations.push(`${name}.prototype = Object.prototype;`);
    }
    return `new ${name}()`;
  }

  constant(value: unknown): string {
    return `k${this.constants.push(value) - 1}`;
  }

  /** Emits that the bytes are refused when the condition holds. */
  refuse(condition: string, reason: Reason, path: string): void {
    const rejected = this.constant(Object.freeze({ reason, field: path }));
    this.line(`if (${condition}) { S.rejected = ${rejected}; return ${REFUSAL}; }`);
  }

  /** Takes 0 to 53 bits; `sink` gets an expression, to be used once, when they are there. */
  take(bits: number, sink: (value: string) => void): void {
    if (bits === 0) {
      sink("0");
    } else if (bits <= WORD_BITS) {
      this.#fields.push({ bits, sink });
    } else if (bits <= 32) {
      let low = "";
      this.take(16, (value) => {
        low = this.name(value);
      });
      this.take(bits - 16, (value) => sink(`((${low} | (${value}) << 16) >>> 0)`));
    } else {
      let low = "";
      this.take(32, (value) => {
        low = this.name(value);
      });
      this.take(bits - 32, (value) => sink(`(${low} + (${value}) * 4294967296)`));
    }
  }

  /** Reads what was taken, so that a branch or loop can follow; positions are variables from here on. */
  flush(): void {
    this.#run();
    if (this.moving) return;
    this.moving = true;
    this.line(`p = ${this.#bits};`);
  }

  align(path: string): void {
    this.flush();
    this.refuse("(p & 7) > 0 && b[p >>> 3] >>> (p & 7) !== 0", "padding", path);
    this.line("p = (p + 7) & ~7;");
  }

  /** Lets the node read by itself. */
  call(node: Node<unknown>, place: string, path: string): void {
    this.calls = true;
    this.flush();
    this.line("R.offset = p >>> 3; R.bitOffset = p & 7;");
    this.line(`${place} = ${this.constant(node)}.read(R, ${place});`);
    this.line(`if (R.failed) { fail(S, R, ${JSON.stringify(path)}); return ${REFUSAL}; }`);
    this.line("p = R.offset * 8 + R.bitOffset;");
  }

  /** The body of a function that has bytes `b` and reads into `t`; its end is for the caller to write. */
  finish(): string {
    const fixed = !this.moving;
    this.#run();
    const head = ["const L = b.length, E = L * 8;", "let p = 0, w = 0, i = 0;"];
    if (this.calls) head.push("R.begin(b);");
    if (fixed) {
      const rest = this.#bits & 7;
      const last = this.#bits >>> 3;
      this.refuse(`L > ${last + (rest > 0 ? 1 : 0)}`, "trailing", "");
      if (rest > 0) this.refuse(`b[${last}] >>> ${rest} !== 0`, "padding", "");
    } else {
      this.refuse("(p + 7) >>> 3 < L", "trailing", "");
      this.refuse("(p & 7) > 0 && b[p >>> 3] >>> (p & 7) !== 0", "padding", "");
    }
    return [...head, ...this.#lines, "S.rejected = undefined;"].join("\n");
  }

  #run(): void {
    const fields = this.#fields;
    if (fields.length === 0) return;
    this.#fields = [];
    const total = fields.reduce((sum, field) => sum + field.bits, 0);
    if (this.moving) {
      this.refuse(`p + ${total} > E`, "truncated", "");
      this.#runMoving(fields);
      return;
    }
    this.refuse(`L < ${(this.#bits + total + 7) >>> 3}`, "truncated", "");
    this.#runStill(fields);
  }

  /** As many fields from a word as are whole in it. */
  #runStill(fields: readonly Field[]): void {
    let index = 0;
    while (index < fields.length) {
      const first = this.#bits >>> 3;
      const word: { readonly field: Field; readonly shift: number }[] = [];
      let end = this.#bits - first * 8;
      while (index < fields.length && end + fields[index].bits <= 32) {
        word.push({ field: fields[index], shift: end });
        end += fields[index].bits;
        index++;
      }
      this.#bits = first * 8 + end;
      const count = (end + 7) >>> 3;
      this.line(`w = ${bytesAt(first, count)};`);
      for (const { field, shift } of word) {
        const { bits, sink } = field;
        const shifted = shift > 0 ? `w >>> ${shift}` : "w";
        // Above the last byte there is nothing.
        sink(shift + bits === 8 * count ? `(${shifted})` : `(${shifted} & ${2 ** bits - 1})`);
      }
    }
  }

  #runMoving(fields: readonly Field[]): void {
    let index = 0;
    while (index < fields.length) {
      const word: Field[] = [];
      let total = 0;
      while (index < fields.length && total + fields[index].bits <= WORD_BITS) {
        word.push(fields[index]);
        total += fields[index].bits;
        index++;
      }
      this.line("i = p >>> 3;");
      const bytes = "b[i] | b[i + 1] << 8 | b[i + 2] << 16 | b[i + 3] << 24";
      this.line(`w = (i + 4 <= L ? ${bytes} : tail(b, i, L)) >>> (p & 7); p += ${total};`);
      // The fields' code may run others' loops no more: `w` is theirs until the next word.
      let shift = 0;
      for (const { bits, sink } of word) {
        sink(`(${shift > 0 ? `w >>> ${shift}` : "w"} & ${2 ** bits - 1})`);
        shift += bits;
      }
    }
  }
}

/** Up to four bytes as a word. */
function bytesAt(first: number, count: number): string {
  return Array.from({ length: count }, (_, index) =>
    index === 0 ? `b[${first}]` : `b[${first + index}] << ${8 * index}`,
  ).join(" | ");
}

/** The bytes from `index` on, where fewer than four are left. */
export function tail(bytes: Uint8Array, index: number, length: number): number {
  let word = 0;
  for (let at = index; at < length; at++) word |= bytes[at] << (8 * (at - index));
  return word;
}
