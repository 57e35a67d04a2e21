/**
 * The code of a compiled delta: functions for each type that has others in it.
 *
 * Owns: the functions, and the lines of the one that is being made.
 * Never does: know a type, or decide what a delta is (S-11 to S-14): the types' own `writeDelta` and
 * `readDelta` do, and what is compiled says the same bits.
 * Invariants: values and baselines were checked. Bits go to `D` and come from `Q`, which are the schema's.
 */
import type { Node } from "./node.js";
import type { ReadCode } from "./reading.js";

/** Where code of one value goes. */
export interface Emitter {
  line(text: string): void;
  /** A new variable with a value. */
  name(value: string): string;
  constant(value: unknown): string;
  /** What to do about a value that does not fit. */
  refuse(condition: string): void;
}

export class DeltaCode implements Emitter {
  readonly reading: ReadCode;
  readonly functions: string[] = [];
  readonly #constants: unknown[];
  readonly #made = new Map<string, string>();
  #nodes = new Map<Node<unknown>, number>();
  #lines: string[] = [];
  #names = 0;

  constructor(constants: unknown[], reading: ReadCode) {
    this.#constants = constants;
    this.reading = reading;
  }

  line(text: string): void {
    this.#lines.push(text);
  }

  name(value: string): string {
    const name = `d${this.#names++}`;
    this.line(`const ${name} = ${value};`);
    return name;
  }

  constant(value: unknown): string {
    return `k${this.#constants.push(value) - 1}`;
  }

  refuse(): void {}

  /**
   * The name of a type's function; it is made with the first call.
   *
   * @param parameters of its two values
   */
  function(kind: string, node: Node<unknown>, parameters: string, emit: () => void): string {
    let number = this.#nodes.get(node);
    if (number === undefined) {
      number = this.#nodes.size;
      this.#nodes.set(node, number);
    }
    const key = `${kind}${number}`;
    if (!this.#made.has(key)) {
      this.#made.set(key, parameters);
      const outer = this.#lines;
      this.#lines = [];
      emit();
      this.functions.push(`function ${key}(${parameters}) {\n${this.#lines.join("\n")}\n}`);
      this.#lines = outer;
    }
    return key;
  }
}
