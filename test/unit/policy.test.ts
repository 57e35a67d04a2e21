/*
 * A channel's policy as words: what the API encodes is what an engine reads, and the hash that peers compare covers
 * the name and every one of the eight words.
 */
import { describe, expect, test } from "vitest";
import { configureProtocol } from "../../lib/configure.js";
import { CONFIG_CHANNELS, CONFIG_POLICIES, ROLE_SERVER } from "../../lib/engine/config.js";
import { MESSAGE_BYTES_MAX } from "../../lib/engine/limits.js";
import {
  EXPIRY_SUPERSEDED,
  ORDER_ORDERED,
  ORDER_SEQUENCED,
  POLICY_WORDS,
  REPAIR_ACK,
  REPAIR_NACK,
  REPAIR_NONE,
} from "../../lib/engine/policy.js";
import { type ChannelPolicy, defineProtocol, realTime, reliable } from "../../lib/index.js";
import { type EngineProbe, twins } from "../twins.js";

const FIELDS = [
  "order",
  "repair",
  "copies",
  "copiesForced",
  "expiryMs",
  "priority",
  "messageBytesMax",
  "strategy",
  "blockBytesMax",
  "hash",
] as const;

/** The policies of a protocol as an engine reads them. */
function policiesOf(engine: EngineProbe, channels: Record<string, ChannelPolicy>) {
  const protocol = defineProtocol("policies/1", channels);
  const { config } = configureProtocol(ROLE_SERVER, protocol, 1, {});
  const out = new Float64Array(2048);
  const count = engine.configRead(config, out);
  const channelCount = config[CONFIG_CHANNELS];
  const start = count - channelCount * FIELDS.length;
  return Array.from({ length: channelCount }, (_, channel) =>
    Object.fromEntries(
      FIELDS.map((field, index) => [field, out[start + channel * FIELDS.length + index]]),
    ),
  );
}

/** FNV-1a 32 over the name, a zero byte and the nine words, low byte first; by hand. */
function hashByHand(name: string, words: Uint32Array): number {
  const bytes = [...new TextEncoder().encode(name), 0];
  for (const word of words) for (const shift of [0, 8, 16, 24]) bytes.push((word >>> shift) & 0xff);
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

describe.each(twins)("policy of $name", ({ engine }) => {
  test("a RealTime channel is sequenced, without repair, with one copy in room left over", () => {
    expect(policiesOf(engine, { state: realTime() })[0]).toMatchObject({
      order: ORDER_SEQUENCED,
      repair: REPAIR_NONE,
      copies: 1,
      copiesForced: 0,
      expiryMs: EXPIRY_SUPERSEDED,
      priority: 128,
      messageBytesMax: MESSAGE_BYTES_MAX,
      strategy: 1,
    });
  });

  test("high redundancy makes room for its copies", () => {
    const [policy] = policiesOf(engine, { state: realTime({ redundancy: "high" }) });
    expect(policy).toMatchObject({ copies: 7, copiesForced: 1 });
  });

  test("a Reliable channel is ordered and repaired by ack and nack", () => {
    const [policy] = policiesOf(engine, {
      chat: reliable({ expiry: 1234, priority: 9, messageBytesMax: 50 }),
    });
    expect(policy).toMatchObject({
      order: ORDER_ORDERED,
      repair: REPAIR_ACK | REPAIR_NACK,
      copies: 1,
      copiesForced: 0,
      expiryMs: 1234,
      priority: 9,
      messageBytesMax: 50,
      strategy: 3,
    });
  });

  test("the hash is FNV-1a 32 over the name, a zero and the nine words (R-38)", () => {
    const protocol = defineProtocol("policies/1", { état: realTime(), chat: reliable() });
    const { config } = configureProtocol(ROLE_SERVER, protocol, 1, {});
    const read = policiesOf(engine, { état: realTime(), chat: reliable() });
    for (const [channel, name] of ["état", "chat"].entries()) {
      const start = CONFIG_POLICIES + channel * POLICY_WORDS;
      const hash = hashByHand(
        name,
        Uint32Array.of(...config.subarray(start, start + 8), config[start + 9]),
      );
      expect(read[channel].hash).toBe(hash);
    }
  });

  test("any difference gives another hash, and equal channels have equal ones (R-38)", () => {
    const variants: Record<string, ChannelPolicy>[] = [
      { chat: reliable() },
      { chats: reliable() },
      { chat: reliable({ priority: 65 }) },
      { chat: reliable({ blockBytesMax: 1 }) },
      { chat: reliable({ expiry: 9999 }) },
      { chat: reliable({ redundancy: "high" }) },
      { chat: reliable({ messageBytesMax: 1099 }) },
      { chat: realTime() },
    ];
    const hashes = variants.map((channels) => policiesOf(engine, channels)[0].hash);
    expect(new Set(hashes).size).toBe(variants.length);
    expect(policiesOf(engine, { chat: reliable() })[0].hash).toBe(hashes[0]);
  });
});
