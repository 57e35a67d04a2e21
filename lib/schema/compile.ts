/**
 * Writers and readers as functions of their own for each schema.
 *
 * Owns: putting the code of a tree together, and finding out that it may not be.
 * Never does: let text of a definition into code but as a quoted string or an identifier.
 * Invariants: compiled functions take, refuse and produce what the nodes do. Where code from strings is
 * forbidden (`--disallow-code-generation-from-strings`, a policy of the embedder) the nodes do it alone.
 */
import { writerSet } from "../engine/bytes.js";
import { DeltaCode } from "./delta.js";
import { BitSink, locate, MISFIT, type Node, type Rejected, Source } from "./node.js";
import { REFUSAL, ReadCode, tail } from "./reading.js";
import { WriteCode } from "./writing.js";

/** Where a reader leaves what it refused. */
export interface Verdict {
  rejected: Rejected | undefined;
}

/** What a reader gives in place of a value that it refused. */
export const REFUSED: unique symbol = Symbol("refused");

export interface Compiled {
  /** Writes to `bytes` from `offset` on; the bits that it took. Throws for what does not fit. */
  readonly write: (value: unknown, bytes: Uint8Array, offset: number) => number;
  /** Reads into `into`, or into what it makes in its place. */
  readonly read: (bytes: Uint8Array, into: unknown) => unknown;
  /** Writes the delta of checked values to the schema's sink. */
  readonly writeDelta: (value: unknown, base: unknown) => void;
  /** Reads a delta from the schema's source. */
  readonly readDelta: (base: unknown, into: unknown) => unknown;
  /** A new value to read into. */
  readonly blank: () => unknown;
  /** The schema's own, for values that no validator has to see. */
  readonly encodeInto: (value: unknown, target: Uint8Array, offset?: number) => number;
  readonly decodeInto: (bytes: Uint8Array, target: unknown) => boolean;
}

/** What compiled functions need of their schema. */
export interface Home {
  readonly verdict: Verdict;
  /** Where deltas go to and come from. */
  readonly sink: BitSink;
  readonly source: Source;
  /** `encodeInto` where there may not be room, and from another offset on. */
  readonly encodeFar: (value: unknown, target: Uint8Array, offset: number) => number;
  /** The error of a value that did not fit. */
  readonly misfit: (value: unknown, error: unknown) => unknown;
  /** The errors of arguments of another type. */
  readonly noBytes: (bytes: unknown) => Error;
  readonly noTarget: (target: unknown) => Error;
}

/** Why a source failed: its reason, and the field unless the bytes just end. */
export function rejectedOf(source: Source): Rejected {
  const { reason, field } = source;
  return { reason, field: reason === "truncated" ? "" : field };
}

function fail(verdict: Verdict, source: Source, path: string): void {
  if (path !== "") locate(source, path);
  verdict.rejected = rejectedOf(source);
}

/**
 * Each schema has these of its own, with the code of the writer and the reader in them: a call more
 * and a look at its answer cost a sixth of a small message's time (bench/schema.ts).
 */
const shell = (write: string, room: number, read: string): string => `
function encodeInto(v, b, offset = 0) {
  if (offset !== 0 || !(b instanceof Uint8Array) || b.length < ${room}) {
    return home.encodeFar(v, b, offset);
  }
  let o = 0;
  try {
    ${write}
  } catch (error) {
    throw home.misfit(v, error);
  }
}
function decodeInto(b, target) {
  if (!(b instanceof Uint8Array)) throw home.noBytes(b);
  let t = target;
  ${read.replaceAll(REFUSAL, "false")}
  if (t !== target) throw home.noTarget(target);
  return true;
}
return { write, read, writeDelta, readDelta, blank, encodeInto, decodeInto };`;

/** `writeDelta` and `readDelta`, and what they call. */
function compileDeltas(root: Node<unknown>, code: DeltaCode): string[] {
  code.function("writeDelta", root, "v, b", () => {
    code.line("let c = false;");
    if (!root.isConstant) root.emitWriteDelta(code, "v", "b");
  });
  code.function("readDelta", root, "b, t", () => {
    const taken = root.isConstant ? "true" : "Q.take(1) === 0";
    code.line(`if (${taken}) {`);
    root.emitCopy(code, "t", "b");
    code.line("} else {");
    root.emitReadChange(code, "t", "b");
    code.line("}");
    code.line("return t;");
  });
  // The root has number 0 among the types.
  return [...code.functions, "const writeDelta = writeDelta0, readDelta = readDelta0;"];
}

/** The functions of a schema; nothing where code may not be made of strings. */
export function compile(root: Node<unknown>, home: Home): Compiled | undefined {
  const constants: unknown[] = [];
  const writing = new WriteCode(constants);
  root.emitWrite(writing, "v");
  const reading = new ReadCode(constants);
  root.emitRead(reading, "t", "");
  const { body: write, end } = writing.finish();
  const read = reading.finish();
  const blank = root.blankCode(reading);
  const deltas = compileDeltas(root, new DeltaCode(constants, reading));
  const bytes = Math.ceil(root.maxBits / 8);
  const source = [
    '"use strict";',
    "const S = home.verdict, D = home.sink, Q = home.source;",
    ...constants.map((_, index) => `const k${index} = K[${index}];`),
    ...reading.declarations,
    `function write(v, b, o) {\n${write}\nreturn ${end};\n}`,
    `function read(b, t) {\n${read.replaceAll(REFUSAL, "REFUSED")}\nreturn t;\n}`,
    `function blank() { return ${blank}; }`,
    ...deltas,
    shell(`${write}\nreturn ${writing.moving ? `((${end}) + 7) >>> 3` : bytes};`, bytes, read),
  ].join("\n");
  const names = ["home", "K", "W", "R", "MISFIT", "writerSet", "tail", "fail", "REFUSED"];
  const sink = new BitSink();
  const values = [home, constants, sink, new Source(), MISFIT, writerSet, tail, fail, REFUSED];
  try {
    const make = new Function(...names, source) as (...values: unknown[]) => Compiled;
    return make(...values);
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}
