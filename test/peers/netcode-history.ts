// What a server remembers of addresses and tokens that are not, or not yet, a connected client: the encryption
// mappings of addresses in the middle of a handshake, and the history of connect tokens. Both are bounded.

/** The keys of one address. Owned by a slot once its client is connected. */
export interface Mapping {
  address: string;
  sendKey: Buffer;
  receiveKey: Buffer;
  /** Seconds without traffic until it expires; 0 and less for never. */
  timeoutSeconds: number;
  /** When an unfinished handshake ends, however much traffic it has; negative for never. */
  expireSeconds: number;
  lastAccessSeconds: number;
  owned: boolean;
  /** Tag of the connect token that brought it. */
  tokenTag: string;
}

function expired(mapping: Mapping, timeSeconds: number): boolean {
  const { timeoutSeconds, lastAccessSeconds, expireSeconds } = mapping;
  if (timeoutSeconds > 0 && lastAccessSeconds + timeoutSeconds < timeSeconds) return true;
  return expireSeconds >= 0 && expireSeconds < timeSeconds;
}

/** Encryption mappings by address. */
export class Mappings {
  readonly #byAddress = new Map<string, Mapping>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#byAddress.size;
  }

  /** Adds the mapping of an address, or takes the place of its old one. False when there is no room. */
  add(mapping: Mapping): boolean {
    if (!this.#byAddress.has(mapping.address) && this.size >= this.#max) {
      this.#sweep(mapping.lastAccessSeconds);
      if (this.size >= this.#max) return false;
    }
    this.#byAddress.set(mapping.address, mapping);
    return true;
  }

  /** The mapping of an address unless it has expired; finding it counts as traffic. */
  find(address: string, timeSeconds: number): Mapping | undefined {
    const mapping = this.#byAddress.get(address);
    if (mapping === undefined || expired(mapping, timeSeconds)) return undefined;
    mapping.lastAccessSeconds = timeSeconds;
    return mapping;
  }

  remove(address: string): void {
    this.#byAddress.delete(address);
  }

  clear(): void {
    this.#byAddress.clear();
  }

  #sweep(timeSeconds: number): void {
    for (const [address, mapping] of this.#byAddress) {
      if (!mapping.owned && expired(mapping, timeSeconds)) this.#byAddress.delete(address);
    }
  }
}

interface HistoryEntry {
  address: string;
  /** Unix seconds. */
  expireTimestamp: bigint;
  consumed: boolean;
}

/**
 * The connect tokens seen, by the tag of their private part. An entry is pending until a client of it gets a slot
 * and consumed from then on, and lives until its token expires. A pending one admits its own address alone, a
 * consumed one nobody: the keys of a token seal one session. A full history refuses rather than forgets, or a
 * flood of tokens would make a used one good again.
 */
export class TokenHistory {
  readonly #byTag = new Map<string, HistoryEntry>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#byTag.size;
  }

  /** May this address use this token now? Records a token that is new. */
  admit(
    tag: string,
    address: string,
    expireTimestamp: bigint,
    unixSeconds: bigint,
  ): "admitted" | "used" | "full" {
    const entry = this.#byTag.get(tag);
    if (entry !== undefined) {
      return entry.consumed || entry.address !== address ? "used" : "admitted";
    }
    if (this.size >= this.#max) {
      for (const [old, { expireTimestamp: end }] of this.#byTag) {
        if (end <= unixSeconds) this.#byTag.delete(old);
      }
      if (this.size >= this.#max) return "full";
    }
    this.#byTag.set(tag, { address, expireTimestamp, consumed: false });
    return "admitted";
  }

  consume(tag: string): void {
    const entry = this.#byTag.get(tag);
    if (entry !== undefined) entry.consumed = true;
  }

  clear(): void {
    this.#byTag.clear();
  }
}
