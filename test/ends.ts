/*
 * Owns one end of a link as far as packets go, for the tests of acks: sends numbers, receives numbers, tells verdicts.
 * Never adds a rule: what it answers is an engine's.
 */
import { ACKS_FIELDS, type EndHandle, type EngineProbe, RTT_FIELDS } from "./engine-probe.js";

type AcksFields = Record<(typeof ACKS_FIELDS)[number], number>;
type RttFields = Record<(typeof RTT_FIELDS)[number], number>;

/** The bitfield of an ack of `latest` that tells of the numbers: without zero bytes at its end. */
export function bitsOf(latest: number, numbers: readonly number[]): Uint8Array {
  const indices = numbers.map((number) => latest - 1 - number);
  const bits = new Uint8Array(numbers.length === 0 ? 0 : (Math.max(...indices) >>> 3) + 1);
  for (const index of indices) bits[index >>> 3] |= 1 << (index & 7);
  return bits;
}

/** The numbers that an ack of `latest` with this bitfield tells of, the latest first. */
export function numbersOf(latest: number, bits: Uint8Array): number[] {
  const numbers = [latest];
  for (let index = 0; index < bits.length * 8; index++) {
    if ((bits[index >>> 3] & (1 << (index & 7))) !== 0) numbers.push(latest - 1 - index);
  }
  return numbers;
}

export class AckEnd {
  readonly handle: EndHandle;
  readonly #engine: EngineProbe;

  constructor(engine: EngineProbe, nextNumber = 0) {
    this.#engine = engine;
    this.handle = engine.endOpen(nextNumber);
  }

  receive(number: number, atUs: number, eliciting = true): void {
    this.#engine.receivedAdd(this.handle, number, atUs, eliciting);
  }

  /** The bitfield of an ack that goes out now. */
  bits(): Uint8Array {
    const bytes = this.#engine.receivedBitBytes(this.handle);
    return Uint8Array.from({ length: bytes }, (_, index) =>
      this.#engine.receivedBitByte(this.handle, index),
    );
  }

  dueUs(): number {
    return this.#engine.receivedDueUs(this.handle);
  }

  answer(): void {
    this.#engine.receivedAnswered(this.handle);
  }

  /** A packet that reports what came; its number. */
  send(atUs: number, eliciting = true): number {
    return this.#engine.sentAdd(this.handle, atUs, 100, eliciting);
  }

  ack(latest: number, bits: Uint8Array = new Uint8Array(0), atUs = 0): void {
    this.#engine.acksReceive(this.handle, latest, 0, bits, 0, bits.length, atUs);
  }

  /** Every verdict that there is now: a number when acked, -1 - number when lost. */
  verdicts(nowUs: number): number[] {
    const all: number[] = [];
    let verdict = this.#engine.acksVerdict(this.handle, nowUs);
    for (; verdict !== null; verdict = this.#engine.acksVerdict(this.handle, nowUs)) {
      all.push(verdict);
    }
    return all;
  }

  /** As a connection does at a deadline: a time-out backs off. */
  expire(nowUs: number): boolean {
    const expired = this.#engine.acksExpire(this.handle, nowUs);
    if (expired) this.#engine.rttBackOff(this.handle, nowUs);
    return expired;
  }

  read(): AcksFields {
    const out = new Float64Array(ACKS_FIELDS.length);
    this.#engine.acksRead(this.handle, out);
    return Object.fromEntries(ACKS_FIELDS.map((field, index) => [field, out[index]])) as AcksFields;
  }

  rtt(): RttFields {
    const out = new Float64Array(RTT_FIELDS.length);
    this.#engine.rttRead(this.handle, out);
    return Object.fromEntries(RTT_FIELDS.map((field, index) => [field, out[index]])) as RttFields;
  }
}
