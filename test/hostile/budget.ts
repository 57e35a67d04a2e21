/*
 * Attack 7, hoarding by many: each peer within its own bounds, with a block that is long and lawful, all at the same time.
 * On real sockets, through the public API: what all of them have unfinished stays within the server's `assemblyBytes`, by
 * the end of whoever holds most, and never of a neighbour that sends little.
 */
import { once } from "node:events";
import { type Client, connect, createServer, defineProtocol, reliable } from "../../lib/index.js";
import type { Peer } from "../../lib/peer.js";
import { mintToken } from "../../lib/token.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";

export const number = 7;
export const name = "budget";
export const promise =
  "what all peers have unfinished stays within the server's budget, by the end of whoever holds most";

const BUDGET_BYTES = 16_777_216;
const protocol = defineProtocol("hostile-budget/1", {
  chat: reliable(),
  bulk: reliable({ blockBytesMax: BUDGET_BYTES }),
});
type Budget = typeof protocol;
const HOARDERS = 3;
const HOARD_BYTES = 12_000_000;
const SMALL_BYTES = 100_000;
/** Bytes a second of each: the budget is reached within seconds. */
const RATE = 20_000_000;
/**
 * What may come between two looks: a turn's 1,024 datagrams, doubled where that makes a block's memory grow, for each
 * hoarder; a look is once a turn.
 */
const TURN_BYTES = 4_194_304;
const PATIENCE_MS = 60_000;
const secret = new Uint8Array(32).fill(9);

export async function run(engine: EngineName): Promise<Figures> {
  const server = await createServer(protocol, {
    address: "127.0.0.1:0",
    engine,
    secret,
    assemblyBytes: BUDGET_BYTES,
    sendRate: RATE,
  });
  const clients: Client<Budget>[] = [];
  const join = async (clientId: number): Promise<Client<Budget>> => {
    const token = mintToken({ protocol, key: secret, clientId, servers: [server.address] });
    const client = await connect(protocol, token, { engine, sendRate: RATE });
    clients.push(client);
    return client;
  };
  const peers = new Set<Peer<Budget>>();
  server.on("connect", (peer) => peers.add(peer));
  const ended: string[] = [];
  server.on("disconnect", (peer, { reason, text }) => {
    peers.delete(peer);
    ended.push(`${peer.id} ${reason} ${text}`);
  });
  let most = 0;
  const look = () => {
    let total = 0;
    for (const peer of peers) total += peer.assemblyBytes;
    most = Math.max(most, total);
  };
  try {
    const honest = await join(1);
    const hoarders = await Promise.all(
      Array.from({ length: HOARDERS }, (_, index) => join(2 + index)),
    );
    const over = hoarders.map((client) => once(client, "disconnect"));
    for (const client of hoarders) {
      client.sendBlock("bulk", new Uint8Array(HOARD_BYTES)).catch(() => undefined);
    }
    let small = 0;
    server.channel("bulk").on("block", (peer, bytes) => {
      if (peer.id === 1n && bytes.length === SMALL_BYTES) small += 1;
    });
    const first = Promise.race(over) as Promise<[{ reason: string; text: string }]>;
    let done = false;
    const until = performance.now() + PATIENCE_MS;
    const end = first.then(([how]) => {
      done = true;
      return how;
    });
    let told = 0;
    while (!done) {
      look();
      check(performance.now() < until, "the budget is reached in time", most);
      if (told < 8) {
        await honest.sendBlock("bulk", new Uint8Array(SMALL_BYTES));
        told += 1;
      }
      await new Promise(setImmediate);
    }
    const { reason, text } = await end;
    checkEqual([reason, text], ["resources", "blocks"], "how who holds most is ended");
    check(most <= BUDGET_BYTES + TURN_BYTES, "what all have unfinished", most);
    check(most > HOARD_BYTES, "and it was more than one's", most);
    checkEqual(small, told, "blocks of who sends little");
    check(honest.connected, "who sends little stays", ended);
    return { "unfinished bytes, most": most, ended: ended.length, "small blocks": small };
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await server.close({ timeout: 0 });
  }
}
