/**
 * What server and clients share: the protocol, and the messages of its channels.
 *
 * Owns: the channels and how an input and a chat line are written. The state is game.ts's.
 */
import type { ByteReader, ByteWriter } from "../../lib/bytes.js";
import { defineProtocol, realTime, reliable } from "../../lib/index.js";

export const arena = defineProtocol("arena/1", {
  /** Client to server, every tick: what the player does. Copies of the last ones ride along. */
  input: realTime({ redundancy: "high" }),
  /** Server to all, every tick: the whole world. */
  state: realTime(),
  /** Client to server, and server to all: lines that nobody may miss. */
  chat: reliable(),
});

export type Arena = typeof arena;

/** What a player does in one tick. */
export interface Input {
  /** -1, 0 or 1 each. */
  moveX: number;
  moveY: number;
  fire: boolean;
  /** Direction of the gun: 256 steps, 0 to the right, 64 down. */
  aim: number;
}

export function writeInput(writer: ByteWriter, input: Input): void {
  writer
    .bits(input.moveX + 1, 2)
    .bits(input.moveY + 1, 2)
    .bool(input.fire)
    .align()
    .u8(input.aim);
}

/** @returns false for bytes that are no input */
export function readInput(reader: ByteReader, input: Input): boolean {
  input.moveX = reader.bits(2) - 1;
  input.moveY = reader.bits(2) - 1;
  input.fire = reader.bool();
  reader.align();
  input.aim = reader.u8();
  return reader.finish() && input.moveX < 2 && input.moveY < 2;
}

/** Longest chat line, in bytes of UTF-8. */
export const LINE_BYTES_MAX = 120;

export function writeLine(writer: ByteWriter, text: string): void {
  writer.string(text, LINE_BYTES_MAX);
}

/** @returns the line; "" for bytes that are none */
export function readLine(reader: ByteReader): string {
  const text = reader.string(LINE_BYTES_MAX);
  return reader.finish() ? text : "";
}
