/*
 * Owns the program that `npm run sanitize` runs under sanitizers, with --expose-gc: everything the addon can do, a few
 * times each, on loopback: open, connect, exchange, be woken, refuse, close; by its own calls, through the API, and in a
 * worker thread. Ends with 0 when all of it did what it should.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread, Worker } from "node:worker_threads";
import { connect, createServer, defineProtocol, realTime, reliable } from "../../lib/index.js";
import { closePair, connectPair, openPair, tokenFor, turnUntil } from "./harness.js";

const ROUNDS = 3;
const MESSAGES = 60;
const PATIENCE_MS = 20_000;
const SIZES = [0, 1, 40, 255, 256, 257, 900, 1100];

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** By the addon's own calls: messages of every size both ways, and a wake. */
async function exchange(): Promise<void> {
  let wakes = 0;
  const pair = await openPair(() => {
    wakes += 1;
  });
  await connectPair(pair);
  const { server, client } = pair;
  const patience = Date.now() + PATIENCE_MS;
  for (let message = 0; message < MESSAGES; message++) {
    const bytes = new Uint8Array(SIZES[message % SIZES.length]).fill(message);
    check(server.send(bytes, message + 1) && client.send(bytes), "no room in a ring");
    await turnUntil(pair, () => server.waiting === 0 && client.waiting === 0);
  }
  check(server.messages.length > 0 && client.messages.length > 0, "nothing arrived");
  server.engine.arm(server.engine.nowUs() + 500, true);
  while (wakes === 0 && Date.now() < patience) await sleep(1);
  check(wakes > 0, "no wake came");
  // What is refused must not touch memory either.
  for (const wrong of [new Uint8Array(3), new Uint8Array(2048)]) {
    try {
      client.engine.connect(wrong);
    } catch {
      // a typed error, or a state
    }
  }
  client.engine.connect(tokenFor(server.port, 9));
  client.turn();
  closePair(pair);
}

const protocol = defineProtocol("exercise/1", {
  state: realTime(),
  chat: reliable({ messageBytesMax: 8000 }),
});

/** Through the API, with and without an I/O thread: a server with two clients, one of which leaves without a word. */
async function talk(io: "inline" | "thread"): Promise<void> {
  const server = await createServer(protocol, {
    io,
    address: "127.0.0.1:0",
    insecure: true,
    engine: "native",
    tickRate: 60,
  });
  let heard = 0;
  server.channel("chat").on("message", (peer, bytes) => {
    heard += 1;
    peer.send("chat", bytes);
  });
  const insecure = { insecure: true, address: server.address } as const;
  const clients = await Promise.all(
    [1, 2].map(() => connect(protocol, insecure, { engine: "native", io })),
  );
  let answered = 0;
  for (const client of clients) {
    client.channel("chat").on("message", () => {
      answered += 1;
    });
    for (let message = 0; message < 20; message++) {
      // The last of them in fragments.
      client.send("chat", new Uint8Array(message < 19 ? message : 5000));
      client.send("state", new Uint8Array(100));
    }
  }
  const patience = Date.now() + PATIENCE_MS;
  while (answered < 40 && Date.now() < patience) await sleep(5);
  check(heard === 40 && answered === 40, `${heard} heard, ${answered} answered`);
  await clients[0].close();
  await server.close({ drain: true });
}

async function inWorker(): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  const code = await new Promise<number>((resolve, reject) => {
    worker.once("error", reject);
    worker.once("exit", resolve);
  });
  check(code === 0, `the worker ended with ${code}`);
}

for (let round = 0; round < (isMainThread ? ROUNDS : 1); round++) {
  await exchange();
  await talk("inline");
  await talk("thread");
}
if (isMainThread) await inWorker();
(globalThis as { gc?: () => void }).gc?.();
if (isMainThread) console.log("exercised");
