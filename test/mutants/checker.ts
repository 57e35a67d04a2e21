/*
 * Owns asking the TypeScript compiler about edited files, again and again: what did not change is parsed once.
 * Never writes a file.
 */
import path from "node:path";
import ts from "typescript";

export class Checker {
  readonly #root: string;
  readonly #options: ts.CompilerOptions;
  readonly #host: ts.CompilerHost;
  readonly #kept = new Map<string, ts.SourceFile>();
  #program: ts.Program | undefined;

  constructor(root: string) {
    this.#root = root;
    const file = path.join(root, "tsconfig.json");
    const { config } = ts.readConfigFile(file, ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    this.#options = { ...options, noEmit: true, incremental: false };
    delete this.#options.tsBuildInfoFile;
    this.#host = ts.createCompilerHost(this.#options);
    const read = this.#host.getSourceFile.bind(this.#host);
    this.#host.getSourceFile = (name, ...rest) => {
      const known = this.#kept.get(name);
      if (known !== undefined) return known;
      const source = read(name, ...rest);
      if (source !== undefined) this.#kept.set(name, source);
      return source;
    };
  }

  /** What is wrong with these files, given that something in them changed; "" where nothing is. */
  check(files: readonly string[]): string {
    const names = files.map((file) => path.join(this.#root, file));
    for (const name of names) this.#kept.delete(name);
    const { options, old } = { options: this.#options, old: this.#program };
    const program = ts.createProgram(names, options, this.#host, old);
    this.#program = program;
    const problems = names.flatMap((name) => {
      const source = program.getSourceFile(name);
      return [
        ...program.getSyntacticDiagnostics(source),
        ...program.getSemanticDiagnostics(source),
      ];
    });
    // The next look at them is at other text.
    for (const name of names) this.#kept.delete(name);
    return problems
      .map(({ file, messageText }) => {
        const place = file === undefined ? "" : path.relative(this.#root, file.fileName);
        return `${place}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
      })
      .join("\n");
  }
}
