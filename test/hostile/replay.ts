/*
 * Attack 3, a recorded session: everything that was ever said, both ways, is said again ten times: while the session
 * lives, after it ended, from another address, to its own sender, and to a server that was started anew with the same key.
 */
import { HOST_CONNECTED, REJECT_NONE, REJECT_REASONS } from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { CHAT, type Datagram, SECOND, STATE, type World, withWorld, wordsOf } from "./world.js";

export const number = 3;
export const name = "replay";
export const promise =
  "a recorded session, said again ten times, delivers nothing, admits nobody and moves nothing";

const TIMES = 10;
const CLIENT = "10.0.0.2:5000";
const MESSAGES = 200;
/** Datagrams of the recording between two turns. */
const BURST = 64;

function refusals(world: World): number {
  let count = 0;
  for (let reason = REJECT_NONE + 1; reason < REJECT_REASONS; reason++) {
    count += world.rejected(reason);
  }
  return count;
}

/** Says it all again; every datagram must be refused. */
function again(world: World, recording: readonly Datagram[], from: Uint32Array): number {
  const refusedBefore = refusals(world);
  for (const [index, { bytes }] of recording.entries()) {
    world.post(from, bytes);
    if (index % BURST === BURST - 1) world.turn();
  }
  while (world.waiting > 0) world.turn();
  const refused = refusals(world) - refusedBefore;
  checkEqual(refused, recording.length, "replayed datagrams that were refused");
  return refused;
}

/** A session with traffic both ways and a proper end, and its recording on the way in. */
function session(world: World, scale: number): Datagram[] {
  const recording: Datagram[] = [];
  world.onIn = (datagram) => {
    recording.push({ ...datagram, bytes: datagram.bytes.slice() });
    return undefined;
  };
  const answers: Uint8Array[] = [];
  world.onOut = (_to, bytes) => answers.push(bytes.slice());
  const client = world.honestConnected(CLIENT);
  const { peer } = world.server;
  for (let index = 0; index < MESSAGES; index++) {
    client.send(CHAT, Uint8Array.of(index));
    client.send(STATE, Uint8Array.of(index));
    world.server.send(peer, CHAT, Uint8Array.of(index));
    world.step();
  }
  world.run(SECOND);
  // In the middle of the session, to both sides, and what each side itself has said as well.
  const sofar = [...recording];
  world.onIn = undefined;
  world.onOut = undefined;
  const before = {
    server: world.server.of(peer).messages.length,
    client: client.told.messages.length,
  };
  checkEqual(before, { server: 2 * MESSAGES, client: MESSAGES }, "messages of the session");
  for (let time = 0; time < TIMES * scale; time++) {
    again(world, sofar, wordsOf(CLIENT));
    again(
      world,
      answers.map((bytes) => ({ from: wordsOf(CLIENT), bytes })),
      wordsOf(CLIENT),
    );
    for (const bytes of answers) client.take(bytes.slice());
    world.step();
  }
  const after = {
    server: world.server.of(peer).messages.length,
    client: client.told.messages.length,
  };
  checkEqual(after, before, "messages delivered after the replay");
  // It still works, and then it ends.
  client.send(CHAT, Uint8Array.of(1));
  world.run(SECOND);
  checkEqual(world.server.of(peer).messages.length, before.server + 1, "messages after a new one");
  world.onIn = (datagram) => {
    recording.push({ ...datagram, bytes: datagram.bytes.slice() });
    return undefined;
  };
  client.user.close(client.user.peer, 1, "bye");
  world.run(SECOND);
  world.onIn = undefined;
  check(world.server.of(peer).end !== undefined, "the session ended");
  world.honest.length = 0;
  world.recipients.clear();
  return recording;
}

export function run(engine: EngineName, scale: number): Figures {
  const recording = withWorld(engine, {}, (world) => {
    const free = world.memory();
    const recorded = session(world, scale);
    checkEqual(world.memory()[4], free[4], "free slots after the session");
    const connected = world.hostCounter(HOST_CONNECTED);
    for (let time = 0; time < TIMES * scale; time++) {
      again(world, recorded, wordsOf(CLIENT));
      again(world, recorded, wordsOf("10.9.9.9:99"));
      world.step();
    }
    checkEqual(world.hostCounter(HOST_CONNECTED), connected, "connections after the end's replay");
    checkEqual(world.server.peers.length, 1, "peers that the user was told of");
    checkEqual(world.memory(), free, "memory after the end's replay");
    return recorded;
  });
  // The history of tokens went with the process: the request is challenged, and an old response answers no new challenge.
  const challenged = withWorld(engine, { entropy: 6 }, (world) => {
    for (let time = 0; time < TIMES * scale; time++) {
      for (const { bytes } of recording) world.post(CLIENT, bytes);
      while (world.waiting > 0) world.turn();
      world.step();
    }
    checkEqual(world.hostCounter(HOST_CONNECTED), 0, "connections that a restarted server admits");
    checkEqual(world.server.peers.length, 0, "peers of a restarted server");
    const { bytesIn, bytesOut } = world.trafficOf(CLIENT);
    check(bytesOut <= bytesIn, "a replayed request gets no more bytes than it has", {
      bytesIn,
      bytesOut,
    });
    return world.trafficOf(CLIENT).datagramsOut;
  });
  return {
    recorded: recording.length,
    times: TIMES * scale,
    "challenges of a restarted server": challenged,
  };
}
