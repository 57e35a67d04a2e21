/*
 * Owns the TypeScript engine in the probe's shape, which native/addon/probe_codec.cc gives the C++ one.
 * Never adds behaviour: each call is one call of lib/engine, or a struct filled and emptied around one.
 */
import {
  Address,
  addressEqual,
  addressHash,
  addressRead,
  addressWrite,
} from "../lib/engine/address.js";
import {
  Reader,
  readAlign,
  readBits,
  readBytes,
  readerSet,
  readSkip,
  readU8,
  readU16,
  readU32,
  readVarint,
  varintBytes,
  Writer,
  writeAlign,
  writeBits,
  writeBytes,
  writerSet,
  writeU8,
  writeU16,
  writeU32,
  writeVarint,
  writeZeros,
} from "../lib/engine/bytes.js";
import { hash32 } from "../lib/engine/hash.js";
import { hkdfExpand, hkdfExtract } from "../lib/engine/hkdf.js";
import {
  PacketHeader,
  packetAssociatedData,
  packetBodyValid,
  packetHeaderRead,
  packetHeaderWrite,
  sessionHeaderWrite,
} from "../lib/engine/packet.js";
import { ReplayWindow, replayAdvance, replayReset, replayTest } from "../lib/engine/replay.js";
import {
  aeadOpen,
  aeadSeal,
  chachaBlock,
  hchacha,
  hmacSha256,
  openPacket,
  openToken,
  SealKey,
  sealInit,
  sealKeyClear,
  sealKeySet,
  sealPacket,
  sealProviderName,
  sealSuiteSet,
  sealToken,
  x25519Agree,
  x25519Public,
} from "../lib/engine/seal.js";
import { sequenceExpand16, sequenceNewer16 } from "../lib/engine/sequence.js";
import { sipHash } from "../lib/engine/sip.js";
import {
  ChallengeToken,
  ConnectToken,
  PrivateToken,
  Request,
  requestRead,
  requestWrite,
  tokenAssociatedData,
  tokenChallengeRead,
  tokenChallengeWrite,
  tokenPrivateRead,
  tokenPrivateWrite,
  tokenPublicRead,
  tokenPublicWrite,
} from "../lib/engine/token.js";
import { ADDRESS_WORDS, type CoreProbe, type KeyHandle, OPERATION } from "./probe.js";
import { standIn } from "./standin.js";

function readOne(reader: Reader, operation: number, count: number, copy: Uint8Array): number {
  switch (operation) {
    case OPERATION.U8:
      return readU8(reader);
    case OPERATION.U16:
      return readU16(reader);
    case OPERATION.U32:
      return readU32(reader);
    case OPERATION.VARINT:
      return readVarint(reader);
    case OPERATION.BITS:
      return readBits(reader, count);
    case OPERATION.ALIGN:
      readAlign(reader);
      return 0;
    case OPERATION.SKIP:
      return readSkip(reader, count) ? 1 : 0;
    default:
      return readBytes(reader, copy, 0, count) ? 1 : 0;
  }
}

function writeOne(
  writer: Writer,
  operation: number,
  value: number,
  count: number,
  source: Uint8Array,
): void {
  const operations = [
    () => writeU8(writer, value),
    () => writeU16(writer, value),
    () => writeU32(writer, value),
    () => writeVarint(writer, value),
    () => writeBits(writer, value, count),
    () => writeAlign(writer),
    () => writeZeros(writer, count),
    () => writeBytes(writer, source, 0, count),
  ];
  operations[operation]();
}

function stateOut(cursor: Reader | Writer, state: Uint32Array): void {
  state.set([cursor.offset, cursor.bitOffset, cursor.failed ? 1 : 0]);
}

function addressIn(words: Uint32Array, start = 0): Address {
  const address = new Address();
  [address.type, address.port, address.a, address.b, address.c, address.d] = words.subarray(
    start,
    start + ADDRESS_WORDS,
  ) as unknown as [number, number, number, number, number, number];
  return address;
}

function addressOut(address: Address, words: Uint32Array, start = 0): void {
  const { type, port, a, b, c, d } = address;
  words.set([type, port, a, b, c, d], start);
}

type Servers = PrivateToken | ConnectToken;

function serversIn(token: Servers, words: Uint32Array, start: number): void {
  token.timeoutSeconds = words[start] | 0;
  token.serverCount = words[start + 1];
  token.servers.forEach((server, index) => {
    Object.assign(server, addressIn(words, start + 2 + index * ADDRESS_WORDS));
  });
}

function serversOut(token: Servers, words: Uint32Array, start: number): void {
  words[start] = token.timeoutSeconds;
  words[start + 1] = token.serverCount;
  token.servers.forEach((server, index) => {
    addressOut(server, words, start + 2 + index * ADDRESS_WORDS);
  });
}

function blobParts(blob: Uint8Array, parts: readonly Uint8Array[], out: boolean): void {
  let offset = 0;
  for (const part of parts) {
    if (out) blob.set(part, offset);
    else part.set(blob.subarray(offset, offset + part.length));
    offset += part.length;
  }
}

const privateParts = (token: PrivateToken) => [
  token.clientToServerKey,
  token.serverToClientKey,
  token.userData,
];

const connectParts = (token: ConnectToken) => [
  token.nonce,
  token.privateBytes,
  token.clientToServerKey,
  token.serverToClientKey,
];

function privateIn(words: Uint32Array, blob: Uint8Array): PrivateToken {
  const token = new PrivateToken();
  token.clientIdLo = words[0];
  token.clientIdHi = words[1];
  serversIn(token, words, 2);
  blobParts(blob, privateParts(token), false);
  return token;
}

function connectIn(words: Uint32Array, blob: Uint8Array): ConnectToken {
  const token = new ConnectToken();
  token.protocolIdLo = words[0];
  token.protocolIdHi = words[1];
  token.createTimestampLo = words[2];
  token.createTimestampHi = words[3];
  token.expireTimestampLo = words[4];
  token.expireTimestampHi = words[5];
  serversIn(token, words, 6);
  blobParts(blob, connectParts(token), false);
  return token;
}

const asKey = (key: KeyHandle): SealKey => key as unknown as SealKey;

export const jsProbe: CoreProbe = {
  readProgram(program, bytes, offset, end, copy, values, state) {
    const reader = new Reader();
    readerSet(reader, bytes, offset, end);
    for (let index = 0; index < program.length / 3; index++) {
      values[index] = readOne(reader, program[3 * index], program[3 * index + 2], copy);
    }
    stateOut(reader, state);
  },
  writeProgram(program, bytes, offset, end, source, state) {
    const writer = new Writer();
    writerSet(writer, bytes, offset, end);
    for (let index = 0; index < program.length / 3; index++) {
      const [operation, value, count] = program.subarray(3 * index, 3 * index + 3);
      writeOne(writer, operation, value, count, source);
    }
    stateOut(writer, state);
  },
  varintBytes,
  hash32,
  sipHash,
  sequenceNewer16,
  sequenceExpand16,
  addressRead(bytes, offset, end, words) {
    const reader = new Reader();
    readerSet(reader, bytes, offset, end);
    const address = new Address();
    const read = addressRead(reader, address);
    addressOut(address, words);
    return read ? reader.offset : -1;
  },
  addressWrite(words, bytes, offset, end) {
    const writer = new Writer();
    writerSet(writer, bytes, offset, end);
    addressWrite(writer, addressIn(words));
    return writer.failed ? -1 : writer.offset;
  },
  addressEqual: (left, right) => addressEqual(addressIn(left), addressIn(right)),
  addressHash: (words, key) => addressHash(addressIn(words), key),
  packetHeaderRead(bytes, offset, length, header) {
    const read = new PacketHeader();
    const reason = packetHeaderRead(bytes, offset, length, read);
    header.set([read.type, read.sequenceLo, read.sequenceHi, read.bytes]);
    return reason;
  },
  packetHeaderWrite,
  sessionHeaderWrite,
  packetAssociatedData,
  packetBodyValid,
  replayRun(sequences, advances, results) {
    const window = new ReplayWindow();
    replayReset(window);
    advances.forEach((advance, index) => {
      const lo = sequences[2 * index];
      const hi = sequences[2 * index + 1];
      results[index] = replayTest(window, lo, hi) ? 1 : 0;
      if (advance !== 0) replayAdvance(window, lo, hi);
    });
  },
  sealInit,
  sealProviderName,
  standIn,
  sealKeyOpen: () => new SealKey() as unknown as KeyHandle,
  sealKeySet: (key, bytes, offset) => sealKeySet(asKey(key), bytes, offset),
  sealSuiteSet: (key, suite, bytes, offset) => sealSuiteSet(asKey(key), suite, bytes, offset),
  x25519Public,
  x25519Agree,
  hmacSha256,
  hkdfExtract,
  hkdfExpand: (key, info, out) => hkdfExpand(key, info, out, out.length),
  sealKeyClear: (key) => sealKeyClear(asKey(key)),
  aeadSeal: (key, ...rest) => aeadSeal(asKey(key), ...rest),
  aeadOpen: (key, ...rest) => aeadOpen(asKey(key), ...rest),
  sealPacket: (key, ...rest) => sealPacket(asKey(key), ...rest),
  openPacket: (key, ...rest) => openPacket(asKey(key), ...rest),
  sealToken,
  openToken,
  chachaBlock,
  hchacha,
  tokenPrivateWrite: (words, blob, bytes, offset) =>
    tokenPrivateWrite(privateIn(words, blob), bytes, offset),
  tokenPrivateRead(bytes, offset, length, words, blob) {
    const token = new PrivateToken();
    if (!tokenPrivateRead(bytes, offset, length, token)) return false;
    words.set([token.clientIdLo, token.clientIdHi]);
    serversOut(token, words, 2);
    blobParts(blob, privateParts(token), true);
    return true;
  },
  tokenPublicWrite: (words, blob, bytes, offset) =>
    tokenPublicWrite(connectIn(words, blob), bytes, offset),
  tokenPublicRead(bytes, offset, length, words, blob) {
    const token = new ConnectToken();
    if (!tokenPublicRead(bytes, offset, length, token)) return false;
    words.set([token.protocolIdLo, token.protocolIdHi]);
    words.set([token.createTimestampLo, token.createTimestampHi], 2);
    words.set([token.expireTimestampLo, token.expireTimestampHi], 4);
    serversOut(token, words, 6);
    blobParts(blob, connectParts(token), true);
    return true;
  },
  tokenChallengeWrite(words, blob, bytes, offset) {
    const token = new ChallengeToken();
    token.clientIdLo = words[0];
    token.clientIdHi = words[1];
    blobParts(blob, [token.userData], false);
    return tokenChallengeWrite(token, bytes, offset);
  },
  tokenChallengeRead(bytes, offset, length, words, blob) {
    const token = new ChallengeToken();
    if (!tokenChallengeRead(bytes, offset, length, token)) return false;
    words.set([token.clientIdLo, token.clientIdHi]);
    blobParts(blob, [token.userData], true);
    return true;
  },
  requestWrite: (words, blob, bytes, offset) => requestWrite(connectIn(words, blob), bytes, offset),
  requestRead(bytes, offset, length, words, blob) {
    const request = new Request();
    if (!requestRead(bytes, offset, length, request)) return false;
    const { protocolIdLo, protocolIdHi, expireTimestampLo, expireTimestampHi } = request;
    words.set([protocolIdLo, protocolIdHi, expireTimestampLo, expireTimestampHi]);
    words[4] = request.privateOffset;
    blobParts(blob, [request.nonce], true);
    return true;
  },
  tokenAssociatedData,
};
