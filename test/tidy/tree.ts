// tree: the project's files as the tidy tests see them. It reads, and never writes.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

// Of the sources (test/tidy) and of the compiled tests (dist/test/tidy) alike.
export const ROOT = findRoot(path.dirname(fileURLToPath(import.meta.url)));

function findRoot(folder: string): string {
  return fs.existsSync(path.join(folder, "binding.gyp")) ? folder : findRoot(path.dirname(folder));
}

export function exists(file: string): boolean {
  return fs.existsSync(path.join(ROOT, file));
}

export function read(file: string): string {
  return fs.readFileSync(path.join(ROOT, file), "utf8");
}

/** Files below the folders whose names end in one of the given ends, as paths from the root. */
export function filesBelow(folders: readonly string[], ends: readonly string[]): string[] {
  const files: string[] = [];
  for (const folder of folders) {
    if (!exists(folder)) continue;
    for (const name of fs.readdirSync(path.join(ROOT, folder), { recursive: true }) as string[]) {
      if (ends.some((end) => name.endsWith(end))) files.push(`${folder}/${name}`);
    }
  }
  return files.sort();
}

export function lineOf(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** C++ without comments and without what stands in quotes; lines keep their numbers. */
export function bareCpp(text: string): string {
  const pattern = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'/g;
  return text.replace(pattern, (match, index: number) => {
    // The mark of thousands in a number is not a quote.
    if (match.startsWith("'") && /[0-9a-fA-F]/.test(text[index - 1] ?? "")) return match;
    if (match.startsWith("/")) return match.replace(/[^\n]/g, " ");
    return match[0]! + match[0]!;
  });
}

export function parseTs(file: string): ts.SourceFile {
  return ts.createSourceFile(file, read(file), ts.ScriptTarget.ES2023, true);
}

export function visit(node: ts.Node, each: (node: ts.Node) => void): void {
  each(node);
  node.forEachChild((child) => visit(child, each));
}
