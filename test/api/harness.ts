/*
 * Owns what the API tests share: servers, clients and bad links that end with their test, and waits
 * that have a bound and a name. Never sleeps: a wait is for an event, and says which when it fails.
 */
import { createSocket, type Socket } from "node:dgram";
import { type EventEmitter, once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import {
  type Client,
  type ConnectOptions,
  connect,
  createServer,
  defineProtocol,
  type IoMode,
  NetrtError,
  type Peer,
  type Protocol,
  realTime,
  reliable,
  type Server,
  type ServerOptions,
} from "../../lib/index.js";
import type { LinkOptions } from "../../lib/sim/link.js";
import { createRelay, type Relay } from "../../lib/sim/relay.js";
import type { EngineName } from "../engines.js";

/** NETRT_TEST_IO=thread runs the suites over the native engine's I/O threads. */
function ioOf(engine: EngineName): { readonly io?: IoMode } {
  return engine === "native" && process.env.NETRT_TEST_IO === "thread" ? { io: "thread" } : {};
}

/** Long enough for a loaded machine; a wait that takes it has failed. */
const PATIENCE_MS = 15_000;

export const arena = defineProtocol("api/1", {
  input: realTime({ redundancy: "high" }),
  state: realTime(),
  chat: reliable(),
});
export type Arena = typeof arena;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
export const encode = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text);
export const decode = (bytes: Uint8Array): string => decoder.decode(bytes);

// --- tests ---

/** One test of all cases at the same time: what waits for a time-out waits once. */
export function testEach<Case>(
  name: string,
  cases: readonly Case[],
  body: (one: Case) => Promise<void>,
): void {
  test(name, async () => {
    const run = async (one: Case): Promise<void> => {
      try {
        await body(one);
      } catch (error) {
        if (error instanceof Error) error.message = `${JSON.stringify(one)}: ${error.message}`;
        throw error;
      }
    };
    const results = await Promise.allSettled(cases.map(run));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  });
}

// --- waits ---

/** The promise, or after PATIENCE_MS an error that says what did not happen. */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`did not happen: ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The arguments of the next such event. */
// biome-ignore lint/suspicious/noExplicitAny: emitters of every event map, each typed by its caller
export function next<Args = any[]>(emitter: EventEmitter<any>, event: string): Promise<Args> {
  return within(once(emitter, event), `event "${event}"`) as Promise<Args>;
}

/** Resolves once `done` answers true, which is asked now and after every such event. */
export function until(
  // biome-ignore lint/suspicious/noExplicitAny: emitters of every event map
  emitter: EventEmitter<any>,
  event: string,
  what: string,
  done: () => boolean,
): Promise<void> {
  return within(
    new Promise((resolve) => {
      const look = (): void => {
        if (!done()) return;
        emitter.off(event, look);
        resolve();
      };
      emitter.on(event, look);
      look();
    }),
    what,
  );
}

/** Asks again and again without coming back to the event loop; false when PATIENCE_MS are over. */
export function spin(done: () => boolean): boolean {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) if (done()) return true;
  return false;
}

/** The typed error that a call throws, or that its promise is rejected with. */
export async function refusal(call: () => unknown): Promise<NetrtError> {
  try {
    await within(Promise.resolve(call()), "the refusal of a call");
  } catch (error) {
    expect(error).toBeInstanceOf(NetrtError);
    return error as NetrtError;
  }
  throw new Error("nothing was thrown");
}

// --- servers and clients ---

/** A server on loopback that is closed with the test. */
export async function openServer<P extends Protocol>(
  protocol: P,
  engine: EngineName,
  options: Partial<ServerOptions> = {},
): Promise<Server<P>> {
  const insecure = options.secret === undefined ? { insecure: true } : {};
  const server = await createServer(protocol, {
    address: "127.0.0.1:0",
    maxPeers: 16,
    engine,
    ...ioOf(engine),
    ...insecure,
    ...options,
  });
  // Its clients were closed before it, and need no goodbyes.
  onTestFinished(() => server.close({ timeout: 0 }));
  return server;
}

let clientIds = 0n;

/** A client of an insecure server at this address; it is closed with the test. */
export async function openClient<P extends Protocol>(
  protocol: P,
  engine: EngineName,
  address: string,
  options: ConnectOptions & { readonly clientId?: bigint } = {},
): Promise<Client<P>> {
  const { clientId = ++clientIds, ...rest } = options;
  const target = { insecure: true, address, clientId } as const;
  const client = await within(
    connect(protocol, target, { engine, ...ioOf(engine), ...rest }),
    "a connection",
  );
  onTestFinished(() => client.close());
  return client;
}

export interface Engines {
  readonly server: EngineName;
  readonly client: EngineName;
}

export interface Pair {
  readonly server: Server<Arena>;
  readonly client: Client<Arena>;
  /** The client as the server has it. */
  readonly peer: Peer<Arena>;
}

/** A client and the peer that it is to its server. */
export async function join(
  server: Server<Arena>,
  engine: EngineName,
  address = server.address,
  options: ConnectOptions & { readonly clientId?: bigint } = {},
): Promise<{ client: Client<Arena>; peer: Peer<Arena> }> {
  const peers: Peer<Arena>[] = [];
  const keep = (peer: Peer<Arena>): void => {
    peers.push(peer);
  };
  server.on("connect", keep);
  try {
    const client = await openClient(arena, engine, address, options);
    await until(server, "connect", "a connected peer", () => peers.length > 0);
    return { client, peer: peers[0] };
  } finally {
    server.off("connect", keep);
  }
}

/** The same at a server whose last peer may still have its slot, to say goodbye from it. */
export async function joinSoon(server: Server<Arena>, engine: EngineName) {
  for (;;) {
    try {
      return await join(server, engine);
    } catch (error) {
      if ((error as NetrtError).code !== "ERR_NETRT_DENIED") throw error;
    }
  }
}

export async function openPair(
  engines: Engines,
  options: Partial<ServerOptions> = {},
): Promise<Pair> {
  const server = await openServer(arena, engines.server, options);
  return { server, ...(await join(server, engines.client)) };
}

// --- bad links ---

/** A plain socket on 127.0.0.1 that is closed with the test. */
export async function openSocket(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  onTestFinished(() => new Promise<void>((resolve) => socket.close(() => resolve())));
  return socket;
}

/**
 * A port of 127.0.0.1 that nobody has, to be bound a moment later: from below those that systems
 * give to sockets that ask for any.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const socket = createSocket("udp4");
    try {
      socket.bind(port, "127.0.0.1");
      await once(socket, "listening");
      return port;
    } catch {
      // Somebody has it: another.
    } finally {
      socket.close();
    }
  }
}

export interface LinkedServer {
  readonly server: Server<Arena>;
  readonly relay: Relay;
  /** Where clients connect to, behind the link. */
  readonly address: string;
}

/** A server behind a link, the same both ways; it can be reached directly too. */
export async function openLinkedServer(
  engine: EngineName,
  link: LinkOptions = {},
  options: Partial<ServerOptions> = {},
): Promise<LinkedServer> {
  const targetPort = await freePort();
  const relay = await createRelay({ targetPort, up: link, down: link });
  onTestFinished(() => relay.close());
  const address = `127.0.0.1:${relay.port}`;
  const own = `127.0.0.1:${targetPort}`;
  const server = await openServer(arena, engine, {
    address: own,
    publicAddresses: [address, own],
    ...options,
  });
  return { server, relay, address };
}

export async function openLinkedPair(
  engines: Engines,
  link: LinkOptions = {},
  options: Partial<ServerOptions> = {},
  connectOptions: ConnectOptions = {},
): Promise<Pair & LinkedServer> {
  const linked = await openLinkedServer(engines.server, link, options);
  return {
    ...linked,
    ...(await join(linked.server, engines.client, linked.address, connectOptions)),
  };
}
