// NetrtError: codes, causes, and the wording that all argument checks share.
import { describe, expect, expectTypeOf, it } from "vitest";
import {
  argumentError,
  checkInteger,
  checkNumber,
  describeGiven,
  type ErrorCode,
  NetrtError,
} from "../../../lib/errors.js";

describe("NetrtError", () => {
  it("is an Error with a code, a cause and its own name", () => {
    const cause = new Error("EADDRINUSE");
    const error = new NetrtError("ERR_NETRT_PORT_IN_USE", "port 40000 is in use", { cause });
    expect(error).toBeInstanceOf(Error);
    expect(error.code).toBe("ERR_NETRT_PORT_IN_USE");
    expect(error.cause).toBe(cause);
    expect(error.name).toBe("NetrtError");
    expect(error.stack).toMatch(/^NetrtError: port 40000 is in use\n/);
    expect(Object.keys(error)).toEqual(["code"]);
  });

  it("has no cause where none was given", () => {
    expect("cause" in new NetrtError("ERR_NETRT_CLOSED", "closed")).toBe(false);
  });

  it("takes known codes only, by type", () => {
    expectTypeOf<NetrtError["code"]>().toEqualTypeOf<ErrorCode>();
    expectTypeOf<"ERR_NETRT_DENIED">().toExtend<ErrorCode>();
    // @ts-expect-error: no such code
    new NetrtError("ERR_NETRT_NONSENSE", "");
    // @ts-expect-error: a code is not to be changed
    new NetrtError("ERR_NETRT_IO", "").code = "ERR_NETRT_DENIED";
  });
});

describe("argument checks", () => {
  it("say what was given and what is allowed", () => {
    expect(argumentError("options.tickRate", "fast", "a number")).toMatchObject({
      code: "ERR_NETRT_ARGUMENT",
      message: "options.tickRate must be a number, but 'fast' was given",
    });
    expect(() => checkInteger("ttl", 1.5, 1, 100, "ms")).toThrow(
      "ttl must be a whole number from 1 to 100 (ms), but 1.5 was given",
    );
  });

  it("pass what is in range, limits included", () => {
    expect(checkInteger("n", 1, 1, 3)).toBe(1);
    expect(checkInteger("n", 3, 1, 3)).toBe(3);
    expect(checkNumber("n", 1.5, 1, 3)).toBe(1.5);
  });

  it.each([0, 4, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "2", 2n, null, undefined, {}, [2]])(
    "refuse %s as a whole number from 1 to 3",
    (given) => {
      expect(() => checkInteger("n", given, 1, 3)).toThrow(NetrtError);
    },
  );

  it.each([0.99, 3.01, Number.NaN, Number.POSITIVE_INFINITY, "2", 2n, null, undefined])(
    "refuse %s as a number from 1 to 3",
    (given) => {
      expect(() => checkNumber("n", given, 1, 3)).toThrow(NetrtError);
    },
  );

  it("never print the content of bytes, which may be a key", () => {
    expect(describeGiven(new Uint8Array([222, 173]))).toBe("Uint8Array of 2 bytes");
    expect(describeGiven(Buffer.from("secret"))).toBe("Buffer of 6 bytes");
    expect(describeGiven(new ArrayBuffer(3))).toBe("ArrayBuffer of 3 bytes");
    expect(describeGiven({ secret: new Uint8Array([222, 173]) })).not.toMatch(/222/);
  });

  it("stay short and on one line", () => {
    const text = describeGiven({ a: "x\ny", list: "z".repeat(1000), c: { d: { e: 1 } } });
    expect(text.length).toBeLessThanOrEqual(80);
    expect(text).not.toContain("\n");
  });
});
