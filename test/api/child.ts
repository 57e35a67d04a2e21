/*
 * Owns the program that test/api/process.test.ts runs in processes of its own: `child.js <stage>`.
 * What it prints, one JSON value a line, and how it ends is what the tests look at.
 */
import { once } from "node:events";
import { connect, createServer, defineProtocol, netrt, reliable } from "../../lib/index.js";

const protocol = defineProtocol("child/1", { chat: reliable() });
const open = { address: "127.0.0.1:0", insecure: true, maxPeers: 4 } as const;

function print(value: unknown): void {
  console.log(JSON.stringify(value));
}

/** Runs what throws, and tells how. */
async function outcome(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
    return "nothing thrown";
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    return `${code}: ${message}`;
  }
}

const stages: Record<string, () => Promise<void>> = {
  /** A server without peers, until a signal closes it. */
  async server() {
    process.on("beforeExit", () => print("nothing left to wait for"));
    const server = await createServer(protocol, open);
    server.channel("chat").on("message", (peer, bytes) => peer.send("chat", bytes));
    process.once("SIGTERM", () => void server.close().then(() => print("closed")));
    print(server.address);
  },

  /** A client that is told where, says one thing, and leaves. */
  async client() {
    const target = { insecure: true, address: process.argv[3] } as const;
    const client = await connect(protocol, target);
    client.send("chat", new Uint8Array(1));
    for await (const bytes of client.messages("chat")) {
      print(bytes.length);
      await client.close();
    }
  },

  /** Handlers that throw, each at the first time that it runs, in a process that survives it. */
  async throwing() {
    const thrown: string[] = [];
    process.on("uncaughtException", ({ message }) => thrown.push(message));
    const stumbled = new Set<string>();
    const stumble = (what: string): void => {
      if (stumbled.has(what)) return;
      stumbled.add(what);
      throw new Error(what);
    };
    const server = await createServer(protocol, { ...open, tickRate: Number(process.argv[3]) });
    server.on("connect", () => stumble("connect"));
    server.on("disconnect", () => stumble("disconnect"));
    server.on("tick", () => stumble("tick"));
    const received: number[] = [];
    server.channel("chat").on("message", (peer, bytes) => {
      received.push(bytes[0]);
      if (received.length === 20) {
        peer.send("chat", bytes);
        peer.send("chat", bytes);
      }
      stumble("message");
    });
    const client = await connect(protocol, { insecure: true, address: server.address });
    let echoes = 0;
    client.channel("chat").on("message", () => {
      echoes += 1;
      stumble("echo");
      void client.close();
    });
    const over = once(client, "disconnect");
    client.on("disconnect", () => stumble("client disconnect"));
    for (let index = 0; index < 20; index++) client.send("chat", Uint8Array.of(index));
    await over;
    await client.close();
    await server.close();
    print({ thrown, received, echoes });
  },

  /** What a user without the addon sees. */
  async engines() {
    const server = await createServer(protocol, open);
    const second = await createServer(protocol, open);
    const client = await connect(protocol, { insecure: true, address: server.address });
    const native = await outcome(() => createServer(protocol, { ...open, engine: "native" }));
    const target = { insecure: true, address: server.address } as const;
    const nativeClient = await outcome(() => connect(protocol, target, { engine: "native" }));
    print({
      default: netrt.engine,
      server: server.engine,
      client: client.engine,
      native,
      nativeClient,
    });
    await client.close();
    await server.close();
    await second.close();
  },

  async default() {
    const server = await outcome(async () => {
      const opened = await createServer(protocol, open);
      print(opened.engine);
      await opened.close();
    });
    print(server);
  },
};

await stages[process.argv[2]]();
