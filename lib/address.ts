/*
 * Owns the text forms of addresses: `a.b.c.d:port` and `[v6]:port`, parsed and printed.
 * Never resolves a name and never guesses a port: what is not an address is an error with its reason.
 * Invariants: `parseAddress(formatAddress(address))` is the address again. Text is printed in one form,
 * RFC 5952's: lower case, no leading zeros, the longest run of zero groups as `::`.
 */
import { ADDRESS_IPV4, ADDRESS_IPV6, Address } from "./engine/address.js";
import { argumentError, describeGiven, NetrtError } from "./errors.js";

const PORT_MAX = 65535;
const IPV6_GROUPS = 8;
/** Groups before the IPv4 address in an IPv4-mapped one: five of zero, one of ffff. */
const MAPPED_GROUPS = [0, 0, 0, 0, 0, 0xffff] as const;

function refuse(text: unknown, reason: string): NetrtError {
  return new NetrtError(
    "ERR_NETRT_ADDRESS",
    `an address must be "a.b.c.d:port" or "[v6]:port", but ${describeGiven(text)} was given: ${reason}`,
  );
}

/** A decimal number up to `most` without sign or leading zero (which some read as octal), or -1. */
function decimal(text: string, most: number): number {
  if (!/^(?:0|[1-9]\d{0,4})$/.test(text)) return -1;
  const value = Number(text);
  return value <= most ? value : -1;
}

/** The four bytes of a dotted address as one number, first byte highest; or -1. */
function parseDotted(text: string): number {
  const parts = text.split(".");
  if (parts.length !== 4) return -1;
  let value = 0;
  for (const part of parts) {
    const byte = decimal(part, 255);
    if (byte < 0) return -1;
    value = value * 256 + byte;
  }
  return value;
}

/** The groups that stand in `text`, which is a part of an IPv6 address without `::`; or undefined. */
function parseGroups(text: string, mayEndDotted: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (mayEndDotted && index === parts.length - 1 && part.includes(".")) {
      const dotted = parseDotted(part);
      if (dotted < 0) return undefined;
      groups.push(Math.floor(dotted / 0x10000), dotted % 0x10000);
    } else if (/^[\da-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups;
}

/** The eight groups of an IPv6 address, or undefined. */
function parseIpv6(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0], halves.length === 1);
  if (halves.length === 1) return head?.length === IPV6_GROUPS ? head : undefined;
  const tail = parseGroups(halves[1], true);
  if (head === undefined || tail === undefined) return undefined;
  const zeros = IPV6_GROUPS - head.length - tail.length;
  // `::` stands for at least one group, as in inet_pton.
  return zeros < 1 ? undefined : [...head, ...new Array<number>(zeros).fill(0), ...tail];
}

function fromGroups(groups: readonly number[], port: number): Address {
  const address = new Address();
  address.type = ADDRESS_IPV6;
  address.port = port;
  [address.a, address.b, address.c, address.d] = [0, 2, 4, 6].map(
    (index) => groups[index] * 0x10000 + groups[index + 1],
  );
  return address;
}

function parsePort(text: string, given: string): number {
  const port = decimal(given, PORT_MAX);
  if (port < 0) throw refuse(text, `the port must be a number from 0 to ${PORT_MAX}`);
  return port;
}

/**
 * Parses `a.b.c.d:port` or `[v6]:port`. An IPv6 address may be shortened with `::` and may end in an IPv4
 * address (`::ffff:192.0.2.7`); it stays an IPv6 address then.
 *
 * @throws NetrtError `ERR_NETRT_ADDRESS` for anything else, names and zone ids (`%eth0`) included
 */
export function parseAddress(text: string): Address {
  if (typeof text !== "string") throw refuse(text, "it is no text");
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/s.exec(text);
  if (bracketed !== null) {
    const [, inner, portText] = bracketed as unknown as [string, string, string | undefined];
    if (portText === undefined) throw refuse(text, "the port is missing");
    if (inner.includes("%")) throw refuse(text, "zone ids are not supported");
    const groups = parseIpv6(inner);
    if (groups === undefined) throw refuse(text, "this is no IPv6 address");
    return fromGroups(groups, parsePort(text, portText));
  }
  const colon = text.indexOf(":");
  if (colon !== text.lastIndexOf(":")) throw refuse(text, "an IPv6 address stands in brackets");
  if (colon < 0) throw refuse(text, "the port is missing");
  const dotted = parseDotted(text.slice(0, colon));
  if (dotted < 0) {
    throw refuse(text, "this is no IPv4 address (a name must be resolved first, with node:dns)");
  }
  const address = new Address();
  address.type = ADDRESS_IPV4;
  address.port = parsePort(text, text.slice(colon + 1));
  address.a = dotted;
  return address;
}

function formatDotted(word: number): string {
  return [word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff].join(".");
}

/** Where the longest run of zero groups is, the first of equally long ones; RFC 5952, 4.2. */
function longestZeros(groups: readonly number[]): { start: number; count: number } {
  let best = { start: 0, count: 0 };
  let count = 0;
  for (const [index, group] of groups.entries()) {
    count = group === 0 ? count + 1 : 0;
    if (count > best.count) best = { start: index - count + 1, count };
  }
  return best;
}

function formatIpv6(words: readonly number[]): string {
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  if (MAPPED_GROUPS.every((group, index) => group === groups[index])) {
    return `::ffff:${formatDotted(words[3])}`;
  }
  const texts = groups.map((group) => group.toString(16));
  const { start, count } = longestZeros(groups);
  // A single zero group is not shortened.
  if (count < 2) return texts.join(":");
  return `${texts.slice(0, start).join(":")}::${texts.slice(start + count).join(":")}`;
}

/**
 * Prints an address in its one text form, `a.b.c.d:port` or `[v6]:port`.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT` for an address of no type
 */
export function formatAddress(address: Readonly<Address>): string {
  const { type, port, a, b, c, d } = address;
  if (type === ADDRESS_IPV4) return `${formatDotted(a)}:${port}`;
  if (type === ADDRESS_IPV6) return `[${formatIpv6([a, b, c, d])}]:${port}`;
  throw argumentError("address", address, "an IPv4 or IPv6 address");
}
