/*
 * The examples of operation of RFC 908 (5.1 to 5.8), step by step as netrt does them: what goes over the wire, and what the
 * users get. RDP's segments are here two layers. SYN is NETCODE's request, challenge, response and keep-alive, and the hello
 * ACK and EACK are the ack header's latest number and its bitfield; NUL is a ping; RST
 * is a close frame or a disconnect. A segment sent again is a message that rides in a new packet.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { FATE_DELIVERED } from "../../lib/engine/channel.js";
import { CONFIG_POLICIES } from "../../lib/engine/config.js";
import {
  PACKET_CHALLENGE,
  PACKET_KEEP_ALIVE,
  PACKET_PAYLOAD,
  PACKET_REQUEST,
  PACKET_RESPONSE,
} from "../../lib/engine/packet.js";
import { REASON_CLOSED, REASON_TIMED_OUT } from "../../lib/engine/state.js";
import { defineProtocol, reliable } from "../../lib/index.js";
import { Duo, MS, type Packet, type Side } from "../duo.js";
import { numbersOf } from "../ends.js";
import { pairings } from "../engines.js";

const CHAT = 0;
const protocol = defineProtocol("rfc908/1", { chat: reliable() });

/** RDP has no redundancy: what is lost stays lost until it is sent again. */
function withoutCopies(config: Uint32Array): void {
  config[CONFIG_POLICIES + 2] = 0;
}

const kinds = (packet: Packet): string[] =>
  packet.payload?.frames.map(({ kind }) => kind as string) ?? [];
/** Ids of the messages in packets. */
const ids = (packets: readonly Packet[]): number[] =>
  packets.flatMap(({ payload }) =>
    (payload?.frames ?? []).flatMap((frame) => (frame.kind === "message" ? [frame.id] : [])),
  );

/** The numbers that a side's packets ack, of those from `first` on, ascending. */
function acked(packets: readonly Packet[], first: number): number[] {
  const all = packets.flatMap(({ payload }) =>
    payload?.ack ? numbersOf(payload.ack.latest, payload.ack.bits) : [],
  );
  return [...new Set(all)].filter((number) => number >= first).sort((one, two) => one - two);
}

const ALL = Array.from({ length: 40 }, (_, index) => index + 1);

describe.each(pairings)("server on $server, client on $client", (pairing) => {
  function open(): Duo {
    const side = { configure: withoutCopies };
    const duo = new Duo(pairing, protocol, { server: side, client: side });
    onTestFinished(() => duo.close());
    return duo;
  }

  function connected(): Duo {
    const duo = open();
    duo.connect();
    return duo;
  }

  /** A message a packet: what RDP calls a segment. */
  function segment(side: Side, body: number): Packet {
    side.send(CHAT, body, { tag: body });
    const packets = side.turn();
    expect(packets).toHaveLength(1);
    return packets[0];
  }

  /** Turns a side at its deadlines until it sends something with a message in it. */
  function untilRepair(duo: Duo, side: Side, mostUs: number): Packet[] {
    const endUs = duo.nowUs + mostUs;
    while (duo.nowUs < endUs) {
      const packets = side.turn(false);
      if (ids(packets).length > 0) return packets;
      duo.nowUs += MS;
    }
    throw new Error("nothing was sent again");
  }

  const fates = (side: Side): number[] =>
    side.events.flatMap((event) => {
      if (event.kind !== "fate") return [];
      expect(event.fate).toBe(FATE_DELIVERED);
      return [event.tag];
    });

  test("5.1 connection establishment: the SYN is answered, and its answer is acked", () => {
    const { client, server } = open();
    const [request] = client.turn();
    expect(request.type).toBe(PACKET_REQUEST);
    server.receive(request);
    const [challenge] = server.turn();
    expect(challenge.type).toBe(PACKET_CHALLENGE);
    client.receive(challenge);
    const [response] = client.turn();
    expect(response.type).toBe(PACKET_RESPONSE);
    server.receive(response);
    // The slot, and behind it the first payload: both sides' limits are in the hellos, as in a SYN.
    const [keepAlive, syn] = server.turn();
    expect([keepAlive.type, syn.type, kinds(syn)]).toEqual([
      PACKET_KEEP_ALIVE,
      PACKET_PAYLOAD,
      ["hello"],
    ]);
    client.receive(keepAlive);
    client.receive(syn);
    expect(client.events).toEqual([{ kind: "connect" }]);
    const [synAck] = client.turn();
    expect(kinds(synAck)).toEqual(["hello"]);
    expect(acked([synAck], syn.number)).toEqual([syn.number]);
    server.receive(synAck);
    expect(server.events).toEqual([{ kind: "connect" }]);
  });

  test("5.2 simultaneous establishment: roles are fixed, but both SYNs may pass each other", () => {
    // Two clients or two servers never meet: a server sends no request. What can be simultaneous is hellos.
    const { client, server } = open();
    const [request] = client.turn();
    server.receive(request);
    for (const packet of server.turn()) client.receive(packet);
    for (const packet of client.turn()) server.receive(packet);
    const [keepAlive, fromServer] = server.turn();
    client.receive(keepAlive);
    const [fromClient] = client.turn();
    expect([kinds(fromServer), kinds(fromClient)]).toEqual([["hello"], ["hello"]]);
    expect(acked([fromClient], fromServer.number)).toEqual([]);
    server.receive(fromClient);
    client.receive(fromServer);
    expect([server.events, client.events]).toEqual([[{ kind: "connect" }], [{ kind: "connect" }]]);
  });

  test("5.3 lost segments: the second of three is lost; EACK tells, and it alone rides again", () => {
    const duo = connected();
    const { client, server } = duo;
    const [one, _lost, three] = [1, 2, 3].map((body) => segment(client, body));
    server.receive(one);
    server.receive(three);
    // Sequenced delivery: three is held until two is there.
    expect(server.received(CHAT)).toEqual([1]);
    duo.nowUs += 25 * MS;
    const acks = server.turn(false);
    expect(acked(acks, one.number)).toEqual([one.number, three.number]);
    for (const packet of acks) client.receive(packet);
    const again = untilRepair(duo, client, 1000 * MS);
    expect(new Set(ids(again))).toEqual(new Set([ids([_lost])[0]]));
    expect(again[0].number).toBeGreaterThan(three.number);
    for (const packet of again) server.receive(packet);
    expect(server.received(CHAT)).toEqual([1, 2, 3]);
    duo.rounds(10);
    expect(fates(client)).toEqual([1, 3, 2]);
  });

  test("5.4 segments received out of order: all are acked, and delivered in order, none again", () => {
    const duo = connected();
    const { client, server } = duo;
    const sent = [1, 2, 3, 4].map((body) => segment(client, body));
    for (const place of [0, 2, 1, 3]) server.receive(sent[place]);
    expect(server.received(CHAT)).toEqual([1, 2, 3, 4]);
    const acks = server.turn(false);
    expect(acked(acks, sent[0].number)).toEqual(sent.map(({ number }) => number));
    for (const packet of acks) client.receive(packet);
    const after = Array.from({ length: 100 }, () => {
      duo.nowUs += 10 * MS;
      return client.turn(false);
    }).flat();
    expect(ids(after)).toEqual([]);
    expect(fates(client)).toEqual([1, 2, 3, 4]);
  });

  /**
   * Two seconds for the connection to stand and to know its path, which takes 300 ms each way; then messages
   * 1 to 40, one each 10 ms. The first packets with some ids are lost.
   * The ids of messages that went out, in order, and how many were on their way before the first ack.
   */
  function longPath(duo: Duo, lost: ReadonlySet<number>): { sent: number[]; ahead: number } {
    const line: { atUs: number; to: Side; packet: Packet }[] = [];
    const sent: number[] = [];
    let ahead = 0;
    for (let step = 1; step < 700; step++) {
      const body = step - 200;
      if (body >= 1 && body <= 40) duo.client.send(CHAT, body, { tag: body });
      for (const side of [duo.client, duo.server]) {
        for (const packet of side.turn()) {
          const [id] = side === duo.client ? ids([packet]) : [];
          const isFirst = id !== undefined && !sent.includes(id);
          if (id !== undefined) sent.push(...ids([packet]));
          if (isFirst && lost.has(id)) continue;
          line.push({ atUs: duo.nowUs + 300 * MS, to: duo.other(side), packet });
        }
      }
      duo.nowUs += 10 * MS;
      while (line.length > 0 && line[0].atUs <= duo.nowUs) {
        const { to, packet } = line.shift() as (typeof line)[number];
        to.receive(packet);
      }
      if (fates(duo.client).length === 0) ahead = sent.length;
    }
    return { sent, ahead };
  }

  test("5.5 a long delay path: many segments are on their way before the first ack", () => {
    const duo = open();
    const { sent, ahead } = longPath(duo, new Set());
    expect(ahead).toBe(40);
    expect(sent).toHaveLength(40);
    expect(duo.server.received(CHAT)).toEqual(ALL);
    expect(fates(duo.client)).toEqual(ALL);
  });

  test("5.6 a long delay path with lost segments: those alone ride again, and all come in order", () => {
    const duo = open();
    const lost = new Set([5, 6, 20]);
    const { sent } = longPath(duo, lost);
    expect(sent.slice(40)).toEqual([...lost]);
    expect(duo.server.received(CHAT)).toEqual(ALL);
    expect([...fates(duo.client)].sort((one, two) => one - two)).toEqual(ALL);
  });

  test("5.7 a half-open connection, found when the crashed side comes back", () => {
    const duo = connected();
    const { client, server } = duo;
    // The server crashed: another host, with no memory, gets the client's packets and can't open them.
    const restarted = open();
    for (const packet of [segment(client, 1)]) restarted.server.receive(packet);
    expect(restarted.server.turn()).toEqual([]);
    expect(restarted.server.events).toEqual([]);
    // No RST goes to strangers: silence tells the client, after the token's time-out.
    duo.nowUs += 5001 * MS;
    client.turn(false);
    expect(client.end).toMatchObject({ reason: REASON_TIMED_OUT, local: true });
    expect(server.end).toBeUndefined();
  });

  test("5.8 a half-open connection, found from the active side: NULs that nobody acks", () => {
    const duo = connected();
    const { client, server } = duo;
    // The client is gone without a word; the server asks, and in the end gives up and says so.
    let pings = 0;
    const startUs = duo.nowUs;
    while (server.end === undefined && duo.nowUs < startUs + 10_000 * MS) {
      for (const packet of server.turn(false)) if (kinds(packet).includes("ping")) pings += 1;
      duo.nowUs += 10 * MS;
    }
    expect(pings).toBeGreaterThan(2);
    expect(server.end).toMatchObject({ reason: REASON_TIMED_OUT, local: true });
    expect((duo.nowUs - startUs) / MS).toBeLessThan(5600);
    // A goodbye that does arrive ends it at once: RDP's RST.
    const other = connected();
    other.server.close(REASON_CLOSED, "over");
    for (const packet of other.server.turn()) other.client.receive(packet);
    expect(other.client.end).toMatchObject({ reason: REASON_CLOSED, text: "over", local: false });
    expect(client.end).toBeUndefined();
  });
});
