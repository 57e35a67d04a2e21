/**
 * Lists of one type's values.
 *
 * Owns: arrays, and the elements that they keep for when they are longer again.
 * Invariants: a list is never longer than its type says, nor than the bytes at hand can fill.
 */
import { argumentError, checkInteger } from "../errors.js";
import type { DeltaCode } from "./delta.js";
import { checkElement } from "./group.js";
import { bitsFor, Container, locate, type Node, type Sink, type Source } from "./node.js";
import type { ReadCode } from "./reading.js";
import type { WriteCode } from "./writing.js";

/** Most elements of an array. */
const COUNT_MAX = 1_000_000;

/** Elements that a list had when it was longer, for when it is again. */
const spares = new WeakMap<unknown[], unknown[]>();

/** Gives a list another length; elements that go are kept, and come back. */
export function resize(list: unknown[], count: number): void {
  let spare = spares.get(list);
  if (list.length > count) {
    if (spare === undefined) {
      spare = [];
      spares.set(list, spare);
    }
    while (list.length > count) spare.push(list.pop());
    return;
  }
  while (list.length < count && spare !== undefined && spare.length > 0) list.push(spare.pop());
}

/** Elements of one type: how many, unless that is fixed, and each after the other. */
export class ArrayNode<T> extends Container<T[]> {
  readonly minBits: number;
  readonly maxBits: number;
  readonly layout: string;
  readonly blank = "[]";
  readonly #element: Node<T>;
  readonly #least: number;
  readonly #most: number;
  readonly #bits: number;

  constructor(element: Node<T>, least: number, most: number) {
    super();
    checkElement("array: element", element);
    this.#element = element;
    this.#least = least;
    this.#most = checkInteger("array: count", most, 0, COUNT_MAX);
    this.#bits = bitsFor(most - least);
    if (element.minBits === 0) {
      // Else a few bytes of a stranger's were a million elements.
      throw argumentError("array: element", element.layout, "of one bit or more");
    }
    this.minBits = this.#bits + least * element.minBits;
    this.maxBits = this.#bits + most * element.maxBits;
    this.layout = `array(${element.layout},${least},${most})`;
  }

  check(value: unknown, path: string): void {
    const fits = Array.isArray(value) && value.length >= this.#least && value.length <= this.#most;
    if (!fits) throw argumentError(path, value, `an array of ${this.#least} to ${this.#most}`);
    for (let index = 0; index < value.length; index++) {
      this.#element.check(value[index], `${path}[${index}]`);
    }
  }

  write(sink: Sink, value: T[]): void {
    if (this.#bits > 0) sink.put(value.length - this.#least, this.#bits);
    for (const element of value) this.#element.write(sink, element);
  }

  #takeCount(source: Source): number {
    const count = this.#least + (this.#bits === 0 ? 0 : source.take(this.#bits));
    if (count > this.#most) source.refuse("range");
    return source.failed ? 0 : count;
  }

  read(source: Source, into: unknown): T[] {
    const list: T[] = Array.isArray(into) ? into : [];
    const count = this.#takeCount(source);
    if (count * this.#element.minBits > source.left) source.refuse("truncated");
    if (source.failed) return list;
    if (list.length !== count) resize(list, count);
    for (let index = 0; index < count; index++) {
      list[index] = this.#element.read(source, list[index]);
      if (source.failed) {
        locate(source, "[]");
        break;
      }
    }
    return list;
  }

  same(left: T[], right: T[]): boolean {
    if (left.length !== right.length) return false;
    return left.every((element, index) => this.#element.same(element, right[index]));
  }

  copy(value: T[], into: unknown): T[] {
    const list: T[] = Array.isArray(into) ? into : [];
    resize(list, value.length);
    for (let index = 0; index < value.length; index++) {
      list[index] = this.#element.copy(value[index], list[index]);
    }
    return list;
  }

  /** A bit for the same length, or the length; then each against its own, and new ones as they are. */
  writeChange(sink: Sink, value: T[], base: T[]): boolean {
    const alike = value.length === base.length;
    let changed = !alike;
    if (this.#bits > 0) {
      sink.put(alike ? 1 : 0, 1);
      if (!alike) sink.put(value.length - this.#least, this.#bits);
    }
    for (let index = 0; index < value.length; index++) {
      if (index >= base.length) this.#element.write(sink, value[index]);
      else if (this.#element.writeDelta(sink, value[index], base[index])) changed = true;
    }
    return changed;
  }

  readChange(source: Source, base: T[], into: unknown): T[] {
    const list: T[] = Array.isArray(into) ? into : [];
    let count = base.length;
    if (this.#bits > 0 && source.take(1) === 0) {
      count = this.#takeCount(source);
      if (count === base.length) source.refuse("form");
    }
    const fresh = Math.max(0, count - base.length);
    if (fresh * this.#element.minBits > source.left) source.refuse("truncated");
    if (source.failed) return list;
    resize(list, count);
    let changed = count !== base.length;
    for (let index = 0; index < count; index++) {
      const was = list[index];
      if (index >= base.length) list[index] = this.#element.read(source, was);
      else {
        list[index] = this.#element.readDelta(source, base[index], was);
        if (!changed) changed = !this.#element.same(list[index], base[index]);
      }
      if (source.failed) {
        locate(source, "[]");
        return list;
      }
    }
    if (!changed) source.refuse("form");
    return list;
  }

  protected override emitChangeWriter(code: DeltaCode): void {
    code.line("if (v.length !== b.length) c = true;");
    if (this.#bits > 0) {
      code.line("D.put(v.length === b.length ? 1 : 0, 1);");
      code.line(`if (v.length !== b.length) D.put(v.length - ${this.#least}, ${this.#bits});`);
    }
    code.line("for (let i = 0; i < v.length; i++) {");
    code.line(`if (i >= b.length) { ${code.constant(this.#element)}.write(D, v[i]); continue; }`);
    this.#element.emitWriteDelta(code, code.name("v[i]"), code.name("b[i]"));
    code.line("}");
  }

  protected override emitChangeReader(code: DeltaCode): void {
    code.line("if (!Array.isArray(t)) t = [];");
    code.line("let n = b.length, c = false;");
    if (this.#bits > 0) {
      code.line("if (Q.take(1) === 0) {");
      code.line(`c = true; n = ${this.#least} + Q.take(${this.#bits});`);
      code.line(`if (n > ${this.#most}) Q.refuse("range");`);
      code.line('if (n === b.length) Q.refuse("form");');
      code.line("}");
    }
    code.line(`if ((n - b.length) * ${this.#element.minBits} > Q.left) Q.refuse("truncated");`);
    code.line("if (Q.failed) return t;");
    code.line(`${code.constant(resize)}(t, n);`);
    code.line("for (let i = 0; i < n; i++) {");
    code.line(`let e = i < t.length ? t[i] : ${this.#element.blankCode(code.reading)};`);
    code.line(`if (i >= b.length) e = ${code.constant(this.#element)}.read(Q, e);`);
    code.line("else {");
    const base = code.name("b[i]");
    code.line("if (Q.take(1) === 0) {");
    this.#element.emitCopy(code, "e", base);
    code.line("} else {");
    this.#element.emitReadChange(code, "e", base);
    code.line("c = true; } }");
    code.line("t[i] = e;");
    code.line(`if (Q.failed) { ${code.constant(locate)}(Q, "[]"); return t; }`);
    code.line("}");
    code.line('if (!c) Q.refuse("form");');
    code.line("return t;");
  }

  protected override emitCopier(code: DeltaCode): void {
    code.line("if (!Array.isArray(t)) t = [];");
    code.line(`${code.constant(resize)}(t, b.length);`);
    code.line("for (let i = 0; i < b.length; i++) {");
    code.line(`let e = i < t.length ? t[i] : ${this.#element.blankCode(code.reading)};`);
    this.#element.emitCopy(code, "e", code.name("b[i]"));
    code.line("t[i] = e;");
    code.line("}");
    code.line("return t;");
  }

  override emitWrite(code: WriteCode, name: string): void {
    const count = `${name}.length`;
    const outside =
      this.#bits === 0
        ? `${count} !== ${this.#most}`
        : `${count} > ${this.#most}${this.#least > 0 ? ` || ${count} < ${this.#least}` : ""}`;
    code.refuse(`!Array.isArray(${name}) || ${outside}`);
    if (this.#bits > 0) code.put(code.name(`${count} - ${this.#least}`), this.#bits);
    code.flush();
    const index = code.fresh();
    code.line(`for (let ${index} = 0; ${index} < ${name}.length; ${index}++) {`);
    this.#element.emitWrite(code, code.name(`${name}[${index}]`));
    code.flush();
    code.line("}");
  }

  override emitRead(code: ReadCode, place: string, path: string): void {
    let count = `${this.#most}`;
    if (this.#bits > 0) {
      code.take(this.#bits, (value) => {
        count = code.name(`${this.#least} + ${value}`);
      });
    }
    code.flush();
    if (this.#bits > 0) code.refuse(`${count} > ${this.#most}`, "range", path);
    code.refuse(`${count} * ${this.#element.minBits} > E - p`, "truncated", "");
    const list = code.name(place);
    code.line(`if (!Array.isArray(${list})) ${place} = ${list} = [];`);
    code.line(`if (${list}.length !== ${count}) ${code.constant(resize)}(${list}, ${count});`);
    const index = code.name("0");
    code.line(`for (${index} = 0; ${index} < ${count}; ${index}++) {`);
    // Behind the end there is nothing to read into, and to look there is slow.
    const element = code.name(
      `${index} < ${list}.length ? ${list}[${index}] : ${this.#element.blankCode(code)}`,
    );
    this.#element.emitRead(code, element, `${path}[]`);
    code.flush();
    code.line(`${list}[${index}] = ${element};`);
    code.line("}");
  }
}
