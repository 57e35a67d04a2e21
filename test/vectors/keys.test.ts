/*
 * Owns the known answers of what session keys are made from (keys.json: RFC 7748, RFC 4231, RFC 5869, GCM) and of
 * session keys and packets themselves (session.json; ): both engines, each of the C++ engine's
 * providers, and node:crypto, by which the vectors are checked as well.
 */
import { spawnSync } from "node:child_process";
import {
  createCipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
} from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  CONFIG_SUITES,
  ENTROPY_BYTES,
  ENTROPY_KEYS,
  ENTROPY_NUMBER,
  ROLE_CLIENT,
} from "../../lib/engine/config.js";
import { PEER_CIPHER } from "../../lib/engine/stats.js";
import { hardwareSuites } from "../../lib/hardware.js";
import { defineProtocol, realTime, reliable } from "../../lib/index.js";
import { Duo, UNIX_SECONDS } from "../duo.js";
import { engines } from "../engines.js";
import { mintReferenceToken } from "../peers/netcode.js";
import { PROBE_FILE, twins } from "../twins.js";
import {
  bytesOf,
  type KeyVectors,
  keysAnswers,
  keysExpected,
  type SessionVectors,
  type Suite,
  sessionAnswers,
  sessionExpected,
} from "./answers.js";

const FOLDER = import.meta.dirname;
const KEYS_FILE = path.join(FOLDER, "keys.json");
const SESSION_FILE = path.join(FOLDER, "session.json");
const CHILD = path.resolve(FOLDER, "../../dist/test/vectors/answers.js");
const keys = JSON.parse(readFileSync(KEYS_FILE, "utf8")) as KeyVectors;
const session = JSON.parse(readFileSync(SESSION_FILE, "utf8")) as SessionVectors;
const protocol = defineProtocol(session.protocol, { state: realTime(), chat: reliable() });
const CHAT = 1;
const expected = { ...keysExpected(keys), ...sessionExpected(session) };

describe.each(twins)("keys of $name", ({ core }) => {
  const answers = { ...keysAnswers(core, keys), ...sessionAnswers(core, session, protocol.id) };
  test.each(Object.keys(expected))("%s", (name) => {
    expect(answers[name]).toBe(expected[name]);
  });
});

describe.runIf(twins.length > 1)("keys of a provider", () => {
  test.each(["evp", "sodium"])("%s", (provider) => {
    expect(existsSync(CHILD)).toBe(true);
    const args = [CHILD, PROBE_FILE, KEYS_FILE, SESSION_FILE, String(protocol.id)];
    const env = { ...process.env, NETRT_SEAL: provider };
    const child = spawnSync(process.execPath, args, { env, encoding: "utf8" });
    expect(child.stderr).toBe("");
    const told = JSON.parse(child.stdout) as { provider: string | null; answers: unknown };
    // A build without libsodium has no such provider, and says so.
    if (told.provider === null) expect(provider).toBe("sodium");
    else expect(told).toEqual({ provider, answers: expected });
  });
});

// --- the vectors themselves ---

const privateOf = (secret: string) =>
  createPrivateKey({
    key: Buffer.from(`302e020100300506032b656e04220420${secret}`, "hex"),
    format: "der",
    type: "pkcs8",
  });
const publicOf = (key: string) =>
  createPublicKey({
    key: Buffer.from(`302a300506032b656e032100${key}`, "hex"),
    format: "der",
    type: "spki",
  });
const agree = (secret: string, key: string) =>
  diffieHellman({ privateKey: privateOf(secret), publicKey: publicOf(key) }).toString("hex");

describe("node:crypto agrees with the vectors of", () => {
  test("X25519", () => {
    for (const { secret, publicKey, shared } of keys.agree) {
      expect(agree(secret, publicKey)).toBe(shared);
    }
    for (const key of keys.lowOrder) expect(() => agree(keys.agree[0].secret, key)).toThrow();
    expect(agree(session.client.secret, session.server.publicKey)).toBe(session.shared);
  });

  test("HMAC and HKDF", () => {
    for (const { key, data, mac } of keys.hmac) {
      const made = createHmac("sha256", bytesOf(key)).update(bytesOf(data)).digest("hex");
      expect(made).toBe(mac);
    }
    for (const { secret, salt, info, okm } of keys.hkdf) {
      const [input, salted, bound] = [secret, salt, info].map(bytesOf);
      const made = hkdfSync("sha256", input, salted, bound, okm.length / 2);
      expect(Buffer.from(made).toString("hex")).toBe(okm);
    }
  });

  test("AES-256-GCM", () => {
    for (const { key, nonce, associated, plain, sealed } of keys.gcm) {
      const cipher = createCipheriv("aes-256-gcm", bytesOf(key), bytesOf(nonce));
      cipher.setAAD(bytesOf(associated));
      const text = Buffer.concat([cipher.update(bytesOf(plain)), cipher.final()]);
      expect(Buffer.concat([text, cipher.getAuthTag()]).toString("hex")).toBe(sealed);
    }
  });

  test("the keys of sessions", () => {
    const salt = bytesOf(session.tokenClientToServer + session.tokenServerToClient);
    for (const { info, clientToServer, serverToClient } of session.sessions) {
      const made = hkdfSync("sha256", bytesOf(session.shared), salt, bytesOf(info), 64);
      expect(Buffer.from(made).toString("hex")).toBe(clientToServer + serverToClient);
    }
  });
});

// --- hosts ---

/** What the hosts of the vectors are made of: packets are numbered from 0 on, key pairs drawn from the seeds. */
function entropy(role: number): Uint8Array {
  const bytes = new Uint8Array(ENTROPY_BYTES).fill(role + 1).fill(0, ENTROPY_NUMBER, ENTROPY_KEYS);
  bytes.set(bytesOf((role === ROLE_CLIENT ? session.client : session.server).seed), ENTROPY_KEYS);
  return bytes;
}

function connected(engine: "js" | "native", { suites }: Suite): Duo {
  const token = mintReferenceToken({
    protocolId: protocol.id,
    privateKey: new Uint8Array(32).fill(7),
    clientId: 1n,
    servers: ["10.0.0.1:4000"],
    createTimestamp: BigInt(UNIX_SECONDS),
    clientToServerKey: bytesOf(session.tokenClientToServer),
    serverToClientKey: bytesOf(session.tokenServerToClient),
  });
  const configure = (config: Uint32Array) => {
    config[CONFIG_SUITES] = suites;
  };
  const duo = new Duo({ server: engine, client: engine }, protocol, {
    token,
    entropy,
    server: { configure },
    client: { configure },
  });
  onTestFinished(() => duo.close());
  duo.connect();
  return duo;
}

describe.each(engines)("hosts of the %s engine", (engine) => {
  const hardware = (suite: Suite) => (suite.suites & ~hardwareSuites()) === 0;
  test.each(session.sessions.filter(hardware))("take the packets of $name", (suite) => {
    const duo = connected(engine, suite);
    for (const side of [duo.server, duo.client]) {
      expect(side.peerWord(PEER_CIPHER)).toBe(suite.suites === 1 ? 1 : 2);
    }
    for (const from of ["client", "server"] as const) {
      const packets = suite.packets.filter((packet) => packet.from === from);
      const side = duo.other(duo[from]);
      for (const { wire } of packets) side.receive(bytesOf(wire));
      const said = side.events.flatMap((event) =>
        event.kind === "message" && event.channel === CHAT ? [[...event.body]] : [],
      );
      expect(said).toEqual(packets.map((_, index) => [0x68, 0x69 + index]));
    }
  });

  test.each(session.sessions.filter(hardware))("send under the keys of $name", (suite) => {
    const duo = connected(engine, suite);
    const before = duo.sent.length;
    duo.server.send(CHAT, 7);
    duo.client.send(CHAT, 8);
    duo.rounds(4);
    const keysUsed = duo.sent.slice(before).map(({ key }) => Buffer.from(key ?? []).toString("hex"));
    // The look at packets that a Duo has is node:crypto's, and opens with the key that fits.
    expect(new Set(keysUsed)).toEqual(new Set([suite.clientToServer, suite.serverToClient]));
    expect(duo.client.received(CHAT)).toEqual([7]);
    expect(duo.server.received(CHAT)).toEqual([8]);
  });
});
