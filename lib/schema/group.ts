/**
 * Types made of others by name: objects; and types of a few values.
 *
 * Owns: object, literal and enumeration.
 * Invariants: fields stand on the wire in the order of the definition, without names. Every
 * decoded object has all properties, so that all are of one shape.
 */
import { argumentError } from "../errors.js";
import type { DeltaCode, Emitter } from "./delta.js";
import { below, Container, locate, member, Node, type Sink, type Source } from "./node.js";
import type { ReadCode } from "./reading.js";
import { type Constants, Scalar } from "./scalar.js";
import type { WriteCode } from "./writing.js";

/** A value with the fields by name. */
export type Group = { [name: string]: unknown };

export function asGroup(value: unknown): Group | undefined {
  return typeof value === "object" && value !== null ? (value as Group) : undefined;
}

/** Passes fields by name. */
export function checkFields<T>(fields: T): T {
  if (asGroup(fields) !== undefined && !Array.isArray(fields)) return fields;
  throw argumentError("object: fields", fields, "an object of types by name");
}

/** Passes a name: JavaScript would move whole numbers to the front, and their order is the layout. */
export function checkName(what: string, name: string): void {
  if (name !== "__proto__" && !/^\d+$/.test(name)) return;
  throw argumentError(what, name, "a name that is no whole number and not __proto__");
}

export class ObjectNode extends Container<Group> {
  readonly minBits: number;
  readonly maxBits: number;
  readonly layout: string;
  readonly blank = "{}";
  readonly #fields: readonly (readonly [name: string, node: Node<unknown>])[];

  constructor(fields: { readonly [name: string]: Node<unknown> }) {
    super();
    const entries = Object.entries(checkFields(fields));
    for (const [name, node] of entries) {
      checkName("object: field", name);
      if (!(node instanceof Node)) throw argumentError(name, node, "a type of netrt/schema");
    }
    this.#fields = entries;
    const sum = (bits: (node: Node<unknown>) => number): number =>
      entries.reduce((total, [, node]) => total + bits(node), 0);
    this.minBits = sum((node) => node.minBits);
    this.maxBits = sum((node) => node.maxBits);
    const described = entries.map(([name, { layout }]) => `${JSON.stringify(name)}:${layout}`);
    this.layout = `{${described.join()}}`;
  }

  check(value: unknown, path: string): void {
    const group = asGroup(value);
    if (group === undefined) throw argumentError(path, value, "an object");
    for (const [name, node] of this.#fields) node.check(group[name], below(path, name));
  }

  write(sink: Sink, value: Group): void {
    for (const [name, node] of this.#fields) node.write(sink, value[name]);
  }

  read(source: Source, into: unknown): Group {
    const target = asGroup(into) ?? {};
    for (const [name, node] of this.#fields) {
      const value = node.read(source, target[name]);
      if (!node.isMark) target[name] = value;
      if (source.failed) {
        locate(source, name);
        break;
      }
    }
    return target;
  }

  same(left: Group, right: Group): boolean {
    return this.#fields.every(([name, node]) => node.same(left[name], right[name]));
  }

  copy(value: Group, into: unknown): Group {
    const target = asGroup(into) ?? {};
    for (const [name, node] of this.#fields) {
      if (!node.isMark) target[name] = node.copy(value[name], target[name]);
    }
    return target;
  }

  /** The delta of each field (S-13). */
  writeChange(sink: Sink, value: Group, base: Group): boolean {
    let changed = false;
    for (const [name, node] of this.#fields) {
      if (node.writeDelta(sink, value[name], base[name])) changed = true;
    }
    return changed;
  }

  readChange(source: Source, base: Group, into: unknown): Group {
    const target = asGroup(into) ?? {};
    let changed = false;
    for (const [name, node] of this.#fields) {
      if (node.isMark) continue;
      if (node.isConstant || source.take(1) === 0) {
        target[name] = node.copy(base[name], target[name]);
        continue;
      }
      changed = true;
      target[name] = node.readChange(source, base[name], target[name]);
      if (source.failed) {
        locate(source, name);
        return target;
      }
    }
    if (!changed) source.refuse("form");
    return target;
  }

  protected override emitChangeWriter(code: DeltaCode): void {
    for (const [name, node] of this.#fields) {
      if (node.isConstant) continue;
      const value = code.name(`v${member(name)}`);
      node.emitWriteDelta(code, value, code.name(`b${member(name)}`));
    }
  }

  protected override emitChangeReader(code: DeltaCode): void {
    code.line(`if (typeof t !== "object" || t === null) t = ${this.blankCode(code.reading)};`);
    code.line("let c = false;");
    for (const [name, node] of this.#fields) {
      if (node.isMark) continue;
      const place = `t${member(name)}`;
      const base = code.name(`b${member(name)}`);
      if (node.isConstant) {
        node.emitCopy(code, place, base);
        continue;
      }
      code.line("if (Q.take(1) === 0) {");
      node.emitCopy(code, place, base);
      code.line("} else {");
      node.emitReadChange(code, place, base);
      const fail = `${code.constant(locate)}(Q, ${JSON.stringify(name)}); return t;`;
      code.line(`c = true; if (Q.failed) { ${fail} }`);
      code.line("}");
    }
    code.line('if (!c) Q.refuse("form");');
    code.line("return t;");
  }

  protected override emitCopier(code: DeltaCode): void {
    code.line(`if (typeof t !== "object" || t === null) t = ${this.blankCode(code.reading)};`);
    for (const [name, node] of this.#fields) {
      if (!node.isMark) node.emitCopy(code, `t${member(name)}`, code.name(`b${member(name)}`));
    }
    code.line("return t;");
  }

  override emitWrite(code: WriteCode, name: string): void {
    code.refuse(`typeof ${name} !== "object" || ${name} === null`);
    for (const [key, node] of this.#fields) {
      if (node.isMark) node.emitWrite(code, "undefined");
      else node.emitWrite(code, code.name(`${name}${member(key)}`));
    }
  }

  override blankCode(code: ReadCode): string {
    const fields = this.#fields.filter(([, node]) => !node.isMark);
    return code.shape(this, () => fields.map(([name, node]) => [name, node.blankCode(code)]));
  }

  override emitRead(code: ReadCode, place: string, path: string): void {
    const target = code.name(place);
    // No more than "it is no object"; but who looks at the constructor first has looked at the shape for
    // all the fields that follow (V8), which is a thirtieth of a small message's time.
    const other = `${target}.constructor !== Object && typeof ${target} !== "object"`;
    code.line(`if (${target} === undefined || ${target} === null || ${other}) {`);
    code.line(`${place} = ${target} = ${this.blankCode(code)};`);
    code.line("}");
    for (const [key, node] of this.#fields) {
      node.emitRead(code, `${target}${member(key)}`, below(path, key));
    }
  }
}

/** What a literal and an enumeration may consist of. */
export type Literal = string | number | boolean;

function checkLiteral(value: unknown): void {
  const fits = typeof value === "string" || typeof value === "boolean" || Number.isInteger(value);
  if (!fits) throw argumentError("literal", value, "text, a whole number, true or false");
}

/** One value, which everybody knows: no bits. */
export class LiteralNode<T extends Literal> extends Node<T> {
  readonly minBits = 0;
  readonly maxBits = 0;
  readonly layout: string;
  readonly blank: string;
  readonly #value: T;

  constructor(value: T) {
    super();
    checkLiteral(value);
    this.#value = value;
    this.blank = JSON.stringify(value);
    this.layout = `literal(${this.blank})`;
  }

  check(value: unknown, path: string): void {
    if (value !== this.#value) throw argumentError(path, value, this.blank);
  }

  write(): void {}

  read(): T {
    return this.#value;
  }

  same(): boolean {
    return true;
  }

  copy(): T {
    return this.#value;
  }

  writeChange(): void {}

  readChange(source: Source): T {
    source.refuse("form");
    return this.#value;
  }

  override emitWrite(code: WriteCode, name: string): void {
    code.refuse(`${name} !== ${this.blank}`);
  }

  override emitRead(code: ReadCode, place: string): void {
    code.line(`${place} = ${this.blank};`);
  }
}

/** One of a few values: its number in the list. */
export class EnumerationNode<T extends Literal> extends Scalar<T> {
  readonly layout: string;
  readonly blank: string;
  readonly #values: readonly T[];
  readonly #numbers: ReadonlyMap<unknown, number>;

  constructor(values: readonly T[]) {
    super(values.length - 1);
    values.forEach(checkLiteral);
    this.#values = [...values];
    this.#numbers = new Map(values.map((value, index) => [value, index]));
    if (values.length === 0 || this.#numbers.size < values.length) {
      throw argumentError("enumeration", values, "one or more values, each once");
    }
    this.blank = JSON.stringify(values[0]);
    this.layout = `enumeration(${values.map((value) => JSON.stringify(value)).join()})`;
  }

  check(value: unknown, path: string): void {
    if (this.#numbers.has(value)) return;
    throw argumentError(path, value, `one of ${this.#values.join(", ")}`);
  }

  toWire(value: T): number {
    return this.#numbers.get(value) ?? 0;
  }

  fromWire(number: number): T {
    return this.#values[number];
  }

  protected wireCode(code: Emitter, name: string): string {
    const number = code.name(`${code.constant(this.#numbers)}.get(${name})`);
    code.refuse(`${number} === undefined`);
    return number;
  }

  protected valueCode(code: Constants, name: string): string {
    return `${code.constant(this.#values)}[${name}]`;
  }
}

/** Passes a type that a value of a container can have. */
export function checkElement(what: string, node: unknown): Node<unknown> {
  if (node instanceof Node && !node.isMark) return node;
  throw argumentError(what, node, "a type of netrt/schema that has a value");
}
