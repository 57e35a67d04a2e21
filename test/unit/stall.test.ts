/*
 * What wants to ride and finds no place: a message that does not fit beside a hello. The packets that go out meanwhile
 * neither follow each other without a pause nor keep the host awake.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { MESSAGE_BYTES_MAX, STALL_RETRY_US } from "../../lib/engine/limits.js";
import { PACKET_PAYLOAD } from "../../lib/engine/packet.js";
import { defineProtocol, reliable } from "../../lib/index.js";
import { Duo, MS } from "../duo.js";
import { engines } from "../engines.js";

/** Its hello takes 263 bytes: the longest message does not fit beside it. */
const protocol = defineProtocol(
  "stall/1",
  Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`c${index}`, reliable()])),
);

describe.each(engines)("a message without a place on the %s engine", (engine) => {
  test("waits for the ack of the hello; what goes out before does so in bounds", () => {
    const duo = new Duo({ server: engine, client: engine }, protocol);
    onTestFinished(() => duo.close());
    duo.handshake();
    const { client, server } = duo;
    // The server is heard by the client, and hears nothing itself: its hello has no ack.
    const opened = client.turn();
    for (const packet of opened) server.receive(packet);
    expect(server.peer).not.toBe(0);
    server.send(0, new Uint8Array(MESSAGE_BYTES_MAX).fill(5));
    const beganUs = duo.nowUs;
    let packets = 0;
    while (duo.nowUs < beganUs + 200 * MS) {
      const sent = server.turn().filter(({ type }) => type === PACKET_PAYLOAD);
      packets += sent.length;
      expect(sent.length).toBeLessThanOrEqual(2);
      for (const { payload } of sent) expect(payload?.frames[0].kind).toBe("hello");
      expect(server.deadlineUs()).toBeGreaterThan(duo.nowUs);
      duo.nowUs = server.deadlineUs();
    }
    // The first, then one for each time-out of a stall at most.
    expect(packets).toBeGreaterThan(1);
    expect(packets).toBeLessThanOrEqual(2 + (2 * 200 * MS) / STALL_RETRY_US);
    duo.rounds(60);
    expect(client.received(0)).toEqual([5]);
  });
});
