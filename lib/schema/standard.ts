/**
 * Validators of other libraries, by the interface that they share.
 *
 * Owns: the part of Standard Schema (standardschema.dev, version 1) that is needed here.
 */
import { argumentError } from "../errors.js";

/** A validator of the Standard Schema kind. */
export interface StandardSchema<T> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<T> | Promise<StandardResult<T>>;
  };
}

/** What a validator says: a value, or issues. */
export type StandardResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

/**
 * Whether the validator has no issues with a value.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT` for a validator that is not synchronous
 */
export function isValid<T>(validator: StandardSchema<T>, value: unknown): boolean {
  const result = validator["~standard"].validate(value);
  if (result instanceof Promise) {
    // Whatever it comes to, nobody waits for it.
    result.catch(() => undefined);
    throw argumentError("validator", validator["~standard"].vendor, "synchronous");
  }
  return result.issues === undefined;
}

/** Passes a validator. */
export function checkValidator(validator: unknown): void {
  const standard =
    (typeof validator === "object" || typeof validator === "function") && validator !== null
      ? (Reflect.get(validator, "~standard") as unknown)
      : undefined;
  const fits =
    typeof standard === "object" &&
    standard !== null &&
    typeof Reflect.get(standard, "validate") === "function";
  if (!fits) throw argumentError("validator", validator, "a Standard Schema");
}
