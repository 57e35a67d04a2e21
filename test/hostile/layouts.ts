/*
 * Attack 16, useless work in what is said of a protocol that differs: layouts that unpack to a thousand times
 * their size, that are nested until a reader's stack ends, that are cut, no text at all, or lies; a layout in every packet,
 * of every channel, before, with and after its time. A peer with a token says them over a socket to a server of the
 * public API, which must tell its user of each once, in a line of bounded length, and serve everybody else meanwhile.
 */
import { once } from "node:events";
import { constants, deflateRawSync } from "node:zlib";
import { LAYOUT_BYTES_MAX } from "../../lib/engine/limits.js";
import { type Client, connect, createServer, type Server } from "../../lib/index.js";
import { mintToken } from "../../lib/token.js";
import type { EngineName } from "../engines.js";
import { ReferenceClient } from "../peers/netcode.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { ack, close, hello, layout, NO_ACK, payload, REASONS } from "./wire.js";
import { arena } from "./world.js";

export const number = 16;
export const name = "layouts";
export const promise =
  "whatever a peer says of its protocol is read once, within 64 KiB, told in a line, and ends nobody else";

/** Of all channels. */
const ALL = 64;
const CHAT = 2;
/** Bytes of an error's message at most: two texts of 300 characters, and the words between. */
const LINE_MAX = 2048;
const PATIENCE_MS = 15_000;
/** Packets of each liar. */
const PACKETS = 40;
const secret = new Uint8Array(32).fill(9);
const WORDS = "1 1 1 1 1 1 1 1 1 ";

const text = (value: string) => Buffer.concat([Buffer.of(0), Buffer.from(value)]);
const packed = (value: string | Uint8Array) =>
  Buffer.concat([
    Buffer.of(1),
    deflateRawSync(Buffer.from(value), { level: constants.Z_BEST_COMPRESSION }),
  ]);

interface Lie {
  readonly what: string;
  readonly channel: number;
  readonly body: Uint8Array;
}

const deep = (open: string, shut: string, count: number) => open.repeat(count) + shut.repeat(count);
const all = (what: string, body: Uint8Array): Lie => ({ what, channel: ALL, body });
const chat = (what: string, body: Uint8Array): Lie => ({ what, channel: CHAT, body });

function lies(): Lie[] {
  const whole = packed(JSON.stringify(Array.from({ length: 200 }, (_, index) => `c${index}`)));
  return [
    all("a bomb of spaces", packed(" ".repeat(1_000_000))),
    all("lists in lists", packed(deep("[", "]", 30_000))),
    all("objects in objects", packed(`[${deep('{"a":', "}", 9000)}]`)),
    all("30,000 numbers", packed(`[${"1,".repeat(30_000)}1]`)),
    all("200 names", whole),
    all("a cut list", whole.subarray(0, whole.length >> 1)),
    all("no text", Buffer.alloc(LAYOUT_BYTES_MAX, 0xff)),
    all("an unknown form", Buffer.of(7, 7, 7)),
    all("names that are code", text('["__proto__","constructor","\\u0000\\u001b[2J"]')),
    chat("a bomb of a name", packed(`"${"a".repeat(1_000_000)}" ${WORDS}`)),
    chat("a name of escapes", packed(`"${"\\a".repeat(30_000)}" ${WORDS}`)),
    chat("a layout without an end", packed(`"chat" ${WORDS}${"optional(".repeat(7000)}`)),
    chat("objects in objects", packed(`"chat" ${WORDS}${deep('{"a":', "}", 9000)}`)),
    chat("words beyond any", text(`"chat" ${"9999999999 ".repeat(9)}`)),
    chat("nothing", new Uint8Array(0)),
    chat("of another channel", text(`"trade" ${WORDS}`)),
    { what: "of no channel", channel: 63, body: text(`"chat" ${WORDS}`) },
  ];
}

const withinMs = async <Value>(promise: Promise<Value>, what: string): Promise<Value> => {
  const timer = new AbortController();
  const late = once(timer.signal, "abort");
  const alarm = setTimeout(() => timer.abort(), PATIENCE_MS);
  try {
    return await Promise.race([
      promise,
      late.then((): Value => {
        throw new Error(`did not happen: ${what}`);
      }),
    ]);
  } finally {
    clearTimeout(alarm);
  }
};

/** A hello that differs in what the layout is about: the number of channels, or chat's hash. */
function wrongHello(lie: Lie): Uint8Array {
  const bytes = hello(arena);
  if (lie.channel !== ALL) {
    bytes[bytes.length - 4 * (arena.channelNames.length - CHAT)] ^= 1;
    return bytes;
  }
  bytes[2] -= 1;
  return bytes.subarray(0, bytes.length - 4);
}

type Arena = typeof arena;

/** One liar's whole connection; the line that the server's user was told. */
async function tell(server: Server<Arena>, lie: Lie, clientId: number): Promise<string> {
  const token = mintToken({ protocol: arena, key: secret, clientId, servers: [server.address] });
  const liar = await ReferenceClient.open();
  let heard = 0;
  try {
    const mismatch = once(server, "mismatch") as Promise<[unknown, Error]>;
    liar.connect(token);
    const about = () =>
      payload(wrongHello(lie), layout(lie.channel, lie.body), close(REASONS.mismatch, why));
    const why = lie.channel === ALL ? "channels" : `channel ${CHAT}`;
    liar.onPayload = (_payload, sequence) => {
      heard += 1;
      if (heard > PACKETS) return;
      const latest = ack(Number(sequence & 0xffffn));
      liar.sendPayload(payload(latest, about()));
    };
    await withinMs(
      (async () => {
        while (liar.state !== 3) await new Promise(setImmediate);
      })(),
      "a liar's connection",
    );
    for (let count = 0; count < PACKETS; count++) liar.sendPayload(payload(NO_ACK, about()));
    const [, error] = await withinMs(mismatch, `the end of ${lie.what}`);
    check(error.message.length <= LINE_MAX, `${lie.what} is told in a line`, error.message.length);
    return error.message;
  } finally {
    await liar.close();
  }
}

export async function run(engine: EngineName): Promise<Figures> {
  const server = await createServer(arena, {
    address: "127.0.0.1:0",
    engine,
    secret,
    tickRate: 100,
  });
  let told = 0;
  server.on("mismatch", () => {
    told += 1;
  });
  const clients: Client<Arena>[] = [];
  try {
    const token = mintToken({
      protocol: arena,
      key: secret,
      clientId: 1,
      servers: [server.address],
    });
    const honest = await withinMs(connect(arena, token, { engine }), "an honest connection");
    clients.push(honest);
    server.channel("chat").on("message", (peer, bytes) => peer.send("chat", bytes.slice()));
    const got: number[] = [];
    honest.channel("chat").on("message", (bytes) => got.push(bytes[0]));
    const all = lies();
    let longest = 0;
    for (const [index, lie] of all.entries()) {
      longest = Math.max(longest, (await tell(server, lie, 2 + index)).length);
      honest.send("chat", Uint8Array.of(index));
    }
    await withinMs(
      (async () => {
        while (got.length < all.length) await new Promise(setImmediate);
      })(),
      "what the honest peer said comes back",
    );
    checkEqual(
      got,
      all.map((_, index) => index),
      "what the honest peer got back",
    );
    checkEqual(told, all.length, "how often the user was told");
    check(honest.connected, "the honest peer is connected");
    return { lies: all.length, "packets of each": PACKETS, "longest line": longest };
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await server.close({ timeout: 0 });
  }
}
