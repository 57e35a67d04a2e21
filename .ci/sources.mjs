// The list of C++ sources: what lies on disk, and the lists in binding.gyp and CMakeLists.txt.
// `node .ci/sources.mjs` writes both lists anew from the disk; test/tidy reads with the same functions.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

// List names as in binding.gyp; CMakeLists.txt has them in upper case. Build files know no globs, on purpose:
// a list that is read says what a product is made of, and a stray file never gets into it.
const LISTS = {
  core_sources: { folder: "native/core", belongs: () => true },
  io_sources: { folder: "native/io", belongs: () => true },
  addon_sources: { folder: "native/addon", belongs: (name) => !name.startsWith("probe") },
  probe_sources: { folder: "native/addon", belongs: (name) => name.startsWith("probe") },
};
export const LIST_NAMES = Object.keys(LISTS);

export function sourcesOnDisk(list) {
  const { folder, belongs } = LISTS[list];
  const full = path.join(ROOT, folder);
  if (!fs.existsSync(full)) return [];
  const names = fs.readdirSync(full).filter((name) => name.endsWith(".cc") && belongs(name));
  return names.sort().map((name) => `${folder}/${name}`);
}

const inGyp = (list) => new RegExp(`("${list}": \\[\\n)([^\\]]*?)( *\\])`);
const inCMake = (list) => new RegExp(`(set\\(${list.toUpperCase()}\\n)([^)]*?)(\\))`);

export function sourcesInGyp(text, list) {
  return [...(inGyp(list).exec(text)?.[2] ?? "").matchAll(/"([^"]+)"/g)].map((match) => match[1]);
}

export function sourcesInCMake(text, list) {
  return (inCMake(list).exec(text)?.[2] ?? "").split(/\s+/).filter((word) => word !== "");
}

function rewrite(file, pattern, line) {
  const full = path.join(ROOT, file);
  const before = fs.readFileSync(full, "utf8");
  let after = before;
  for (const list of LIST_NAMES) {
    const body = line(sourcesOnDisk(list));
    after = after.replace(pattern(list), (_all, open, _old, close) => open + body + close);
  }
  if (after === before) return false;
  fs.writeFileSync(full, after);
  return true;
}

export function writeLists() {
  const gyp = rewrite("binding.gyp", inGyp, (names) =>
    names.map((name, index) => `      "${name}"${index < names.length - 1 ? "," : ""}\n`).join(""),
  );
  const cmake = rewrite("CMakeLists.txt", inCMake, (names) =>
    names.map((name) => `  ${name}\n`).join(""),
  );
  return gyp || cmake;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.error(writeLists() ? "source lists: rewritten" : "source lists: up to date");
}
