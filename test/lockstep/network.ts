// network: the links between the nodes of a world: they lose, delay, reorder, duplicate and corrupt,
// and strangers send what they recorded or made up.
import { PACKET_BYTES_MAX } from "../../lib/engine/limits.js";
import { DueHeap } from "../../lib/sim/heap.js";
import type { Random } from "../../lib/sim/random.js";
import { fillRandom } from "../sim/tokens.js";

export interface Datagram {
  readonly from: Uint32Array;
  readonly to: number;
  readonly bytes: Uint8Array;
  /** When the kernel would have got it (µs). */
  arrivedUs: number;
}

interface Weather {
  readonly lossPercent: number;
  readonly duplicatePercent: number;
  readonly corruptPercent: number;
  readonly delayUs: number;
  readonly jitterUs: number;
}

const CALM: Weather = {
  lossPercent: 0,
  duplicatePercent: 0,
  corruptPercent: 0,
  delayUs: 5000,
  jitterUs: 0,
};
/** Datagrams that a stranger remembers. */
const RECORDED_MAX = 256;

export class Network {
  readonly #random: Random;
  readonly #due = new DueHeap<Datagram>();
  readonly #recorded: Datagram[] = [];
  #weather = CALM;
  #calm = false;
  sent = 0;

  constructor(random: Random) {
    this.#random = random;
    this.change();
  }

  /** Other weather from now on. */
  change(): void {
    const random = this.#random;
    const pick = (...values: number[]) => values[random.below(values.length)];
    if (this.#calm) return;
    this.#weather = {
      lossPercent: pick(0, 0, 2, 10, 30, 70),
      duplicatePercent: pick(0, 0, 3, 20),
      corruptPercent: pick(0, 0, 0, 3),
      delayUs: pick(0, 1000, 20_000, 80_000, 400_000),
      jitterUs: pick(0, 500, 10_000, 60_000),
    };
  }

  /** Good weather for good. */
  calm(): void {
    this.#weather = CALM;
    this.#calm = true;
  }

  get nextUs(): number {
    return this.#due.nextUs;
  }

  send(from: Uint32Array, to: number, bytes: Uint8Array, nowUs: number): void {
    this.sent += 1;
    const random = this.#random;
    const { lossPercent, duplicatePercent, corruptPercent } = this.#weather;
    const datagram = { from, to, bytes: bytes.slice(), arrivedUs: 0 };
    if (this.#recorded.length < RECORDED_MAX) this.#recorded.push(datagram);
    else this.#recorded[random.below(RECORDED_MAX)] = datagram;
    if (random.chance(lossPercent)) return;
    this.#deliver(
      random.chance(corruptPercent) ? { ...datagram, bytes: this.#corrupt(bytes) } : datagram,
      nowUs,
    );
    if (random.chance(duplicatePercent)) this.#deliver(datagram, nowUs);
  }

  #deliver(datagram: Datagram, nowUs: number): void {
    const { delayUs, jitterUs } = this.#weather;
    const arrivedUs = nowUs + delayUs + (jitterUs > 0 ? this.#random.below(jitterUs) : 0);
    this.#due.push(arrivedUs, { ...datagram, arrivedUs });
  }

  #corrupt(bytes: Uint8Array): Uint8Array {
    const random = this.#random;
    const changed = bytes.slice(0, random.chance(30) ? random.below(bytes.length + 1) : undefined);
    for (let flips = random.below(4); flips > 0 && changed.length > 0; flips--) {
      changed[random.below(changed.length)] ^= 1 << random.below(8);
    }
    return changed;
  }

  /** A stranger sends something, from an address that is its own or not. */
  attack(from: Uint32Array, to: number, nowUs: number): void {
    const random = this.#random;
    const recorded = this.#recorded[random.below(RECORDED_MAX)];
    const replay = recorded !== undefined && random.chance(70);
    const bytes = replay
      ? recorded.bytes
      : fillRandom(random, new Uint8Array(random.below(PACKET_BYTES_MAX + 40)));
    if (!replay && bytes.length > 0 && random.chance(50)) bytes[0] &= 0x17;
    const honest = replay && random.chance(50);
    const datagram = {
      from: honest ? recorded.from : from,
      to: honest ? recorded.to : to,
      bytes: replay && random.chance(30) ? this.#corrupt(bytes) : bytes,
      arrivedUs: nowUs,
    };
    this.#due.push(nowUs, datagram);
  }

  pop(nowUs: number): Datagram | undefined {
    return this.#due.pop(nowUs);
  }
}
