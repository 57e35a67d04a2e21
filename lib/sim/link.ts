/**
 * One direction of a bad link, in virtual time.
 *
 * Owns: the fate of each datagram: lost, late, twice, out of order, damaged, or stuck behind others.
 * Never does: touch a socket, a clock or a timer; lib/sim/relay.ts does that.
 * Invariants: the same options, seed and pushes give the same datagrams at the same times. A
 * datagram is counted once on its way in, and every way it can end has a counter:
 * pushed + duplicated = delivered + lost + overflowed + partitioned + those still inside.
 *
 * A datagram passes, in this order: partition, queue and rate, loss, duplication, corruption, delay
 * and jitter, order. The time unit is the µs throughout.
 */
import { argumentError, checkInteger, checkNumber } from "../errors.js";
import { DueHeap } from "./heap.js";
import { Random } from "./random.js";

/**
 * Loss in bursts: the Gilbert-Elliott chain of two states. The chain may change state before each
 * datagram, which is then lost with the probability of the state. A mean burst has
 * 100 / `leavePercent` datagrams, and the share of time in the bad state is
 * enter / (enter + leave).
 */
export interface BurstLoss {
  /** Chance, before each datagram, to go from good to bad, 0 to 100. */
  readonly enterPercent: number;
  /** Chance, before each datagram, to go from bad to good, 0 to 100. */
  readonly leavePercent: number;
  /** Loss in the good state, 0 to 100; default 0. */
  readonly goodLossPercent?: number;
  /** Loss in the bad state, 0 to 100; default 100. */
  readonly badLossPercent?: number;
}

/**
 * How jitter is spread around the delay.
 * `uniform`: evenly from -jitter to +jitter. `normal`: bell-shaped, jitter is the standard
 * deviation, cut at 3.5 of them. `longTail`: only late, by up to one jitter for three in four, up
 * to two for most of the rest, and so on (power law) up to 32: what a loaded radio link looks like.
 */
export type JitterShape = "uniform" | "normal" | "longTail";

/** Options of {@link Link}. All are off by default: a link that delivers at once. */
export interface LinkOptions {
  /** Chance that a datagram is lost, 0 to 100, or loss in bursts. */
  readonly loss?: number | BurstLoss;
  /** One-way delay, 0 to 60,000,000 µs. */
  readonly delayUs?: number;
  /** Strength of the jitter, 0 to 60,000,000 µs. */
  readonly jitterUs?: number;
  /** Default `uniform`. */
  readonly jitterShape?: JitterShape;
  /**
   * Whether datagrams overtake each other when jitter says so. Default false: what jitters is
   * mostly a queue, and a queue keeps the order; {@link reorderPercent} then chooses exceptions.
   */
  readonly jitterReorders?: boolean;
  /** Chance that a datagram is held back by `reorderUs`, so that later ones overtake it. */
  readonly reorderPercent?: number;
  /** How long such a datagram is held, 0 to 60,000,000 µs; default 10,000. */
  readonly reorderUs?: number;
  /** Chance that a datagram arrives twice, each at a time of its own. */
  readonly duplicatePercent?: number;
  /** Chance that a datagram has one to three bits flipped. */
  readonly corruptPercent?: number;
  /** Bytes per second that fit through, 1 to 1e9; default: as many as come. */
  readonly rateBytes?: number;
  /** Bytes that wait for the rate at most, 1 to 1e9; what exceeds them is dropped. Default 65,536. */
  readonly queueBytesMax?: number;
  /** Bytes of headers that count against rate and queue, 0 to 100; default 28 (IPv4 and UDP). */
  readonly headerBytes?: number;
}

/** What became of the datagrams of a {@link Link}, since it exists. */
export interface LinkCounters {
  pushed: number;
  delivered: number;
  lost: number;
  /** Dropped because the queue was full. */
  overflowed: number;
  /** Dropped because the link was down. */
  partitioned: number;
  /** Copies made; each is delivered as well. */
  duplicated: number;
  corrupted: number;
  /** Held back so that others overtake. */
  reordered: number;
}

const SPAN_US_MAX = 60_000_000;
const BYTES_MAX = 1_000_000_000;
const REORDER_US_DEFAULT = 10_000;
const QUEUE_BYTES_DEFAULT = 65_536;
const HEADER_BYTES_DEFAULT = 28;
const HEADER_BYTES_MAX = 100;
const CORRUPT_BITS_MAX = 3;
const TAIL_DOUBLINGS_MAX = 5;
// The sum of 12 uniform numbers has a variance of one square unit: a bell without floating point.
const BELL_SUMMANDS = 12;
const BELL_CUT = 3.5;
const US_PER_SECOND = 1_000_000;

/**
 * A simulated one-way link.
 *
 * @example
 * ```ts
 * const link = new Link({ loss: 5, delayUs: 20_000, jitterUs: 5_000 }, 1);
 * link.push(nowUs, datagram);
 * for (let bytes = link.pop(nowUs); bytes !== null; bytes = link.pop(nowUs)) deliver(bytes);
 * sleepUntil(link.nextUs);
 * ```
 */
export class Link {
  /** What became of the datagrams so far. */
  readonly counters: Readonly<LinkCounters>;
  readonly #counters: LinkCounters = {
    pushed: 0,
    delivered: 0,
    lost: 0,
    overflowed: 0,
    partitioned: 0,
    duplicated: 0,
    corrupted: 0,
    reordered: 0,
  };
  readonly #inside = new DueHeap<Uint8Array>();
  readonly #random: Random;
  #options: CheckedOptions;
  #bad = false;
  #up = true;
  /** When the last queued byte has left toward the far end. */
  #busyUntilUs = 0;
  /** Arrival of the last datagram that kept the order. */
  #lastArrivalUs = 0;

  /**
   * @param seed any integer; links with different seeds draw different fates
   * @throws NetrtError `ERR_NETRT_ARGUMENT`
   */
  constructor(options: LinkOptions, seed: number) {
    this.counters = this.#counters;
    this.#options = checkOptions(options);
    this.#random = new Random(checkInteger("seed", seed, -(2 ** 31), 2 ** 32 - 1));
  }

  /** When {@link pop} has something next, in µs; Infinity when nothing is inside. */
  get nextUs(): number {
    return this.#inside.nextUs;
  }

  /** Datagrams inside. */
  get size(): number {
    return this.#inside.size;
  }

  /** False while the link is partitioned: what is pushed is dropped, what is inside arrives. */
  get up(): boolean {
    return this.#up;
  }

  set up(up: boolean) {
    this.#up = up;
  }

  /**
   * Changes the link while datagrams are inside; they keep their fates.
   *
   * @throws NetrtError `ERR_NETRT_ARGUMENT`
   */
  change(options: LinkOptions): void {
    this.#options = checkOptions(options);
  }

  /**
   * Puts a datagram in. The bytes are copied.
   *
   * @param nowUs whole µs; never less than before
   */
  push(nowUs: number, bytes: Uint8Array): void {
    const counters = this.#counters;
    counters.pushed++;
    if (!this.#up) {
      counters.partitioned++;
      return;
    }
    const departureUs = this.#queue(nowUs, bytes.length);
    if (departureUs < 0) {
      counters.overflowed++;
      return;
    }
    if (this.#draw()) {
      counters.lost++;
      return;
    }
    this.#carry(departureUs, bytes);
    if (this.#random.chance(this.#options.duplicatePercent)) {
      counters.duplicated++;
      this.#carry(departureUs, bytes);
    }
  }

  /** Takes the next datagram that has arrived; null when none has. */
  pop(nowUs: number): Uint8Array | null {
    const bytes = this.#inside.pop(nowUs);
    if (bytes === undefined) return null;
    this.#counters.delivered++;
    return bytes;
  }

  /** When a datagram has left the queue, in µs, or -1 when it does not fit. */
  #queue(nowUs: number, bytes: number): number {
    const { rateBytes, queueBytesMax, headerBytes } = this.#options;
    if (rateBytes === 0) return nowUs;
    const startUs = Math.max(nowUs, this.#busyUntilUs);
    const size = bytes + headerBytes;
    const waiting = ((startUs - nowUs) * rateBytes) / US_PER_SECOND;
    if (waiting + size > queueBytesMax) return -1;
    this.#busyUntilUs = startUs + Math.ceil((size * US_PER_SECOND) / rateBytes);
    return this.#busyUntilUs;
  }

  /** Whether the next datagram is lost. */
  #draw(): boolean {
    const { loss } = this.#options;
    if (typeof loss === "number") return this.#random.chance(loss);
    const turn = this.#bad ? loss.leavePercent : loss.enterPercent;
    if (this.#random.chance(turn)) this.#bad = !this.#bad;
    return this.#random.chance(this.#bad ? loss.badLossPercent : loss.goodLossPercent);
  }

  /** One copy on its way. */
  #carry(departureUs: number, bytes: Uint8Array): void {
    const { delayUs, jitterReorders, reorderPercent, reorderUs, corruptPercent } = this.#options;
    // Not slice(): that of a Buffer shares its memory.
    const copy = new Uint8Array(bytes);
    if (copy.length > 0 && this.#random.chance(corruptPercent)) this.#corrupt(copy);
    let arrivalUs = Math.max(departureUs, departureUs + delayUs + this.#jitter());
    if (this.#random.chance(reorderPercent)) {
      this.#counters.reordered++;
      this.#inside.push(arrivalUs + reorderUs, copy);
      return;
    }
    if (!jitterReorders) {
      arrivalUs = Math.max(arrivalUs, this.#lastArrivalUs);
      this.#lastArrivalUs = arrivalUs;
    }
    this.#inside.push(arrivalUs, copy);
  }

  #corrupt(copy: Uint8Array): void {
    this.#counters.corrupted++;
    for (let left = 1 + this.#random.below(CORRUPT_BITS_MAX); left > 0; left--) {
      const bit = this.#random.below(copy.length * 8);
      copy[bit >> 3] ^= 1 << (bit & 7);
    }
  }

  /** What the jitter adds to the delay, in whole µs; may be negative. */
  #jitter(): number {
    const { jitterUs, jitterShape } = this.#options;
    if (jitterUs === 0) return 0;
    if (jitterShape === "uniform") return this.#random.below(2 * jitterUs + 1) - jitterUs;
    if (jitterShape === "normal") {
      let sum = 0;
      for (let index = 0; index < BELL_SUMMANDS; index++) sum += this.#random.below(jitterUs + 1);
      const cut = Math.floor(BELL_CUT * jitterUs);
      return Math.max(-cut, Math.min(cut, sum - (BELL_SUMMANDS / 2) * jitterUs));
    }
    // Two zero bits at the front are one chance in four: each pair doubles the reach.
    const doublings = Math.min(TAIL_DOUBLINGS_MAX, Math.clz32(this.#random.next32()) >> 1);
    return this.#random.below(jitterUs + 1) * 2 ** doublings;
  }
}

type CheckedOptions = Required<Omit<LinkOptions, "loss">> & {
  readonly loss: number | Required<BurstLoss>;
};

function checkOptions(options: LinkOptions): CheckedOptions {
  if (typeof options !== "object" || options === null) {
    throw argumentError("link options", options, "an object");
  }
  const { jitterShape = "uniform", jitterReorders = false, loss = 0 } = options;
  if (!["uniform", "normal", "longTail"].includes(jitterShape)) {
    throw argumentError("jitterShape", jitterShape, "one of uniform, normal, longTail");
  }
  if (typeof jitterReorders !== "boolean") {
    throw argumentError("jitterReorders", jitterReorders, "true or false");
  }
  const span = (name: string, us = 0): number => checkInteger(name, us, 0, SPAN_US_MAX, "µs");
  const { rateBytes, queueBytesMax = QUEUE_BYTES_DEFAULT } = options;
  return {
    loss: typeof loss === "object" && loss !== null ? checkBurst(loss) : percent("loss", loss),
    delayUs: span("delayUs", options.delayUs),
    jitterUs: span("jitterUs", options.jitterUs),
    jitterShape,
    jitterReorders,
    reorderPercent: percent("reorderPercent", options.reorderPercent),
    reorderUs: span("reorderUs", options.reorderUs ?? REORDER_US_DEFAULT),
    duplicatePercent: percent("duplicatePercent", options.duplicatePercent),
    corruptPercent: percent("corruptPercent", options.corruptPercent),
    rateBytes:
      rateBytes === undefined ? 0 : checkInteger("rateBytes", rateBytes, 1, BYTES_MAX, "bytes/s"),
    queueBytesMax: checkInteger("queueBytesMax", queueBytesMax, 1, BYTES_MAX, "bytes"),
    headerBytes: checkInteger(
      "headerBytes",
      options.headerBytes ?? HEADER_BYTES_DEFAULT,
      0,
      HEADER_BYTES_MAX,
      "bytes",
    ),
  };
}

function checkBurst(loss: BurstLoss): Required<BurstLoss> {
  return {
    enterPercent: percent("loss.enterPercent", loss.enterPercent),
    leavePercent: percent("loss.leavePercent", loss.leavePercent),
    goodLossPercent: percent("loss.goodLossPercent", loss.goodLossPercent ?? 0),
    badLossPercent: percent("loss.badLossPercent", loss.badLossPercent ?? 100),
  };
}

function percent(name: string, value = 0): number {
  return checkNumber(name, value, 0, 100, "%");
}
