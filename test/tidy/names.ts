// names: what a C++ header and a TypeScript file give to others, as plain lists of names.
//
// Neither is a full parser. The headers are those of native/core: one namespace, free functions over
// plain structs, constants and enums; templates of templates would need more than this.
import ts from "typescript";
import { bareCpp, parseTs, read } from "./tree.js";

/** The declarations at namespace scope, each as its text up to its body or its semicolon. */
export function cppDeclarations(file: string): string[] {
  const text = bareCpp(read(file)).replace(/^[ \t]*#(?:.*\\\n)*.*$/gm, "");
  const declarations: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const mark = text[index];
    if (mark === "{") {
      const head = text.slice(start, index).trim();
      if (depth === 0 && /^(inline )?namespace\b|^extern\b/.test(head)) start = index + 1;
      else depth++;
    } else if (mark === "}") {
      if (depth > 0) depth--;
      // The brace of a function body ends its declaration; that of a struct or a value has a semicolon.
      const whole = text.slice(start, index + 1).trim();
      if (
        depth === 0 &&
        !/^(typedef |template.*> ?)?(struct|class|enum|union|constexpr [^(]*=)/s.test(whole)
      ) {
        if (whole !== "}") declarations.push(whole);
        start = index + 1;
      }
    } else if (mark === ";" && depth === 0) {
      declarations.push(text.slice(start, index).trim());
      start = index + 1;
    }
  }
  return declarations.filter((declaration) => declaration !== "");
}

/** The names that a header declares: types, functions, constants, and the enumerators of plain enums. */
export function cppNames(file: string): string[] {
  return [...new Set(cppDeclarations(file).flatMap(namesOfDeclaration))].sort();
}

function namesOfDeclaration(declaration: string): string[] {
  const text = declaration
    .replace(/\[\[[^\]]*\]\]/g, "")
    .replace(/\b(alignas|__attribute__)\s*\(+[^)]*\)+/g, "")
    .replace(/^template\s*<[^>]*>/, "")
    .trim();
  if (/^(static_assert|friend|using namespace)\b/.test(text)) return [];
  const type = /^(?:typedef\s+)?(struct|class|union|enum(?:\s+(?:class|struct))?)\s+(\w+)/.exec(
    text,
  );
  // A forward declaration is another file's.
  if (type && !text.includes("{") && type[1] !== "enum") return [];
  if (type) {
    const body = text.slice(text.indexOf("{") + 1, text.lastIndexOf("}"));
    const plain = type[1] === "enum" && text.includes("{");
    const names = [...body.matchAll(/(?:^|,)\s*(\w+)/g)].map((match) => match[1]!);
    return plain ? [type[2]!, ...names] : [type[2]!];
  }
  const alias = /^using\s+(\w+)\s*=/.exec(text) ?? /^typedef\b[\s\S]*?(\w+)$/.exec(text);
  if (alias) return [alias[1]!];
  const head = text.split(/[{=]/, 1)[0]!;
  const called = /([A-Za-z_]\w*)\s*\(/.exec(head);
  if (called) return [called[1]!];
  const variable = /(\w+)\s*(?:\[[^\]]*\]\s*)*$/.exec(head.trim());
  return variable ? [variable[1]!] : [];
}

/** The constants of a header, by their declarations: `constexpr TYPE NAME = …` and plain enumerators. */
export function cppConstants(file: string): string[] {
  return cppNames(file).filter((name) => /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/.test(name));
}

/** The names that a TypeScript file exports. */
export function tsNames(file: string): string[] {
  const names = new Set<string>();
  for (const statement of parseTs(file).statements) {
    if (ts.isExportDeclaration(statement) && statement.exportClause) {
      if (!ts.isNamedExports(statement.exportClause)) continue;
      for (const element of statement.exportClause.elements) names.add(element.name.text);
    }
    const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
    if (!modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword)) continue;
    if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations) {
        if (ts.isIdentifier(name)) names.add(name.text);
      }
    } else if (
      (ts.isFunctionDeclaration(statement) ||
        ts.isClassDeclaration(statement) ||
        ts.isInterfaceDeclaration(statement) ||
        ts.isTypeAliasDeclaration(statement) ||
        ts.isEnumDeclaration(statement)) &&
      statement.name
    ) {
      names.add(statement.name.text);
    }
  }
  return [...names].sort();
}
