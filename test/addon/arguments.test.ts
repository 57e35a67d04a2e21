// What is passed to the addon's functions: every mistake is a typed error, changes nothing, and the
// process goes on.
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  CONFIG_ADDRESSES,
  CONFIG_CHANNELS,
  CONFIG_CHUNKS,
  CONFIG_PAYLOAD_BYTES_MAX,
  CONFIG_PEERS_MAX,
  CONFIG_POLICIES,
  CONFIG_RATE,
  CONFIG_RAW,
  CONFIG_ROLE,
  CONFIG_TOKENS_MAX,
  ENTROPY_BYTES,
  ROLE_CLIENT,
  ROLE_SERVER,
} from "../../lib/engine/config.js";
import { type Binding, loadNative, PUBLISHED_WORDS } from "../../lib/native.js";
import { End, engineOptions, openPair, TURN_ALL, tokenFor } from "./harness.js";

const loaded = loadNative();
if ("reason" in loaded) throw new Error(loaded.reason);
const binding: Binding = loaded.binding;
// The same functions, untyped: whatever JavaScript may pass.
const raw = binding as unknown as Record<string, (...values: unknown[]) => unknown>;
const ids: number[] = [];

type OpenArguments = [
  config: Uint32Array,
  privateKey: Uint8Array,
  entropy: Uint8Array,
  submission: Uint8Array,
  completion: Uint8Array,
  page: Uint32Array,
  socket: Uint32Array,
  published: Uint32Array,
  onWake: () => void,
];

function openArguments(role = ROLE_SERVER): OpenArguments {
  const { config, privateKey, entropy, submission, completion, page, onWake } = engineOptions(role);
  const socket = Uint32Array.of(1, 0, 0x7f000001, 0, 0, 0, 1 << 16, 0);
  const published = new Uint32Array(PUBLISHED_WORDS);
  return [config, privateKey, entropy, submission, completion, page, socket, published, onWake];
}

function opened(role = ROLE_SERVER): number {
  const id = binding.open(...openArguments(role));
  ids.push(id);
  return id;
}

afterAll(() => {
  for (const id of ids) binding.close(id);
});

const argumentError = expect.objectContaining({ name: "TypeError", code: "ERR_NETRT_ARGUMENT" });
const closedError = expect.objectContaining({ name: "TypeError", code: "ERR_NETRT_CLOSED" });

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return "nothing was thrown";
}

/** Values of every kind; each function gets each of them in each place. */
const oddities: unknown[] = [
  undefined,
  null,
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  "1",
  "",
  7n,
  Symbol("s"),
  {},
  [],
  () => {},
  new Uint8Array(0),
  new Uint8Array(1),
  new Int8Array(2048),
  new Float64Array(4),
  new ArrayBuffer(2048),
  new DataView(new ArrayBuffer(64)),
  new Proxy({}, {}),
];

describe("the addon", () => {
  it("exports its functions, and no more", () => {
    expect(Object.keys(binding).sort()).toEqual(
      ["arm", "close", "connect", "now", "open", "seal", "turn"].sort(),
    );
    expect(binding.seal()).toMatch(/^(evp|sodium)$/);
  });

  it("tells the time on the page", async () => {
    const { engine } = await End.open(engineOptions(ROLE_CLIENT));
    const first = engine.nowUs();
    expect(Number.isSafeInteger(first)).toBe(true);
    expect(first).toBeGreaterThan(0);
    while (engine.nowUs() === first);
    expect(engine.nowUs()).toBeGreaterThan(first);
    engine.close();
  });

  it("shares nothing with a second copy of itself", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-copy-"));
    const file = path.join(folder, "netrt.node");
    fs.copyFileSync(path.resolve(import.meta.dirname, "../../build/Release/netrt.node"), file);
    const copy = createRequire(import.meta.url)(file) as Binding;
    fs.rmSync(folder, { recursive: true });
    const mine = binding.open(...openArguments());
    const its = copy.open(...openArguments());
    expect([binding.turn(mine, TURN_ALL), copy.turn(its, TURN_ALL)]).toEqual([0, 0]);
    binding.close(mine);
    expect(thrownBy(() => binding.turn(mine, 0))).toEqual(closedError);
    expect(copy.turn(its, TURN_ALL)).toBe(0);
    copy.close(its);
  });
});

describe("open", () => {
  it("refuses whatever is no argument of its kind, in every place", () => {
    for (let place = 0; place < 9; place++) {
      for (const oddity of oddities) {
        if (place === 8 && typeof oddity === "function") continue;
        const given: unknown[] = openArguments();
        given[place] = oddity;
        expect([place, thrownBy(() => raw.open(...given))]).toEqual([place, argumentError]);
      }
      const missing = openArguments().slice(0, place);
      expect(thrownBy(() => raw.open(...missing))).toEqual(argumentError);
    }
  });

  it.each<[string, number, number]>([
    ["a role", CONFIG_ROLE, 2],
    ["raw", CONFIG_RAW, 2],
    ["no peers", CONFIG_PEERS_MAX, 0],
    ["too many peers", CONFIG_PEERS_MAX, 65_537],
    ["peers whose page is another", CONFIG_PEERS_MAX, 65_536],
    ["no channels", CONFIG_CHANNELS, 0],
    ["too many channels", CONFIG_CHANNELS, 65],
    ["a payload of no packet", CONFIG_PAYLOAD_BYTES_MAX, 1201],
    ["a payload that holds no message", CONFIG_PAYLOAD_BYTES_MAX, 60],
    ["a rate of nothing", CONFIG_RATE, 0],
    ["no memory", CONFIG_CHUNKS, 0],
    ["too much memory", CONFIG_CHUNKS, 0xffffffff],
    ["too many tokens", CONFIG_TOKENS_MAX, 0xffffffff],
    ["too many addresses", CONFIG_ADDRESSES, 9],
    ["an address of no family", CONFIG_ADDRESSES + 1, 3],
    ["a port of no socket", CONFIG_ADDRESSES + 2, 65_536],
    ["an order of no policy", CONFIG_POLICIES, 3],
    ["too many copies", CONFIG_POLICIES + 2, 16],
    ["a priority of nothing", CONFIG_POLICIES + 5, 0],
    ["messages beyond a packet", CONFIG_POLICIES + 6, 65_537],
  ])("refuses a configuration with %s", (_what, word, value) => {
    const given = openArguments();
    given[0][word] = value;
    expect(thrownBy(() => binding.open(...given))).toEqual(argumentError);
  });

  it.each<[string, (size: number) => Uint8Array]>([
    ["not a power of two", (size) => new Uint8Array(size - 8)],
    ["nothing but its control words", () => new Uint8Array(128)],
    ["not aligned", (size) => new Uint8Array(new ArrayBuffer(size + 8), 4)],
    ["of an odd place", (size) => new Uint8Array(new ArrayBuffer(size + 1), 1)],
    [
      "with positions that can't be",
      (size) => {
        const ring = new Uint8Array(size);
        new Uint32Array(ring.buffer)[0] = size + 8;
        return ring;
      },
    ],
    [
      "with positions between records",
      (size) => {
        const ring = new Uint8Array(size);
        new Uint32Array(ring.buffer)[0] = 4;
        return ring;
      },
    ],
  ])("refuses a ring that is %s", (_what, make) => {
    for (const place of [3, 4] as const) {
      const given = openArguments();
      given[place] = make(given[place].length);
      expect(thrownBy(() => binding.open(...given))).toEqual(argumentError);
    }
  });

  it("takes keys and entropy of any alignment, and rings over shared memory", () => {
    const given = openArguments();
    given[1] = new Uint8Array(new ArrayBuffer(40), 3, 32);
    given[2] = new Uint8Array(new ArrayBuffer(ENTROPY_BYTES + 12), 5, ENTROPY_BYTES);
    given[4] = new Uint8Array(new SharedArrayBuffer(given[4].length));
    const id = binding.open(...given);
    ids.push(id);
    expect(id).toBeGreaterThan(0);
    expect(binding.turn(id, TURN_ALL)).toBe(0);
  });
});

describe("the functions of an open engine", () => {
  it("refuse whatever is no argument of theirs", () => {
    const id = opened();
    for (const oddity of oddities) {
      for (const name of ["turn", "connect", "arm", "close"]) {
        const second = name === "connect" ? tokenFor(9, 1) : 0;
        const error = thrownBy(() => raw[name]!(oddity, second, false));
        // A whole number may be an id, though not one that is open.
        expect([name, error]).toEqual([name, argumentError]);
      }
      expect(thrownBy(() => raw.turn!(id, oddity))).toEqual(argumentError);
      expect(thrownBy(() => raw.connect!(id, oddity))).toEqual(argumentError);
      expect(thrownBy(() => raw.arm!(id, 1, oddity))).toEqual(argumentError);
      if (typeof oddity !== "number" || !(oddity >= 0)) {
        expect(thrownBy(() => raw.arm!(id, oddity, false))).toEqual(argumentError);
      }
    }
    for (const name of ["turn", "connect", "arm", "close"]) {
      expect(thrownBy(() => raw[name]!())).toEqual(argumentError);
    }
    expect(thrownBy(() => binding.turn(id, 8))).toEqual(argumentError);
    expect(binding.turn(id, TURN_ALL)).toBe(0);
  });

  it("refuse ids that were never given or are closed", () => {
    const id = binding.open(...openArguments());
    binding.close(id);
    for (const stale of [id, 0, 1, 0x7fffffff]) {
      expect(thrownBy(() => binding.turn(stale, 0))).toEqual(closedError);
      expect(thrownBy(() => binding.arm(stale, 0, false, false))).toEqual(closedError);
      expect(thrownBy(() => binding.connect(stale, tokenFor(9, 1)))).toEqual(closedError);
      expect(() => binding.close(stale)).not.toThrow();
    }
    const next = opened();
    expect(next).not.toBe(id);
    expect(thrownBy(() => binding.turn(id, 0))).toEqual(closedError);
  });

  it("refuse a server that connects, and survive a token that is none", () => {
    expect(thrownBy(() => binding.connect(opened(), tokenFor(9, 1)))).toEqual(argumentError);
    const client = opened(ROLE_CLIENT);
    binding.connect(client, new Uint8Array(2048).fill(255));
    expect(binding.turn(client, TURN_ALL)).toBe(0);
  });

  it("take any time as a deadline", () => {
    const id = opened();
    for (const timeUs of [0, 0.5, 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 64, Infinity]) {
      expect(() => binding.arm(id, timeUs, true, true)).not.toThrow();
    }
  });
});

describe("a submission ring that holds no records", () => {
  const DATA = 128;
  it.each<[string, number, number[]]>([
    ["of size 0", 32, [0, 0, 0, 0]],
    ["beyond the head", 32, [(16 << 24) | 64, 0, 0, 0]],
    ["of an odd size", 32, [(16 << 24) | 30, 0, 0, 0]],
    ["with a payload beyond it", 32, [(16 << 24) | 32, 0, 0, 9]],
    ["of a kind that nobody submits", 32, [(3 << 24) | 32, 0, 0, 0]],
    ["shorter than their header", 16, [(16 << 24) | 16, 0, 0, 0]],
    ["and a head beyond the ring", 1 << 20, [(16 << 24) | 32, 0, 0, 0]],
    ["and a head between records", 36, [(16 << 24) | 32, 0, 0, 0]],
  ])("is refused: %s", (_what, head, words) => {
    const given = openArguments();
    const id = binding.open(...given);
    ids.push(id);
    const ring = given[3];
    new Uint32Array(ring.buffer, DATA).set(words);
    new Uint32Array(ring.buffer)[0] = head;
    expect(thrownBy(() => binding.turn(id, TURN_ALL))).toEqual(argumentError);
    new Uint32Array(ring.buffer)[0] = 0;
    expect(binding.turn(id, TURN_ALL)).toBe(0);
  });
});

describe("an engine", () => {
  it("is closed when its memory was taken away, before anything runs on it", async () => {
    const { server, client } = await openPair();
    client.engine.close();
    const options = server.options;
    // Marked untransferable: either the clone is refused or the memory stays.
    const buffer = options.completion.buffer as ArrayBuffer;
    thrownBy(() => structuredClone(options.completion, { transfer: [buffer] }));
    expect(options.completion.length).toBeGreaterThan(0);
    server.engine.turn(TURN_ALL);
    server.engine.close();
  });

  it("says that it is closed, and closes twice", async () => {
    const end = await End.open(engineOptions(ROLE_CLIENT));
    end.engine.close();
    end.engine.close();
    expect(thrownBy(() => end.engine.turn(0))).toEqual(
      expect.objectContaining({ name: "NetrtError", code: "ERR_NETRT_CLOSED" }),
    );
    expect(() => end.engine.arm(0, true)).not.toThrow();
    expect(end.engine.socketStats().receiveCalls).toBe(0);
    expect(end.engine.nowUs()).toBeGreaterThan(0);
  });
});
