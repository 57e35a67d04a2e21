/*
 * Owns a look into sessions between netrt peers, from docs/PROTOCOL.md (R-12, R-61 to R-64, R-68) and node:crypto alone: the
 * keys that two hosts agree on, and the packets under them, opened and sealed.
 * Never uses the engines' cipher, keys or packets. It knows key pairs because a test gives hosts their entropy.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
} from "node:crypto";
import { ENTROPY_KEYS } from "../lib/engine/config.js";
import { open, seal, sequenceNonce } from "./peers/netcode-cipher.js";
import { openPacket, PACKET_TYPES, peekPacket, sealPacket } from "./peers/netcode-packet.js";
import { VERSION_INFO } from "./peers/netcode-token.js";

const TAG_BYTES = 16;
/** A session packet's one prefix byte. */
export const SESSION_PREFIX = 0x37;
/** A moving packet's, and the bytes of the path id behind the number. */
export const MOVING_PREFIX = 0x38;
const PATH_BYTES = 8;
const EPOCH_BITS = 24n;
const LOW = (1n << EPOCH_BITS) - 1n;
/** Key pairs that one host has drawn at most. */
const DRAWS_MAX = 512;
const SUITE_AES = 2;
/** Epochs that a test lets pass at most. */
const EPOCHS_MAX = 8n;

// --- key pairs ---

function privateOf(secret: Uint8Array): KeyObject {
  const key = Buffer.concat([Buffer.from("302e020100300506032b656e04220420", "hex"), secret]);
  return createPrivateKey({ key, format: "der", type: "pkcs8" });
}

/** The public key of a private one. */
export function publicOf(secret: Uint8Array): Buffer {
  const der = createPublicKey(privateOf(secret)).export({ format: "der", type: "spki" });
  return der.subarray(der.length - 32);
}

/** Every key pair that hosts with these entropies draw. */
export class KeyPairs {
  readonly #known = new Map<string, Buffer>();
  readonly #chains: { seed: Buffer; draws: number }[] = [];

  constructor(...entropies: readonly Uint8Array[]) {
    for (const entropy of entropies) this.host(entropy);
  }

  host(entropy: Uint8Array): void {
    const seed = Buffer.from(entropy.slice(ENTROPY_KEYS, ENTROPY_KEYS + 32));
    this.#chains.push({ seed, draws: 0 });
  }

  /** A pair that no host drew. */
  own(secret: Uint8Array): void {
    this.#known.set(publicOf(secret).toString("hex"), Buffer.from(secret));
  }

  secretOf(publicKey: Uint8Array): Buffer | undefined {
    const name = Buffer.from(publicKey).toString("hex");
    for (let draw = 0; draw < DRAWS_MAX; draw++) {
      const found = this.#known.get(name);
      if (found !== undefined) return found;
      for (const chain of this.#chains) {
        if (chain.draws > draw) continue;
        const mac = (byte: number) =>
          createHmac("sha256", chain.seed).update(Uint8Array.of(byte)).digest();
        this.own(mac(0));
        chain.seed = mac(1);
        chain.draws += 1;
      }
    }
    return undefined;
  }
}

// --- keys ---

export interface Hello {
  readonly suites: number;
  readonly publicKey: Uint8Array;
}

/** The hello in a payload, which it starts with; undefined where there is none. */
export function helloOf(body: Uint8Array): Hello | undefined {
  const start = body[0] === 0 ? 1 : 5 + (body[0] & 0x3f);
  if (body[start] !== 1 || body.length < start + 48) return undefined;
  return { suites: body[start + 15], publicKey: body.slice(start + 16, start + 48) };
}

export interface SessionOptions {
  readonly protocolId: bigint;
  readonly clientToServerKey: Uint8Array;
  readonly serverToClientKey: Uint8Array;
}

export interface SessionKeys {
  readonly aes: boolean;
  readonly clientToServer: Buffer;
  readonly serverToClient: Buffer;
  /** By which a server finds the connection. */
  readonly path: Buffer;
}

/** The first keys of a session, for who has one of the private keys. */
export function sessionKeys(
  options: SessionOptions,
  client: Hello,
  server: Hello,
  secret: Uint8Array,
  ofClient: boolean,
): SessionKeys {
  const other = Buffer.from(ofClient ? server.publicKey : client.publicKey);
  const spki = Buffer.concat([Buffer.from("302a300506032b656e032100", "hex"), other]);
  const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
  const shared = diffieHellman({ privateKey: privateOf(secret), publicKey });
  const aes = (client.suites & server.suites & SUITE_AES) !== 0;
  const id = Buffer.alloc(8);
  id.writeBigUInt64LE(options.protocolId);
  const info = Buffer.concat([
    Buffer.from("netrt 3 session"),
    id,
    client.publicKey,
    server.publicKey,
    Uint8Array.of(client.suites, server.suites, aes ? 1 : 0),
  ]);
  const salt = Buffer.concat([options.clientToServerKey, options.serverToClientKey]);
  const keys = Buffer.from(hkdfSync("sha256", shared, salt, info, 72));
  const [clientToServer, serverToClient] = [keys.subarray(0, 32), keys.subarray(32, 64)];
  return { aes, clientToServer, serverToClient, path: keys.subarray(64) };
}

/** The key of the next epoch: one step of HKDF-Expand. */
export function nextKey(key: Uint8Array): Buffer {
  return createHmac("sha256", key).update("netrt 3 update").update(Uint8Array.of(1)).digest();
}

// --- packets ---

export interface Opened {
  /** A type of the standard: a session packet is a payload, or a disconnect where it is empty. */
  readonly type: number;
  readonly sequence: bigint;
  readonly body: Buffer;
  /** Under session keys. */
  readonly session: boolean;
  /** The key that it was sealed under. */
  readonly key: Uint8Array;
}

function associated(id: Uint8Array, prefix: number): Buffer {
  return Buffer.concat([VERSION_INFO, id, Uint8Array.of(prefix)]);
}

/** One direction of a session. */
class Way {
  /** The highest number that was seen, and the key of its epoch. */
  highest = -1n;
  key: Buffer | undefined;
  epoch = 0n;
  /** It has sent session packets. */
  changed = false;
  hello: Hello | undefined;
  helloEpoch = 0n;

  /** The key of a number's epoch; of one that is far away any key is as good. */
  keyOf(sequence: bigint): Buffer | undefined {
    let { key } = this;
    if ((sequence >> EPOCH_BITS) - this.epoch > EPOCHS_MAX) return key;
    for (let epoch = this.epoch; key !== undefined && epoch < sequence >> EPOCH_BITS; epoch++) {
      key = nextKey(key);
    }
    return key;
  }

  /** The number nearest to the highest that has these low bits. */
  expand(low: bigint): bigint {
    const ahead = (low - this.highest) & LOW;
    return this.highest + (ahead < (LOW + 1n) / 2n ? ahead : ahead - LOW - 1n);
  }
}

/** Somebody who sees every packet of a session in the order of sending, and has its keys. */
export class Tap {
  readonly #options: SessionOptions;
  readonly #pairs: KeyPairs | null;
  readonly #fromClient = new Way();
  readonly #fromServer = new Way();
  readonly #protocol = Buffer.alloc(8);
  aes = false;
  /** The connection's path id, once both hellos were seen. */
  path: Buffer | undefined;

  /** Without key pairs for bare NETCODE peers, which have no session keys. */
  constructor(options: SessionOptions, pairs: KeyPairs | null) {
    this.#options = options;
    this.#pairs = pairs;
    this.#protocol.writeBigUInt64LE(options.protocolId);
  }

  #way(fromClient: boolean): Way {
    return fromClient ? this.#fromClient : this.#fromServer;
  }

  /** Whether both hellos were seen. */
  get ready(): boolean {
    return this.#fromClient.key !== undefined;
  }

  /** The highest number that a side has sent. */
  highest(fromClient: boolean): number {
    return Number(this.#way(fromClient).highest);
  }

  #token(fromClient: boolean): Uint8Array {
    const { clientToServerKey, serverToClientKey } = this.#options;
    return fromClient ? clientToServerKey : serverToClientKey;
  }

  /** What a datagram says, or undefined where it is not this session's. */
  see(bytes: Uint8Array, fromClient: boolean): Opened | undefined {
    const opened =
      bytes[0] === SESSION_PREFIX || bytes[0] === MOVING_PREFIX
        ? this.#openSession(bytes, fromClient)
        : this.#openToken(bytes, fromClient);
    const way = this.#way(fromClient);
    // Packets before a slot exists have numbers apart.
    if (opened !== undefined && opened.sequence >> 63n === 0n && opened.sequence > way.highest) {
      way.highest = opened.sequence;
    }
    way.changed ||= opened?.session === true;
    return opened;
  }

  /** The same, but opens nothing that it need not: what costs little, and keeps up with the numbers. */
  follow(bytes: Uint8Array, fromClient: boolean): void {
    const way = this.#way(fromClient);
    if (bytes[0] === SESSION_PREFIX || bytes[0] === MOVING_PREFIX) {
      if (!this.ready) return;
      way.highest = way.expand(BigInt(bytes[1] | (bytes[2] << 8) | (bytes[3] << 16)));
      way.changed = true;
    } else if ((bytes[0] & 15) >= PACKET_TYPES.keepAlive && !way.changed) {
      const head = peekPacket(bytes);
      if (!this.ready && this.#pairs !== null) this.see(bytes, fromClient);
      else if (head !== undefined) way.highest = head.sequence;
    }
  }

  #openToken(bytes: Uint8Array, fromClient: boolean): Opened | undefined {
    if (bytes[0] === PACKET_TYPES.request) return undefined;
    const opened = openPacket(bytes, this.#token(fromClient), this.#options.protocolId);
    if (opened === undefined) return undefined;
    const tells = opened.type === PACKET_TYPES.payload && this.#pairs !== null;
    const hello = tells ? helloOf(opened.body) : undefined;
    const way = this.#way(fromClient);
    if (hello !== undefined && way.hello === undefined) {
      way.hello = hello;
      way.helloEpoch = opened.sequence >> EPOCH_BITS;
      this.#derive();
    }
    return { ...opened, session: false, key: this.#token(fromClient) };
  }

  #derive(): void {
    const [client, server] = [this.#fromClient.hello, this.#fromServer.hello];
    if (client === undefined || server === undefined || this.#pairs === null) return;
    const ofClient = this.#pairs.secretOf(client.publicKey);
    const secret = ofClient ?? this.#pairs.secretOf(server.publicKey);
    if (secret === undefined) throw new Error("neither key pair was drawn by these hosts");
    const made = sessionKeys(this.#options, client, server, secret, ofClient !== undefined);
    this.aes = made.aes;
    this.#fromClient.key = made.clientToServer;
    this.#fromServer.key = made.serverToClient;
    this.path = made.path;
    for (const way of [this.#fromClient, this.#fromServer]) way.epoch = way.helloEpoch;
  }

  #openSession(bytes: Uint8Array, fromClient: boolean): Opened | undefined {
    const way = this.#way(fromClient);
    const sequence = way.expand(BigInt(bytes[1] | (bytes[2] << 8) | (bytes[3] << 16)));
    const key = way.keyOf(sequence);
    const moving = bytes[0] === MOVING_PREFIX;
    const head = moving ? 4 + PATH_BYTES : 4;
    if (key === undefined || bytes.length < head + TAG_BYTES) return undefined;
    const id = moving ? bytes.subarray(4, head) : this.#protocol;
    const data = associated(id, bytes[0]);
    const body = this.#open(key, sequence, data, bytes.subarray(head));
    if (body === undefined) return undefined;
    const type = body.length > 0 ? PACKET_TYPES.payload : PACKET_TYPES.disconnect;
    return { type, sequence, body, session: true, key };
  }

  #open(key: Uint8Array, sequence: bigint, data: Buffer, sealed: Uint8Array): Buffer | undefined {
    if (!this.aes) return open(key, sequenceNonce(sequence), data, sealed);
    const decipher = createDecipheriv("aes-256-gcm", key, sequenceNonce(sequence));
    decipher.setAAD(data);
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const body = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return body;
  }

  /** A packet under the token's keys, as a side would seal it. */
  sealToken(fromClient: boolean, type: number, sequence: bigint, body: Uint8Array): Buffer {
    const { protocolId } = this.#options;
    return sealPacket({ type, sequence, key: this.#token(fromClient), protocolId, body });
  }

  /** A session packet, once both hellos were seen; with a path id a moving one. */
  sealSession(
    fromClient: boolean,
    sequence: bigint,
    body: Uint8Array,
    path: Uint8Array = new Uint8Array(0),
  ): Buffer {
    const key = this.#way(fromClient).keyOf(sequence);
    if (key === undefined) throw new Error("no session yet");
    const prefix = path.length > 0 ? MOVING_PREFIX : SESSION_PREFIX;
    const head = Buffer.from([prefix, 0, 0, 0, ...path]);
    head.writeUIntLE(Number(sequence & LOW), 1, 3);
    const data = associated(path.length > 0 ? path : this.#protocol, prefix);
    const nonce = sequenceNonce(sequence);
    if (!this.aes) return Buffer.concat([head, seal(key, nonce, data, body)]);
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    cipher.setAAD(data);
    const sealed = Buffer.concat([cipher.update(body), cipher.final()]);
    return Buffer.concat([head, sealed, cipher.getAuthTag()]);
  }

  /** A payload or disconnect under whatever keys the side has now. */
  seal(fromClient: boolean, type: number, sequence: bigint, body: Uint8Array): Buffer {
    const ours = type === PACKET_TYPES.payload || type === PACKET_TYPES.disconnect;
    return ours && this.#way(fromClient).changed
      ? this.sealSession(fromClient, sequence, body)
      : this.sealToken(fromClient, type, sequence, body);
  }
}
