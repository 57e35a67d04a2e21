// The wire of the test peer against known answers, then against what a hostile sender may write.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  canonicalAddress,
  decodePrivateToken,
  decodePublicToken,
  encodeChallengeBody,
  encodeChallengeToken,
  encodeKeepAliveBody,
  encodePrivateToken,
  encodePublicToken,
  encodeRequest,
  hchacha20,
  mintReferenceToken,
  openChallengeToken,
  openPacket,
  openPrivateToken,
  PACKET_TYPES,
  type PacketName,
  type PrivateToken,
  peekPacket,
  REQUEST_BYTES,
  ReplayWindow,
  readPacket,
  sealChallengeToken,
  sealPacket,
  sealPrivateToken,
  TOKEN_BYTES,
} from "./netcode.js";

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
  type: PacketName;
  wire: string;
  sequence?: string;
  packetKey?: string;
  token?: number;
  clientIndex?: number;
  maxClients?: number;
  payload?: string;
}

interface Vectors {
  protocolId: string;
  privateKey: string;
  tokens: TokenVector[];
  challenge: { sequence: string; clientId: string; key: string; plain: string; sealed: string };
  packets: PacketVector[];
}

const vectors: Vectors = JSON.parse(
  readFileSync(new URL("../vectors/netcode-1.02.json", import.meta.url), "utf8"),
);
const protocolId = BigInt(vectors.protocolId);
const privateKey = hex(vectors.privateKey);
const key = Buffer.alloc(32, 7);

function hex(text: string): Buffer {
  return Buffer.from(text, "hex");
}

function privateTokenOf(vector: TokenVector): PrivateToken {
  return {
    clientId: BigInt(vector.clientId),
    timeoutSeconds: vector.timeoutSeconds,
    servers: vector.servers,
    clientToServerKey: hex(vector.clientToServerKey),
    serverToClientKey: hex(vector.serverToClientKey),
    userData: hex(vector.userData),
  };
}

describe("ciphers", () => {
  it("has the HChaCha20 of the XChaCha draft, 2.2.1", () => {
    const input = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
    const subkey = hchacha20(input, hex("000000090000004a0000000031415927"));
    expect(subkey.toString("hex")).toBe(
      "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc",
    );
  });
});

describe.each(vectors.tokens.map((vector, index) => ({ vector, index })))(
  "connect token $index",
  ({ vector }) => {
    const binding = {
      protocolId,
      expireTimestamp: BigInt(vector.expireTimestamp),
      nonce: hex(vector.nonce),
      privateKey,
    };

    it("is written in plain and read back", () => {
      const plain = encodePrivateToken(privateTokenOf(vector));
      expect(plain.toString("hex")).toBe(vector.privPlain);
      expect(decodePrivateToken(hex(vector.privPlain))).toEqual(privateTokenOf(vector));
    });

    it("is sealed and opened", () => {
      expect(sealPrivateToken(hex(vector.privPlain), binding).toString("hex")).toBe(
        vector.privSealed,
      );
      expect(openPrivateToken(hex(vector.privSealed), binding)?.toString("hex")).toBe(
        vector.privPlain,
      );
      const later = { ...binding, expireTimestamp: binding.expireTimestamp ^ 1n };
      expect(openPrivateToken(hex(vector.privSealed), later)).toBeUndefined();
    });

    it("has its public form, read, written and minted", () => {
      const read = decodePublicToken(hex(vector.public));
      const { clientId, userData, ...session } = privateTokenOf(vector);
      const createTimestamp = BigInt(vector.createTimestamp);
      const { privateKey: _, ...open } = binding;
      expect(read).toEqual({
        ...open,
        ...session,
        createTimestamp,
        sealedPrivate: hex(vector.privSealed),
      });
      expect(read && encodePublicToken(read).toString("hex")).toBe(vector.public);
      const life = binding.expireTimestamp - createTimestamp;
      const minted = mintReferenceToken({
        ...binding,
        ...session,
        clientId,
        userData,
        createTimestamp,
        expireSeconds: vector.timeoutSeconds < 0 ? -1 : Number(life),
      });
      expect(minted.toString("hex")).toBe(vector.public);
    });
  },
);

describe("challenge token", () => {
  it("is written, sealed and opened", () => {
    const { challenge } = vectors;
    const sequence = BigInt(challenge.sequence);
    const token = openChallengeToken(hex(challenge.sealed), sequence, hex(challenge.key));
    expect(token?.clientId).toBe(BigInt(challenge.clientId));
    if (token === undefined) return;
    expect(encodeChallengeToken(token).toString("hex")).toBe(challenge.plain);
    expect(sealChallengeToken(token, sequence, hex(challenge.key)).toString("hex")).toBe(
      challenge.sealed,
    );
    expect(
      openChallengeToken(hex(challenge.sealed), sequence + 1n, hex(challenge.key)),
    ).toBeUndefined();
  });
});

describe("packets", () => {
  it("are 79, of every type", () => {
    expect(vectors.packets).toHaveLength(79);
    expect(new Set(vectors.packets.map((packet) => packet.type)).size).toBe(7);
  });

  it.each(vectors.packets.map((vector, index) => ({ vector, index })))(
    "$index: $vector.type $vector.sequence",
    ({ vector }) => {
      const wire = hex(vector.wire);
      if (vector.type === "request") {
        const token = decodePublicToken(hex(vectors.tokens[vector.token ?? 0].public));
        expect(token && encodeRequest(token).equals(wire)).toBe(true);
        expect(wire).toHaveLength(REQUEST_BYTES);
        return;
      }
      const type = PACKET_TYPES[vector.type];
      const sequence = BigInt(vector.sequence ?? "");
      const packetKey = hex(vector.packetKey ?? "");
      const body = bodyOf(vector);
      const options = { type, sequence, key: packetKey, protocolId };
      expect(sealPacket({ ...options, body }).equals(wire)).toBe(true);
      expect(openPacket(wire, packetKey, protocolId)).toEqual({ type, sequence, body });
      expect(peekPacket(wire)).toMatchObject({ type, sequence });
      const gate = { key: packetKey, protocolId, allowed: new Set([type]) };
      expect(readPacket(wire, gate)).toEqual({ type, sequence, body });
    },
  );

  function bodyOf(vector: PacketVector): Buffer {
    if (vector.type === "payload") return hex(vector.payload ?? "");
    if (vector.type === "keepAlive") {
      return encodeKeepAliveBody(vector.clientIndex ?? 0, vector.maxClients ?? 0);
    }
    if (vector.type === "challenge" || vector.type === "response") {
      const { sequence, sealed } = vectors.challenge;
      return encodeChallengeBody(BigInt(sequence), hex(sealed));
    }
    return Buffer.alloc(0);
  }

  it("open with nothing changed and with nothing else", () => {
    const options = { type: 5, sequence: 300n, key, protocolId, body: Buffer.from("hello") };
    const wire = sealPacket(options);
    for (let bit = 0; bit < wire.length * 8; bit++) {
      const changed = Buffer.from(wire);
      changed[bit >> 3] ^= 1 << (bit & 7);
      expect(openPacket(changed, key, protocolId)).toBeUndefined();
    }
    expect(openPacket(wire, key, protocolId ^ 1n)).toBeUndefined();
    expect(openPacket(wire, Buffer.alloc(32, 8), protocolId)).toBeUndefined();
    expect(openPacket(Buffer.alloc(0), key, protocolId)).toBeUndefined();
  });
});

describe("the gate", () => {
  const allowed = new Set<number>([1, 4, 5, 6]);
  const packet = (type: number, size: number, sequence = 1n, sequenceBytes?: number) =>
    sealPacket({
      type,
      sequence,
      key,
      protocolId,
      body: Buffer.alloc(size),
      ...(sequenceBytes === undefined ? {} : { sequenceBytes }),
    });

  it.each([
    ["tooSmall", packet(6, 0).subarray(0, 17)],
    ["unknownType", packet(7, 0)],
    ["unknownType", packet(15, 0, 1n, 9)],
    ["typeNotAllowed", packet(0, 0)],
    ["typeNotAllowed", packet(3, 308)],
    ["sequenceBytes", packet(5, 8, 1n, 0)],
    ["sequenceBytes", packet(5, 8, 1n, 9)],
    ["truncated", packet(6, 0, 1n << 60n).subarray(0, 24)],
    ["bodySize", packet(1, 1)],
    ["bodySize", packet(4, 7)],
    ["bodySize", packet(4, 9)],
    ["bodySize", packet(5, 0)],
    ["bodySize", packet(5, 1201)],
    ["bodySize", packet(6, 1)],
  ])("answers %s", (reason, bytes) => {
    expect(readPacket(bytes, { key, protocolId, allowed })).toBe(reason);
  });

  it("takes a sequence written longer than it needs", () => {
    const read = readPacket(packet(5, 3, 9n, 8), { key, protocolId, allowed });
    expect(read).toMatchObject({ type: 5, sequence: 9n });
  });

  it("tests for replay before opening, and advances after it", () => {
    const replay = new ReplayWindow();
    const gate = { key, protocolId, allowed, replay };
    const forged = packet(5, 3, 5000n);
    forged[forged.length - 1] ^= 1;
    expect(readPacket(forged, gate)).toBe("unopened");
    expect(readPacket(packet(5, 3, 10n), gate)).toMatchObject({ sequence: 10n });
    expect(readPacket(packet(5, 3, 10n), gate)).toBe("replayed");
    const forgedTwin = packet(5, 3, 10n);
    forgedTwin[forgedTwin.length - 1] ^= 1;
    expect(readPacket(forgedTwin, gate)).toBe("replayed");
  });

  it("tests keep-alive, payload and disconnect for replay, and denied never", () => {
    const gate = { key, protocolId, allowed, replay: new ReplayWindow() };
    for (const [type, size] of [
      [4, 8],
      [5, 1],
      [6, 0],
    ]) {
      const twice = packet(type, size, BigInt(type));
      expect(readPacket(twice, gate)).toMatchObject({ type });
      expect(readPacket(twice, gate)).toBe("replayed");
    }
    expect(readPacket(packet(1, 0, 1n), gate)).toMatchObject({ type: 1 });
    expect(readPacket(packet(1, 0, 1n), gate)).toMatchObject({ type: 1 });
  });
});

describe("the replay window", () => {
  const top = 0xffff_ffff_ffff_ffffn;

  it("spans 256 sequences behind the most recent", () => {
    const replay = new ReplayWindow();
    replay.advance(1000n);
    expect(replay.alreadyReceived(744n)).toBe(true);
    expect(replay.alreadyReceived(745n)).toBe(false);
    expect(replay.alreadyReceived(999n)).toBe(false);
    expect(replay.alreadyReceived(1000n)).toBe(true);
    expect(replay.alreadyReceived(1256n)).toBe(false);
  });

  it("takes zero first, once", () => {
    const replay = new ReplayWindow();
    expect(replay.alreadyReceived(0n)).toBe(false);
    replay.advance(0n);
    expect(replay.alreadyReceived(0n)).toBe(true);
  });

  it("does not overflow at the top", () => {
    const replay = new ReplayWindow();
    for (let sequence = top - 300n; sequence <= top; sequence++) {
      expect(replay.alreadyReceived(sequence)).toBe(false);
      replay.advance(sequence);
      expect(replay.alreadyReceived(sequence)).toBe(true);
    }
    expect(replay.alreadyReceived(top)).toBe(true);
    expect(replay.alreadyReceived(top - 256n)).toBe(true);
  });
});

describe("token readers", () => {
  const token = hex(vectors.tokens[0].public);
  const changed = (offset: number, bytes: number[]) => {
    const copy = Buffer.from(token);
    copy.set(bytes, offset);
    return copy;
  };
  const serversAt = 13 + 24 + 24 + 1024 + 4;

  it.each([
    ["short", token.subarray(1)],
    ["long", Buffer.concat([token, Buffer.alloc(1)])],
    ["of another version", changed(11, [0x31])],
    ["expired before it was made", changed(21, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ["without servers", changed(serversAt, [0])],
    ["with 33 servers", changed(serversAt, [33])],
    ["with 2³¹ servers", changed(serversAt, [0, 0, 0, 0x80])],
    ["with an address of type 0", changed(serversAt + 4, [0])],
    ["with an address of type 3", changed(serversAt + 4, [3])],
  ])("refuse a public token %s", (_what, bytes) => {
    expect(decodePublicToken(bytes)).toBeUndefined();
  });

  it("refuse a private token by the same rules", () => {
    const plain = hex(vectors.tokens[0].privPlain);
    for (const [offset, value] of [
      [12, 0],
      [12, 33],
      [16, 0],
      [16, 3],
    ]) {
      const copy = Buffer.from(plain);
      copy[offset] = value;
      expect(decodePrivateToken(copy)).toBeUndefined();
    }
    expect(decodePrivateToken(plain.subarray(1))).toBeUndefined();
  });

  it("hold 32 servers of the longest kind", () => {
    const servers = Array.from({ length: 32 }, (_, index) => `[2001:db8::${index + 1}]:4${index}`);
    const minted = mintReferenceToken({ protocolId, privateKey, clientId: 1n, servers });
    expect(minted).toHaveLength(TOKEN_BYTES);
    expect(decodePublicToken(minted)?.servers).toEqual(servers);
    expect(() =>
      mintReferenceToken({
        protocolId,
        privateKey,
        clientId: 1n,
        servers: [...servers, "1.2.3.4:5"],
      }),
    ).toThrow(RangeError);
  });
});

describe("addresses", () => {
  it.each([
    ["127.0.0.1:0", "127.0.0.1:0"],
    ["[0:0:0:0:0:0:0:1]:40000", "[::1]:40000"],
    ["[::]:1", "[::]:1"],
    ["[2001:0DB8:0:0:1:0:0:1]:9", "[2001:db8::1:0:0:1]:9"],
    ["[1:0:3:4:5:6:7:8]:9", "[1:0:3:4:5:6:7:8]:9"],
    ["[fe80::]:65535", "[fe80::]:65535"],
    ["[::ffff:1.2.3.4]:5", "[::ffff:102:304]:5"],
  ])("%s is %s", (given, canonical) => {
    expect(canonicalAddress(given)).toBe(canonical);
  });

  it.each(["127.0.0.1", "::1:40000", "[127.0.0.1]:1", "1.2.3.4:65536", "host:1", "[::1]", ""])(
    "%j is none",
    (given) => {
      expect(() => canonicalAddress(given)).toThrow(RangeError);
    },
  );
});
