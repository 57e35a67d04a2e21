/**
 * Types of which a message has one or another: what may be missing, and unions.
 *
 * Owns: optional and union.
 * Invariants: what is missing is a property of value undefined. A decoded object of a union is never one
 * that was another member.
 */
import { argumentError, NetrtError } from "../errors.js";
import {
  asGroup,
  checkElement,
  checkFields,
  checkName,
  type Group,
  LiteralNode,
  ObjectNode,
} from "./group.js";
import { below, bitsFor, member, Node, type Sink, type Source } from "./node.js";
import type { ReadCode } from "./reading.js";
import type { WriteCode } from "./writing.js";

/** A value or `undefined`: a bit, and the value. */
export class OptionalNode<T> extends Node<T | undefined> {
  readonly isOptional = true as const;
  readonly minBits = 1;
  readonly maxBits: number;
  readonly layout: string;
  readonly blank = "undefined";
  readonly #inner: Node<T>;

  constructor(inner: Node<T>) {
    super();
    checkElement("optional", inner);
    this.#inner = inner;
    this.maxBits = 1 + inner.maxBits;
    this.layout = `optional(${inner.layout})`;
  }

  check(value: unknown, path: string): void {
    if (value !== undefined) this.#inner.check(value, path);
  }

  write(sink: Sink, value: T | undefined): void {
    sink.put(value === undefined ? 0 : 1, 1);
    if (value !== undefined) this.#inner.write(sink, value);
  }

  read(source: Source, into: unknown): T | undefined {
    return source.take(1) === 0 ? undefined : this.#inner.read(source, into);
  }

  same(left: T | undefined, right: T | undefined): boolean {
    if (left === undefined || right === undefined) return left === right;
    return this.#inner.same(left, right);
  }

  copy(value: T | undefined, into: unknown): T | undefined {
    return value === undefined ? undefined : this.#inner.copy(value, into);
  }

  /** What was missing is there; else a bit says whether it still is. */
  writeChange(sink: Sink, value: T | undefined, base: T | undefined): void {
    if (base === undefined) {
      this.#inner.write(sink, value as T);
      return;
    }
    sink.put(value === undefined ? 0 : 1, 1);
    if (value !== undefined) this.#inner.writeChange(sink, value, base);
  }

  readChange(source: Source, base: T | undefined, into: unknown): T | undefined {
    if (base === undefined) return this.#inner.read(source, into);
    return source.take(1) === 0 ? undefined : this.#inner.readChange(source, base, into);
  }

  override emitWrite(code: WriteCode, name: string): void {
    code.put(code.name(`${name} === undefined ? 0 : 1`), 1);
    code.flush();
    code.line(`if (${name} !== undefined) {`);
    this.#inner.emitWrite(code, name);
    code.flush();
    code.line("}");
  }

  override emitRead(code: ReadCode, place: string, path: string): void {
    let there = "";
    code.take(1, (value) => {
      there = code.name(value);
    });
    code.flush();
    code.line(`if (${there} === 0) { ${place} = undefined; } else {`);
    this.#inner.emitRead(code, place, path);
    code.flush();
    code.line("}");
  }
}

/** One of several objects, told apart by a field: its number, and the object. */
export class UnionNode extends Node<Group> {
  readonly minBits: number;
  readonly maxBits: number;
  readonly layout: string;
  readonly blank = "undefined";
  readonly #tag: string;
  readonly #bits: number;
  readonly #names: readonly string[];
  readonly #members: readonly ObjectNode[];

  constructor(
    tag: string,
    members: { readonly [name: string]: { readonly [name: string]: Node<unknown> } },
  ) {
    super();
    if (asGroup(members) === undefined) {
      throw argumentError("union: members", members, "an object of fields by name");
    }
    const names = Object.keys(members);
    if (typeof tag !== "string" || tag === "") throw argumentError("union: tag", tag, "a name");
    if (names.length === 0) throw argumentError("union: members", members, "one or more");
    for (const name of names) {
      checkName("union: member", name);
      if (asGroup(members[name]) !== undefined && Object.hasOwn(members[name], tag)) {
        throw new NetrtError("ERR_NETRT_ARGUMENT", `${name} has a field of the tag's name, ${tag}`);
      }
    }
    this.#tag = tag;
    this.#names = names;
    this.#members = names.map(
      (name) => new ObjectNode({ [tag]: new LiteralNode(name), ...checkFields(members[name]) }),
    );
    this.#bits = bitsFor(names.length - 1);
    this.minBits = this.#bits + Math.min(...this.#members.map(({ minBits }) => minBits));
    this.maxBits = this.#bits + Math.max(...this.#members.map(({ maxBits }) => maxBits));
    this.layout = `union(${this.#members.map(({ layout }) => layout).join()})`;
  }

  #indexOf(value: Group): number {
    return this.#names.indexOf(value[this.#tag] as string);
  }

  check(value: unknown, path: string): void {
    const group = asGroup(value);
    if (group === undefined) throw argumentError(path, value, "an object");
    const index = this.#indexOf(group);
    if (index < 0) {
      const allowed = `one of ${this.#names.join(", ")}`;
      throw argumentError(below(path, this.#tag), group[this.#tag], allowed);
    }
    this.#members[index].check(value, path);
  }

  write(sink: Sink, value: Group): void {
    const index = this.#indexOf(value);
    if (this.#bits > 0) sink.put(index, this.#bits);
    this.#members[index].write(sink, value);
  }

  #takeIndex(source: Source): number {
    const index = this.#bits === 0 ? 0 : source.take(this.#bits);
    if (index < this.#members.length) return index;
    // The tag is any member's first field, so the place is named by reading on.
    source.refuse("range");
    return 0;
  }

  /** An object of another member would keep its fields. */
  #reusable(into: unknown, index: number): unknown {
    return asGroup(into)?.[this.#tag] === this.#names[index] ? into : undefined;
  }

  read(source: Source, into: unknown): Group {
    const index = this.#takeIndex(source);
    return this.#members[index].read(source, this.#reusable(into, index));
  }

  same(left: Group, right: Group): boolean {
    const index = this.#indexOf(left);
    return index === this.#indexOf(right) && this.#members[index].same(left, right);
  }

  copy(value: Group, into: unknown): Group {
    const index = this.#indexOf(value);
    return this.#members[index].copy(value, this.#reusable(into, index));
  }

  /** A bit for the same member and its change; else another member, all anew. */
  writeChange(sink: Sink, value: Group, base: Group): void {
    const index = this.#indexOf(value);
    const alike = index === this.#indexOf(base);
    sink.put(alike ? 1 : 0, 1);
    if (alike) this.#members[index].writeChange(sink, value, base);
    else this.write(sink, value);
  }

  readChange(source: Source, base: Group, into: unknown): Group {
    const from = this.#indexOf(base);
    if (source.take(1) === 1) {
      return this.#members[from].readChange(source, base, this.#reusable(into, from));
    }
    const value = this.read(source, into);
    if (!source.failed && this.#indexOf(value) === from) source.refuse("form");
    return value;
  }

  override emitWrite(code: WriteCode, name: string): void {
    code.refuse(`typeof ${name} !== "object" || ${name} === null`);
    const names = code.constant(this.#names);
    const index = code.name(`${names}.indexOf(${name}${member(this.#tag)})`);
    code.refuse(`${index} < 0`);
    code.put(index, this.#bits);
    code.flush();
    code.line(`switch (${index}) {`);
    this.#members.forEach((node, at) => {
      code.line(`case ${at}: {`);
      node.emitWrite(code, name);
      code.flush();
      code.line("break; }");
    });
    code.line("}");
  }

  override emitRead(code: ReadCode, place: string, path: string): void {
    let index = "";
    code.take(this.#bits, (value) => {
      index = code.name(value);
    });
    code.flush();
    code.refuse(`${index} >= ${this.#members.length}`, "range", below(path, this.#tag));
    code.line(`switch (${index}) {`);
    this.#members.forEach((node, at) => {
      code.line(`case ${at}: {`);
      const was = code.name(place);
      const tag = `${was}${member(this.#tag)}`;
      const name = JSON.stringify(this.#names[at]);
      code.line(`if (typeof ${was} !== "object" || ${was} === null || ${tag} !== ${name}) {`);
      code.line(`${place} = ${node.blankCode(code)};`);
      code.line("}");
      node.emitRead(code, place, path);
      code.flush();
      code.line("break; }");
    });
    code.line("}");
  }
}
