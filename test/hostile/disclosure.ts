/*
 * Attack 22, memory disclosure: nothing goes out but what was meant for who gets it. An insider opens everything that it
 * gets, down to the last byte of each body, after the server's memory was filled with other peers' secrets: messages,
 * texts, user data, keys. Every body must be exactly what the protocol puts there.
 */

import { jsEngine } from "../engine-probe-js.js";
import type { EngineName } from "../engines.js";
import { type FrameValue, readPayload } from "../payload.js";
import {
  KEY_BYTES,
  mintReferenceToken,
  openChallengeToken,
  PACKET_TYPES,
  USER_DATA_BYTES,
} from "../peers/netcode.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { close, hello, last, NO_ACK, payload, REASONS } from "./wire.js";
import { CHAT, SECOND, SERVER, SHOTS, STATE, TRADE, type World, withWorld } from "./world.js";

export const number = 22;
export const name = "disclosure";
export const promise =
  "every byte that an insider opens is what the protocol puts there: nothing of other peers, nothing of old packets";

/** What other peers say, and what freed memory is full of. */
const SECRET = 0xa7;
/** As many in a row are no chance. */
const RUN = 4;
const ENTROPY = 5;
const PEERS = 16;

const secret = (bytes: number) => new Uint8Array(bytes).fill(SECRET);

function secretToken(world: World, clientId: bigint, fill: number): Buffer {
  return mintReferenceToken({
    protocolId: world.protocol.id,
    privateKey: world.key,
    clientId,
    servers: [SERVER],
    createTimestamp: BigInt(world.unixSeconds),
    userData: new Uint8Array(USER_DATA_BYTES).fill(fill),
    timeoutSeconds: 5,
  });
}

/** Fills pools, rings, packets and slots with secrets, and frees them again. */
function fillMemory(world: World): void {
  const others = Array.from({ length: PEERS - 1 }, (_, index) =>
    new Insider(
      world,
      `10.0.2.${index}:1`,
      secretToken(world, 100n + BigInt(index), SECRET),
    ).connected(),
  );
  for (let round = 0; round < 20; round++) {
    for (const other of others) {
      for (const channel of [STATE, SHOTS, CHAT, TRADE]) {
        world.server.send(other.peer, channel, secret(1100));
        other.say(other.trueAck(), last(channel, round, secret(1100)));
      }
    }
    world.step();
  }
  world.run(SECOND, () => {
    for (const other of others) other.say(other.trueAck());
  });
  for (const other of others) world.server.close(other.peer, 1, "\u00a7".repeat(60));
  for (const other of others) other.say(NO_ACK, close(REASONS.closed, "\u00a7".repeat(60)));
  world.run(2 * SECOND);
}

/** The challenge's sealed part opens with the host's key, and holds this client's own data. */
function challengeTold(body: Buffer, clientId: bigint, fill: number): void {
  const sequence = body.readBigUInt64LE(0);
  const key = new Uint8Array(KEY_BYTES).fill(ENTROPY);
  const token = openChallengeToken(body.subarray(8), sequence, key);
  check(token !== undefined, "a challenge is sealed with the host's own key");
  checkEqual(token.clientId, clientId, "the client that a challenge is for");
  const own = Buffer.alloc(USER_DATA_BYTES, fill);
  check(token.userData.equals(own), "a challenge holds this client's user data");
}

const varintBytes = (value: number): number => (value < 128 ? 1 : 1 + varintBytes(value >>> 7));

/** The bytes that a frame takes. */
function frameBytes(frame: FrameValue, isLast: boolean): number {
  switch (frame.kind) {
    case "hello":
      return 48 + 4 * frame.hashes.length;
    case "foreign hello":
      return 2 + frame.rest.length;
    case "skip":
    case "window":
      return 4;
    case "layout":
      return 2 + varintBytes(frame.body.length) + frame.body.length;
    case "close":
      return 3 + frame.text.length;
    case "ping":
      return 1;
    case "challenge":
    case "response":
      return 1 + frame.proof.length;
    case "age":
      return 1 + varintBytes(frame.ms);
    case "nack":
      return 5 + frame.bits.length;
    case "fragment":
      return 4 + varintBytes(frame.index) + varintBytes(frame.total) + frame.body.length;
    case "block":
      return 6 + varintBytes(frame.index) + varintBytes(frame.total) + frame.body.length;
    case "message": {
      const { length } = frame.body;
      const lengthBytes = length < 128 ? 1 : 2;
      return 3 + (isLast ? 0 : lengthBytes) + length;
    }
  }
}

/** The bytes of a payload that its frames account for. */
function accounted(frames: readonly FrameValue[], ackBytes: number): number {
  return frames.reduce(
    (bytes, frame, index) => bytes + frameBytes(frame, index === frames.length - 1),
    ackBytes,
  );
}

function hasSecret(body: Uint8Array): boolean {
  let run = 0;
  for (const byte of body) {
    run = byte === SECRET ? run + 1 : 0;
    if (run === RUN) return true;
  }
  return false;
}

/** Everything that came, byte by byte; how many bytes that were. */
function inspected(
  spy: Insider,
  clientId: bigint,
  fill: number,
  sent: ReadonlySet<string>,
): number {
  let bytes = 0;
  checkEqual(spy.unopened, 0, "packets that the insider can't open");
  for (const { type, body } of spy.packets) {
    bytes += body.length;
    if (type === PACKET_TYPES.challenge) {
      challengeTold(body, clientId, fill);
      continue;
    }
    check(
      !hasSecret(body),
      `no other peer's bytes in a packet of type ${type}`,
      body.toString("hex"),
    );
    if (type === PACKET_TYPES.keepAlive) {
      checkEqual(body.readUInt32LE(4), PEERS, "a keep-alive's slots");
      check(body.readUInt32LE(0) < PEERS, "a keep-alive's slot", body.readUInt32LE(0));
    } else if (type === PACKET_TYPES.payload) {
      const value = readPayload(jsEngine, body);
      check(value !== null, "a payload is canonical", body.toString("hex"));
      const ackBytes = value.ack === null ? 1 : 5 + value.ack.bits.length;
      checkEqual(
        accounted(value.frames, ackBytes),
        body.length,
        "bytes of a payload in its frames",
      );
      for (const frame of value.frames) {
        if (frame.kind !== "message") continue;
        const text = Buffer.from(frame.body).toString("hex");
        check(sent.has(text), "a message is one that was sent to this peer", text);
      }
    }
  }
  return bytes;
}

export function run(engine: EngineName): Figures {
  return withWorld(engine, { peersMax: PEERS, entropy: ENTROPY }, (world) => {
    fillMemory(world);
    let bytes = 0;
    let packets = 0;
    for (const [index, fill] of [0x11, 0x22].entries()) {
      const clientId = 7000n + BigInt(index);
      const spy = new Insider(
        world,
        `10.0.3.${index}:1`,
        secretToken(world, clientId, fill),
      ).connected();
      const sent = new Set<string>();
      // Short messages into pieces of memory that were full.
      for (let round = 0; round < 60; round++) {
        for (const channel of [STATE, SHOTS, CHAT, TRADE]) {
          const body = new Uint8Array((round * 7 + channel) % 300).fill(round);
          sent.add(Buffer.from(body).toString("hex"));
          world.server.send(spy.peer, channel, body);
        }
        // Now and then it asks for repeats, holes and skips.
        if (round % 5 !== 0) spy.say(spy.trueAck(), last(CHAT, 2 * round, Uint8Array.of(1)));
        world.step();
      }
      world.run(SECOND, () => spy.say(NO_ACK));
      spy.say(payload(spy.trueAck(), hello(world.protocol)), Uint8Array.of(0xff));
      world.run(SECOND);
      bytes += inspected(spy, clientId, fill, sent);
      packets += spy.packets.length;
    }
    // A stranger's denial and a refused response say nothing either.
    const full = Array.from({ length: PEERS }, (_, index) =>
      new Insider(world, `10.0.4.${index}:1`).admitted(),
    );
    const late = new Insider(world, "10.0.5.1:1");
    late.post(late.request());
    world.step();
    const denied = late.packets.filter(({ type }) => type === PACKET_TYPES.denied);
    checkEqual(
      denied.map(({ body }) => body.length),
      [0],
      "bytes of a denial's body",
    );
    return { packets, "bytes opened": bytes, "slots taken at the end": full.length };
  });
}
