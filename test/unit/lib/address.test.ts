/*
 * Owns the test of addresses as text: every form that is taken, the one form that is printed, and the
 * error that each other text gets.
 */
import { SocketAddress } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatAddress, parseAddress } from "../../../lib/address.js";
import { ADDRESS_NONE, Address, addressEqual } from "../../../lib/engine/address.js";
import { NetrtError } from "../../../lib/errors.js";

const fields = ({ type, port, a, b, c, d }: Address) => [type, port, a, b, c, d];

describe("parseAddress", () => {
  test.each([
    ["1.2.3.4:5", [1, 5, 0x01020304, 0, 0, 0]],
    ["0.0.0.0:0", [1, 0, 0, 0, 0, 0]],
    ["255.255.255.255:65535", [1, 65535, 0xffffffff, 0, 0, 0]],
    ["[::]:0", [2, 0, 0, 0, 0, 0]],
    ["[::1]:5", [2, 5, 0, 0, 0, 1]],
    ["[1::]:5", [2, 5, 0x00010000, 0, 0, 0]],
    ["[2001:db8::7]:50001", [2, 50001, 0x20010db8, 0, 0, 7]],
    ["[2001:DB8:0:0:0:0:0:7]:1", [2, 1, 0x20010db8, 0, 0, 7]],
    ["[1:2:3:4:5:6:7:8]:9", [2, 9, 0x00010002, 0x00030004, 0x00050006, 0x00070008]],
    ["[1:2:3:4:5:6:7::]:9", [2, 9, 0x00010002, 0x00030004, 0x00050006, 0x00070000]],
    ["[::2:3:4:5:6:7:8]:9", [2, 9, 0x00000002, 0x00030004, 0x00050006, 0x00070008]],
    ["[::ffff:192.0.2.7]:1", [2, 1, 0, 0, 0xffff, 0xc0000207]],
    ["[64:ff9b::192.0.2.33]:1", [2, 1, 0x0064ff9b, 0, 0, 0xc0000221]],
    ["[1:2:3:4:5:6:1.2.3.4]:1", [2, 1, 0x00010002, 0x00030004, 0x00050006, 0x01020304]],
  ])("%s", (text, expected) => {
    expect(fields(parseAddress(text))).toEqual(expected);
  });

  test.each([
    ["", /port is missing/],
    ["1.2.3.4", /port is missing/],
    ["1.2.3.4:", /the port must be a number from 0 to 65535/],
    ["1.2.3.4:65536", /the port/],
    ["1.2.3.4:-1", /the port/],
    ["1.2.3.4:+1", /the port/],
    ["1.2.3.4:1e3", /the port/],
    ["1.2.3.4:08", /the port/],
    ["1.2.3.4:5 ", /the port/],
    [" 1.2.3.4:5", /no IPv4 address/],
    ["1.2.3:5", /no IPv4 address/],
    ["1.2.3.4.5:5", /no IPv4 address/],
    ["1.2.3.256:5", /no IPv4 address/],
    ["1.2.3.04:5", /no IPv4 address/],
    ["0x1.2.3.4:5", /no IPv4 address/],
    ["1.2.3.:5", /no IPv4 address/],
    ["localhost:5", /node:dns/],
    ["::1", /stands in brackets/],
    ["::1:5", /stands in brackets/],
    ["[::1]", /port is missing/],
    ["[::1]5", /brackets/],
    ["[::1]:", /the port/],
    ["[]:5", /no IPv6 address/],
    ["[:]:5", /no IPv6 address/],
    ["[:::]:5", /no IPv6 address/],
    ["[1]:5", /no IPv6 address/],
    ["[1::2::3]:5", /no IPv6 address/],
    ["[1:2:3:4:5:6:7:8:9]:5", /no IPv6 address/],
    ["[1:2:3:4:5:6:7:8::]:5", /no IPv6 address/],
    ["[1:2:3:4::5:6:7:8]:5", /no IPv6 address/],
    ["[1:2:3:4:5:6:7]:5", /no IPv6 address/],
    ["[12345::]:5", /no IPv6 address/],
    ["[g::]:5", /no IPv6 address/],
    ["[1:]:5", /no IPv6 address/],
    ["[:1::]:5", /no IPv6 address/],
    ["[1.2.3.4]:5", /no IPv6 address/],
    ["[1.2.3.4::]:5", /no IPv6 address/],
    ["[::1.2.3]:5", /no IPv6 address/],
    ["[::1.2.3.4:1]:5", /no IPv6 address/],
    ["[1:2:3:4:5:6:7:1.2.3.4]:5", /no IPv6 address/],
    ["[fe80::1%eth0]:5", /zone ids/],
    ["[::1]:5\n", /the port/],
  ])("%j is refused", (text, reason) => {
    expect(() => parseAddress(text)).toThrow(NetrtError);
    expect(() => parseAddress(text)).toThrow(reason);
    expect(() => parseAddress(text)).toThrow(
      expect.objectContaining({ code: "ERR_NETRT_ADDRESS" }),
    );
  });

  test("what is no text is refused", () => {
    for (const value of [undefined, null, 5, {}, ["1.2.3.4:5"]]) {
      expect(() => parseAddress(value as unknown as string)).toThrow(/no text/);
    }
  });

  test("no text at all makes it fail in another way", () => {
    const pieces = fc.constantFrom(
      "[",
      "]",
      ":",
      "::",
      ".",
      "%",
      "0",
      "1",
      "ffff",
      "255",
      "x",
      " ",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 24 }), (parts) => {
        const text = parts.join("");
        try {
          const address = parseAddress(text);
          expect(fields(parseAddress(formatAddress(address)))).toEqual(fields(address));
        } catch (error) {
          expect((error as NetrtError).code).toBe("ERR_NETRT_ADDRESS");
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe("formatAddress", () => {
  // RFC 5952, sections 4 and 5.
  test.each([
    ["[2001:0db8::0001]:1", "[2001:db8::1]:1"],
    ["[2001:db8:0:0:0:0:2:1]:1", "[2001:db8::2:1]:1"],
    ["[2001:db8::1:1:1:1:1]:1", "[2001:db8:0:1:1:1:1:1]:1"],
    ["[2001:0:0:1:0:0:0:1]:1", "[2001:0:0:1::1]:1"],
    ["[2001:db8:0:0:1:0:0:1]:1", "[2001:db8::1:0:0:1]:1"],
    ["[2001:DB8::ABCD]:1", "[2001:db8::abcd]:1"],
    ["[::ffff:c000:207]:1", "[::ffff:192.0.2.7]:1"],
    ["[0:0:0:0:0:0:0:0]:1", "[::]:1"],
    ["[1:0:0:0:0:0:0:0]:1", "[1::]:1"],
    ["10.0.0.1:65535", "10.0.0.1:65535"],
  ])("%s is printed %s", (text, printed) => {
    expect(formatAddress(parseAddress(text))).toBe(printed);
  });

  const word = fc.oneof(
    fc.constantFrom(0, 0, 0, 1, 0xffff, 0x10000, 0xffffffff),
    fc.integer({ min: 0, max: 0xffffffff }),
  );
  const any = fc
    .tuple(fc.boolean(), fc.integer({ min: 0, max: 65535 }), word, word, word, word)
    .map(([ipv6, port, a, b, c, d]) =>
      Object.assign(new Address(), ipv6 ? { type: 2, port, a, b, c, d } : { type: 1, port, a }),
    );

  test("any address comes back, and Node reads it as the same", () => {
    fc.assert(
      fc.property(any, (address) => {
        const text = formatAddress(address);
        expect(addressEqual(parseAddress(text), address)).toBe(true);
        const ipv6 = text.startsWith("[");
        const host = ipv6 ? text.slice(1, text.indexOf("]")) : text.slice(0, text.indexOf(":"));
        const node = new SocketAddress({ address: host, family: ipv6 ? "ipv6" : "ipv4" });
        const again = ipv6
          ? `[${node.address}]:${address.port}`
          : `${node.address}:${address.port}`;
        expect(addressEqual(parseAddress(again), address)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test("an address of no type is refused", () => {
    const none = new Address();
    expect(none.type).toBe(ADDRESS_NONE);
    expect(() => formatAddress(none)).toThrow(
      expect.objectContaining({ code: "ERR_NETRT_ARGUMENT" }),
    );
  });
});
