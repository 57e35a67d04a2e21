// Addresses: text inside the peer ("127.0.0.1:40000", "[::1]:40000"), bytes in tokens. The text is canonical, so
// that two spellings of one address are one map key: no leading zeros, IPv6 as in RFC 5952 but never dotted.

import { isIP } from "node:net";

const IPV4 = 1;
const IPV6 = 2;
const IPV4_BYTES = 7;
const IPV6_BYTES = 19;
const PORT_MAX = 65_535;
const GROUPS = 8;

/** The parts of an address: host text without brackets, port, and which family. */
export interface AddressParts {
  host: string;
  port: number;
  family: 4 | 6;
}

/** Splits an address and checks it. Throws RangeError when it is none. */
export function parseAddress(address: string): AddressParts {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3]);
  const family = isIP(host);
  const bracketed = match?.[1] !== undefined;
  if (match === null || port > PORT_MAX || family === 0 || bracketed !== (family === 6)) {
    throw new RangeError(`not an address with a port: ${address}`);
  }
  return { host, port, family: family === 6 ? 6 : 4 };
}

/** The canonical text of a host and a port, as node:dgram reports them. */
export function formatAddress(host: string, port: number): string {
  if (isIP(host) === 6) return `[${formatGroups(parseGroups(host))}]:${port}`;
  return `${host}:${port}`;
}

/** The canonical spelling of an address. Throws RangeError when it is none. */
export function canonicalAddress(address: string): string {
  const { host, port } = parseAddress(address);
  return formatAddress(host, port);
}

/** The bytes of an address in a token: type, address, port. Throws RangeError when the text is none. */
export function encodeAddress(address: string): Buffer {
  const { host, port, family } = parseAddress(address);
  if (family === 4) {
    const bytes = Buffer.from([IPV4, ...host.split(".").map(Number), 0, 0]);
    bytes.writeUInt16LE(port, IPV4_BYTES - 2);
    return bytes;
  }
  const bytes = Buffer.alloc(IPV6_BYTES);
  bytes[0] = IPV6;
  parseGroups(host).forEach((group, index) => {
    bytes.writeUInt16LE(group, 1 + 2 * index);
  });
  bytes.writeUInt16LE(port, IPV6_BYTES - 2);
  return bytes;
}

/** Reads one address at `offset`; undefined when its type is neither 1 nor 2 or the bytes end too early. */
export function decodeAddress(
  bytes: Buffer,
  offset: number,
): { address: string; size: number } | undefined {
  const type = bytes[offset];
  const size = type === IPV4 ? IPV4_BYTES : IPV6_BYTES;
  if ((type !== IPV4 && type !== IPV6) || offset + size > bytes.length) return undefined;
  const port = bytes.readUInt16LE(offset + size - 2);
  if (type === IPV4) {
    return { address: `${bytes.subarray(offset + 1, offset + 5).join(".")}:${port}`, size };
  }
  const groups = Array.from({ length: GROUPS }, (_, index) =>
    bytes.readUInt16LE(offset + 1 + 2 * index),
  );
  return { address: `[${formatGroups(groups)}]:${port}`, size };
}

function parseGroups(host: string): number[] {
  let text = host.replace(/%.*$/, "");
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted !== null) {
    const [a, b, c, d] = dotted.slice(2).map(Number);
    text = `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head, tail] = text.split("::").map((part) => part.split(":").filter((g) => g !== ""));
  const zeros = GROUPS - head.length - (tail?.length ?? 0);
  const groups = tail === undefined ? head : [...head, ...Array(zeros).fill("0"), ...tail];
  return groups.map((group) => Number.parseInt(group, 16));
}

function formatGroups(groups: readonly number[]): string {
  let bestStart = -1;
  let bestCount = 1;
  for (let start = 0; start < GROUPS; start++) {
    let count = 0;
    while (start + count < GROUPS && groups[start + count] === 0) count++;
    if (count > bestCount) {
      bestStart = start;
      bestCount = count;
    }
  }
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (bestStart < 0) return text(groups);
  return `${text(groups.slice(0, bestStart))}::${text(groups.slice(bestStart + bestCount))}`;
}
