/*
 * What a user of the library sees on real sockets while everything goes well, with every pairing of
 * the two engines.
 */
import { describe, expect, test } from "vitest";
import { connect, defineProtocol, netrt, type Peer, realTime, reliable } from "../../lib/index.js";
import { generateKey, mintToken, tokenToBase64 } from "../../lib/token.js";
import { engines, pairings } from "../engines.js";
import {
  type Arena,
  arena,
  decode,
  encode,
  join,
  joinSoon,
  next,
  openClient,
  openPair,
  openServer,
  spin,
  until,
  within,
} from "./harness.js";

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe.each(pairings)("server on $server, client on $client", (pairing) => {
  test("messages go both ways, reliable ones in order", async () => {
    const { server, client, peer } = await openPair(pairing);
    expect(server.engine).toBe(pairing.server);
    expect(client.engine).toBe(pairing.client);
    const received: string[] = [];
    server.channel("chat").on("message", (from, bytes) => {
      expect(from).toBe(peer);
      received.push(decode(bytes));
    });
    for (const index of numbers(200)) client.send("chat", encode(`line ${index}`));
    await until(server.channel("chat"), "message", "200 lines", () => received.length === 200);
    expect(received).toEqual(numbers(200).map((index) => `line ${index}`));
    const states = client.messages("state");
    peer.send("state", encode("world"));
    const first = await within(states.next(), "a state");
    expect(decode(first.value)).toBe("world");
  });

  test("every size from nothing to 1,100 bytes arrives as it was", async () => {
    const { client, peer } = await openPair(pairing);
    const sizes = [0, 1, 2, 63, 64, 127, 128, 255, 256, 257, 511, 512, 1023, 1024, 1099, 1100];
    const got: Uint8Array[] = [];
    client.channel("chat").on("message", (bytes) => got.push(bytes.slice()));
    const sent = sizes.map((size) =>
      Uint8Array.from({ length: size }, (_, at) => (size + at) & 255),
    );
    for (const bytes of sent) peer.send("chat", bytes);
    await until(client.channel("chat"), "message", "all sizes", () => got.length === sizes.length);
    expect(got).toEqual(sent);
  });

  test("who listens to all channels of a peer hears them, whenever that begins", async () => {
    const { server, client, peer } = await openPair(pairing);
    const heard = async (text: string): Promise<string> => {
      const message = new Promise<string>((resolve) => {
        peer.on("message", (channel, bytes) => resolve(`${channel}: ${decode(bytes)}`));
      });
      client.send("chat", encode(text));
      return within(message, text);
    };
    client.send("chat", encode("nobody listens"));
    await next(server.channel("chat"), "message");
    expect(await heard("first")).toBe("chat: first");
    peer.removeAllListeners("message");
    expect(await heard("second")).toBe("chat: second");
    peer.removeAllListeners();
    expect(await heard("third")).toBe("chat: third");
    peer.removeAllListeners();
    const verdict = next(peer, "packet");
    peer.send("chat", encode("a packet of its own"));
    await verdict;
  });

  test("a message is copied when it is sent", async () => {
    const { client, peer } = await openPair(pairing);
    const bytes = encode("before");
    peer.send("chat", bytes);
    bytes.fill(0);
    const [message] = await next<[Uint8Array]>(client.channel("chat"), "message");
    expect(decode(message)).toBe("before");
  });

  test("the id, the user data and the address come from the token", async () => {
    const secret = generateKey();
    const server = await openServer(arena, pairing.server, { secret });
    const userData = Uint8Array.from({ length: 256 }, (_, index) => index);
    const token = mintToken({
      protocol: arena,
      key: secret,
      clientId: 0xfedcba9876543210n,
      servers: [server.address],
      userData,
    });
    const connected = next<[Peer<Arena>]>(server, "connect");
    const client = await connect(arena, tokenToBase64(token), { engine: pairing.client });
    const [peer] = await connected;
    expect(peer.id).toBe(0xfedcba9876543210n);
    expect(peer.userData).toEqual(userData);
    expect(peer.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(client.address).toBe(server.address);
    expect(client.id).toBe(0n);
    expect(client.userData).toEqual(new Uint8Array(256));
    await client.close();
  });

  test("IPv6", async () => {
    const server = await openServer(arena, pairing.server, { address: "[::1]:0" });
    expect(server.address).toMatch(/^\[::1\]:\d+$/);
    const { client, peer } = await join(server, pairing.client);
    expect(peer.address).toMatch(/^\[::1\]:\d+$/);
    expect(client.address).toBe(server.address);
    client.send("chat", encode("six"));
    const [from, bytes] = await next<[Peer, Uint8Array]>(server.channel("chat"), "message");
    expect(from).toBe(peer);
    expect(decode(bytes)).toBe("six");
  });

  test("64 channels, each with its own messages", async () => {
    const names = numbers(64).map((index) => `channel ${index}`);
    const policies = names.map(
      (name, index) => [name, index % 2 ? reliable() : realTime()] as const,
    );
    const wide = defineProtocol("wide/1", Object.fromEntries(policies));
    const server = await openServer(wide, pairing.server);
    const connected = next<[Peer<typeof wide>]>(server, "connect");
    const client = await openClient(wide, pairing.client, server.address);
    const [peer] = await connected;
    const up = new Map<string, string>();
    const down = new Map<string, string>();
    peer.on("message", (name, bytes) => up.set(name, decode(bytes)));
    client.on("message", (name, bytes) => down.set(name, decode(bytes)));
    for (const name of names) {
      client.send(name, encode(`up ${name}`));
      peer.send(name, encode(`down ${name}`));
    }
    await until(peer, "message", "64 messages up", () => up.size === 64);
    await until(client, "message", "64 messages down", () => down.size === 64);
    expect(Object.fromEntries(up)).toEqual(
      Object.fromEntries(names.map((name) => [name, `up ${name}`])),
    );
    expect(Object.fromEntries(down)).toEqual(
      Object.fromEntries(names.map((name) => [name, `down ${name}`])),
    );
  });

  test("a broadcast reaches everybody but one", async () => {
    const server = await openServer(arena, pairing.server);
    const joined = [];
    for (const _ of numbers(4)) joined.push(await join(server, pairing.client));
    const lines = joined.map(({ client }) => {
      const got: string[] = [];
      client.channel("chat").on("message", (bytes) => got.push(decode(bytes)));
      return got;
    });
    expect(server.broadcast("chat", encode("all"))).toBe(true);
    expect(server.broadcast("chat", encode("not two"), { except: joined[2].peer })).toBe(true);
    expect(server.broadcast("chat", encode("end"), { ttl: 5000 })).toBe(true);
    for (const [index, { client }] of joined.entries()) {
      await until(client.channel("chat"), "message", "the end", () => lines[index].includes("end"));
    }
    const whole = ["all", "not two", "end"];
    expect(lines).toEqual([whole, whole, ["all", "end"], whole]);
  });
});

describe.each(engines)("on %s", (engine) => {
  const both = { server: engine, client: engine };

  test("a message is heard on its channel, on its peer, and by iterators", async () => {
    const { server, client, peer } = await openPair(both);
    const heard: unknown[] = [];
    server.channel("chat").on("message", (from, bytes) => heard.push([from, decode(bytes)]));
    peer.on("message", (name, bytes) => heard.push([name, decode(bytes)]));
    client.send("chat", encode("up"));
    await next(peer, "message");
    expect(heard).toEqual([
      [peer, "up"],
      ["chat", "up"],
    ]);
    const [first, second] = [client.messages("chat"), client.messages("chat")];
    client.on("message", (name, bytes) => heard.push([name, decode(bytes)]));
    peer.send("chat", encode("down"));
    expect(decode((await within(first.next(), "the first iterator")).value)).toBe("down");
    expect(decode((await within(second.next(), "the second iterator")).value)).toBe("down");
    expect(heard[2]).toEqual(["chat", "down"]);
  });

  test("a view is the ring's memory, and slice() keeps it", async () => {
    const { client, peer } = await openPair(both);
    const views: Uint8Array[] = [];
    const copies: Uint8Array[] = [];
    const inTime: string[] = [];
    client.channel("chat").on("message", (bytes) => {
      views.push(bytes);
      copies.push(bytes.slice());
      inTime.push(decode(bytes));
    });
    // More than the ring holds (1 MiB), so that its memory comes round again.
    const rounds = numbers(1200);
    const line = (index: number) => `${index}`.padEnd(1000, ".");
    let sent = 0;
    const fill = (): void => {
      while (sent < rounds.length && peer.send("chat", encode(line(sent)))) sent += 1;
    };
    peer.on("drain", fill);
    fill();
    await until(client.channel("chat"), "message", "all lines", () => views.length === 1200);
    expect(inTime).toEqual(rounds.map(line));
    expect(copies.map(decode)).toEqual(rounds.map(line));
    expect(new Set(views.map((view) => view.buffer)).size).toBe(1);
    expect(decode(views[0])).not.toBe(line(0));
  });

  test("peers are listed, counted, and carry what is theirs", async () => {
    const server = await openServer(arena, engine);
    expect([server.peerCount, [...server.peers]]).toEqual([0, []]);
    const one = await join(server, engine);
    const two = await join(server, engine);
    expect(server.peerCount).toBe(2);
    expect([...server.peers]).toEqual([one.peer, two.peer]);
    expect(one.peer.data).toBeUndefined();
    one.peer.data = { name: "one" };
    one.client.send("chat", encode("who am I?"));
    const [from] = await next<[Peer]>(server.channel("chat"), "message");
    expect(from.data).toEqual({ name: "one" });
    const gone = next<[Peer]>(server, "disconnect");
    await one.client.close();
    expect((await gone)[0]).toBe(one.peer);
    expect([...server.peers]).toEqual([two.peer]);
  });

  test("a server with one slot serves one after the other", async () => {
    const server = await openServer(arena, engine, { maxPeers: 1 });
    for (const round of numbers(3)) {
      const { client, peer } = await joinSoon(server, engine);
      client.send("chat", encode(`round ${round}`));
      const [from, bytes] = await next<[Peer, Uint8Array]>(server.channel("chat"), "message");
      expect(from).toBe(peer);
      expect(decode(bytes)).toBe(`round ${round}`);
      const gone = next(server, "disconnect");
      await client.close();
      await gone;
      expect(server.peerCount).toBe(0);
    }
  });

  test("a server on all interfaces knows itself as 127.0.0.1, and its public addresses instead", async () => {
    const secret = generateKey();
    const mint = (servers: string[]) =>
      mintToken({ protocol: arena, key: secret, clientId: 1n, servers, timeoutSeconds: 1 });
    const wild = await openServer(arena, engine, { address: "0.0.0.0:0", secret });
    const port = wild.address.split(":")[1];
    expect(wild.address).toBe(`0.0.0.0:${port}`);
    const client = await connect(arena, mint([`127.0.0.1:${port}`]), { engine });
    await client.close();
    const known = await openServer(arena, engine, {
      secret,
      publicAddresses: ["203.0.113.7:40000", "127.0.0.1:0"],
    });
    const other = await connect(arena, mint([known.address]), { engine });
    expect(other.connected).toBe(true);
    await other.close();
  });

  test("flush sends at once", async () => {
    const { server, client, peer } = await openPair(both, { tickRate: 30 });
    peer.send("chat", encode("down"));
    const before = server.stats.datagramsOut;
    server.flush();
    // On an I/O thread perhaps, but without our event loop.
    expect(spin(() => server.stats.datagramsOut > before)).toBe(true);
    await next(client.channel("chat"), "message");
    client.send("chat", encode("up"));
    const sent = client.hostStats.datagramsOut;
    client.flush();
    expect(spin(() => client.hostStats.datagramsOut > sent)).toBe(true);
    await next(server.channel("chat"), "message");
  });
});

test("netrt.engine tells what runs by default", async () => {
  expect(netrt.engine).toBe(process.env.NETRT_ENGINE === "js" ? "js" : netrt.engine);
  const server = await openServer(arena, netrt.engine);
  expect(server.engine).toBe(netrt.engine);
});
