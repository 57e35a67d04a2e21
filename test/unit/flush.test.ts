/*
 * What a flush sends though nothing seems to go: the newest states while the congestion window has no room, and a packet now and
 * then; the oldest messages while the receiver's window has none.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { CONFIG_CONGESTION } from "../../lib/engine/config.js";
import { CONGESTION_DELAY, CONGESTION_FIXED } from "../../lib/engine/congestion.js";
import { CHANNEL_WINDOW, CONGESTION_WINDOW_INITIAL } from "../../lib/engine/limits.js";
import { defineProtocol, realTime, reliable } from "../../lib/index.js";
import { Duo, MS, type Packet } from "../duo.js";
import { engines } from "../engines.js";

const BULK = 0;
const STATE = 1;
const protocol = defineProtocol("flush/1", {
  bulk: reliable(),
  state: realTime({ redundancy: "high" }),
});

function connected(engine: "js" | "native", congestion: number): Duo {
  const configure = (config: Uint32Array) => {
    config[CONFIG_CONGESTION] = congestion;
  };
  const side = { configure, sendRate: 100_000_000 };
  const duo = new Duo({ server: engine, client: engine }, protocol, { server: side, client: side });
  onTestFinished(() => duo.close());
  duo.connect();
  // A round trip that is longer than what is waited for here.
  for (let index = 0; index < 20; index++) {
    duo.server.send(STATE, 0);
    duo.round(80 * MS);
  }
  duo.client.events.length = 0;
  return duo;
}

/** The messages of the packets, by channel, as the first byte of each. */
const bodies = (packets: readonly Packet[], channel: number) =>
  packets.flatMap(({ payload }) =>
    (payload?.frames ?? []).flatMap((frame) =>
      frame.kind === "message" && frame.channel === channel ? [frame.body[0]] : [],
    ),
  );

describe.each(engines)("a congestion window without room, %s engine (R-58)", (engine) => {
  /** Everything that the window lets out is on its way, and lost. */
  function full(): Duo {
    const duo = connected(engine, CONGESTION_DELAY);
    for (let index = 0; index < 64; index++) duo.server.send(BULK, new Uint8Array(1000));
    let bytes = 0;
    // The budget holds some back at first.
    for (let packets = duo.server.turn(); packets.length > 0; packets = duo.server.turn()) {
      bytes += packets.reduce((sum, packet) => sum + packet.bytes.length, 0);
      duo.nowUs += 5 * MS;
    }
    duo.nowUs -= 5 * MS;
    expect(bytes).toBeGreaterThanOrEqual(CONGESTION_WINDOW_INITIAL - 1225);
    return duo;
  }

  test("lets the newest state out at each flush, its copies with it, and nothing else", () => {
    const duo = full();
    for (let index = 1; index <= 4; index++) {
      duo.nowUs += MS;
      duo.server.send(STATE, index);
      const packets = duo.server.turn();
      expect(packets).toHaveLength(1);
      expect(bodies(packets, BULK)).toEqual([]);
      expect(bodies(packets, STATE)).toEqual(Array.from({ length: index }, (_, at) => at + 1));
      expect(duo.server.turn()).toEqual([]);
    }
  });

  test("lets a packet of anything out 100 ms after the last", () => {
    const duo = full();
    duo.nowUs += 99 * MS;
    expect(bodies(duo.server.turn(false), BULK)).toEqual([]);
    duo.nowUs += MS;
    expect(bodies(duo.server.turn(false), BULK)).toHaveLength(1);
    expect(duo.server.turn(false)).toEqual([]);
  });
});

describe.each(engines)("a receiver's window without room, %s engine (R-46)", (engine) => {
  test("each flush brings the oldest messages again", () => {
    const duo = connected(engine, CONGESTION_FIXED);
    for (let index = 0; index <= CHANNEL_WINDOW; index++) duo.server.send(BULK, index & 0xff);
    // All of them are lost.
    const sent = bodies(duo.server.turn(), BULK);
    expect(new Set(sent).size).toBe(CHANNEL_WINDOW);
    // Past their copies, before any time-out.
    duo.nowUs += 1;
    duo.server.send(BULK, 0xee);
    const packets = duo.server.turn();
    expect(packets).toHaveLength(1);
    expect(bodies(packets, BULK).slice(0, 3)).toEqual([0, 1, 2]);
    expect(duo.server.turn()).toEqual([]);
    // What gets through makes room.
    duo.client.receive(packets[0]);
    expect(duo.client.received(BULK).slice(0, 3)).toEqual([0, 1, 2]);
  });
});
