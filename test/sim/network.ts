// network: the links between the nodes of a world, each way one: they lose, delay, reorder, duplicate, clog,
// part and damage; and strangers send what they recorded or made up.
//
// Owns the fate of every datagram. Never looks into one.
// Invariant: what is damaged or made up is marked `forged`; what a node sent, replayed or not, is not.
import { PACKET_BYTES_MAX } from "../../lib/engine/limits.js";
import { DueHeap } from "../../lib/sim/heap.js";
import type { Random } from "../../lib/sim/random.js";
import type { FaultSet } from "./faults.js";
import { fillRandom } from "./tokens.js";

export interface Datagram {
  readonly from: Uint32Array;
  readonly to: number;
  readonly bytes: Uint8Array;
  /** No peer sealed these bytes. */
  readonly forged: boolean;
  /** When the kernel would have got it (µs, of the world). */
  arrivedUs: number;
}

interface Weather {
  lossPercent: number;
  /** Enter and leave a burst. */
  enterPercent: number;
  leavePercent: number;
  reorderPercent: number;
  duplicatePercent: number;
  flipPercent: number;
  truncatePercent: number;
  extendPercent: number;
  delayUs: number;
  jitterUs: number;
  tail: boolean;
}

const calm = (): Weather => ({
  lossPercent: 0,
  enterPercent: 0,
  leavePercent: 100,
  reorderPercent: 0,
  duplicatePercent: 0,
  flipPercent: 0,
  truncatePercent: 0,
  extendPercent: 0,
  delayUs: 5000,
  jitterUs: 0,
  tail: false,
});

/** One way between two nodes. */
class Way {
  bad = false;
  downUntilUs = 0;
  /** Bytes per second while clogged, and when the last queued byte has left. */
  rate = 0;
  busyUntilUs = 0;
  clogUntilUs = 0;
}

/** Datagrams that a stranger remembers. */
const RECORDED_MAX = 256;
const QUEUE_US_MAX = 400_000;
const REORDER_US_MAX = 60_000;

export class Network {
  readonly #random: Random;
  readonly #faults: FaultSet;
  readonly #due = new DueHeap<Datagram>();
  readonly #recorded: Datagram[] = [];
  readonly #ways = new Map<number, Way>();
  #weather = calm();
  #calm = false;
  sent = 0;

  constructor(random: Random, faults: FaultSet) {
    this.#random = random;
    this.#faults = faults;
    this.change();
  }

  // --- weather ---

  /** Other weather from now on, of the faults that there are. */
  change(): void {
    if (this.#calm) return;
    const random = this.#random;
    const faults = this.#faults;
    const pick = (...values: number[]) => values[random.below(values.length)];
    const some = (fault: Parameters<FaultSet["has"]>[0], ...values: number[]) => {
      const value = pick(0, ...values);
      return faults.has(fault) ? value : 0;
    };
    const strong = faults.strength("loss");
    const weather = calm();
    weather.lossPercent = Math.min(90, some("loss", 1, 5, 20) * Math.max(strong, 1));
    weather.enterPercent = some("burst", 1, 3, 10);
    weather.leavePercent = pick(5, 20, 50);
    weather.reorderPercent = some("reorder", 2, 10, 40);
    weather.duplicatePercent = some("duplicate", 3, 20);
    weather.flipPercent = some("flip", 1, 5);
    weather.truncatePercent = some("truncate", 1, 5);
    weather.extendPercent = some("extend", 1, 5);
    weather.delayUs = faults.has("delay") ? pick(0, 1000, 20_000, 80_000, 400_000) : 5000;
    weather.jitterUs = some("jitter", 500, 10_000, 60_000);
    weather.tail = random.chance(40);
    this.#weather = weather;
  }

  /** Good weather for good. */
  calm(): void {
    this.#weather = calm();
    this.#calm = true;
    this.#ways.clear();
  }

  /** Something that lasts happens to a way, both of a pair or one alone, from now on for a time. */
  trouble(one: number, other: number, nowUs: number): void {
    if (this.#calm) return;
    const random = this.#random;
    const lastsUs = [50_000, 500_000, 2_000_000, 9_000_000][random.below(4)];
    const kind = (["partition", "oneway", "clog"] as const)[random.below(3)];
    const rate = [2000, 20_000, 100_000][random.below(3)];
    if (!this.#faults.has(kind)) return;
    const ways = [this.#way(one, other), this.#way(other, one)];
    if (kind === "oneway") ways.pop();
    for (const way of ways) {
      if (kind === "clog") {
        way.rate = rate;
        way.clogUntilUs = nowUs + lastsUs;
      } else {
        way.downUntilUs = nowUs + lastsUs;
      }
    }
  }

  #way(from: number, to: number): Way {
    const key = from * 256 + to;
    let way = this.#ways.get(key);
    if (way === undefined) {
      way = new Way();
      this.#ways.set(key, way);
    }
    return way;
  }

  // --- datagrams ---

  get nextUs(): number {
    return this.#due.nextUs;
  }

  /** What a node sends. `from` is what the receiver sees. */
  send(node: number, from: Uint32Array, to: number, bytes: Uint8Array, nowUs: number): void {
    this.sent += 1;
    const random = this.#random;
    const weather = this.#weather;
    const datagram = { from, to, bytes: bytes.slice(), forged: false, arrivedUs: 0 };
    this.#record(datagram);
    const way = this.#way(node, to);
    if (way.downUntilUs > nowUs || this.#lost(way)) return;
    const departsUs = this.#queued(way, bytes.length, nowUs);
    if (departsUs < 0) return;
    this.#deliver(this.#damage(datagram), departsUs);
    if (random.chance(weather.duplicatePercent)) this.#deliver(datagram, departsUs);
  }

  #record(datagram: Datagram): void {
    if (this.#calm) return;
    if (this.#recorded.length < RECORDED_MAX) this.#recorded.push(datagram);
    else this.#recorded[this.#random.below(RECORDED_MAX)] = datagram;
  }

  #lost(way: Way): boolean {
    const random = this.#random;
    const { lossPercent, enterPercent, leavePercent } = this.#weather;
    if (random.chance(way.bad ? leavePercent : enterPercent)) way.bad = !way.bad;
    return way.bad || random.chance(lossPercent);
  }

  /** When it leaves a clogged way; -1 when the queue is full. */
  #queued(way: Way, bytes: number, nowUs: number): number {
    if (way.clogUntilUs <= nowUs) return nowUs;
    const startUs = Math.max(nowUs, way.busyUntilUs);
    if (startUs - nowUs > QUEUE_US_MAX) return -1;
    way.busyUntilUs = startUs + Math.ceil((bytes * 1_000_000) / way.rate);
    return way.busyUntilUs;
  }

  #deliver(datagram: Datagram, departsUs: number): void {
    const random = this.#random;
    const { delayUs, jitterUs, tail, reorderPercent } = this.#weather;
    let arrivedUs = departsUs + delayUs;
    if (jitterUs > 0) {
      const doublings = tail ? Math.min(4, Math.clz32(random.next32()) >> 1) : 0;
      arrivedUs += random.below(jitterUs) * 2 ** doublings;
    }
    if (random.chance(reorderPercent)) arrivedUs += random.below(REORDER_US_MAX);
    this.#due.push(arrivedUs, { ...datagram, arrivedUs });
  }

  #damage(datagram: Datagram): Datagram {
    const random = this.#random;
    const { flipPercent, truncatePercent, extendPercent } = this.#weather;
    let { bytes } = datagram;
    if (random.chance(truncatePercent)) bytes = bytes.slice(0, random.below(bytes.length));
    if (random.chance(extendPercent)) {
      const longer = new Uint8Array(bytes.length + 1 + random.below(60));
      fillRandom(random, longer).set(bytes);
      bytes = longer;
    }
    if (random.chance(flipPercent)) bytes = this.#flip(bytes);
    if (bytes === datagram.bytes) return datagram;
    return { ...datagram, bytes, forged: !same(bytes, datagram.bytes) };
  }

  #flip(bytes: Uint8Array): Uint8Array {
    const random = this.#random;
    const changed = bytes.slice();
    for (let flips = 1 + random.below(3); flips > 0 && changed.length > 0; flips--) {
      changed[random.below(changed.length)] ^= 1 << random.below(8);
    }
    return changed;
  }

  /** A stranger sends something, from an address that is its own or not. */
  attack(from: Uint32Array, to: number, nowUs: number): void {
    const random = this.#random;
    const recorded = this.#recorded[random.below(RECORDED_MAX)];
    const replay = recorded !== undefined && random.chance(70);
    if (!this.#faults.has(replay ? "replay" : "stranger")) return;
    if (replay) {
      const honest = random.chance(50);
      const sent = honest ? recorded : { ...recorded, from, to };
      const changed = random.chance(30) ? this.#flip(sent.bytes) : sent.bytes;
      const forged = !same(changed, recorded.bytes);
      this.#due.push(nowUs, { ...sent, bytes: changed, forged, arrivedUs: nowUs });
      return;
    }
    const bytes = fillRandom(random, new Uint8Array(random.below(PACKET_BYTES_MAX + 40)));
    if (bytes.length > 0 && random.chance(50)) bytes[0] &= 0x37;
    this.#due.push(nowUs, { from, to, bytes, forged: true, arrivedUs: nowUs });
  }

  /** What somebody with keys sends: authentic, whatever it says. */
  inject(from: Uint32Array, to: number, bytes: Uint8Array, nowUs: number): void {
    this.#due.push(nowUs, { from, to, bytes, forged: false, arrivedUs: nowUs });
  }

  pop(nowUs: number): Datagram | undefined {
    return this.#due.pop(nowUs);
  }
}

function same(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
