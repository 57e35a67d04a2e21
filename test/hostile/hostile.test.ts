// Every hostile peer of the list against both engines, at the gate's size. `npm run hostile -- --help` lists them.
import { describe, expect, it } from "vitest";
import { engines } from "../engines.js";
import { attacks, missing } from "./attacks.js";

describe.each(engines)("hostile peers against %s", (engine) => {
  for (const attack of attacks) {
    // One that is known to be broken must fail, so that whoever mends it hears of it here.
    const kept = attack.broken === undefined;
    (kept ? it : it.fails)(`${attack.number} ${attack.name}: ${attack.promise}`, async () => {
      const figures = await attack.run(engine, 1);
      expect(Object.keys(figures).length).toBeGreaterThan(0);
    });
  }
});

describe("the list", () => {
  const all = [...attacks, ...missing];

  it("has the 22 of the project's list, tried or with what is missing", () => {
    const numbers = new Set(all.map(({ number }) => number));
    expect([...numbers].sort((one, other) => one - other)).toEqual(
      Array.from({ length: 22 }, (_, index) => index + 1),
    );
  });

  it("has each name once", () => {
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  });
});
