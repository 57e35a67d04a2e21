// A server of NETCODE 1.02 that behaves as the reference server does: every check of a request and of a response
// in the order of the standard, slots, confirmed flag, keep-alives at 10 Hz, time-outs, ten disconnects. Packets
// sent before a slot exists take their sequence from 2⁶³ upward, anew on every start, because they share the
// server-to-client key with the connection, whose sequence starts at 0.

import { randomBytes } from "node:crypto";
import { canonicalAddress } from "./netcode-address.js";
import { KEY_BYTES, TAG_BYTES, TOKEN_NONCE_BYTES } from "./netcode-cipher.js";
import {
  DISCONNECT_PACKETS,
  Endpoint,
  type EndpointOptions,
  packetTypes,
  realSeconds,
  SEND_RATE_HZ,
} from "./netcode-endpoint.js";
import { type Mapping, Mappings, TokenHistory } from "./netcode-history.js";
import {
  encodeChallengeBody,
  encodeKeepAliveBody,
  type OpenedPacket,
  PACKET_NAMES,
  PACKET_TYPES,
  PAYLOAD_BYTES_MAX,
  type PacketName,
  REQUEST_BYTES,
  ReplayWindow,
  readPacket,
  sealPacket,
} from "./netcode-packet.js";
import {
  decodePrivateToken,
  openChallengeToken,
  openPrivateToken,
  sealChallengeToken,
  VERSION_INFO,
} from "./netcode-token.js";

export type DisconnectReason = "timedOut" | "clientDisconnect" | "serverDisconnect";

export interface ServerOptions extends EndpointOptions {
  protocolId: bigint;
  privateKey: Uint8Array;
  maxClients: number;
  /** The addresses this server goes by in tokens; the bound ones when left out. */
  publicAddress?: string | readonly string[];
  /** Unix time in seconds, for the expiry of tokens; the system's when left out. */
  unixSeconds?: () => number;
  /** Longest life a backend gives a token: one that expires sooner after a start may be of an earlier run. */
  maxTokenLifetimeSeconds?: number;
  /** Most addresses with keys; 4 for each slot and at least 1,024 when left out. */
  mappingsMax?: number;
  /** Most tokens remembered; 8 for each slot and at least 2,048 when left out. */
  historyMax?: number;
}

/** A connected client. */
export interface Slot {
  readonly index: number;
  readonly clientId: bigint;
  readonly address: string;
  readonly userData: Buffer;
  readonly timeoutSeconds: number;
  /** True from the first keep-alive or payload of the client on. */
  confirmed: boolean;
  /** Sequence of the next packet to the client. */
  sequence: bigint;
  lastSendSeconds: number;
  lastReceiveSeconds: number;
  readonly replay: ReplayWindow;
  readonly mapping: Mapping;
}

const ALLOWED = packetTypes("response", "keepAlive", "payload", "disconnect");
const SEND_INTERVAL_SECONDS = 1 / SEND_RATE_HZ;
const GLOBAL_SEQUENCE_START = 1n << 63n;
const REFERENCE_CLIENTS_MAX = 256;
const MAPPINGS_PER_CLIENT = 4;
const HISTORY_PER_CLIENT = 8;
const BIND_DEFAULT = ["127.0.0.1:0"] as const;

/** A NETCODE server for tests. Binds 127.0.0.1 when neither `bind` nor `send` is given. */
export class ReferenceServer extends Endpoint {
  onConnect: ((slot: Slot) => void) | undefined;
  /** Called after the slot was freed. */
  onDisconnect: ((slot: Slot, reason: DisconnectReason) => void) | undefined;
  onPayload: ((slot: Slot, payload: Buffer, sequence: bigint) => void) | undefined;
  readonly slots: (Slot | undefined)[];
  readonly mappings: Mappings;
  readonly history: TokenHistory;
  globalSequence = GLOBAL_SEQUENCE_START;

  readonly #options: ServerOptions;
  readonly #byAddress = new Map<string, Slot>();
  readonly #byClientId = new Map<bigint, Slot>();
  #publicAddresses: readonly string[] = [];
  #running = false;
  #challengeKey = randomBytes(KEY_BYTES);
  #challengeSequence = 0n;
  #minExpireTimestamp = 0n;

  constructor(options: ServerOptions) {
    super(options, BIND_DEFAULT);
    this.#options = options;
    const { maxClients } = options;
    const scale = Math.max(REFERENCE_CLIENTS_MAX, maxClients);
    this.slots = Array(maxClients).fill(undefined);
    this.mappings = new Mappings(options.mappingsMax ?? scale * MAPPINGS_PER_CLIENT);
    this.history = new TokenHistory(options.historyMax ?? scale * HISTORY_PER_CLIENT);
  }

  /** A started server with bound sockets that updates itself. */
  static async listen(options: ServerOptions): Promise<ReferenceServer> {
    const server = await new ReferenceServer(options).open();
    server.start();
    return server.drive();
  }

  get connectedCount(): number {
    return this.#byAddress.size;
  }

  get maxClients(): number {
    return this.slots.length;
  }

  /** Begins to answer, after `open` when there are sockets. A running server is stopped first. */
  start(): void {
    this.stop();
    const given = this.#options.publicAddress ?? this.addresses;
    this.#publicAddresses = (typeof given === "string" ? [given] : given).map(canonicalAddress);
    this.#running = true;
    this.globalSequence = GLOBAL_SEQUENCE_START;
    this.#challengeSequence = 0n;
    this.#challengeKey = randomBytes(KEY_BYTES);
    const lifetime = this.#options.maxTokenLifetimeSeconds;
    this.#minExpireTimestamp = lifetime === undefined ? 0n : this.#unixSeconds() + BigInt(lifetime);
  }

  /** Disconnects everybody and forgets every token and key. */
  stop(): void {
    if (!this.#running) return;
    for (const slot of this.#connected()) this.disconnect(slot.index);
    this.#running = false;
    this.mappings.clear();
    this.history.clear();
  }

  update(timeSeconds = realSeconds()): void {
    this.timeSeconds = timeSeconds;
    this.drain((from, bytes) => this.#read(from, bytes));
    for (const slot of this.#connected()) {
      if (slot.lastSendSeconds + SEND_INTERVAL_SECONDS <= timeSeconds) this.#sendKeepAlive(slot);
    }
    for (const slot of this.#connected()) {
      const { timeoutSeconds, lastReceiveSeconds } = slot;
      if (timeoutSeconds > 0 && lastReceiveSeconds + timeoutSeconds <= timeSeconds) {
        this.#release(slot, "timedOut");
      }
    }
  }

  /** Sends 1 to 1,200 bytes to a slot. False, and nothing sent, when it is free or the size is another. */
  sendPayload(clientIndex: number, payload: Uint8Array): boolean {
    const slot = this.slots[clientIndex];
    if (slot === undefined) return false;
    if (payload.length < 1 || payload.length > PAYLOAD_BYTES_MAX) return false;
    if (!slot.confirmed) this.#sendKeepAlive(slot);
    this.#sendToSlot(slot, "payload", payload);
    return true;
  }

  /** Sends ten disconnect packets to a slot and frees it. */
  disconnect(clientIndex: number): void {
    const slot = this.slots[clientIndex];
    if (slot === undefined) return;
    this.#release(slot, "serverDisconnect");
  }

  override async close(): Promise<void> {
    this.stop();
    await super.close();
  }

  #unixSeconds(): bigint {
    return BigInt(Math.floor(this.#options.unixSeconds?.() ?? Date.now() / 1000));
  }

  #connected(): Slot[] {
    return this.slots.filter((slot) => slot !== undefined);
  }

  #read(from: string, bytes: Buffer): void {
    const reason = this.#accept(from, bytes);
    if (reason !== undefined) this.count(reason);
  }

  /** Every datagram comes through here; the answer is why it was ignored or denied, if it was. */
  #accept(from: string, bytes: Buffer): string | undefined {
    if (!this.#running) return "stopped";
    if (bytes.length <= 1) return "tooSmall";
    if (bytes[0] === PACKET_TYPES.request) return this.#acceptRequest(from, bytes);
    const slot = this.#byAddress.get(from);
    const mapping = slot?.mapping ?? this.mappings.find(from, this.timeSeconds);
    if (mapping === undefined) return "noKey";
    const packet = readPacket(bytes, {
      key: mapping.receiveKey,
      protocolId: this.#options.protocolId,
      allowed: ALLOWED,
      replay: slot?.replay,
    });
    if (typeof packet === "string") return packet;
    this.countReceived(packet.type);
    if (packet.type === PACKET_TYPES.response) return this.#acceptResponse(from, packet, mapping);
    if (slot === undefined) return "notConnected";
    this.#acceptConnected(slot, packet);
    return undefined;
  }

  /** The checks of a request, in the order of the standard. */
  #acceptRequest(from: string, bytes: Buffer): string | undefined {
    const { protocolId, privateKey } = this.#options;
    if (bytes.length !== REQUEST_BYTES) return "requestSize";
    if (!bytes.subarray(1, 1 + VERSION_INFO.length).equals(VERSION_INFO)) return "requestVersion";
    if (bytes.readBigUInt64LE(14) !== protocolId) return "requestProtocol";
    const expireTimestamp = bytes.readBigUInt64LE(22);
    if (expireTimestamp <= this.#unixSeconds()) return "requestExpired";
    if (expireTimestamp < this.#minExpireTimestamp) return "requestPredatesStart";
    const nonce = bytes.subarray(30, 30 + TOKEN_NONCE_BYTES);
    const sealedPrivate = bytes.subarray(30 + TOKEN_NONCE_BYTES);
    const binding = { protocolId, expireTimestamp, nonce, privateKey };
    const plain = openPrivateToken(sealedPrivate, binding);
    if (plain === undefined) return "requestUnopened";
    const token = decodePrivateToken(plain);
    if (token === undefined) return "requestUnparsed";
    this.countReceived(PACKET_TYPES.request);
    if (!token.servers.some((server) => this.#publicAddresses.includes(server))) {
      return "requestOtherServer";
    }
    if (this.#byAddress.has(from)) return "requestAddressConnected";
    if (this.#byClientId.has(token.clientId)) return "requestClientConnected";
    const tokenTag = sealedPrivate.subarray(-TAG_BYTES).toString("hex");
    const admitted = this.history.admit(tokenTag, from, expireTimestamp, this.#unixSeconds());
    if (admitted === "used") return "requestTokenUsed";
    if (admitted === "full") return "requestHistoryFull";
    if (this.connectedCount === this.maxClients) {
      this.#sendGlobal(from, token.serverToClientKey, "denied");
      return "requestServerFull";
    }
    const { timeoutSeconds } = token;
    const added = this.mappings.add({
      address: from,
      sendKey: token.serverToClientKey,
      receiveKey: token.clientToServerKey,
      timeoutSeconds,
      expireSeconds: timeoutSeconds >= 0 ? this.timeSeconds + timeoutSeconds : -1,
      lastAccessSeconds: this.timeSeconds,
      owned: false,
      tokenTag,
    });
    if (!added) return "requestMappingsFull";
    const sequence = this.#challengeSequence++;
    const sealedToken = sealChallengeToken(token, sequence, this.#challengeKey);
    const body = encodeChallengeBody(sequence, sealedToken);
    this.#sendGlobal(from, token.serverToClientKey, "challenge", body);
    return undefined;
  }

  /** The checks of a response, in the order of the standard. */
  #acceptResponse(from: string, packet: OpenedPacket, mapping: Mapping): string | undefined {
    const sequence = packet.body.readBigUInt64LE(0);
    const challenge = openChallengeToken(packet.body.subarray(8), sequence, this.#challengeKey);
    if (challenge === undefined) return "responseUnopened";
    if (this.#byAddress.has(from)) return "responseAddressConnected";
    if (this.#byClientId.has(challenge.clientId)) return "responseClientConnected";
    const index = this.slots.indexOf(undefined);
    if (index < 0) {
      this.#sendGlobal(from, mapping.sendKey, "denied");
      return "responseServerFull";
    }
    mapping.owned = true;
    this.history.consume(mapping.tokenTag);
    const slot: Slot = {
      index,
      ...challenge,
      address: from,
      timeoutSeconds: mapping.timeoutSeconds,
      confirmed: false,
      sequence: 0n,
      lastSendSeconds: this.timeSeconds,
      lastReceiveSeconds: this.timeSeconds,
      replay: new ReplayWindow(),
      mapping,
    };
    this.slots[index] = slot;
    this.#byAddress.set(from, slot);
    this.#byClientId.set(slot.clientId, slot);
    this.#sendKeepAlive(slot);
    this.onConnect?.(slot);
    return undefined;
  }

  #acceptConnected(slot: Slot, packet: OpenedPacket): void {
    const name = PACKET_NAMES[packet.type];
    if (name === "disconnect") {
      this.#release(slot, "clientDisconnect");
      return;
    }
    slot.lastReceiveSeconds = this.timeSeconds;
    slot.confirmed = true;
    if (name === "payload") this.onPayload?.(slot, packet.body, packet.sequence);
  }

  #release(slot: Slot, reason: DisconnectReason): void {
    if (reason === "serverDisconnect") {
      for (let count = 0; count < DISCONNECT_PACKETS; count++) {
        this.#sendToSlot(slot, "disconnect");
      }
    }
    this.slots[slot.index] = undefined;
    this.#byAddress.delete(slot.address);
    this.#byClientId.delete(slot.clientId);
    this.mappings.remove(slot.address);
    this.onDisconnect?.(slot, reason);
  }

  #sendKeepAlive(slot: Slot): void {
    this.#sendToSlot(slot, "keepAlive", encodeKeepAliveBody(slot.index, this.maxClients));
  }

  #sendToSlot(slot: Slot, name: PacketName, body: Uint8Array = Buffer.alloc(0)): void {
    const sequence = slot.sequence++;
    slot.lastSendSeconds = this.timeSeconds;
    slot.mapping.lastAccessSeconds = this.timeSeconds;
    this.#seal(slot.address, slot.mapping.sendKey, name, sequence, body);
  }

  #sendGlobal(to: string, key: Buffer, name: PacketName, body: Uint8Array = Buffer.alloc(0)): void {
    this.#seal(to, key, name, this.globalSequence++, body);
  }

  #seal(to: string, key: Buffer, name: PacketName, sequence: bigint, body: Uint8Array): void {
    const { protocolId } = this.#options;
    const bytes = sealPacket({ type: PACKET_TYPES[name], sequence, key, protocolId, body });
    this.transmit({ to, name, sequence, bytes });
  }
}
