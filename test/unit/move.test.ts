/*
 * A client whose address changes: when it asks, what a server asks of it, when the connection moves,
 * and what begins anew; and that nothing less than a proof moves it.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import {
  CONGESTION_WINDOW_INITIAL,
  PATH_PACKET_BYTES,
  PATH_PROOF_US,
} from "../../lib/engine/limits.js";
import { RECORD_CLOSE } from "../../lib/engine/ring.js";
import { REASON_CLOSED, REASON_TIMED_OUT, REASON_VIOLATION } from "../../lib/engine/state.js";
import {
  PEER_MOVES,
  PEER_RTT_US,
  PEER_WINDOW_BYTES,
  REJECT_ADDRESS,
  REJECT_REPLAY,
  REJECT_SEAL,
  statsPeerWord,
} from "../../lib/engine/stats.js";
import { engines } from "../engines.js";
import {
  CHAT,
  entropyOf,
  type Honest,
  MS,
  SECOND,
  STEP_US,
  World,
  wordsOf,
} from "../hostile/world.js";
import { simPush } from "../hosts.js";
import { decodePublicToken } from "../peers/netcode.js";
import { KeyPairs, MOVING_PREFIX, type Opened, Tap } from "../tap.js";

const HOME = "10.0.0.2:5000";
const AWAY = "10.0.0.2:5001";
const FAR = "10.9.9.9:6000";
const OTHER = "10.0.0.3:5000";
const PING = 4;
const CHALLENGE = 0x0b;
const RESPONSE = 0x0c;
const NO_ACK = 0;

/** One packet on its way, opened by who sees both ends. */
interface Seen {
  readonly address: string;
  readonly bytes: Uint8Array;
  readonly opened: Opened | undefined;
}

const framesOf = ({ opened }: Seen): Buffer => {
  const { body } = opened as Opened;
  return body[0] === 0 ? body.subarray(1) : body.subarray(5 + (body[0] & 0x3f));
};

/** A world with one client that is connected, and everything that goes to and fro from then on. */
class Scene {
  readonly world: World;
  readonly client: Honest;
  readonly tap: Tap;
  readonly up: Seen[] = [];
  readonly down: Seen[] = [];
  /** Says which packets get lost. */
  loses: (fromClient: boolean, seen: Seen) => boolean = () => false;

  constructor(engine: "js" | "native", timeoutSeconds = 5) {
    this.world = new World(engine);
    onTestFinished(() => this.world.close());
    const { world } = this;
    const token = world.token({ timeoutSeconds });
    const open = decodePublicToken(token);
    if (open === undefined) throw new Error("a token can't be read");
    this.tap = new Tap(open, new KeyPairs(entropyOf(3), entropyOf(5)));
    world.onIn = ({ from, bytes }) => {
      const seen = { address: from.join(), bytes, opened: this.tap.see(bytes, true) };
      this.up.push(seen);
      return this.loses(true, seen) ? "kept" : undefined;
    };
    world.onOut = (to, bytes) => {
      this.down.push({ address: to.join(), bytes, opened: this.tap.see(bytes, false) });
    };
    this.client = world.honestClient(HOME, token);
    const { client } = this;
    const take = client.take.bind(client);
    client.take = (bytes) => {
      const seen = this.down.findLast((one) => one.bytes === bytes) as Seen;
      if (!this.loses(false, seen)) take(bytes);
    };
    world.until("the client connects", () => client.connected);
    world.run(500 * MS);
    this.up.length = 0;
    this.down.length = 0;
  }

  get peer(): number {
    return this.world.server.peers[0];
  }

  get told() {
    return this.world.server.of(this.peer);
  }

  get moving(): Seen[] {
    return this.up.filter(({ bytes }) => bytes[0] === MOVING_PREFIX);
  }

  get challenges(): Seen[] {
    return this.down.filter((one) => one.opened?.type === 5 && framesOf(one)[0] === CHALLENGE);
  }

  /** Where the server's packets went since. */
  get targets(): string[] {
    return [...new Set(this.down.map(({ address }) => address))];
  }

  /** What a client with these keys may send: a moving packet with frames behind no acks. */
  forge(frames: readonly number[], ahead = 1): Buffer {
    const number = BigInt(this.tap.highest(true) + ahead);
    return this.tap.sealSession(true, number, Uint8Array.of(NO_ACK, ...frames), this.tap.path);
  }

  /** The client itself is silent from now on: what is forged has its numbers. */
  mute(): void {
    this.world.honest.splice(this.world.honest.indexOf(this.client), 1);
    this.world.leave(this.client);
    onTestFinished(() => this.client.user.host.close());
  }

  /** Both say a number a step; so many steps. */
  talk(steps: number): void {
    for (let step = 0; step < steps; step++) {
      this.client.send(CHAT, Uint8Array.of(step));
      this.world.server.send(this.peer, CHAT, Uint8Array.of(step));
      this.world.step();
    }
  }

  clientWord(word: number): number {
    return this.client.user.host.page[statsPeerWord(this.client.user.peer & 0xffff) + word];
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index & 255);

describe.each(engines)("a client at another address: %s", (engine) => {
  test("R-71: goes on within a second, in order, each message once", () => {
    const scene = new Scene(engine);
    const { world, client } = scene;
    scene.talk(50);
    client.rebind(AWAY);
    const downBefore = scene.down.length;
    scene.talk(100);
    world.run(SECOND);
    expect(scene.told.bytes(CHAT)).toEqual([...numbers(50), ...numbers(100)]);
    expect(client.told.bytes(CHAT)).toEqual([...numbers(50), ...numbers(100)]);
    expect(scene.told.moves).toEqual([wordsOf(AWAY).join()]);
    expect(scene.told.end ?? client.told.end).toBeUndefined();
    const first = scene.down
      .slice(downBefore)
      .findIndex(({ address }) => address !== wordsOf(HOME).join());
    expect(framesOf(scene.down[downBefore + first])[0]).toBe(CHALLENGE);
    // Nothing goes to the old address once the new one is proven.
    scene.down.length = 0;
    scene.talk(10);
    expect(scene.targets).toEqual([wordsOf(AWAY).join()]);
    expect(world.peerWord(scene.peer, PEER_MOVES)).toBe(1);
    expect(scene.clientWord(PEER_MOVES)).toBe(1);
  });

  test("R-69: asks within 250 ms of traffic, and a second more where it is quiet", () => {
    for (const [talks, limitUs] of [
      [true, 500 * MS],
      [false, 1500 * MS],
    ] as const) {
      const scene = new Scene(engine);
      const { world, client } = scene;
      if (!talks) world.run(10 * SECOND);
      client.rebind(AWAY);
      const took = world.until(
        "it moves",
        () => scene.told.moves.length === 1,
        5 * SECOND,
        () => {
          if (talks) client.send(CHAT, Uint8Array.of(1));
        },
      );
      expect(took).toBeLessThanOrEqual(limitUs);
      expect(took).toBeGreaterThanOrEqual(250 * MS);
    }
  });

  test("R-69: who is answered sends no moving packet, however quiet", () => {
    const scene = new Scene(engine);
    scene.world.run(20 * SECOND);
    scene.talk(100);
    scene.world.run(5 * SECOND);
    expect(scene.moving).toEqual([]);
    expect(scene.up.length).toBeGreaterThan(100);
  });

  test("R-69: an outage is harmless: few packets, no challenge, and on it goes", () => {
    const scene = new Scene(engine, 30);
    const { world, client } = scene;
    scene.loses = () => true;
    scene.talk(100);
    world.run(6 * SECOND);
    // After 250 ms, and as long again, twice as long, then each second.
    expect(scene.moving.length).toBeGreaterThan(6);
    expect(scene.moving.length).toBeLessThanOrEqual(9);
    scene.loses = () => false;
    world.run(4 * SECOND);
    expect(scene.challenges).toEqual([]);
    expect(scene.told.bytes(CHAT)).toEqual(numbers(100));
    expect(client.told.bytes(CHAT)).toEqual(numbers(100));
    expect(world.peerWord(scene.peer, PEER_MOVES) + scene.clientWord(PEER_MOVES)).toBe(0);
    // From the address that it knows a server takes it as any other packet.
    expect(scene.targets).toEqual([wordsOf(HOME).join()]);
  });

  test.each(["moving packet", "challenge", "response", "half of all packets"])(
    "R-70: a %s that is lost is followed by another",
    (what) => {
      const scene = new Scene(engine, 30);
      const { world, client } = scene;
      let lost = 0;
      scene.loses = (fromClient, seen) => {
        const frame = seen.opened?.type === 5 ? framesOf(seen)[0] : 0;
        const isMoving = seen.bytes[0] === MOVING_PREFIX;
        const kind = fromClient
          ? isMoving && (frame === RESPONSE ? "response" : "moving packet")
          : frame === CHALLENGE && "challenge";
        const half = what === "half of all packets";
        const meant = half ? world.random.chance(50) : kind === what && lost === 0;
        lost += meant ? 1 : 0;
        return meant;
      };
      client.rebind(AWAY);
      client.send(CHAT, Uint8Array.of(7));
      world.until("it moves", () => scene.told.moves.length === 1, 10 * SECOND);
      world.until("it is heard", () => scene.told.bytes(CHAT).length === 1, 5 * SECOND);
      expect(lost).toBeGreaterThan(0);
      // The same proof for the same address, however often it is asked for.
      const asked = new Set(scene.challenges.map((one) => framesOf(one).toString("hex")));
      expect(asked.size).toBe(1);
      expect(scene.clientWord(PEER_MOVES)).toBe(1);
    },
  );

  test("R-70: another address in the meantime takes the candidate's place", () => {
    const scene = new Scene(engine);
    const { world, client } = scene;
    client.rebind(AWAY);
    world.until("it is asked", () => scene.challenges.length === 1, 5 * SECOND);
    client.rebind(FAR);
    world.until("it moves", () => scene.told.moves.length === 1, 5 * SECOND);
    const asked = scene.challenges.map((one) => framesOf(one).toString("hex"));
    expect(scene.told.moves).toEqual([wordsOf(FAR).join()]);
    expect(new Set(asked).size).toBe(asked.length);
    // And there and back again, as often as it likes.
    for (const [index, address] of [HOME, AWAY, HOME].entries()) {
      client.rebind(address);
      world.until("it moves again", () => scene.told.moves.length === index + 2, 5 * SECOND);
    }
    scene.talk(5);
    world.run(SECOND);
    expect(scene.told.bytes(CHAT)).toEqual(numbers(5));
  });

  test("R-71: two clients that change their addresses for each other's both go on", () => {
    const scene = new Scene(engine);
    const { world, client } = scene;
    const other = world.honestConnected(OTHER);
    const otherPeer = world.server.peer;
    client.rebind(FAR);
    other.rebind(HOME);
    client.rebind(OTHER);
    scene.talk(50);
    other.send(CHAT, Uint8Array.of(66));
    world.server.send(otherPeer, CHAT, Uint8Array.of(77));
    world.run(3 * SECOND);
    expect(scene.told.moves).toEqual([wordsOf(OTHER).join()]);
    expect(world.server.of(otherPeer).moves).toEqual([wordsOf(HOME).join()]);
    expect(scene.told.bytes(CHAT)).toEqual(numbers(50));
    expect(client.told.bytes(CHAT)).toEqual(numbers(50));
    expect(world.server.of(otherPeer).bytes(CHAT)).toEqual([66]);
    expect(other.told.bytes(CHAT)).toEqual([77]);
    expect(world.rejected(REJECT_SEAL)).toBeGreaterThan(0);
  });

  test("R-71: whose address another got is found by its path id alone, and leaves no trace", () => {
    const scene = new Scene(engine, 2);
    const { world, client } = scene;
    const other = world.honestConnected(OTHER);
    world.leave(other);
    client.rebind(OTHER);
    world.until("it moves", () => scene.told.moves.length === 1, 5 * SECOND);
    const otherPeer = world.server.peer;
    world.until(
      "the other is missed",
      () => world.server.of(otherPeer).end !== undefined,
      10 * SECOND,
    );
    expect(world.server.of(otherPeer).end?.reason).toBe(REASON_TIMED_OUT);
    world.run(SECOND);
    scene.talk(3);
    world.run(SECOND);
    expect(scene.told.bytes(CHAT)).toEqual(numbers(3));
    // A third one may have its slot and come from where the first was.
    world.honest.splice(world.honest.indexOf(other), 1)[0].user.host.close();
    const third = world.honestConnected(HOME);
    third.send(CHAT, Uint8Array.of(5));
    world.run(SECOND);
    expect(world.server.of(world.server.peer).bytes(CHAT)).toEqual([5]);
  });

  test("R-72: on the new way nothing is known of the way, and the old one says nothing of it", () => {
    const scene = new Scene(engine);
    const { world, client } = scene;
    scene.talk(100);
    scene.loses = () => true;
    scene.talk(100);
    expect(world.peerWord(scene.peer, PEER_WINDOW_BYTES)).toBeLessThan(CONGESTION_WINDOW_INITIAL);
    scene.loses = (_, seen) => seen.bytes[0] !== MOVING_PREFIX && framesOf(seen)[0] !== CHALLENGE;
    client.rebind(AWAY);
    world.until("it moves", () => scene.told.moves.length === 1, 5 * SECOND);
    for (const read of [
      (word: number) => world.peerWord(scene.peer, word),
      (word: number) => scene.clientWord(word),
    ]) {
      expect(read(PEER_WINDOW_BYTES)).toBe(CONGESTION_WINDOW_INITIAL);
      expect(read(PEER_RTT_US)).toBe(0);
    }
    scene.loses = () => false;
    scene.talk(20);
    world.run(2 * SECOND);
    expect(world.peerWord(scene.peer, PEER_RTT_US)).toBeGreaterThan(0);
    expect(world.peerWord(scene.peer, PEER_RTT_US)).toBeLessThanOrEqual(2 * STEP_US);
    // 200 losses of the old way are no losses of this one.
    expect(world.peerWord(scene.peer, PEER_WINDOW_BYTES)).toBeGreaterThanOrEqual(
      CONGESTION_WINDOW_INITIAL,
    );
    expect(scene.told.bytes(CHAT)).toEqual([...numbers(100), ...numbers(100), ...numbers(20)]);
  });

  test("R-71: a connection that drains moves as well", () => {
    const scene = new Scene(engine);
    const { world, client } = scene;
    client.rebind(AWAY);
    world.server.send(scene.peer, CHAT, Uint8Array.of(9));
    world.step();
    simPush(world.server.host, RECORD_CLOSE, [scene.peer, 0, REASON_CLOSED, 1], new Uint8Array(0));
    client.send(CHAT, Uint8Array.of(8));
    world.until("it is over", () => client.told.end !== undefined, 4 * SECOND);
    expect(client.told.end?.reason).toBe(REASON_CLOSED);
    expect(client.told.bytes(CHAT)).toEqual([9]);
    expect(scene.told.moves).toEqual([wordsOf(AWAY).join()]);
  });

  test("one that says goodbye does not move", () => {
    const scene = new Scene(engine);
    const { world, client } = scene;
    client.rebind(AWAY);
    world.server.send(scene.peer, CHAT, Uint8Array.of(9));
    world.step();
    world.server.close(scene.peer, REASON_CLOSED);
    world.run(2 * SECOND);
    expect(scene.challenges).toEqual([]);
    expect(scene.told.moves).toEqual([]);
  });
});

describe.each(engines)("nothing but a proof moves a connection: %s", (engine) => {
  /** What an attacker does once the client's moving packet was kept from the server. */
  function stolen(): { scene: Scene; packet: Uint8Array } {
    const scene = new Scene(engine);
    scene.loses = () => true;
    scene.talk(1);
    scene.world.until("it asks", () => scene.moving.length > 0, 5 * SECOND);
    scene.loses = () => false;
    return { scene, packet: scene.moving[0].bytes };
  }

  test("R-71: a moving packet that somebody else brings first draws one challenge, no more", () => {
    const { scene, packet } = stolen();
    const { world, client } = scene;
    world.post(FAR, packet);
    world.post(FAR, packet);
    world.post(HOME, packet);
    scene.talk(20);
    world.run(SECOND);
    const { datagramsOut, bytesOut, bytesIn } = world.trafficOf(FAR);
    expect(datagramsOut).toBe(1);
    expect(bytesOut).toBe(PATH_PACKET_BYTES);
    expect(bytesOut).toBeLessThanOrEqual(bytesIn / 2);
    expect(world.rejected(REJECT_REPLAY)).toBe(2);
    expect(scene.told.moves).toEqual([]);
    expect(client.told.bytes(CHAT)).toEqual([0, ...numbers(20)]);
    expect(scene.told.bytes(CHAT)).toEqual([0, ...numbers(20)]);
  });

  test("R-70: older ones, and those with a path id of nobody's, draw none", () => {
    const { scene, packet } = stolen();
    const { world } = scene;
    world.run(100 * MS);
    scene.talk(5);
    const before = world.rejected(REJECT_ADDRESS);
    world.post(FAR, packet);
    const forged = packet.slice();
    for (let index = 0; index < 200; index++) {
      forged.set([index, 1, 2, 3], 4);
      world.post(FAR, forged);
    }
    world.run(SECOND);
    expect(world.trafficOf(FAR).datagramsOut).toBe(0);
    expect(world.rejected(REJECT_ADDRESS) - before).toBe(200);
    expect(world.rejected(REJECT_SEAL)).toBe(0);
    expect(scene.told.moves).toEqual([]);
  });

  test("R-70: a packet that is shorter than a challenge draws none", () => {
    const scene = new Scene(engine);
    const { world } = scene;
    scene.mute();
    const short = scene.forge([]);
    expect(short.length).toBe(PATH_PACKET_BYTES - 1);
    world.post(FAR, short);
    world.step();
    expect(scene.challenges).toEqual([]);
    world.post(FAR, scene.forge([PING]));
    world.step();
    expect(scene.challenges.length).toBe(1);
  });

  test("R-71: the right proof counts from the candidate, in its moving packets, for 5 s", () => {
    const scene = new Scene(engine, 30);
    const { world } = scene;
    scene.mute();
    const ask = () => {
      scene.down.length = 0;
      world.post(FAR, scene.forge([PING]));
      world.step();
      return [...framesOf(scene.challenges[0]).subarray(1, 9)];
    };
    const proof = ask();
    const attempts: [from: string, bytes: () => Uint8Array][] = [
      [FAR, () => scene.forge([RESPONSE, ...proof.map((byte) => byte ^ 1)])],
      [AWAY, () => scene.forge([RESPONSE, ...proof])],
      [HOME, () => scene.forge([RESPONSE, ...proof])],
    ];
    for (const [from, bytes] of attempts) {
      world.post(from, bytes());
      world.step();
      expect(scene.told.moves).toEqual([]);
    }
    // Another address is the candidate now; back at the first the proof is another one.
    expect(ask()).not.toEqual(proof);
    const fresh = ask();
    world.run(PATH_PROOF_US);
    world.post(FAR, scene.forge([RESPONSE, ...fresh]));
    world.step();
    expect(scene.told.moves).toEqual([]);
    const last = ask();
    expect(last).not.toEqual(fresh);
    world.post(FAR, scene.forge([RESPONSE, ...last]));
    world.step();
    expect(scene.told.moves).toEqual([wordsOf(FAR).join()]);
    expect(scene.told.end).toBeUndefined();
  });

  test("R-70: a challenge to a server and a response to a client are violations", () => {
    const proof = [1, 2, 3, 4, 5, 6, 7, 8];
    const toServer = new Scene(engine);
    toServer.world.post(HOME, toServer.forge([CHALLENGE, ...proof]));
    toServer.world.run(SECOND);
    expect(toServer.told.end?.reason).toBe(REASON_VIOLATION);
    const toClient = new Scene(engine);
    const number = BigInt(toClient.tap.highest(false) + 1);
    const body = Uint8Array.of(NO_ACK, RESPONSE, ...proof);
    toClient.client.take(toClient.tap.sealSession(false, number, body));
    toClient.world.run(SECOND);
    expect(toClient.client.told.end?.reason).toBe(REASON_VIOLATION);
  });
});
