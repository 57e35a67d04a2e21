/*
 * Owns the test of the C++ cipher providers, each in a process of its own, since a process chooses once:
 * every one that this build has seals to the bytes of the TypeScript twin, and none is found where
 * none is allowed.
 */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { PROBE_FILE, twins } from "../twins.js";

const KEY = new Uint8Array(32).fill(0x42);
const NONCE = Uint8Array.from({ length: 24 }, (_, index) => index);
const ASSOCIATED = new Uint8Array(22).fill(7);
const PLAIN_BYTES = 100;

/** Run in the child: prints the provider's name and, where there is one, what it seals and opens. */
const SCRIPT = `
  const core = require(process.argv[1]);
  const name = core.sealInit();
  const bytes = (text) => new Uint8Array(Buffer.from(text, "hex"));
  const [key, nonce, associated] = process.argv.slice(2).map(bytes);
  const out = { name };
  if (name !== null) {
    const handle = core.sealKeyOpen();
    core.sealKeySet(handle, key, 0);
    const packet = new Uint8Array(${PLAIN_BYTES} + 16);
    core.sealPacket(handle, 5, 6, associated, packet, 0, ${PLAIN_BYTES});
    out.packet = Buffer.from(packet).toString("hex");
    out.opened = core.openPacket(handle, 5, 6, associated, packet, 0, packet.length);
    const token = new Uint8Array(1024);
    core.sealToken(key, nonce, associated, token, 0, 1008);
    out.token = Buffer.from(token).toString("hex");
    token[0] ^= 1;
    out.forged = core.openToken(key, nonce, associated, token, 0, 1024);
  } else {
    out.handle = core.sealKeyOpen();
  }
  console.log(JSON.stringify(out));
`;

interface Answer {
  name: string | null;
  handle?: null;
}

function run(provider: string): Answer {
  const fields = [KEY, NONCE, ASSOCIATED].map((bytes) => Buffer.from(bytes).toString("hex"));
  const child = spawnSync(process.execPath, ["-e", SCRIPT, PROBE_FILE, ...fields], {
    env: { ...process.env, NETRT_SEAL: provider },
    encoding: "utf8",
  });
  expect(child.stderr).toBe("");
  return JSON.parse(child.stdout) as Answer;
}

function expected() {
  const { core } = twins[0];
  const handle = core.sealKeyOpen();
  core.sealKeySet(handle, KEY, 0);
  const packet = new Uint8Array(PLAIN_BYTES + 16);
  core.sealPacket(handle, 5, 6, ASSOCIATED, packet, 0, PLAIN_BYTES);
  const token = new Uint8Array(1024);
  core.sealToken(KEY, NONCE, ASSOCIATED, token, 0, 1008);
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  return { packet: hex(packet), opened: PLAIN_BYTES, token: hex(token), forged: -1 };
}

describe.runIf(twins.length > 1)("providers", () => {
  test("Node's OpenSSL seals as the TypeScript twin does", () => {
    expect(run("evp")).toEqual({ name: "evp", ...expected() });
  });

  test("libsodium does too, where the build has it", () => {
    const answer = run("sodium");
    if (answer.name === null) expect(answer.handle).toBeNull();
    else expect(answer).toEqual({ name: "sodium", ...expected() });
  });

  test("the choice is libsodium where it is, else Node's OpenSSL", () => {
    const best = run("sodium").name ?? "evp";
    expect(run("").name).toBe(best);
  });

  test("no provider, no key", () => {
    expect(run("another")).toEqual({ name: null, handle: null });
  });
});
