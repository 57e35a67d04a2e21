// The relay, with real sockets on loopback.
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { createRelay, type Relay, type RelayOptions } from "../../../lib/sim/relay.js";

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const thing of open.splice(0)) await thing.close();
});

async function socket(): Promise<Socket> {
  const made = createSocket("udp4");
  made.bind(0, "127.0.0.1");
  await once(made, "listening");
  open.push(made);
  return made;
}

/** A server that sends everything back. */
async function echo(): Promise<{ socket: Socket; ports: Set<number> }> {
  const server = await socket();
  const ports = new Set<number>();
  server.on("message", (bytes, from) => {
    ports.add(from.port);
    server.send(bytes, from.port, from.address);
  });
  return { socket: server, ports };
}

async function relayTo(
  server: Socket,
  options: Omit<RelayOptions, "targetPort"> = {},
): Promise<Relay> {
  const relay = await createRelay({ targetPort: server.address().port, ...options });
  open.push(relay);
  return relay;
}

async function until(done: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!done() && performance.now() < endMs) await sleep(2);
  expect(done()).toBe(true);
}

describe("createRelay", () => {
  it("gives its clients other ports when asked, and loses what comes to the old ones", async () => {
    const server = await echo();
    const relay = await relayTo(server.socket);
    const client = await socket();
    const answers: string[] = [];
    client.on("message", (bytes) => answers.push(bytes.toString()));
    client.send("one", relay.port, "127.0.0.1");
    await until(() => answers.length === 1);
    const [old] = server.ports;
    relay.rebind();
    server.socket.send("lost", old, "127.0.0.1");
    client.send("two", relay.port, "127.0.0.1");
    await until(() => answers.length === 2);
    expect(answers).toEqual(["one", "two"]);
    expect(server.ports.size).toBe(2);
    expect(relay.counters.clients).toBe(1);
  });

  it("carries datagrams both ways, with an address per client", async () => {
    const server = await echo();
    const relay = await relayTo(server.socket);
    const answers: string[] = [];
    for (let index = 0; index < 5; index++) {
      const client = await socket();
      client.on("message", (bytes, from) => {
        expect(from.port).toBe(relay.port);
        answers.push(bytes.toString());
      });
      client.send(`hello ${index}`, relay.port, "127.0.0.1");
    }
    await until(() => answers.length === 5);
    expect(answers.sort()).toEqual(["hello 0", "hello 1", "hello 2", "hello 3", "hello 4"]);
    expect(server.ports.size).toBe(5);
    expect(relay.counters).toMatchObject({
      clients: 5,
      up: { pushed: 5, delivered: 5 },
      down: { pushed: 5, delivered: 5 },
      refused: 0,
      sendErrors: 0,
    });
  });

  it("delays to about a millisecond", async () => {
    const server = await echo();
    const relay = await relayTo(server.socket, {
      up: { delayUs: 20_000 },
      down: { delayUs: 10_000 },
    });
    const client = await socket();
    const sent = new Map<string, number>();
    const times: number[] = [];
    client.on("message", (bytes) => {
      times.push(performance.now() - (sent.get(bytes.toString()) as number));
    });
    for (let index = 0; index < 100; index++) {
      sent.set(`${index}`, performance.now());
      client.send(`${index}`, relay.port, "127.0.0.1");
      await sleep(5);
    }
    await until(() => times.length === 100);
    times.sort((a, b) => a - b);
    // Two passes of half a millisecond early at most, and one late each where nothing else wanted the
    // processor: what a busy machine adds to the others is not the relay's.
    expect(times[0]).toBeGreaterThan(28.9);
    expect(times[0]).toBeLessThan(32);
  });

  it("loses per direction and client, the same in each run", async () => {
    const server = await echo();
    const run = async (): Promise<number[]> => {
      const relay = await relayTo(server.socket, { up: { loss: 30 }, down: { loss: 20 }, seed: 9 });
      const client = await socket();
      const got: number[] = [];
      client.on("message", (bytes) => got.push(bytes.readUInt16LE(0)));
      for (let index = 0; index < 200; index++) {
        client.send(Uint8Array.of(index, 0), relay.port, "127.0.0.1");
        await sleep(0);
      }
      await until(() => {
        const { up, down } = relay.counters;
        return up.pushed === 200 && down.pushed === up.delivered && got.length === down.delivered;
      });
      expect(relay.counters.up.lost).toBeGreaterThan(30);
      return got;
    };
    expect(await run()).toEqual(await run());
  });

  it("takes 32 clients and loses nothing of its own", async () => {
    const server = await echo();
    const bad = { delayUs: 20_000, jitterUs: 5_000 };
    const relay = await relayTo(server.socket, { up: bad, down: bad });
    const clients = await Promise.all(Array.from({ length: 32 }, socket));
    let answers = 0;
    for (const client of clients) client.on("message", () => answers++);
    for (let round = 1; round <= 64; round++) {
      for (const client of clients) client.send(new Uint8Array(100), relay.port, "127.0.0.1");
      // No more on the way than the kernel's buffers hold, however slow the machine is.
      await until(() => answers >= (round - 3) * clients.length);
    }
    await until(() => answers === 64 * 32);
    expect(relay.counters.clients).toBe(32);
    expect(relay.counters.down.delivered).toBe(64 * 32);
  });

  it("can be cut and changed while it runs", async () => {
    const server = await echo();
    const relay = await relayTo(server.socket);
    const client = await socket();
    let answers = 0;
    client.on("message", () => answers++);
    const say = (): void => client.send("x", relay.port, "127.0.0.1");
    say();
    await until(() => answers === 1);
    relay.partitioned = true;
    expect(relay.partitioned).toBe(true);
    say();
    await until(() => relay.counters.up.partitioned === 1);
    relay.partitioned = false;
    say();
    await until(() => answers === 2);
    relay.change({ loss: 100 }, {});
    say();
    await until(() => relay.counters.up.lost === 1);
    expect(() => relay.change({}, { loss: -1 })).toThrow("loss must be");
    relay.change({}, {});
    say();
    await until(() => answers === 3);
  });

  it("refuses clients beyond its limit", async () => {
    const server = await echo();
    const relay = await relayTo(server.socket, { clientsMax: 1 });
    const [first, second] = [await socket(), await socket()];
    first.send("x", relay.port, "127.0.0.1");
    await until(() => relay.counters.clients === 1);
    second.send("x", relay.port, "127.0.0.1");
    await until(() => relay.counters.refused === 1);
    expect(relay.counters.clients).toBe(1);
  });

  it("forgets silent clients and keeps their counts", async () => {
    const server = await echo();
    const relay = await relayTo(server.socket, { idleMs: 1000 });
    const [first, second] = [await socket(), await socket()];
    first.send("x", relay.port, "127.0.0.1");
    await until(() => relay.counters.down.delivered === 1);
    await sleep(1050);
    second.send("x", relay.port, "127.0.0.1");
    await until(() => relay.counters.down.delivered === 2);
    expect(relay.counters.clients).toBe(1);
    expect(relay.counters.up.pushed).toBe(2);
  });

  it("closes with datagrams inside, twice, and frees its port", async () => {
    const server = await echo();
    const relay = await relayTo(server.socket, { up: { delayUs: 1_000_000 } });
    const client = await socket();
    client.send("x", relay.port, "127.0.0.1");
    await until(() => relay.counters.up.pushed === 1);
    await Promise.all([relay.close(), relay.close()]);
    const { port } = relay;
    const again = await relayTo(server.socket, { port });
    expect(again.port).toBe(port);
    await again[Symbol.asyncDispose]();
  });

  it("says when its port is taken", async () => {
    const server = await echo();
    const port = server.socket.address().port;
    await expect(createRelay({ targetPort: port, port })).rejects.toMatchObject({
      code: "ERR_NETRT_PORT_IN_USE",
      message: `port ${port} is in use by another socket`,
      cause: { code: "EADDRINUSE" },
    });
  });

  it.each<[string, object]>([
    ["no target", {}],
    ["a target port of 0", { targetPort: 0 }],
    ["a bad port", { targetPort: 9, port: 65_536 }],
    ["a bad link", { targetPort: 9, up: { loss: 101 } }],
    ["a bad seed", { targetPort: 9, seed: 0.1 }],
    ["no clients", { targetPort: 9, clientsMax: 0 }],
    ["a short idle time", { targetPort: 9, idleMs: 10 }],
  ])("refuses %s", async (_what, options) => {
    await expect(createRelay(options as RelayOptions)).rejects.toMatchObject({
      code: "ERR_NETRT_ARGUMENT",
    });
  });
});
