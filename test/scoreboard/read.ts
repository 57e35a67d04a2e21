// read: takes numbers and lists out of the objects that commands print. What is not there is an error, never a zero.

type Fields = Readonly<Record<string, unknown>>;

function fields(value: unknown, where: string): Fields {
  if (typeof value === "object" && value !== null) return value as Fields;
  throw new Error(`no ${where} in what the command printed`);
}

function at(object: unknown, path: string): unknown {
  let value = object;
  for (const name of path.split(".")) value = fields(value, path)[name];
  return value;
}

/** A number at a place such as `total.lines`. */
export function numberAt(object: unknown, path: string): number {
  const value = at(object, path);
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new Error(`no number ${path} in what the command printed`);
}

export function listAt(object: unknown, path: string): readonly unknown[] {
  const value = at(object, path);
  if (Array.isArray(value)) return value;
  throw new Error(`no list ${path} in what the command printed`);
}

/** A text, a yes or no, or a number, as text. */
export function wordAt(object: unknown, path: string): string {
  const value = at(object, path);
  if (["string", "boolean", "number"].includes(typeof value)) return String(value);
  throw new Error(`no ${path} in what the command printed`);
}

/** The sum of a number over a list. */
export function sumOf(list: readonly unknown[], path: string): number {
  return list.reduce<number>((sum, one) => sum + numberAt(one, path), 0);
}
