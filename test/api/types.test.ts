/*
 * What the compiler holds users to: channel names, payloads, events. `tsc` checks this file with all
 * others; the functions in it are never called.
 */
import { expectTypeOf, test } from "vitest";
import {
  type ChannelName,
  type ChannelStats,
  type Client,
  type ClientStats,
  connect,
  createServer,
  type Disconnect,
  type ErrorCode,
  type NetrtError,
  netrt,
  type Peer,
  type PeerStats,
  type Protocol,
  type Receipt,
  type RejectReason,
  type Server,
  type ServerStats,
  type Undelivered,
} from "../../lib/index.js";
import type { NetcodePeer, NetcodeServer } from "../../lib/netcode.js";
import { type Arena, arena } from "./harness.js";

type Name = "input" | "state" | "chat";
const bytes = new Uint8Array(1);

test("a protocol knows its channels", () => {
  expectTypeOf<ChannelName<Arena>>().toEqualTypeOf<Name>();
  expectTypeOf(arena).toExtend<Protocol>();
  expectTypeOf(arena.channelNames).toEqualTypeOf<readonly Name[]>();
});

test("a server", () => {
  (async (server: Server<Arena>) => {
    expectTypeOf(
      await createServer(arena, { address: "127.0.0.1:0", insecure: true }),
    ).toEqualTypeOf<Server<Arena>>();
    expectTypeOf(server.peers).toEqualTypeOf<IterableIterator<Peer<Arena>>>();
    expectTypeOf(server.stats).toEqualTypeOf<ServerStats<Arena>>();
    expectTypeOf(server.stats.channels).toEqualTypeOf<Readonly<Record<Name, ChannelStats>>>();
    expectTypeOf(server.stats.rejected).toEqualTypeOf<Readonly<Record<RejectReason, number>>>();
    expectTypeOf(server.close()).toEqualTypeOf<Promise<void>>();
    server.on("connect", (peer) => expectTypeOf(peer).toEqualTypeOf<Peer<Arena>>());
    server.on("disconnect", (peer, end) => {
      expectTypeOf(peer).toEqualTypeOf<Peer<Arena>>();
      expectTypeOf(end).toEqualTypeOf<Disconnect>();
    });
    server.on("tick", (tick) => expectTypeOf(tick).toEqualTypeOf<number>());
    server.on("close", (...nothing) => expectTypeOf(nothing).toEqualTypeOf<[]>());
    server.channel("input").on("message", (peer, message) => {
      expectTypeOf(peer).toEqualTypeOf<Peer<Arena>>();
      expectTypeOf(message).toEqualTypeOf<Uint8Array>();
    });
    expectTypeOf(server.broadcast("chat", bytes)).toEqualTypeOf<boolean>();
    // @ts-expect-error: no address
    createServer(arena, { insecure: true });
    // @ts-expect-error: no such channel
    server.channel("talk");
    // @ts-expect-error: no such channel
    server.broadcast("talk", bytes);
    // @ts-expect-error: text is no message
    server.broadcast("chat", "text");
    // @ts-expect-error: a broadcast has no receipt
    server.broadcast("chat", bytes, { receipt: true });
    // @ts-expect-error: a number is no peer
    server.broadcast("chat", bytes, { except: 1 });
    // @ts-expect-error: no such event
    server.on("message", () => undefined);
    // @ts-expect-error: a tick is a number
    server.on("tick", (tick: string) => tick);
  }) satisfies (server: Server<Arena>) => unknown;
});

test("a peer", () => {
  ((peer: Peer<Arena>) => {
    expectTypeOf(peer.id).toEqualTypeOf<bigint>();
    expectTypeOf(peer.data).toEqualTypeOf<unknown>();
    expectTypeOf(peer.stats).toEqualTypeOf<PeerStats>();
    expectTypeOf(peer.disconnected).toEqualTypeOf<Disconnect | null>();
    expectTypeOf(peer.send("chat", bytes, { ttl: 80 })).toEqualTypeOf<boolean>();
    expectTypeOf(peer.send("chat", bytes, { receipt: true })).toEqualTypeOf<number>();
    peer.on("fate", (receipt) => expectTypeOf(receipt).toEqualTypeOf<Receipt<Name>>());
    peer.on("message", (channel, message) => {
      expectTypeOf(channel).toEqualTypeOf<Name>();
      expectTypeOf(message).toEqualTypeOf<Uint8Array>();
    });
    peer.on("undelivered", (message) => {
      expectTypeOf(message).toEqualTypeOf<Undelivered<Name>>();
      expectTypeOf(message.fate).toEqualTypeOf<"expired" | "dropped">();
    });
    peer.on("drain", (...nothing) => expectTypeOf(nothing).toEqualTypeOf<[]>());
    // @ts-expect-error: no such channel
    peer.send("talk", bytes);
    // @ts-expect-error: an array of numbers is no message
    peer.send("chat", [1, 2, 3]);
    // @ts-expect-error: a ttl is in milliseconds
    peer.send("chat", bytes, { ttl: "80 ms" });
    // @ts-expect-error: its id is its token's
    peer.id = 1n;
    // @ts-expect-error: no such event
    peer.on("error", () => undefined);
    // @ts-expect-error: no such option
    peer.close({ reasons: "" });
  }) satisfies (peer: Peer<Arena>) => unknown;
});

test("a client", () => {
  (async (client: Client<Arena>) => {
    expectTypeOf(await connect(arena, bytes)).toEqualTypeOf<Client<Arena>>();
    expectTypeOf(client).toExtend<Peer<Arena>>();
    expectTypeOf(client.hostStats).toEqualTypeOf<ClientStats<Arena>>();
    expectTypeOf(client.close()).toEqualTypeOf<Promise<void>>();
    client.channel("state").on("message", (message) => {
      expectTypeOf(message).toEqualTypeOf<Uint8Array>();
    });
    for await (const state of client.messages("state")) {
      expectTypeOf(state).toEqualTypeOf<Uint8Array>();
    }
    connect(arena, "base64");
    connect(arena, { insecure: true, address: "127.0.0.1:40000" }, { bind: "127.0.0.1:0" });
    // @ts-expect-error: insecure is true or not there
    connect(arena, { insecure: false, address: "127.0.0.1:40000" });
    // @ts-expect-error: no such engine
    connect(arena, bytes, { engine: "wasm" });
    // @ts-expect-error: no such channel
    client.messages("talk");
    // @ts-expect-error: no such channel
    client.channel("talk");
    // @ts-expect-error: no such channel
    client.send("talk", bytes);
    // @ts-expect-error: text is no message
    client.send("chat", "text");
  }) satisfies (client: Client<Arena>) => unknown;
});

test("any protocol where none in particular is asked for", () => {
  ((server: Server, peer: Peer) => {
    server.broadcast("whatever", bytes);
    peer.send("whatever", bytes);
    expectTypeOf(peer.stats.rttMs).toEqualTypeOf<number>();
  }) satisfies (server: Server, peer: Peer) => unknown;
  expectTypeOf(netrt.engine).toEqualTypeOf<"native" | "js">();
  expectTypeOf<NetrtError["code"]>().toEqualTypeOf<ErrorCode>();
});

test("netrt/netcode", () => {
  ((server: NetcodeServer) => {
    server.on("payload", (client, payload) => {
      expectTypeOf(client).toEqualTypeOf<NetcodePeer>();
      expectTypeOf(payload).toEqualTypeOf<Uint8Array>();
    });
    server.on("disconnect", (_client, end) => {
      expectTypeOf(end).toEqualTypeOf<"disconnected" | "timedOut" | "closed" | "failed">();
    });
    // @ts-expect-error: no such event
    server.on("tick", () => undefined);
  }) satisfies (server: NetcodeServer) => unknown;
});
