// tokens: connect tokens whose every byte comes from a seed.
//
// lib/token.ts mints with the system's randomness, which no run could repeat.
import { type Address, Address as AddressOf, addressCopy } from "../../lib/engine/address.js";
import {
  PACKET_ASSOCIATED_BYTES,
  TOKEN_ASSOCIATED_BYTES,
  TOKEN_PRIVATE_PLAIN_BYTES,
  TOKEN_PUBLIC_BYTES,
} from "../../lib/engine/limits.js";
import { packetAssociatedData } from "../../lib/engine/packet.js";
import { openPacket, SealKey, sealKeySet, sealToken } from "../../lib/engine/seal.js";
import {
  ConnectToken,
  PrivateToken,
  tokenAssociatedData,
  tokenPrivateWrite,
  tokenPublicWrite,
} from "../../lib/engine/token.js";
import type { Random } from "../../lib/sim/random.js";

export interface TokenOptions {
  readonly protocolIdLo: number;
  readonly protocolIdHi: number;
  readonly privateKey: Uint8Array;
  readonly clientIdLo: number;
  readonly clientIdHi: number;
  /** First word of the user data: what the server's user knows the client by. */
  readonly userWord: number;
  readonly createSeconds: number;
  readonly expireSeconds: number;
  readonly timeoutSeconds: number;
  /** ADDRESS_WORDS words each. */
  readonly servers: readonly Uint32Array[];
}

export function fillRandom(random: Random, bytes: Uint8Array): Uint8Array {
  for (let index = 0; index < bytes.length; index++) bytes[index] = random.next32() >>> 24;
  return bytes;
}

export function addressOf(words: Uint32Array): Address {
  const address = new AddressOf();
  address.type = words[0];
  address.port = words[1];
  address.a = words[2];
  address.b = words[3];
  address.c = words[4];
  address.d = words[5];
  return address;
}

export interface Minted {
  /** The token, TOKEN_PUBLIC_BYTES. */
  readonly bytes: Uint8Array;
  readonly clientToServerKey: Uint8Array;
  readonly serverToClientKey: Uint8Array;
}

export function tokenMint(random: Random, options: TokenOptions): Minted {
  const secret = new PrivateToken();
  const open = new ConnectToken();
  secret.clientIdLo = options.clientIdLo;
  secret.clientIdHi = options.clientIdHi;
  fillRandom(random, secret.clientToServerKey);
  fillRandom(random, secret.serverToClientKey);
  fillRandom(random, secret.userData);
  new DataView(secret.userData.buffer).setUint32(0, options.userWord, true);
  fillRandom(random, open.nonce);
  open.clientToServerKey.set(secret.clientToServerKey);
  open.serverToClientKey.set(secret.serverToClientKey);
  for (const token of [secret, open]) {
    token.timeoutSeconds = options.timeoutSeconds;
    token.serverCount = options.servers.length;
    for (const [index, words] of options.servers.entries()) {
      addressCopy(token.servers[index], addressOf(words));
    }
  }
  open.protocolIdLo = options.protocolIdLo;
  open.protocolIdHi = options.protocolIdHi;
  open.createTimestampLo = options.createSeconds;
  open.expireTimestampLo = options.expireSeconds;
  tokenPrivateWrite(secret, open.privateBytes, 0);
  const associated = new Uint8Array(TOKEN_ASSOCIATED_BYTES);
  const { protocolIdLo, protocolIdHi, privateKey } = options;
  tokenAssociatedData(protocolIdLo, protocolIdHi, options.expireSeconds, 0, associated);
  sealToken(privateKey, open.nonce, associated, open.privateBytes, 0, TOKEN_PRIVATE_PLAIN_BYTES);
  const bytes = new Uint8Array(TOKEN_PUBLIC_BYTES);
  tokenPublicWrite(open, bytes, 0);
  const { clientToServerKey, serverToClientKey } = open;
  return { bytes, clientToServerKey, serverToClientKey };
}

/** Whether a packet of this number was sealed under the key. */
export function packetOpens(
  protocolIdLo: number,
  protocolIdHi: number,
  key: Uint8Array,
  packet: Uint8Array,
  numberLo: number,
  numberHi: number,
): boolean {
  const associated = new Uint8Array(PACKET_ASSOCIATED_BYTES);
  packetAssociatedData(protocolIdLo, protocolIdHi, packet[0], associated);
  const seal = new SealKey();
  sealKeySet(seal, key, 0);
  const start = 1 + (packet[0] >>> 4);
  const bytes = packet.slice(start);
  return openPacket(seal, numberLo, numberHi, associated, bytes, 0, bytes.length) >= 0;
}
