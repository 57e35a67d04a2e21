/*
 * What TimeSensitive, Critical and unordered Reliable channels promise, and receipts, over real sockets
 * and bad links.
 */
import { expect, onTestFinished } from "vitest";
import {
  type Client,
  critical,
  defineProtocol,
  type Peer,
  type Receipt,
  realTime,
  reliable,
  type Server,
  timeSensitive,
} from "../../lib/index.js";
import type { LinkOptions } from "../../lib/sim/link.js";
import { createRelay, type Relay } from "../../lib/sim/relay.js";
import { pairings } from "../engines.js";
import { freePort, next, openClient, openServer, testEach, until, within } from "./harness.js";

const protocol = defineProtocol("strategies/1", {
  shots: timeSensitive({ expiry: 300 }),
  trade: critical(),
  events: reliable({ order: "none" }),
  state: realTime(),
});
type Strategies = typeof protocol;

const BAD: LinkOptions = { loss: 20, delayUs: 10_000, jitterUs: 3000 };

interface Pair {
  readonly server: Server<Strategies>;
  readonly client: Client<Strategies>;
  readonly peer: Peer<Strategies>;
  readonly relay: Relay;
}

/** A pair whose link becomes bad once they are connected. */
async function openBadPair(
  engines: (typeof pairings)[number],
  link: LinkOptions = BAD,
): Promise<Pair> {
  const targetPort = await freePort();
  const relay = await createRelay({ targetPort });
  onTestFinished(() => relay.close());
  const address = `127.0.0.1:${relay.port}`;
  const server = await openServer(protocol, engines.server, {
    address: `127.0.0.1:${targetPort}`,
    publicAddresses: [address],
  });
  const connected = next<[Peer<Strategies>]>(server, "connect");
  const client = await openClient(protocol, engines.client, address);
  const [peer] = await connected;
  relay.change(link, link);
  return { server, client, peer, relay };
}

function numbered(number: number): Uint8Array {
  const bytes = new Uint8Array(24);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

const numberOf = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);

const isIncreasing = (numbers: readonly number[]): boolean =>
  numbers.every((number, index) => index === 0 || number > numbers[index - 1]);

testEach(
  "TimeSensitive: in order, repaired while in time, never waiting",
  pairings,
  async (one) => {
    const { server, client } = await openBadPair(one);
    const count = 300;
    const arrived: number[] = [];
    const waits: number[] = [];
    server.channel("shots").on("message", (_peer, bytes) => {
      arrived.push(numberOf(bytes));
      waits.push(performance.now() - sentAt[numberOf(bytes)]);
    });
    const sentAt: number[] = [];
    // One shot every 5 ms, and one at the end that the last gap waits for no longer than it may.
    await within(
      new Promise<void>((resolve) => {
        const timer = setInterval(() => {
          sentAt.push(performance.now());
          client.send("shots", numbered(sentAt.length - 1));
          if (sentAt.length === count) {
            clearInterval(timer);
            resolve();
          }
        }, 5);
      }),
      "the shots",
    );
    await until(
      server.channel("shots"),
      "message",
      "the last shots",
      () => (arrived.at(-1) ?? 0) > count - 20,
    );
    expect(isIncreasing(arrived)).toBe(true);
    // A fifth is lost at first; a nack brings nearly all of it back in time.
    expect(arrived.length).toBeGreaterThan(count * 0.9);
    expect(client.hostStats.channels.shots.resent).toBeGreaterThan(20);
  },
);

testEach(
  "Reliable without order: each exactly once, none waits for another",
  pairings,
  async (one) => {
    const { server, client } = await openBadPair(one);
    const count = 400;
    const arrived: number[] = [];
    server.channel("events").on("message", (_peer, bytes) => arrived.push(numberOf(bytes)));
    for (let number = 0; number < count; number++) client.send("events", numbered(number));
    await until(server.channel("events"), "message", "all events", () => arrived.length >= count);
    expect([...arrived].sort((left, right) => left - right)).toEqual(
      Array.from({ length: count }, (_, number) => number),
    );
  },
);

testEach("Critical: everything in order over a link that loses half", pairings, async (one) => {
  const { server, client } = await openBadPair(one, { loss: 50, delayUs: 5000 });
  const count = 120;
  const arrived: number[] = [];
  server.channel("trade").on("message", (_peer, bytes) => arrived.push(numberOf(bytes)));
  for (let number = 0; number < count; number++) client.send("trade", numbered(number));
  await until(server.channel("trade"), "message", "all trades", () => arrived.length >= count);
  expect(arrived).toEqual(Array.from({ length: count }, (_, number) => number));
});

testEach(
  "Critical: a message that can't be delivered ends the connection",
  pairings,
  async (one) => {
    const { client, relay } = await openBadPair(one, {});
    relay.partitioned = true;
    const ended = next(client, "disconnect");
    const undelivered = next(client, "undelivered");
    client.send("trade", numbered(1), { ttl: 100 });
    expect(await undelivered).toEqual([{ channel: "trade", fate: "expired" }]);
    expect(await ended).toEqual([{ reason: "undelivered", text: "", local: true }]);
  },
);

testEach("a receipt tells the fate of each message, once", pairings, async (one) => {
  const { client, relay } = await openBadPair(one, {});
  const fates = new Map<number, Receipt>();
  client.on("fate", (receipt) => {
    expect(fates.has(receipt.receipt)).toBe(false);
    fates.set(receipt.receipt, receipt);
  });
  const good = client.send("events", numbered(1), { receipt: true });
  const state = client.send("state", numbered(2), { receipt: true });
  await until(client, "fate", "two fates", () => fates.size === 2);
  expect(fates.get(good)).toEqual({ receipt: good, channel: "events", fate: "delivered" });
  expect(fates.get(state)).toEqual({ receipt: state, channel: "state", fate: "delivered" });
  relay.partitioned = true;
  const late = client.send("events", numbered(3), { receipt: true, ttl: 50 });
  const dropped = client.send("events", numbered(4), { receipt: true });
  await until(client, "fate", "the late one's fate", () => fates.has(late));
  expect(fates.get(late)?.fate).toBe("expired");
  void client.close();
  expect(fates.get(dropped)?.fate ?? "dropped").toBe("dropped");
});
