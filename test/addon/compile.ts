/*
 * Owns the way by which tests run programs that are written in TypeScript in processes and threads
 * of their own: lib/ and a folder of tests translated into a temporary package, file by file,
 * unchecked (`npm test` has checked them). The addon in it is the checkout's.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import ts from "typescript";

const ROOT = path.resolve(import.meta.dirname, "../..");
const COMPILER_OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
};

/** Translates a folder of the checkout to the same place below `target`. */
export function translate(folder: string, target: string): void {
  for (const entry of fs.readdirSync(path.join(ROOT, folder), {
    recursive: true,
    withFileTypes: true,
  })) {
    if (!entry.isFile() || !entry.name.endsWith(".ts") || entry.name.endsWith(".test.ts")) continue;
    const file = path.join(entry.parentPath, entry.name);
    const output = path.join(target, path.relative(ROOT, file)).replace(/ts$/, "js");
    const { outputText } = ts.transpileModule(fs.readFileSync(file, "utf8"), {
      compilerOptions: COMPILER_OPTIONS,
    });
    fs.mkdirSync(path.dirname(output), { recursive: true });
    fs.writeFileSync(output, outputText);
  }
}

/** The folder of a package with lib/ and this folder, translated; the caller removes it. */
export function compilePackage(tests = "test/addon"): string {
  const target = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-addon-"));
  for (const folder of ["lib", tests]) translate(folder, target);
  fs.copyFileSync(path.join(ROOT, "package.json"), path.join(target, "package.json"));
  fs.symlinkSync(path.join(ROOT, "build"), path.join(target, "build"), "junction");
  return target;
}
