/*
 * Owns the shape of a planted bug, and putting it into a text.
 * Invariant: what is to be replaced stands in its file exactly once; else the bug has rotted, and that is an error.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** One change of one file. */
export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  readonly find: string;
  readonly put: string;
}

/** What has to notice: a vitest suite, or C++ tests whose names contain the words. */
export type Gate =
  | { readonly suite: string; readonly env?: Readonly<Record<string, string>> }
  | { readonly core: readonly string[] };

/** A bug that is one change. */
export const swap = (file: string, find: string, put: string): readonly Edit[] => [
  { file, find, put },
];

export const unit = (name: string, env?: Readonly<Record<string, string>>): Gate => ({
  suite: `test/unit/${name}.test.ts`,
  ...(env === undefined ? {} : { env }),
});

export const SIDES = ["js", "native"] as const;
export type Side = (typeof SIDES)[number];

export interface Mutant {
  /** Short, for `--only`. */
  readonly name: string;
  /** The bug, in words; where it happened to others. */
  readonly bug: string;
  readonly gate: Gate;
  /** The bug in lib; left out where lib can't have it. */
  readonly js?: readonly Edit[];
  /** The bug in native; left out where native can't have it. */
  readonly native?: readonly Edit[];
}

export class RottenError extends Error {
  override readonly name = "RottenError";
}

/** The repository, seen from the sources and from what tsc made of them alike. */
export function repositoryRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(path.join(folder, "binding.gyp"))) {
    const parent = path.dirname(folder);
    if (parent === folder) throw new Error("the repository was not found");
    folder = parent;
  }
  return folder;
}

/** The files with the edits in them. Throws RottenError where one does not apply. */
export function edited(root: string, edits: readonly Edit[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { file, find, put } of edits) {
    const place = path.join(root, file);
    if (!existsSync(place)) throw new RottenError(`${file} is gone`);
    const text = texts.get(file) ?? readFileSync(place, "utf8");
    const pieces = text.split(find);
    if (pieces.length !== 2) {
      throw new RottenError(`${file} has ${pieces.length - 1} times: ${find.trim()}`);
    }
    if (find === put) throw new RottenError(`${file}: the edit changes nothing`);
    texts.set(file, pieces.join(put));
  }
  return texts;
}
