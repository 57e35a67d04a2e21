/*
 * Owns the published answers of the ciphers: RFC 8439 (ChaCha20, ChaCha20-Poly1305) and
 * draft-irtf-cfrg-xchacha-03 (HChaCha20, XChaCha20-Poly1305); and what must not open.
 */
import { describe, expect, test } from "vitest";
import { twins } from "../twins.js";

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const range = (first: number, count: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, index) => first + index);

const SUNSCREEN = new Uint8Array(
  Buffer.from(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, " +
      "sunscreen would be it.",
  ),
);
const TAG_BYTES = 16;

/** Key, counter (32 bits, little-endian) and nonce, block. */
const BLOCKS = [
  [
    "RFC 8439 2.3.2",
    text(range(0, 32)),
    "01000000" + "000000090000004a00000000",
    "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e" +
      "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
  ],
  [
    "RFC 8439 A.1 #1",
    "00".repeat(32),
    "00".repeat(16),
    "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7" +
      "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
  ],
  [
    "RFC 8439 A.1 #2",
    "00".repeat(32),
    "01000000" + "00".repeat(12),
    "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed" +
      "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
  ],
  [
    "RFC 8439 A.1 #3",
    `${"00".repeat(31)}01`,
    "01000000" + "00".repeat(12),
    "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a" +
      "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0",
  ],
  [
    "RFC 8439 A.1 #4",
    `00ff${"00".repeat(30)}`,
    "02000000" + "00".repeat(12),
    "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca" +
      "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096",
  ],
  [
    "RFC 8439 A.1 #5",
    "00".repeat(32),
    `${"00".repeat(15)}02`,
    "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7" +
      "8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d",
  ],
] as const;

interface AeadVector {
  readonly name: string;
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly associated: Uint8Array;
  readonly plain: Uint8Array;
  readonly sealed: string;
}

const AEAD: readonly AeadVector[] = [
  {
    name: "RFC 8439 2.8.2",
    key: range(0x80, 32),
    nonce: hex("070000004041424344454647"),
    associated: hex("50515253c0c1c2c3c4c5c6c7"),
    plain: SUNSCREEN,
    sealed:
      "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6" +
      "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36" +
      "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc" +
      "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691",
  },
  {
    name: "RFC 8439 A.5",
    key: hex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0"),
    nonce: hex("000000000102030405060708"),
    associated: hex("f33388860000000000004e91"),
    plain: new Uint8Array(
      Buffer.from(
        "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, " +
          "replaced, or obsoleted by other documents at any time. It is inappropriate to use " +
          "Internet-Drafts as reference material or to cite them other than as /\u201cwork in progress./\u201d",
      ),
    ),
    sealed:
      "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2" +
      "4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf" +
      "332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855" +
      "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4" +
      "b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e" +
      "af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a" +
      "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10" +
      "49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29" +
      "a6ad5cb4022b02709beead9d67890cbb22392336fea1851f38",
  },
];

const XCHACHA = {
  key: range(0x80, 32),
  nonce: range(0x40, 24),
  associated: hex("50515253c0c1c2c3c4c5c6c7"),
  sealed:
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb" +
    "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452" +
    "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9" +
    "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49",
};

function withRoom(plain: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(plain.length + TAG_BYTES);
  bytes.set(plain);
  return bytes;
}

describe.each(twins)("ciphers of $name", ({ core }) => {
  test("a provider is found and proven", () => {
    expect(core.sealInit()).not.toBeNull();
    expect(core.sealProviderName()).toBe(core.sealInit());
  });

  test.each(BLOCKS)("ChaCha20 block: %s", (_name, key, iv, block) => {
    expect(text(core.chachaBlock(hex(key), hex(iv)))).toBe(block);
  });

  test("HChaCha20: draft-irtf-cfrg-xchacha-03 2.2.1", () => {
    const subkey = core.hchacha(range(0, 32), hex("000000090000004a0000000031415927"));
    expect(text(subkey)).toBe("82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc");
  });

  test.each(AEAD)("ChaCha20-Poly1305: $name", ({ key, nonce, associated, plain, sealed }) => {
    const handle = core.sealKeyOpen();
    core.sealKeySet(handle, key, 0);
    const bytes = withRoom(plain);
    expect(core.aeadSeal(handle, nonce, associated, bytes, 0, plain.length)).toBe(bytes.length);
    expect(text(bytes)).toBe(sealed);
    expect(core.aeadOpen(handle, nonce, associated, bytes, 0, bytes.length)).toBe(plain.length);
    expect(text(bytes.subarray(0, plain.length))).toBe(text(plain));
  });

  test("XChaCha20-Poly1305: draft-irtf-cfrg-xchacha-03 A.3.1", () => {
    const { key, nonce, associated, sealed } = XCHACHA;
    const bytes = withRoom(SUNSCREEN);
    const total = core.sealToken(key, nonce, associated, bytes, 0, SUNSCREEN.length);
    expect(total).toBe(bytes.length);
    expect(text(bytes)).toBe(sealed);
    expect(core.openToken(key, nonce, associated, bytes, 0, total)).toBe(SUNSCREEN.length);
    expect(text(bytes.subarray(0, SUNSCREEN.length))).toBe(text(SUNSCREEN));
  });
});

// In the manner of Project Wycheproof: a valid text, changed in one place only, must not open, and must
// be left as it was.
describe.each(twins)("$name opens nothing but what was sealed", ({ core }) => {
  const [{ key, nonce, associated, sealed }] = AEAD;
  const good = hex(sealed);
  const handle = core.sealKeyOpen();
  core.sealKeySet(handle, key, 0);

  function refused(bytes: Uint8Array, length = bytes.length, with_ = { nonce, associated }): void {
    const before = text(bytes);
    expect(core.aeadOpen(handle, with_.nonce, with_.associated, bytes, 0, length)).toBe(-1);
    expect(text(bytes)).toBe(before);
  }

  test("the text itself opens", () => {
    expect(core.aeadOpen(handle, nonce, associated, hex(sealed), 0, good.length)).toBe(
      good.length - TAG_BYTES,
    );
  });

  test("each bit of text and tag counts", () => {
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bytes = good.slice();
      bytes[bit >>> 3] ^= 1 << (bit & 7);
      refused(bytes);
    }
  });

  test("each bit of nonce and associated data counts", () => {
    for (const [index, field] of [nonce, associated].entries()) {
      for (let bit = 0; bit < field.length * 8; bit++) {
        const changed = field.slice();
        changed[bit >>> 3] ^= 1 << (bit & 7);
        refused(good.slice(), good.length, {
          nonce: index === 0 ? changed : nonce,
          associated: index === 1 ? changed : associated,
        });
      }
    }
  });

  test("each truncation is refused, the empty one too", () => {
    for (let length = 0; length < good.length; length++) refused(good.slice(), length);
  });

  test("bytes appended, tag moved, tag of zeros, tag of ones, tag inverted", () => {
    refused(Uint8Array.from([...good, 0]));
    refused(Uint8Array.from([...good.subarray(-TAG_BYTES), ...good.subarray(0, -TAG_BYTES)]));
    for (const change of [() => 0, () => 0xff, (byte: number) => byte ^ 0xff]) {
      const bytes = good.slice();
      bytes.set(bytes.subarray(-TAG_BYTES).map(change), bytes.length - TAG_BYTES);
      refused(bytes);
    }
  });

  test("associated data left out, cut, lengthened by a zero", () => {
    for (const other of [
      new Uint8Array(0),
      associated.subarray(0, -1),
      Uint8Array.from([...associated, 0]),
    ]) {
      refused(good.slice(), good.length, { nonce, associated: other });
    }
  });

  test("another key opens nothing, and the key still opens after a refusal", () => {
    const other = core.sealKeyOpen();
    core.sealKeySet(other, key.map((byte, index) => (index === 31 ? byte ^ 0x80 : byte)), 0);
    const bytes = good.slice();
    expect(core.aeadOpen(other, nonce, associated, bytes, 0, bytes.length)).toBe(-1);
    expect(core.aeadOpen(handle, nonce, associated, bytes, 0, bytes.length)).toBe(SUNSCREEN.length);
  });
});
