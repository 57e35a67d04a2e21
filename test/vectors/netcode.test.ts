/*
 * Owns the known answers of the NETCODE 1.02 reference implementation (netcode-1.02.json): every token and
 * every packet is opened, read, written and sealed again to the same bytes, by both engines.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  ADDRESS_WORDS,
  CHALLENGE_BLOB,
  CHALLENGE_WORDS,
  CONNECT_BLOB,
  CONNECT_WORDS,
  type CoreProbe,
  PRIVATE_BLOB,
  PRIVATE_WORDS,
  REQUEST_BLOB,
  REQUEST_WORDS,
  twins,
} from "../twins.js";
import { parseAddress } from "../../lib/address.js";

interface TokenVector {
  clientId: string;
  timeoutSeconds: number;
  servers: string[];
  createTimestamp: string;
  expireTimestamp: string;
  clientToServerKey: string;
  serverToClientKey: string;
  userData: string;
  nonce: string;
  privPlain: string;
  privSealed: string;
  public: string;
}

interface PacketVector {
  type: "request" | keyof typeof TYPES;
  token?: number;
  sequence?: string;
  packetKey?: string;
  payload?: string;
  clientIndex?: number;
  maxClients?: number;
  wire: string;
}

interface Vectors {
  protocolId: string;
  privateKey: string;
  tokens: TokenVector[];
  challenge: { sequence: string; clientId: string; key: string; plain: string; sealed: string };
  packets: PacketVector[];
}

const TYPES = {
  denied: 1,
  challenge: 2,
  response: 3,
  keepAlive: 4,
  payload: 5,
  disconnect: 6,
} as const;

const vectors = JSON.parse(
  readFileSync(new URL("./netcode-1.02.json", import.meta.url), "utf8"),
) as Vectors;
const TAG_BYTES = 16;

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const lo = (value: string): number => Number(BigInt(value) & 0xffffffffn);
const hi = (value: string): number => Number(BigInt(value) >> 32n);
const halves = (value: string): [number, number] => [lo(value), hi(value)];

const protocolId = halves(vectors.protocolId);
const privateKey = hex(vectors.privateKey);

function serverWords(token: TokenVector): number[] {
  const words = token.servers.flatMap((server) => {
    const { type, port, a, b, c, d } = parseAddress(server);
    return [type, port, a, b, c, d];
  });
  return [token.timeoutSeconds, token.servers.length, ...words];
}

function privateFields(token: TokenVector) {
  const words = new Uint32Array(PRIVATE_WORDS);
  words.set([...halves(token.clientId), ...serverWords(token)]);
  return { words, blob: hex(token.clientToServerKey + token.serverToClientKey + token.userData) };
}

function connectFields(token: TokenVector) {
  const words = new Uint32Array(CONNECT_WORDS);
  words.set([
    ...protocolId,
    ...halves(token.createTimestamp),
    ...halves(token.expireTimestamp),
    ...serverWords(token),
  ]);
  const keys = token.clientToServerKey + token.serverToClientKey;
  return { words, blob: hex(token.nonce + token.privSealed + keys) };
}

function tokenAssociated(core: CoreProbe, token: TokenVector): Uint8Array {
  const out = new Uint8Array(29);
  core.tokenAssociatedData(...protocolId, ...halves(token.expireTimestamp), out);
  return out;
}

describe.each(twins)("tokens, by $name", ({ core }) => {
  const each = test.each(vectors.tokens.map((token, index) => [index, token] as const));

  each("private token %i: written, sealed, opened and read", (_index, token) => {
    const { words, blob } = privateFields(token);
    const bytes = new Uint8Array(1024);
    expect(core.tokenPrivateWrite(words, blob, bytes, 0)).toBe(true);
    expect(text(bytes.subarray(0, 1008))).toBe(token.privPlain);

    const associated = tokenAssociated(core, token);
    const nonce = hex(token.nonce);
    expect(core.sealToken(privateKey, nonce, associated, bytes, 0, 1008)).toBe(1024);
    expect(text(bytes)).toBe(token.privSealed);
    expect(core.openToken(privateKey, nonce, associated, bytes, 0, 1024)).toBe(1008);
    expect(text(bytes.subarray(0, 1008))).toBe(token.privPlain);

    const readWords = new Uint32Array(PRIVATE_WORDS);
    const readBlob = new Uint8Array(PRIVATE_BLOB);
    expect(core.tokenPrivateRead(bytes, 0, 1008, readWords, readBlob)).toBe(true);
    expect(readWords).toEqual(words);
    expect(text(readBlob)).toBe(text(blob));
  });

  each("connect token %i: written and read", (_index, token) => {
    const { words, blob } = connectFields(token);
    const bytes = new Uint8Array(2048);
    expect(core.tokenPublicWrite(words, blob, bytes, 0)).toBe(true);
    expect(text(bytes)).toBe(token.public);

    const readWords = new Uint32Array(CONNECT_WORDS);
    const readBlob = new Uint8Array(CONNECT_BLOB);
    expect(core.tokenPublicRead(bytes, 0, 2048, readWords, readBlob)).toBe(true);
    expect(readWords).toEqual(words);
    expect(text(readBlob)).toBe(text(blob));
    expect(readWords[8 + ADDRESS_WORDS * token.servers.length]).toBe(0);
  });

  test("challenge token: written, sealed, opened and read", () => {
    const { challenge } = vectors;
    const words = Uint32Array.from(halves(challenge.clientId));
    const blob = hex(challenge.plain).subarray(8, 8 + CHALLENGE_BLOB);
    const bytes = new Uint8Array(300);
    expect(core.tokenChallengeWrite(words, blob, bytes, 0)).toBe(true);
    expect(text(bytes.subarray(0, 284))).toBe(challenge.plain);

    const key = core.sealKeyOpen();
    core.sealKeySet(key, hex(challenge.key), 0);
    const none = new Uint8Array(0);
    const sequence = halves(challenge.sequence);
    expect(core.sealPacket(key, ...sequence, none, bytes, 0, 284)).toBe(300);
    expect(text(bytes)).toBe(challenge.sealed);
    expect(core.openPacket(key, ...sequence, none, bytes, 0, 300)).toBe(284);

    const readWords = new Uint32Array(CHALLENGE_WORDS);
    const readBlob = new Uint8Array(CHALLENGE_BLOB);
    expect(core.tokenChallengeRead(bytes, 0, 284, readWords, readBlob)).toBe(true);
    expect(readWords).toEqual(words);
    expect(text(readBlob)).toBe(text(blob));
  });
});

/** What the vector says a packet's body is. */
function bodyOf(packet: PacketVector): Uint8Array {
  switch (packet.type) {
    case "keepAlive": {
      const body = new DataView(new ArrayBuffer(8));
      body.setUint32(0, packet.clientIndex as number, true);
      body.setUint32(4, packet.maxClients as number, true);
      return new Uint8Array(body.buffer);
    }
    case "payload":
      return hex(packet.payload as string);
    case "challenge":
    case "response": {
      const body = new DataView(new ArrayBuffer(8));
      body.setBigUint64(0, BigInt(vectors.challenge.sequence), true);
      return Uint8Array.from([...new Uint8Array(body.buffer), ...hex(vectors.challenge.sealed)]);
    }
    default:
      return new Uint8Array(0);
  }
}

const sealedPackets = vectors.packets.filter((packet) => packet.type !== "request");
const requests = vectors.packets.filter((packet) => packet.type === "request");

test("the vectors are all there", () => {
  expect(vectors.tokens).toHaveLength(3);
  expect(vectors.packets).toHaveLength(79);
  expect(sealedPackets.length + requests.length).toBe(79);
});

describe.each(twins)("packets, by $name", ({ core }) => {
  test.each(requests)("request: written and read", (packet) => {
    const token = vectors.tokens[packet.token as number];
    const { words, blob } = connectFields(token);
    const bytes = new Uint8Array(1078);
    expect(core.requestWrite(words, blob, bytes, 0)).toBe(true);
    expect(text(bytes)).toBe(packet.wire);

    const header = new Uint32Array(4);
    expect(core.packetHeaderRead(bytes, 0, bytes.length, header)).toBe(0);
    expect([...header]).toEqual([0, 0, 0, 1]);
    const readWords = new Uint32Array(REQUEST_WORDS);
    const readBlob = new Uint8Array(REQUEST_BLOB);
    expect(core.requestRead(bytes, 0, bytes.length, readWords, readBlob)).toBe(true);
    expect([...readWords]).toEqual([...protocolId, ...halves(token.expireTimestamp), 54]);
    expect(text(readBlob)).toBe(token.nonce);
    const associated = tokenAssociated(core, token);
    expect(core.openToken(privateKey, readBlob, associated, bytes, 54, 1024)).toBe(1008);
    expect(text(bytes.subarray(54, 54 + 1008))).toBe(token.privPlain);
  });

  test.each(sealedPackets)("$type $sequence: opened and sealed again", (packet) => {
    const type = TYPES[packet.type as keyof typeof TYPES];
    const sequence = halves(packet.sequence as string);
    const wire = hex(packet.wire);
    const header = new Uint32Array(4);
    expect(core.packetHeaderRead(wire, 0, wire.length, header)).toBe(0);
    expect([...header.subarray(0, 3)]).toEqual([type, ...sequence]);

    const key = core.sealKeyOpen();
    core.sealKeySet(key, hex(packet.packetKey as string), 0);
    const associated = new Uint8Array(22);
    core.packetAssociatedData(...protocolId, wire[0], associated);
    const start = header[3];
    const bytes = wire.slice();
    const body = core.openPacket(key, ...sequence, associated, bytes, start, wire.length - start);
    expect(text(bytes.subarray(start, start + body))).toBe(text(bodyOf(packet)));
    expect(core.packetBodyValid(type, body)).toBe(true);

    const again = new Uint8Array(wire.length);
    const written = core.packetHeaderWrite(type, ...sequence, again, 0);
    expect(written).toBe(start);
    again.set(bodyOf(packet), written);
    const total = core.sealPacket(key, ...sequence, associated, again, written, body);
    expect(total).toBe(body + TAG_BYTES);
    expect(text(again)).toBe(packet.wire);
  });
});
