/*
 * Owns channels with a schema, from end to end on every pairing of engines: values go out, values come
 * in, typed; what is no message is refused and told; peers of another schema do not meet.
 */
import { describe, expect, expectTypeOf, test } from "vitest";
import {
  type Client,
  connect,
  critical,
  defineProtocol,
  type MessageOf,
  type MismatchedClient,
  type NetrtError,
  type Peer,
  type RejectedMessage,
  realTime,
  reliable,
  type Server,
  timeSensitive,
} from "../../lib/index.js";
import {
  array,
  bits,
  bool,
  bytes,
  type Infer,
  object,
  quantized,
  range,
  type Schema,
  schema,
  string,
  u8,
  u32,
  vec3,
} from "../../lib/schema/index.js";
import { pairings } from "../engines.js";
import { next, openClient, openServer, refusal, until } from "./harness.js";

const Input = schema({
  sequence: range(0, 65535),
  buttons: bits(6),
  aim: vec3(quantized(-1, 1, 0.002)),
});
const Snapshot = schema({ tick: u32, players: array(object({ id: u8, alive: bool }), 64) });
const Line = schema({ from: u8, text: string(120) });
const typed = defineProtocol("typed/1", {
  input: realTime({ redundancy: "high", message: Input }),
  state: realTime({ message: Snapshot }),
  chat: reliable({ message: Line }),
  hits: timeSensitive({ message: schema(u8) }),
  trade: critical({ message: schema(array(u8, 4)) }),
  raw: reliable(),
});
type Typed = typeof typed;

const input = (sequence: number) => ({ sequence, buttons: 3, aim: { x: 0, y: 0, z: 1 } });

interface TypedPair {
  readonly server: Server<Typed>;
  readonly client: Client<Typed>;
  readonly peer: Peer<Typed>;
}

async function open(pairing: (typeof pairings)[number]): Promise<TypedPair> {
  const server = await openServer(typed, pairing.server);
  const connected = next<[Peer<Typed>]>(server, "connect");
  const client = await openClient(typed, pairing.client, server.address);
  const [peer] = await connected;
  return { server, client, peer };
}

describe.each(pairings)("server on $server, client on $client", (pairing) => {
  test("values go out and come in", async () => {
    const { server, client, peer } = await open(pairing);
    const came: unknown[] = [];
    peer.on("message", (channel, message) => came.push([channel, message]));
    client.send("input", input(7));
    client.send("chat", { from: 1, text: "hello" });
    client.send("hits", 200);
    client.send("trade", [1, 2, 3]);
    client.send("raw", Uint8Array.of(1, 2));
    const raw = next<[Peer, Uint8Array]>(server.channel("raw"), "message");
    await until(peer, "message", "five messages", () => came.length === 5);
    expect((await raw)[1]).toHaveLength(2);
    expect(came.slice(0, 4)).toEqual(
      expect.arrayContaining([
        ["input", { ...input(7), aim: { x: 0, y: 0, z: 1 } }],
        ["chat", { from: 1, text: "hello" }],
        ["hits", 200],
        ["trade", [1, 2, 3]],
      ]),
    );

    const line = next<[Infer<typeof Line>]>(client.channel("chat"), "message");
    server.broadcast("chat", { from: 255, text: "über" });
    expect((await line)[0]).toEqual({ from: 255, text: "über" });
    const states = client.messages("state");
    peer.send("state", { tick: 2 ** 32 - 1, players: [{ id: 3, alive: true }] });
    const { value } = await states.next();
    expect(value).toEqual({ tick: 2 ** 32 - 1, players: [{ id: 3, alive: true }] });
  });

  test("what does not fit is refused at once, by the name of the field", async () => {
    const { server, client, peer } = await open(pairing);
    const refused = (message: string) =>
      expect.objectContaining({
        code: "ERR_NETRT_ARGUMENT",
        message: expect.stringContaining(message) as string,
      });
    expect(() => client.send("input", { ...input(1), sequence: 65536 })).toThrow(
      refused("sequence must be a whole number from 0 to 65535"),
    );
    expect(() => server.broadcast("chat", { from: 1, text: "x".repeat(121) })).toThrow(
      refused("text must be text of at most 120 bytes"),
    );
    expect(() => peer.send("hits", Uint8Array.of(1) as unknown as number)).toThrow(
      refused("message"),
    );
    expect(() => peer.send("raw", "text" as unknown as Uint8Array)).toThrow(refused("message"));
    expect(client.queueBytes).toBe(0);
  });

  test("what is no message is dropped, counted and told; the connection stands", async () => {
    // The same hash, so the two meet; but what it writes is another's.
    const forged = Object.create(schema({ from: u8, text: string(120) }), {
      write: { value: () => 3 },
      memory: { value: Uint8Array.of(9, 100, 65) },
    }) as Schema<Infer<typeof Line>>;
    const liar = defineProtocol("typed/1", {
      ...typed.channels,
      chat: reliable({ message: forged }),
    });
    const server = await openServer(typed, pairing.server);
    const connected = next<[Peer<Typed>]>(server, "connect");
    const client = await openClient(liar, pairing.client, server.address);
    const [peer] = await connected;
    server.channel("chat").on("message", () => expect.unreachable("it was handed out"));
    const rejected = next<[RejectedMessage]>(peer, "rejected");
    client.send("chat", { from: 1, text: "never written" });
    expect((await rejected)[0]).toEqual({ channel: "chat", reason: "truncated", field: "" });
    expect(server.stats.channels.chat).toMatchObject({ received: 1, rejected: 1 });
    expect(peer.connected).toBe(true);
    const hit = next<[Peer, number]>(server.channel("hits"), "message");
    client.send("hits", 5);
    expect((await hit)[1]).toBe(5);

    // And a client, of its server.
    const lying = await openServer(liar, pairing.server);
    const joined = next(lying, "connect");
    const honest = await openClient(typed, pairing.client, lying.address);
    await joined;
    const told = next<[RejectedMessage]>(honest, "rejected");
    lying.broadcast("chat", { from: 1, text: "never written" });
    expect((await told)[0]).toEqual({ channel: "chat", reason: "truncated", field: "" });
    expect(honest.hostStats.channels.chat.rejected).toBe(1);
  });

  test("peers of another schema do not meet; both sides' errors name the field (R-66, R-67)", async () => {
    const server = await openServer(typed, pairing.server);
    const Other = schema({ from: u8, text: string(121) });
    const { messageBytesMax } = typed.channels.chat;
    const cases = [
      [reliable({ message: Other, messageBytesMax }), "text: string(121)", "string(120)"],
      [reliable({ message: Line, messageBytesMax, expiry: 400 }), "expiry 400 ms", "10000 ms"],
      [reliable({ messageBytesMax }), "messages: bytes", Line.layout],
    ] as const;
    for (const [chat, here, there] of cases) {
      const other = defineProtocol("typed/1", { ...typed.channels, chat });
      const refused = next<[MismatchedClient, NetrtError]>(server, "mismatch");
      const target = { insecure: true, address: server.address } as const;
      const error = await refusal(() => connect(other, target, { engine: pairing.client }));
      expect(error.code).toBe("ERR_NETRT_PROTOCOL_MISMATCH");
      expect(error.message).toContain(`: channel "chat": ${here} here, ${there} there`);
      const [, ours] = /^(\S+) /.exec(here) as RegExpExecArray;
      const seen = (await refused)[1].message;
      expect(seen).toContain(
        `: channel "chat": ${ours} ${there} here, ${here.slice(ours.length + 1)} there`,
      );
    }
    expect(server.peerCount).toBe(0);
  });
});

test.each(pairings)(
  "a long message goes in fragments; server on $server, client on $client",
  async (pairing) => {
    const Long = schema({ text: string(20_000) });
    const long = defineProtocol("long/1", { text: reliable({ message: Long }) });
    const server = await openServer(long, pairing.server);
    const arrived = next<[Peer, Infer<typeof Long>]>(server.channel("text"), "message");
    const client = await openClient(long, pairing.client, server.address);
    const text = "fragment ".repeat(1500);
    client.send("text", { text });
    expect((await arrived)[1]).toEqual({ text });
  },
);

test("the longest message of a schema is the channel's limit, up to 64 KiB", () => {
  expect(typed.channels.input.messageBytesMax).toBe(Input.maxBytes);
  expect(typed.channels.chat.messageBytesMax).toBe(122);
  expect(reliable({ message: schema(bytes(5000)) }).messageBytesMax).toBe(5002);
  expect(reliable({ message: schema(bytes(100_000)) }).messageBytesMax).toBe(65_536);
  expect(reliable({ message: Line, messageBytesMax: 50 }).messageBytesMax).toBe(50);
  expect(reliable({ message: schema(range(7, 7)) }).messageBytesMax).toBe(1);
});

test("a channel's hash is its policy's and its schema's", () => {
  const hash = (message?: Schema<unknown>): number =>
    defineProtocol("p", {
      a: message ? reliable({ message, messageBytesMax: 200 }) : reliable({ messageBytesMax: 200 }),
    }).channelHash(0);
  expect(hash(Line)).toBe(hash(schema({ from: u8, text: string(120) })));
  expect(hash(Line)).not.toBe(hash(schema({ from: u8, text: string(119) })));
  expect(hash(Line)).not.toBe(hash(schema({ by: u8, text: string(120) })));
  expect(hash(Line)).not.toBe(hash());
});

test("a message option that is no schema is refused", () => {
  for (const message of ["Line", {}, u8, null]) {
    expect(() => reliable({ message: message as unknown as Schema<number> })).toThrow(
      expect.objectContaining({ code: "ERR_NETRT_ARGUMENT" }),
    );
  }
});

test("types, from one definition", () => {
  interface InputValue {
    sequence: number;
    buttons: number;
    aim: { x: number; y: number; z: number };
  }
  expectTypeOf<MessageOf<Typed, "input">>().toExtend<InputValue>();
  expectTypeOf<InputValue>().toExtend<MessageOf<Typed, "input">>();
  expectTypeOf<MessageOf<Typed, "chat">>().toEqualTypeOf<{ from: number; text: string }>();
  expectTypeOf<MessageOf<Typed, "hits">>().toEqualTypeOf<number>();
  expectTypeOf<MessageOf<Typed, "raw">>().toEqualTypeOf<Uint8Array>();
  (async ({ server, client, peer }: TypedPair) => {
    server.channel("chat").on("message", (from, message) => {
      expectTypeOf(from).toEqualTypeOf<Peer<Typed>>();
      expectTypeOf(message).toEqualTypeOf<{ from: number; text: string }>();
    });
    client.channel("hits").on("message", (hit) => expectTypeOf(hit).toEqualTypeOf<number>());
    for await (const line of client.messages("chat")) {
      expectTypeOf(line).toEqualTypeOf<{ from: number; text: string }>();
    }
    peer.on("message", (channel, message) => {
      if (channel === "chat") expectTypeOf(message.text).toEqualTypeOf<string>();
      if (channel === "hits") expectTypeOf(message).toEqualTypeOf<number>();
      if (channel === "raw") expectTypeOf(message).toEqualTypeOf<Uint8Array>();
    });
    peer.on("rejected", ({ channel, reason }) => {
      expectTypeOf(channel).toEqualTypeOf<keyof Typed["channels"]>();
      expectTypeOf(reason).toExtend<string>();
    });
    // @ts-expect-error: no text in it
    server.broadcast("chat", { from: 1 });
    // @ts-expect-error: bytes are no line
    peer.send("chat", new Uint8Array(1));
    // @ts-expect-error: a number is no bytes
    client.send("raw", 1);
    // @ts-expect-error: a schema it is, not a type
    reliable({ message: u8 });
    // @ts-expect-error: what the strategy forbids is forbidden with a schema, too
    realTime({ message: Input, repair: "nack" });
  }) satisfies (pair: TypedPair) => unknown;
});
