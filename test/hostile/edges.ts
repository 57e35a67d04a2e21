/*
 * Owns packets and requests of NETCODE at the edges of their sizes and counts, each with the reason for which it must be
 * refused, for attack 9.
 * Never knows a frame.
 */
import { REJECT_SEQUENCE_BYTES, REJECT_TYPE } from "../../lib/engine/packet.js";
import {
  REJECT_ADDRESS_CONNECTED,
  REJECT_BODY,
  REJECT_EXPIRED,
  REJECT_NONE,
  REJECT_PROTOCOL,
  REJECT_REPLAY,
  REJECT_SEAL,
  REJECT_SERVER,
  REJECT_SIZE,
  REJECT_TOKEN,
  REJECT_VERSION,
} from "../../lib/engine/stats.js";
import {
  decodePublicToken,
  encodePrivateToken,
  encodePublicToken,
  encodeRequest,
  mintReferenceToken,
  NEVER,
  PACKET_TYPES,
  PAYLOAD_BYTES_MAX,
  type PrivateToken,
  REQUEST_BYTES,
} from "../peers/netcode.js";
import { sealPrivateToken } from "../peers/netcode-token.js";
import type { Insider } from "./insider.js";
import { SERVER, type World } from "./world.js";

export interface RawCase {
  readonly what: string;
  readonly from: string;
  readonly bytes: Uint8Array;
  /** Why it is refused; REJECT_NONE when it is taken. */
  readonly reason: number;
}

const noise = (bytes: number, first: number): Uint8Array => {
  const packet = new Uint8Array(bytes).fill(0x5a);
  if (bytes > 0) packet[0] = first;
  return packet;
};

/** Of a connected insider: everything that is wrong before a payload is looked at. */
export function packetCases(insider: Insider): RawCase[] {
  const from = insider.address;
  const prefix = (type: number, count: number) => (count << 4) | type;
  const { payload, keepAlive, response, challenge, denied } = PACKET_TYPES;
  const sizes = [0, 1, 16, 17, 1226, 1300].map((bytes) => ({
    what: `a datagram of ${bytes} bytes`,
    bytes: noise(bytes, prefix(payload, 8)),
    reason: REJECT_SIZE,
  }));
  const opens = [18, 19, 1224, 1225].map((bytes) => ({
    what: `a datagram of ${bytes} bytes that doesn't open`,
    bytes: noise(bytes, prefix(payload, 1)),
    reason: REJECT_SEAL,
  }));
  const types = [denied, challenge, 7, 8, 15].map((type) => ({
    what: `a packet of type ${type}`,
    bytes: noise(40, prefix(type, 1)),
    reason: REJECT_TYPE,
  }));
  const sequences = [0, 9, 15].map((count) => ({
    what: `a sequence of ${count} bytes`,
    bytes: noise(60, prefix(payload, count)),
    reason: REJECT_SEQUENCE_BYTES,
  }));
  const short = [2, 8].map((count) => ({
    what: `a sequence of ${count} bytes and no room for a tag`,
    bytes: noise(18 + count - 2, prefix(payload, count)),
    reason: REJECT_SIZE,
  }));
  // Sealed as it should be, with a body that its type has not.
  const bodies = [
    [keepAlive, 0],
    [keepAlive, 7],
    [keepAlive, 9],
    [payload, 0],
    [payload, PAYLOAD_BYTES_MAX + 1],
    [PACKET_TYPES.disconnect, 1],
  ].map(([type, bytes]) => ({
    what: `a packet of type ${type} with a body of ${bytes} bytes`,
    bytes: insider.seal(type, new Uint8Array(bytes)),
    // A seal over more than any payload has is not tried.
    reason: bytes > PAYLOAD_BYTES_MAX ? REJECT_SEAL : REJECT_BODY,
  }));
  const replayed = insider.seal(keepAlive, new Uint8Array(8));
  const replays = [
    { what: "a keep-alive", bytes: replayed, reason: REJECT_NONE },
    { what: "the same again", bytes: replayed, reason: REJECT_REPLAY },
  ];
  const answers = [
    {
      what: "a response of who is connected",
      bytes: noise(333, prefix(response, 1)),
      reason: REJECT_ADDRESS_CONNECTED,
    },
  ];
  const all = [
    ...sizes,
    ...opens,
    ...types,
    ...sequences,
    ...short,
    ...bodies,
    ...replays,
    ...answers,
  ];
  return all.map((one) => ({ ...one, from }));
}

/** A private token with these fields, sealed as the backend would, in a request. */
function sealedRequest(
  world: World,
  change: (plain: Buffer, token: PrivateToken) => Buffer | undefined,
  expireTimestamp = BigInt(world.unixSeconds + 30),
): Buffer {
  const open = decodePublicToken(mintReferenceToken(mintOptions(world)))!;
  const token: PrivateToken = {
    clientId: 4242n,
    timeoutSeconds: 5,
    servers: [SERVER],
    clientToServerKey: open.clientToServerKey,
    serverToClientKey: open.serverToClientKey,
    userData: Buffer.alloc(256),
  };
  const plain = encodePrivateToken(token);
  const { nonce } = open;
  const protocolId = world.protocol.id;
  const privateKey = Buffer.from(world.key);
  const sealedPrivate = sealPrivateToken(change(plain, token) ?? plain, {
    protocolId,
    expireTimestamp,
    nonce,
    privateKey,
  });
  return encodeRequest({ protocolId, expireTimestamp, nonce, sealedPrivate });
}

function mintOptions(world: World) {
  return {
    protocolId: world.protocol.id,
    privateKey: world.key,
    clientId: 4242n,
    servers: [SERVER],
    createTimestamp: BigInt(world.unixSeconds),
  };
}

/** Where the count of servers stands in a private token: behind client id and time-out. */
const SERVER_COUNT = 12;
const FIRST_ADDRESS = 16;

function withCount(count: number) {
  return (plain: Buffer): Buffer => {
    plain.writeUInt32LE(count, SERVER_COUNT);
    return plain;
  };
}

function withServers(world: World, count: number, own: number) {
  return (_plain: Buffer, token: PrivateToken): Buffer => {
    const servers = Array.from({ length: count }, (_, index) =>
      index === own ? SERVER : `10.9.0.${index}:1`,
    );
    return encodePrivateToken({ ...token, servers, clientId: BigInt(1000 + count + world.turns) });
  };
}

/** Requests, each from an address of its own. */
export function requestCases(world: World): RawCase[] {
  const now = BigInt(world.unixSeconds);
  const good = sealedRequest(world, () => undefined);
  const changed = (index: number, bits: number) => {
    const bytes = Buffer.from(good);
    bytes[index] ^= bits;
    return bytes;
  };
  const token = encodePublicToken(decodePublicToken(mintReferenceToken(mintOptions(world)))!);
  const cases: { what: string; bytes: Uint8Array; reason: number }[] = [
    ...[REQUEST_BYTES - 1, REQUEST_BYTES + 1, 18, 1225].map((bytes) => ({
      what: `a request of ${bytes} bytes`,
      bytes: Buffer.concat([good, Buffer.alloc(200)]).subarray(0, bytes),
      reason: REJECT_SIZE,
    })),
    { what: "a request with sequence bytes", bytes: changed(0, 0x10), reason: REJECT_TYPE },
    { what: "another version", bytes: changed(12, 1), reason: REJECT_VERSION },
    { what: "a version without its end", bytes: changed(13, 1), reason: REJECT_VERSION },
    { what: "another protocol", bytes: changed(14, 1), reason: REJECT_PROTOCOL },
    {
      what: "a protocol whose last byte differs",
      bytes: changed(21, 128),
      reason: REJECT_PROTOCOL,
    },
    { what: "an expiry that was changed", bytes: changed(22, 1), reason: REJECT_TOKEN },
    { what: "a nonce that was changed", bytes: changed(30, 1), reason: REJECT_TOKEN },
    { what: "a token whose first byte was changed", bytes: changed(54, 1), reason: REJECT_TOKEN },
    { what: "a token whose last byte was changed", bytes: changed(1077, 1), reason: REJECT_TOKEN },
    { what: "a public token", bytes: token.subarray(0, REQUEST_BYTES), reason: REJECT_TYPE },
    ...[0, 33, 0x7fffffff, 0x80000000, 0xffffffff].map((count) => ({
      what: `a token of ${count} servers`,
      bytes: sealedRequest(world, withCount(count)),
      reason: REJECT_TOKEN,
    })),
    ...[0, 3, 255].map((type) => ({
      what: `a server address of type ${type}`,
      bytes: sealedRequest(world, (plain) => {
        plain[FIRST_ADDRESS] = type;
        return plain;
      }),
      reason: REJECT_TOKEN,
    })),
    {
      what: "a token for other servers",
      bytes: sealedRequest(world, withServers(world, 32, -1)),
      reason: REJECT_SERVER,
    },
    {
      what: "1 server",
      bytes: sealedRequest(world, withServers(world, 1, 0)),
      reason: REJECT_NONE,
    },
    {
      what: "31 servers, ours last",
      bytes: sealedRequest(world, withServers(world, 31, 30)),
      reason: REJECT_NONE,
    },
    {
      what: "32 servers, ours last",
      bytes: sealedRequest(world, withServers(world, 32, 31)),
      reason: REJECT_NONE,
    },
    ...[0n, 1n, now - 1n, now].map((expire) => ({
      what: `an expiry ${now - expire} s ago`,
      bytes: sealedRequest(world, () => undefined, expire),
      reason: REJECT_EXPIRED,
    })),
    ...[now + 60n, 2n ** 32n, 2n ** 53n, 2n ** 63n, NEVER].map((expire) => ({
      what: `an expiry at ${expire}`,
      bytes: sealedRequest(
        world,
        (_plain, token) => encodePrivateToken({ ...token, clientId: 5000n + (expire & 0xffn) }),
        expire,
      ),
      reason: REJECT_NONE,
    })),
  ];
  return cases.map((one, index) => ({ ...one, from: `10.5.${index}.1:1` }));
}
