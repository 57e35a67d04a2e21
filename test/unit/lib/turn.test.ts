// A turn of the JavaScript engine over a real socket; test/native/io_turn.cc is the same for the C++ one.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterEach, expect, it, onTestFinished, vi } from "vitest";
import { configureRaw } from "../../../lib/configure.js";
import { ENTROPY_BYTES, ROLE_SERVER } from "../../../lib/engine/config.js";
import { ringBytes } from "../../../lib/engine/ring.js";
import { HOST_DATAGRAMS_IN, statsHostWord, statsWords } from "../../../lib/engine/stats.js";
import { openJs } from "../../../lib/js.js";
import { TURN_RECEIVE, TURN_RECEIVE_US_MAX, TURNED_MORE } from "../../../lib/turn.js";

const DATAGRAMS = 100;

afterEach(() => vi.restoreAllMocks());

it("takes datagrams for so long, and says that there are more", async () => {
  const { config, submissionBytes, completionBytes } = configureRaw(ROLE_SERVER, 1n, 1, {});
  const page = new Uint32Array(statsWords(1));
  const engine = await openJs({
    config,
    privateKey: new Uint8Array(32),
    entropy: new Uint8Array(ENTROPY_BYTES),
    submission: new Uint8Array(ringBytes(submissionBytes)),
    completion: new Uint8Array(ringBytes(completionBytes)),
    page,
    bind: { type: 1, port: 0, words: [0x7f000001, 0, 0, 0] },
    socketBufferBytes: 1 << 18,
    reusePort: false,
    io: "inline",
    onWake: () => {},
  });
  const stranger = createSocket("udp4").bind(0, "127.0.0.1");
  onTestFinished(() => {
    stranger.close();
    engine.close();
  });
  await once(stranger, "listening");
  for (let index = 0; index < DATAGRAMS; index++) {
    stranger.send(new Uint8Array(20), engine.bound.port, "127.0.0.1");
  }
  await vi.waitFor(() => expect(engine.socketStats().datagramsReceived).toBe(DATAGRAMS), {
    timeout: 10_000,
  });
  const taken = () => page[statsHostWord(HOST_DATAGRAMS_IN)];
  // Each look at the clock costs a good part of the turn's time.
  const clock = performance.now.bind(performance);
  let looks = 0;
  vi.spyOn(performance, "now").mockImplementation(() => {
    looks += 1;
    return clock() + (looks * TURN_RECEIVE_US_MAX) / 1000 / 2;
  });
  expect(engine.turn(TURN_RECEIVE) & TURNED_MORE).toBe(TURNED_MORE);
  expect(taken()).toBeGreaterThan(0);
  expect(taken()).toBeLessThan(DATAGRAMS);
  // The next turns go on where it ended.
  for (let turn = 0; turn < DATAGRAMS && taken() < DATAGRAMS; turn++) engine.turn(TURN_RECEIVE);
  expect(taken()).toBe(DATAGRAMS);
});
