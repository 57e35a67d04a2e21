/**
 * Where two definitions differ.
 *
 * Owns: the grammar of layouts, read back.
 * Never does: judge whether a difference matters: on the wire every one does.
 * Invariants: equal layouts have no difference, others have a first one, in the order of the wire.
 */
import { argumentError } from "../errors.js";
import { below } from "./node.js";

/** The first field in which two layouts differ, and what each has in its place. */
export interface Difference {
  /** E.g. `players[].aim.x`; "" for the message as a whole. */
  readonly field: string;
  /** Part of the left layout, e.g. `range(0,255)`; "" for nothing in this place. */
  readonly left: string;
  readonly right: string;
}

/** A part of a layout: its text, and the parts of it. */
interface Part {
  readonly text: string;
  /** The type's name; "{" for an object, "" for a number or text. */
  readonly kind: string;
  /** Fields of an object have names. */
  readonly inner: readonly { readonly name: string; readonly part: Part }[];
}

/** A scalar of a layout: text as JSON has it, or what a number or word consists of. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[\w.+-]+/y;

class LayoutReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  all(): Part {
    const part = this.#part();
    if (this.#at < this.#text.length) this.#fail();
    return part;
  }

  #fail(): never {
    throw argumentError("layout", this.#text, `the layout of a schema; it is none at ${this.#at}`);
  }

  #token(): string {
    TOKEN.lastIndex = this.#at;
    const token = TOKEN.exec(this.#text)?.[0] ?? this.#fail();
    this.#at += token.length;
    return token;
  }

  /** Passes over a character, if it is the next. */
  #skip(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #part(): Part {
    const start = this.#at;
    const isObject = this.#skip("{");
    const kind = isObject ? "{" : this.#token();
    const inner: { name: string; part: Part }[] = [];
    if (isObject || this.#skip("(")) {
      const end = isObject ? "}" : ")";
      while (!this.#skip(end)) {
        if (inner.length > 0 && !this.#skip(",")) this.#fail();
        const name = isObject ? (JSON.parse(this.#token()) as string) : "";
        if (isObject && !this.#skip(":")) this.#fail();
        inner.push({ name, part: this.#part() });
      }
    }
    return { text: this.#text.slice(start, this.#at), kind, inner };
  }
}

/**
 * Names the first field in which two definitions differ: of two schemas, or of the layouts that two
 * programs print. Two peers that define a channel's messages differently do not connect; this says why.
 *
 * @returns undefined for equal ones
 * @throws NetrtError `ERR_NETRT_ARGUMENT` for text that is no layout
 *
 * @example
 * ```ts
 * firstDifference(Input, '{"sequence":range(0,255),"buttons":range(0,63)}');
 * // { field: "sequence", left: "range(0,65535)", right: "range(0,255)" }
 * ```
 */
export function firstDifference(
  left: string | { readonly layout: string },
  right: string | { readonly layout: string },
): Difference | undefined {
  const layoutOf = (one: string | { readonly layout: string }): string =>
    typeof one === "string" ? one : one.layout;
  return compare(
    new LayoutReader(layoutOf(left)).all(),
    new LayoutReader(layoutOf(right)).all(),
    "",
  );
}

function compare(left: Part, right: Part, path: string): Difference | undefined {
  if (left.text === right.text) return undefined;
  const here = { field: path, left: left.text, right: right.text };
  if (left.kind !== right.kind) return here;
  if (left.kind === "{") return compareFields(left, right, path);
  // What is in an array or may be missing is named more closely, if that is what differs.
  const one = left.inner[0]?.part;
  const other = right.inner[0]?.part;
  if (one === undefined || other === undefined) return here;
  if (left.kind === "array") return compare(one, other, `${path}[]`) ?? here;
  if (left.kind === "optional") return compare(one, other, path);
  if (left.kind === "union") return compareMembers(left, right, path) ?? here;
  return here;
}

/** The fields of objects in their order: the first of another name, another type, or of one side only. */
function compareFields(left: Part, right: Part, path: string): Difference | undefined {
  const count = Math.max(left.inner.length, right.inner.length);
  for (let index = 0; index < count; index++) {
    const one = left.inner[index];
    const other = right.inner[index];
    if (one === undefined || other === undefined || one.name !== other.name) {
      const text = (field: Part["inner"][number] | undefined): string =>
        field === undefined ? "" : `${JSON.stringify(field.name)}:${field.part.text}`;
      const field = below(path, (one ?? other).name);
      return { field, left: text(one), right: text(other) };
    }
    const difference = compare(one.part, other.part, below(path, one.name));
    if (difference !== undefined) return difference;
  }
  return undefined;
}

/** The members of unions, which are objects; undefined where one has more of them. */
function compareMembers(left: Part, right: Part, path: string): Difference | undefined {
  for (const [index, { part }] of left.inner.entries()) {
    const other = right.inner[index];
    const difference = other && compare(part, other.part, path);
    if (difference !== undefined) return difference;
  }
  return undefined;
}
