// What the fuzzers found, told as it would meet a user. Each input stays in its corpus too.
import { describe, expect, it } from "vitest";
import { ROLE_SERVER } from "../../lib/engine/config.js";
import { PACKET_RESPONSE } from "../../lib/engine/packet.js";
import { twins } from "../twins.js";
import { Machine } from "./machine.js";
import { Peer } from "./peer.js";
import { profileTake } from "./profile.js";
import { Digest, Input } from "./targets.js";

const PING = Uint8Array.of(4);
/** Message 1 of the channel that waits 200 ms for what is missing: message 0. */
const BEHIND_A_GAP = Uint8Array.of(0x82, 1, 0, 0x41);
const TURN_US = 10_000;
const GAP_US = 200_000;

/** A server of both engines that a peer has said hello to. */
function greeted(heard: (nowUs: number) => void): { machine: Machine; peer: Peer } {
  const profile = profileTake(new Input(Uint8Array.of(0x40, 0)));
  const engines = twins.map(({ name }) => name);
  const machine = new Machine(engines, new Digest(), profile, ROLE_SERVER, 2);
  const peer = new Peer(profile, 1);
  machine.events = {
    sent: (_to, bytes) => peer.hear(machine, bytes),
    heard: () => heard(machine.nowUs),
  };
  peer.sendBytes(machine, peer.identity.request);
  machine.turn();
  peer.send(machine, PACKET_RESPONSE, peer.number(0), peer.challenge);
  machine.turn();
  peer.hello(machine);
  machine.turn();
  return { machine, peer };
}

describe("found by the target `host`", () => {
  // One gap was passed at each turn: what lay behind eight of them came eight turns late.
  it("R-50: gaps behind each other are passed at the same time", () => {
    const times: number[] = [];
    const { machine, peer } = greeted((nowUs) => times.push(nowUs));
    const startUs = machine.nowUs;
    for (let id = 1; id < 16; id += 2) {
      peer.payload(machine, false, 0, Uint8Array.of(0x82, id, 0, 0x41));
    }
    for (let turn = 0; turn < 40; turn++) {
      machine.turn();
      machine.nowUs += TURN_US;
    }
    expect(times).toHaveLength(8);
    for (const nowUs of times) expect(nowUs - startUs).toBeLessThanOrEqual(GAP_US + TURN_US);
    machine.finish();
  });
});

describe("found by the target `connection`", () => {
  // Two packets that ask for an ack make a connection due at once, and what was due at once was left out when time
  // passed: with two in every turn nothing ever timed out, expired or was passed over.
  it.each([0, 1, 2, 3])("R-50: a gap is passed in time, with %i pings in every turn", (pings) => {
    let heardUs = 0;
    const { machine, peer } = greeted((nowUs) => {
      heardUs = nowUs;
    });
    const startUs = machine.nowUs;
    peer.payload(machine, false, 0, BEHIND_A_GAP);
    for (let turn = 0; turn < 100 && heardUs === 0; turn++) {
      for (let ping = 0; ping < pings; ping++) peer.payload(machine, false, 0, PING);
      machine.turn();
      machine.nowUs += TURN_US;
    }
    expect(heardUs - startUs).toBeGreaterThanOrEqual(GAP_US);
    expect(heardUs - startUs).toBeLessThanOrEqual(GAP_US + TURN_US);
    machine.finish();
  });
});
