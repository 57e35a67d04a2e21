// trunk: a one-way link that several hosts may share, in virtual time: what stands between a home and
// a server, or the bottleneck of ten of them.
//
// Owns who a datagram is from and for while it is inside. Never decides its fate: lib/sim/link does.
// Invariant: two bytes stand before a datagram while it is inside, and count as headers, so rate and
// queue see what an IPv4 link would.
import { PACKET_BYTES_MAX } from "../../lib/engine/limits.js";
import { Link, type LinkOptions } from "../../lib/sim/link.js";

const TAG_BYTES = 2;
const HEADER_BYTES = 28 - TAG_BYTES;

export class Trunk {
  readonly link: Link;
  readonly #scratch = new Uint8Array(TAG_BYTES + PACKET_BYTES_MAX);

  constructor(options: LinkOptions, seed: number) {
    this.link = new Link({ headerBytes: HEADER_BYTES, ...options }, seed);
  }

  change(options: LinkOptions): void {
    this.link.change({ headerBytes: HEADER_BYTES, ...options });
  }

  get nextUs(): number {
    return this.link.nextUs;
  }

  /** Puts a datagram in that stands in a batch. Hosts are numbered below 256. */
  push(
    nowUs: number,
    from: number,
    to: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): void {
    const scratch = this.#scratch;
    scratch[0] = from;
    scratch[1] = to;
    for (let index = 0; index < length; index++) scratch[TAG_BYTES + index] = bytes[start + index];
    this.link.push(nowUs, scratch.subarray(0, TAG_BYTES + length));
  }

  /** Hands out all that has arrived. */
  deliver(
    nowUs: number,
    take: (from: number, to: number, bytes: Uint8Array, offset: number) => void,
  ): void {
    while (this.link.nextUs <= nowUs) {
      const bytes = this.link.pop(nowUs) as Uint8Array;
      take(bytes[0], bytes[1], bytes, TAG_BYTES);
    }
  }
}
