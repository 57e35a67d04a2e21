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
  EPOCH_BITS,
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
  PACKET_MOVING,
  PACKET_PAYLOAD,
  PACKET_REQUEST,
  PACKET_RESPONSE,
  PACKET_SESSION,
  PacketHeader,
  packetAssociatedData,
  packetHeaderRead,
  packetHeaderWrite,
  sessionHeaderWrite,
} from "../../lib/engine/packet.js";
import { POLICY_WORDS } from "../../lib/engine/policy.js";
import { openPacket, SealKey, sealKeySet, sealPacket, sealToken } from "../../lib/engine/seal.js";
import { sequenceExpand24 } from "../../lib/engine/sequence.js";
import {
  ConnectToken,
  PrivateToken,
  requestWrite,
  tokenAssociatedData,
  tokenPrivateWrite,
  tokenPublicWrite,
} from "../../lib/engine/token.js";
import { addressOf as addressFrom } from "../sim/tokens.js";
import { type Hello, helloOf, nextKey, publicOf, sessionKeys } from "../tap.js";
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

// --- its session keys (R-61, R-64) ---

/** Every peer's private key. */
const SECRET = new Uint8Array(KEY_BYTES);
fill(SECRET, 99);
const PUBLIC = publicOf(SECRET);
const EPOCHS_MAX = 8n;
const PROTOCOL_ID = (BigInt(PROTOCOL_HIGH) << 32n) | BigInt(PROTOCOL_LOW);

interface SessionHalf {
  readonly hostKey: Uint8Array;
  readonly send: SealKey;
  readonly receive: SealKey;
}

/** The keys of two who have each other's hello: `host` is the host's. */
function derive(identity: Identity, toServer: boolean, host: Hello): SessionHalf {
  const { clientToServerKey, serverToClientKey } = identity.open;
  const own = { suites: SUITES_ALWAYS, publicKey: PUBLIC };
  const [client, server] = toServer ? [own, host] : [host, own];
  const options = { protocolId: PROTOCOL_ID, clientToServerKey, serverToClientKey };
  const keys = sessionKeys(options, client, server, SECRET, toServer);
  const send = new SealKey();
  const receive = new SealKey();
  sealKeySet(send, toServer ? keys.clientToServer : keys.serverToClient, 0);
  sealKeySet(receive, toServer ? keys.serverToClient : keys.clientToServer, 0);
  return { hostKey: host.publicKey, send, receive };
}

const low = (number: bigint) => Number(number & 0xffffffffn);
const high = (number: bigint) => Number(number >> 32n);

export class Peer {
  readonly identity: Identity;
  address: Uint32Array;
  nextNumber = 0n;
  readonly heard = new Set<number>();
  first = -1;
  latest = -1;
  /** It stays under the token's keys. */
  keepsToken = false;
  /** It said hello. */
  greeted = false;
  session: SessionHalf | null = null;
  sendEpoch = 0n;
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
    this.greeted = false;
    this.session = null;
  }

  /** A datagram came from the host under test. */
  hear(machine: Machine, bytes: Uint8Array): void {
    const header = new PacketHeader();
    const reason = packetHeaderRead(bytes, 0, bytes.length, header);
    if (reason !== 0 || header.type === PACKET_REQUEST) return;
    const session = header.type >= PACKET_SESSION;
    const moving = header.type === PACKET_MOVING;
    if (session && this.session === null) return;
    if (session) {
      // A host under test never sends so much that there is another epoch.
      const number = sequenceExpand24(header.sequenceLo, Math.max(this.latest, 0));
      header.sequenceLo = number >>> 0;
      header.sequenceHi = Math.floor(number / 2 ** 32) >>> 0;
    }
    const { clientToServer, serverToClient } = this.identity;
    const token = machine.isClient ? clientToServer : serverToClient;
    const key = session ? (this.session as SessionHalf).receive : token;
    const associated = new Uint8Array(PACKET_ASSOCIATED_BYTES);
    const idLo = moving ? header.pathLo : PROTOCOL_LOW;
    const idHi = moving ? header.pathHi : PROTOCOL_HIGH;
    packetAssociatedData(idLo, idHi, bytes[0], associated);
    const body = bytes.slice();
    const length = bytes.length - header.bytes;
    const { sequenceLo, sequenceHi } = header;
    const opened = openPacket(key, sequenceLo, sequenceHi, associated, body, header.bytes, length);
    if (opened < 0) return;
    if (header.type === PACKET_CHALLENGE) {
      this.hasChallenge = true;
      this.challenge.set(body.subarray(header.bytes, header.bytes + CHALLENGE_BODY_BYTES));
    }
    if (header.type < PACKET_RESPONSE) return;
    this.latest = sequenceHi * 2 ** 32 + sequenceLo;
    if (this.first < 0) this.first = this.latest;
    this.forget(false);
    if (session) this.greeted = true;
    const payload = header.type === PACKET_PAYLOAD || (session && opened > 0);
    if (payload && !machine.raw)
      this.#hearHello(machine, body.subarray(header.bytes, header.bytes + opened));
  }

  #hearHello(machine: Machine, body: Uint8Array): void {
    const hello = helloOf(body);
    if (hello === undefined) return;
    const { session } = this;
    if (session !== null && Buffer.compare(session.hostKey, hello.publicKey) === 0) return;
    this.session = derive(this.identity, !machine.isClient, hello);
    this.sendEpoch = 0n;
  }

  /** The last packet that it heard is forgotten, or remembered. */
  forget(forgets: boolean): void {
    if (this.latest < 0 || this.latest - this.first >= HEARD_MAX) return;
    if (forgets) this.heard.delete(this.latest);
    else this.heard.add(this.latest);
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

  /** The key of a number's epoch; there is no way back, and none that leads far. */
  #sessionKey(session: SessionHalf, number: bigint): SealKey {
    const epoch = number >> BigInt(EPOCH_BITS);
    if (epoch - this.sendEpoch > EPOCHS_MAX) return session.send;
    for (; this.sendEpoch < epoch; this.sendEpoch++) {
      sealKeySet(session.send, nextKey(session.send.bytes), 0);
    }
    return session.send;
  }

  #sendSession(machine: Machine, session: SessionHalf, number: bigint, body: Uint8Array): void {
    const given = body.subarray(0, PAYLOAD_BYTES_MAX);
    const out = new Uint8Array(PACKET_BYTES_MAX);
    const headerBytes = sessionHeaderWrite(low(number), out, 0);
    out.set(given, headerBytes);
    const associated = new Uint8Array(PACKET_ASSOCIATED_BYTES);
    packetAssociatedData(PROTOCOL_LOW, PROTOCOL_HIGH, out[0], associated);
    const key = this.#sessionKey(session, number);
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
    const number = this.number(numbering);
    const { session } = this;
    if (session !== null && this.greeted && !this.keepsToken) {
      this.#sendSession(machine, session, number, body);
    } else {
      this.send(machine, PACKET_PAYLOAD, number, body);
    }
  }

  keepAlive(machine: Machine, numbering = 0): void {
    this.send(machine, PACKET_KEEP_ALIVE, this.number(numbering), new Uint8Array(8));
  }

  hello(machine: Machine): void {
    this.payload(machine, false, 0, peerHello(machine));
    this.greeted = true;
  }
}

/** A hello that the host agrees with. */
export function peerHello(machine: Machine, payloadBytes = PAYLOAD_BYTES_MAX): Uint8Array {
  const { config } = machine;
  const writer = new Writer();
  writerSet(writer, new Uint8Array(PAYLOAD_BYTES_MAX), 0, PAYLOAD_BYTES_MAX);
  const channels = config[CONFIG_CHANNELS];
  const nameHash = config[CONFIG_NAME_HASH];
  const suites = SUITES_ALWAYS;
  helloWrite(writer, NETRT_VERSION, nameHash, channels, payloadBytes, 0, 0, suites, PUBLIC);
  for (let channel = 0; channel < channels; channel++) {
    writeU32(writer, config[CONFIG_POLICIES + channel * POLICY_WORDS + HASH_WORD]);
  }
  return writer.bytes.slice(0, writer.offset);
}
