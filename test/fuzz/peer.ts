/*
 * peer: the other end of a host under test, with keys of its own. It mirrors test/fuzz/peer.cc. Packet numbers are
 * 64 bits here too.
 */
import { addressCopy } from "../../lib/engine/address.js";
import { Writer, writeBytes, writerSet, writeU32 } from "../../lib/engine/bytes.js";
import { CONFIG_CHANNELS, CONFIG_NAME_HASH, CONFIG_POLICIES } from "../../lib/engine/config.js";
import { AckHeader, ackHeaderWrite, helloWrite } from "../../lib/engine/frame.js";
import {
  ACK_BITS_MAX,
  ACK_HEADER_BYTES_MAX,
  CHALLENGE_BODY_BYTES,
  KEY_BYTES,
  NETRT_VERSION,
  PACKET_ASSOCIATED_BYTES,
  PACKET_BYTES_MAX,
  PAYLOAD_BYTES_MAX,
  REQUEST_BYTES,
  SUITES_ALWAYS,
  TOKEN_ASSOCIATED_BYTES,
  TOKEN_PRIVATE_BYTES,
  TOKEN_PRIVATE_PLAIN_BYTES,
  TOKEN_PUBLIC_BYTES,
} from "../../lib/engine/limits.js";
import {
  PACKET_CHALLENGE,
  PACKET_KEEP_ALIVE,
  PACKET_PAYLOAD,
  PACKET_REQUEST,
  PACKET_RESPONSE,
  PacketHeader,
  packetAssociatedData,
  packetHeaderRead,
  packetHeaderWrite,
} from "../../lib/engine/packet.js";
import { POLICY_WORDS } from "../../lib/engine/policy.js";
import { openPacket, SealKey, sealKeySet, sealPacket, sealToken } from "../../lib/engine/seal.js";
import {
  ConnectToken,
  PrivateToken,
  requestWrite,
  tokenAssociatedData,
  tokenPrivateWrite,
  tokenPublicWrite,
} from "../../lib/engine/token.js";
import { addressOf as addressFrom } from "../sim/tokens.js";
import { type Machine, PRIVATE_KEY } from "./machine.js";
import { addressOf, PROTOCOL_HIGH, PROTOCOL_LOW, type Profile, START_SECONDS } from "./profile.js";

export const PEERS = 8;
const HEARD_MAX = 1024;
const HASH_WORD = 8;

/** What never changes about a peer: its token and its keys. */
export interface Identity {
  readonly secret: PrivateToken;
  readonly open: ConnectToken;
  readonly plain: Uint8Array;
  readonly token: Uint8Array;
  readonly request: Uint8Array;
  readonly clientToServer: SealKey;
  readonly serverToClient: SealKey;
}

function fill(bytes: Uint8Array, seed: number): void {
  for (let index = 0; index < bytes.length; index++) bytes[index] = seed * 31 + index * 5 + 1;
}

const identities = new Map<string, Identity>();

export function identityOf(profile: Profile, index: number): Identity {
  const name = `${profile.ipv6} ${index}`;
  const known = identities.get(name) ?? identityMake(profile, index);
  identities.set(name, known);
  return known;
}

function identityMake(profile: Profile, index: number): Identity {
  const secret = new PrivateToken();
  const open = new ConnectToken();
  secret.clientIdLo = 1000 + (index === 5 ? 0 : index);
  fill(secret.clientToServerKey, 2 * index);
  fill(secret.serverToClientKey, 2 * index + 1);
  fill(secret.userData, index);
  for (const token of [secret, open]) {
    token.timeoutSeconds = index === 6 ? -1 : 1 + (index % 5);
    token.serverCount = 1 + (index % 3);
    for (let server = 0; server < token.serverCount; server++) {
      const words = addressOf(profile, server === 0 ? 0 : 12 + server);
      addressCopy(token.servers[server], addressFrom(words));
    }
  }
  open.protocolIdLo = PROTOCOL_LOW;
  open.protocolIdHi = PROTOCOL_HIGH;
  open.createTimestampLo = START_SECONDS;
  open.expireTimestampLo = START_SECONDS + (index === 7 ? 3 : 30);
  open.clientToServerKey.set(secret.clientToServerKey);
  open.serverToClientKey.set(secret.serverToClientKey);
  fill(open.nonce, index);
  const plain = new Uint8Array(TOKEN_PRIVATE_BYTES);
  tokenPrivateWrite(secret, plain, 0);
  const sealed = plain.slice();
  const request = requestSeal(open, sealed);
  open.privateBytes.set(sealed);
  const token = new Uint8Array(TOKEN_PUBLIC_BYTES);
  tokenPublicWrite(open, token, 0);
  const clientToServer = new SealKey();
  const serverToClient = new SealKey();
  sealKeySet(clientToServer, open.clientToServerKey, 0);
  sealKeySet(serverToClient, open.serverToClientKey, 0);
  return { secret, open, plain, token, request, clientToServer, serverToClient };
}

/** A request with a private token, which is sealed in place as the backend does it. */
export function requestSeal(open: ConnectToken, plain: Uint8Array): Uint8Array {
  const associated = new Uint8Array(TOKEN_ASSOCIATED_BYTES);
  const { expireTimestampLo, expireTimestampHi } = open;
  tokenAssociatedData(
    PROTOCOL_LOW,
    PROTOCOL_HIGH,
    expireTimestampLo,
    expireTimestampHi,
    associated,
  );
  sealToken(PRIVATE_KEY, open.nonce, associated, plain, 0, TOKEN_PRIVATE_PLAIN_BYTES);
  const before = open.privateBytes.slice();
  open.privateBytes.set(plain);
  const request = new Uint8Array(REQUEST_BYTES);
  requestWrite(open, request, 0);
  open.privateBytes.set(before);
  return request;
}

const low = (number: bigint) => Number(number & 0xffffffffn);
const high = (number: bigint) => Number(number >> 32n);

export class Peer {
  readonly identity: Identity;
  address: Uint32Array;
  nextNumber = 0n;
  readonly heard = new Set<number>();
  latest = -1;
  hasChallenge = false;
  readonly challenge = new Uint8Array(CHALLENGE_BODY_BYTES);
  last: Uint8Array = new Uint8Array(0);

  constructor(profile: Profile, index: number) {
    this.identity = identityOf(profile, index);
    this.address = addressOf(profile, index);
  }

  /** The client starts anew with its token and knows nothing of what was before. */
  restart(): void {
    this.nextNumber = 0n;
    this.hasChallenge = false;
  }

  /** A datagram came from the host under test. */
  hear(machine: Machine, bytes: Uint8Array): void {
    const header = new PacketHeader();
    const reason = packetHeaderRead(bytes, 0, bytes.length, header);
    if (reason !== 0 || header.type === PACKET_REQUEST) return;
    const { clientToServer, serverToClient } = this.identity;
    const key = machine.isClient ? clientToServer : serverToClient;
    const associated = new Uint8Array(PACKET_ASSOCIATED_BYTES);
    packetAssociatedData(PROTOCOL_LOW, PROTOCOL_HIGH, bytes[0], associated);
    const body = bytes.slice();
    const length = bytes.length - header.bytes;
    const { sequenceLo, sequenceHi } = header;
    if (openPacket(key, sequenceLo, sequenceHi, associated, body, header.bytes, length) < 0) return;
    if (header.type === PACKET_CHALLENGE) {
      this.hasChallenge = true;
      this.challenge.set(body.subarray(header.bytes, header.bytes + CHALLENGE_BODY_BYTES));
    }
    if (header.type < PACKET_RESPONSE) return;
    this.latest = sequenceHi * 2 ** 32 + sequenceLo;
    if (this.latest < HEARD_MAX) this.heard.add(this.latest);
  }

  sendBytes(machine: Machine, bytes: Uint8Array): void {
    machine.receive(this.address, bytes);
  }

  /** Sends a packet of this type with this number and body, sealed. */
  send(machine: Machine, type: number, number: bigint, body: Uint8Array): void {
    const given = body.subarray(0, PAYLOAD_BYTES_MAX);
    const out = new Uint8Array(PACKET_BYTES_MAX);
    const headerBytes = packetHeaderWrite(type, low(number), high(number), out, 0);
    out.set(given, headerBytes);
    const associated = new Uint8Array(PACKET_ASSOCIATED_BYTES);
    packetAssociatedData(PROTOCOL_LOW, PROTOCOL_HIGH, out[0], associated);
    const { clientToServer, serverToClient } = this.identity;
    const key = machine.isClient ? serverToClient : clientToServer;
    const count = given.length;
    const sealed = sealPacket(key, low(number), high(number), associated, out, headerBytes, count);
    this.last = out.slice(0, headerBytes + sealed);
    this.sendBytes(machine, this.last);
  }

  /** The truth about what it has heard, as an ack header. */
  acks(): Uint8Array {
    const header = new AckHeader();
    const bits = new Uint8Array(ACK_BITS_MAX / 8);
    header.present = this.latest >= 0;
    header.latest = this.latest & 0xffff;
    for (let bit = 0; bit < ACK_BITS_MAX; bit++) {
      if (!this.heard.has(this.latest - 1 - bit)) continue;
      bits[bit >> 3] |= 1 << (bit & 7);
      header.bitBytes = (bit >> 3) + 1;
    }
    const writer = new Writer();
    writerSet(writer, new Uint8Array(ACK_HEADER_BYTES_MAX), 0, ACK_HEADER_BYTES_MAX);
    ackHeaderWrite(writer, header);
    if (header.present) writeBytes(writer, bits, 0, header.bitBytes);
    return writer.bytes.slice(0, writer.offset);
  }

  /** Takes the number that `numbering` means: 0 the next; 1 to 7 numbers left out; 8 to 15 one from before. */
  number(numbering: number): bigint {
    if (numbering >= 8) {
      const back = BigInt(numbering - 7);
      return this.nextNumber >= back ? this.nextNumber - back : 0n;
    }
    if (numbering > 0) this.nextNumber += 1n << BigInt(numbering - 1);
    const number = this.nextNumber;
    this.nextNumber += 1n;
    return number;
  }

  /** Sends acks that tell the truth, unless `bare`, and frames. */
  payload(machine: Machine, bare: boolean, numbering: number, frames: Uint8Array): void {
    const acks = bare ? new Uint8Array(0) : this.acks();
    const body = new Uint8Array([...acks, ...frames]);
    this.send(machine, PACKET_PAYLOAD, this.number(numbering), body);
  }

  keepAlive(machine: Machine, numbering = 0): void {
    this.send(machine, PACKET_KEEP_ALIVE, this.number(numbering), new Uint8Array(8));
  }

  hello(machine: Machine): void {
    this.payload(machine, false, 0, peerHello(machine));
  }
}

/** A hello that the host agrees with. */
export function peerHello(machine: Machine, payloadBytes = PAYLOAD_BYTES_MAX): Uint8Array {
  const { config } = machine;
  const writer = new Writer();
  writerSet(writer, new Uint8Array(PAYLOAD_BYTES_MAX), 0, PAYLOAD_BYTES_MAX);
  const channels = config[CONFIG_CHANNELS];
  // The base point: a public key of high order, whose private key nobody has.
  const publicKey = new Uint8Array(KEY_BYTES);
  publicKey[0] = 9;
  const nameHash = config[CONFIG_NAME_HASH];
  const suites = SUITES_ALWAYS;
  helloWrite(writer, NETRT_VERSION, nameHash, channels, payloadBytes, 0, 0, suites, publicKey);
  for (let channel = 0; channel < channels; channel++) {
    writeU32(writer, config[CONFIG_POLICIES + channel * POLICY_WORDS + HASH_WORD]);
  }
  return writer.bytes.slice(0, writer.offset);
}
