/*
 * Attack 7, hoarding with blocks: blocks that begin and never end, one after the other; whose length, number or place
 * changes on the way; that are given up as fast as packets go; longer than the policy has it, or where none may be. What
 * puts blocks together holds the beginning of one for a channel, whatever length it was told; a lie ends the connection.
 */
import { Assemblies } from "../../lib/assembly.js";
import { critical, defineProtocol, realTime, reliable, timeSensitive } from "../../lib/index.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { block, PING, REASONS } from "./wire.js";
import { CHAT, SECOND, STATE, TRADE, type World, withWorld } from "./world.js";

export const number = 7;
export const name = "blocks";
export const promise =
  "blocks that never end hold the first 64 KiB of one a channel, those that are given up nothing, and lies end the connection";

const BLOCK_BYTES = 1_048_576;
const protocol = defineProtocol("hostile-blocks/1", {
  state: realTime(),
  shots: timeSensitive({ expiry: "short" }),
  chat: reliable({ blockBytesMax: BLOCK_BYTES }),
  trade: critical({ blockBytesMax: BLOCK_BYTES }),
});
/** Of a full payload. */
const PIECE = new Uint8Array(1024);
const PIECES = BLOCK_BYTES / PIECE.length;
const NOTHING = new Uint8Array(0);
/** What a block's memory is at first. */
const FIRST_BYTES = 65_536;
const BLOCKS = 600;
/** Pieces that give a block up, in one packet. */
const GIVEN_UP = 60;

/** Each of these ends the connection of who says it. */
function refused(world: World): number {
  const lies = [
    block(CHAT, 0, 0, 0, BLOCK_BYTES + 1, PIECE),
    block(CHAT, 0, 0, 0, BLOCK_BYTES, PIECE.subarray(1)),
    block(CHAT, 0, 0, PIECES - 1, BLOCK_BYTES, new Uint8Array(1)),
    block(CHAT, 0, 0, PIECES + 1, BLOCK_BYTES, NOTHING),
    block(CHAT, 0, 0, 0, 0, NOTHING),
    block(CHAT, 0, 0, 1, 2000, new Uint8Array(2000 - 1024 + 1)),
    block(STATE, 0, 0, 0, 1024, PIECE),
  ];
  lies.forEach((lie, index) => {
    const liar = new Insider(world, `10.0.2.${index}:1`).connected();
    liar.say(liar.trueAck(), lie);
    world.step();
    checkEqual(liar.end?.reason, REASONS.violation, `the end of lie ${index}`);
  });
  world.run(SECOND);
  return lies.length;
}

export function run(engine: EngineName, scale: number): Figures {
  return withWorld(engine, { protocol }, (world) => {
    const client = world.honestConnected("10.0.0.2:5000");
    const { peer } = world.server;
    const lies = refused(world);
    const free = world.memory();
    const hoarder = new Insider(world, "10.0.1.1:1").connected();
    hoarder.keep = false;
    const assemblies = new Assemblies([
      { order: "sequenced" },
      { order: "ordered" },
      { order: "ordered" },
      { order: "ordered" },
    ]);
    let pieces = 0;
    let whole = 0;
    let mostBytes = 0;
    world.server.onBlock = (its, channel, part) => {
      if (its !== hoarder.peer) return;
      pieces += 1;
      if (assemblies.channel(channel).block(part) !== null) whole += 1;
      mostBytes = Math.max(mostBytes, assemblies.bytes);
    };
    let sent = 0;
    const ids = [0, 0, 0, 0];
    const say = (...parts: readonly Uint8Array[]) => {
      hoarder.say(hoarder.trueAck(), ...parts);
      client.send(CHAT, Uint8Array.of(sent));
      sent += 1;
      world.step();
    };
    const begin = (channel: number, its: number, index: number, total: number) =>
      block(channel, ids[channel]++, its, index, total, PIECE);
    // Begun, one after the other, on both channels.
    for (let its = 0; its < BLOCKS * scale; its++) {
      say(begin(its % 2 === 0 ? CHAT : TRADE, its >> 1, 0, BLOCK_BYTES));
    }
    check(mostBytes <= 2 * FIRST_BYTES, "the beginning of one block a channel is held", mostBytes);
    const begun = pieces;
    checkEqual(begun, BLOCKS * scale, "beginnings that came through");
    // Of another length, at another place, under an earlier number, piece by piece.
    for (let turn = 0; turn < 50; turn++) {
      say(begin(CHAT, 9000, 0, BLOCK_BYTES));
      say(begin(CHAT, 9000, 1, BLOCK_BYTES - 1));
      say(begin(CHAT, 9000, 5, BLOCK_BYTES));
      say(begin(CHAT, 8999, 1, BLOCK_BYTES));
    }
    check(mostBytes <= 2 * FIRST_BYTES, "nor more where it changes on the way", mostBytes);
    // Given up, as many as fit a packet.
    const storm = BLOCKS * scale;
    for (let packet = 0; packet < storm; packet++) {
      const parts = Array.from({ length: GIVEN_UP }, (_, index) =>
        block(CHAT, ids[CHAT]++, packet * GIVEN_UP + index, PIECES, BLOCK_BYTES, NOTHING),
      );
      say(...parts.map((part) => part), PING);
    }
    checkEqual(pieces, begun + 200 + storm * GIVEN_UP, "pieces that came through");
    checkEqual(whole, 0, "blocks that became whole");
    checkEqual(hoarder.end, undefined, "the end of who begins blocks");
    check(assemblies.bytes <= 2 * FIRST_BYTES, "what is held in the end", assemblies.bytes);
    world.run(SECOND);
    const expected = Array.from({ length: sent }, (_, index) => index & 255);
    checkEqual(world.server.of(peer).bytes(CHAT), expected, "what the honest neighbour said");
    world.server.close(hoarder.peer, 1);
    world.run(2 * SECOND);
    checkEqual(world.memory().slice(0, 2), free.slice(0, 2), "memory once it is gone");
    return {
      "lies refused": lies,
      "blocks begun": begun,
      "given up": storm * GIVEN_UP,
      "assembly bytes, most": mostBytes,
    };
  });
}
