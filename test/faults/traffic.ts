/*
 * Owns what is sent under faults: numbered messages on every strategy, and the check that what must
 * arrive does so exactly once and in order, with the bytes that were sent.
 * Never waits, and knows no socket.
 */
import { critical, defineProtocol, realTime, reliable, timeSensitive } from "../../lib/index.js";

export const protocol = defineProtocol("faults/1", {
  state: realTime(),
  shots: timeSensitive({ expiry: "short" }),
  chat: reliable(),
  trade: critical({ expiry: "never" }),
  /** Carries nothing that is looked at: it keeps a link busy. */
  beat: realTime(),
  bulk: reliable(),
});
export type TrafficProtocol = typeof protocol;
export type Channel = TrafficProtocol["channelNames"][number];

/** Channels whose messages all arrive, in order. */
export const SURE = ["chat", "trade"] as const satisfies readonly Channel[];
const isSure = (channel: Channel): boolean => channel === "chat" || channel === "trade";

const HEADER_BYTES = 4;
const FILLER_BYTES_MAX = 700;
/** A prime: sizes go through all values without a rhythm. */
const FILLER_STEP = 37;
const ERRORS_MAX = 20;

/**
 * The message of a number: it says the number, and its bytes follow from it. So does its size, or it is
 * the number alone.
 */
export function message(number: number, small = false): Uint8Array {
  const filler = small ? 0 : (number * FILLER_STEP) % FILLER_BYTES_MAX;
  const bytes = new Uint8Array(HEADER_BYTES + filler);
  new DataView(bytes.buffer).setUint32(0, number);
  for (let index = HEADER_BYTES; index < bytes.length; index++) bytes[index] = number + index;
  return bytes;
}

/** What one end received of one other. */
export class Ledger {
  /** What is wrong with it, the first cases. */
  readonly errors: string[] = [];
  readonly #next = new Map<Channel, number>();

  /** Messages received on a sure channel; on others one more than the newest number. */
  count(channel: Channel): number {
    return this.#next.get(channel) ?? 0;
  }

  take(channel: Channel, bytes: Uint8Array): number {
    const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    const next = this.count(channel);
    if (isSure(channel) ? number !== next : number < next) {
      this.#wrong(`${channel}: ${number} came, ${next} was due`);
    }
    const sent = message(number, bytes.length === HEADER_BYTES);
    if (Buffer.compare(sent, bytes) !== 0) this.#wrong(`${channel}: ${number} has other bytes`);
    this.#next.set(channel, number + 1);
    return number;
  }

  #wrong(what: string): void {
    if (this.errors.length < ERRORS_MAX) this.errors.push(what);
  }
}
