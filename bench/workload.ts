/*
 * The workload of the benchmark, a game server's tick, as all of its servers and clients know it.
 *
 * Each tick every client sends an input; the server takes all, sends each client one state, and each
 * tenth tick a short reliable message.
 * Owns: the channels, the heads of messages, and the sizes unless the user says otherwise.
 * Invariants: bench/native/control.h has the same heads, and takes channel 0 for inputs.
 */
import { defineProtocol, realTime, reliable } from "../lib/index.js";

/** Kinds of a message, in its first byte. Bytes 4 to 7 are the client's number, where it has one. */
export const KIND_INPUT = 1;
export const KIND_STATE = 2;
export const KIND_RELIABLE = 3;
/** Where a reliable message has the time of its sending: µs of the monotonic clock, 8 bytes. */
export const RELIABLE_TIME_OFFSET = 8;
export const MESSAGE_HEAD_BYTES = 8;
export const RELIABLE_HEAD_BYTES = 16;
/** The longest message that every row carries in one packet. */
export const WORKLOAD_BYTES_MAX = 1100;

export const INPUT_BYTES = 40;
export const STATE_BYTES = 200;
export const RELIABLE_BYTES = 32;
/** A reliable message goes with each state of this number. */
export const RELIABLE_EVERY = 10;

/** What netrt's rows speak. */
export const workload = defineProtocol("bench/1", {
  input: realTime(),
  state: realTime(),
  event: reliable(),
});

/** A tick's messages, made once: their content is what a row's server writes into them. */
export class Messages {
  readonly state: Buffer;
  readonly reliable: Buffer;

  constructor(stateBytes: number, reliableBytes: number) {
    this.state = Buffer.alloc(stateBytes);
    this.state[0] = KIND_STATE;
    this.reliable = Buffer.alloc(reliableBytes);
    this.reliable[0] = KIND_RELIABLE;
  }

  /** Writes the time of its sending into the reliable message. */
  stamp(): void {
    const us = Math.floor(Number(process.hrtime.bigint()) / 1000);
    this.reliable.writeUInt32LE(us % 2 ** 32, RELIABLE_TIME_OFFSET);
    this.reliable.writeUInt32LE(Math.floor(us / 2 ** 32), RELIABLE_TIME_OFFSET + 4);
  }
}
