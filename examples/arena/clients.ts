/**
 * The second process: all clients, each with a socket of its own, and the bad link before them.
 *
 * Owns: the relay, the bots, and the one timer that they act on.
 * Never does: print; what it has to say goes to the first process, which also ends it.
 * Order: reserve a port for the relay, connect, play, rest, count, leave.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type Client, connect, NetrtError } from "../../lib/index.js";
import { createRelay, type Relay } from "../../lib/sim/relay.js";
import { Ticker } from "../../lib/ticker.js";
import { Bot } from "./bot.js";
import { type Answer, type Order, onWarnings, until } from "./control.js";
import { type Arena, arena } from "./protocol.js";
import { addCounts, deliveredOf, noCounts } from "./tally.js";

type ConnectOrder = Extract<Order, { kind: "connect" }>;
type CountOrder = Extract<Order, { kind: "count" }>;

/** How long clients may take to say goodbye. */
const LEAVE_MS = 2000;

let reserve: Socket;
let relay: Relay | null = null;
let ticker: Ticker | null = null;
let bots: Bot[] = [];
let leaving = false;

function answer(message: Answer): void {
  if (process.connected) process.send?.(message);
}

/** Says why it can't go on, and ends; whatever is open goes with the process. */
function fail(text: string): void {
  if (leaving) return;
  leaving = true;
  if (!process.connected) process.exit(1);
  process.send?.({ kind: "failed", text } satisfies Answer, () => process.exit(1));
}

function describe(error: unknown): string {
  return error instanceof NetrtError ? `${error.code}: ${error.message}` : String(error);
}

/**
 * Tokens name the address that clients send to: the relay's. The server must know it too, before it
 * opens, and the relay must know the server's: so the port is held by a plain socket meanwhile.
 */
async function reservePort(): Promise<void> {
  reserve = createSocket("udp4");
  reserve.bind(0, "127.0.0.1");
  await once(reserve, "listening");
  answer({ kind: "reserved", port: reserve.address().port });
}

async function connectAll(order: ConnectOrder): Promise<void> {
  const { port } = reserve.address();
  reserve.close();
  await once(reserve, "close");
  const link = {
    loss: order.lossPercent,
    delayUs: Math.round((order.rttMs / 2) * 1000),
    jitterUs: Math.round(order.jitterMs * 1000),
  };
  relay = await createRelay({
    port,
    targetPort: order.serverPort,
    up: link,
    down: link,
    seed: order.seed,
  });
  const ends = await Promise.allSettled(
    order.tokens.map((token) =>
      connect(arena, token, { bind: "127.0.0.1:0", ...(order.engine && { engine: order.engine }) }),
    ),
  );
  const refused = ends.filter((end) => end.status === "rejected");
  if (refused.length > 0) {
    const reached = ends.length - refused.length;
    fail(`only ${reached} of ${ends.length} clients got in; ${describe(refused[0].reason)}`);
    return;
  }
  bots = ends.map((end, index) =>
    welcome((end as PromiseFulfilledResult<Client<Arena>>).value, index, order),
  );
  ticker = new Ticker({ rateHz: order.tickRate, onTick: actAll, spinUs: 0 });
  answer({ kind: "connected", engine: bots[0].client.engine });
}

function welcome(client: Client<Arena>, index: number, order: ConnectOrder): Bot {
  client.on("disconnect", ({ reason, text }) => {
    if (reason !== "shutdown")
      fail(`client ${index} lost its connection: ${reason} ${text}`.trim());
  });
  const { tickRate, seed } = order;
  return new Bot(client, index, { clients: order.tokens.length, tickRate, seed });
}

function actAll(tick: number): void {
  for (const bot of bots) bot.act(tick);
}

function rest(): void {
  ticker?.stop();
  let inputs = 0;
  let lines = 0;
  for (const bot of bots) {
    inputs += bot.inputsSent;
    lines += bot.linesSent;
  }
  answer({ kind: "resting", inputs, lines });
}

async function count({ lines, scores, timeoutMs }: CountOrder): Promise<void> {
  const arrived = (bot: Bot): boolean =>
    deliveredOf(bot.chat) >= lines && deliveredOf(bot.score) >= scores;
  await until(() => bots.every(arrived), timeoutMs);
  const sum = { state: noCounts(), shots: noCounts(), score: noCounts(), chat: noCounts() };
  for (const bot of bots) {
    for (const channel of ["state", "shots", "score", "chat"] as const) {
      addCounts(sum[channel], bot[channel]);
    }
  }
  answer({ kind: "counted", ...sum });
}

async function leave(): Promise<void> {
  leaving = true;
  ticker?.stop();
  // The server has said goodbye; who heard that is closed already.
  const closed = Promise.allSettled(bots.map((bot) => bot.client.close()));
  await Promise.race([closed, until(() => false, LEAVE_MS)]);
  await relay?.close();
  process.exit(0);
}

function obey(order: Order): void | Promise<void> {
  switch (order.kind) {
    case "connect":
      return connectAll(order);
    case "play":
      return ticker?.start();
    case "rest":
      return rest();
    case "count":
      return count(order);
    case "leave":
      return leave();
  }
}

// Ctrl-C reaches both processes; the first one decides.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
process.on("disconnect", () => process.exit(1));
process.on("uncaughtException", (error) => fail(describe(error.stack ?? error)));
onWarnings((text) => answer({ kind: "warning", text }));
process.on("message", (order: Order) => {
  Promise.resolve(obey(order)).catch((error: unknown) => fail(describe(error)));
});
reservePort().catch((error: unknown) => fail(describe(error)));
