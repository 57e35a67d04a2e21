// Numbers that come round: packets and messages beyond 65,536, the end of what a packet says of either, in one
// long connection of three strategies over a link that loses, reorders and duplicates.
import { describe, expect, it } from "vitest";
import { FATE_DELIVERED } from "../../lib/engine/channel.js";
import { PEER_PACKETS_SENT, statsPeerWord } from "../../lib/engine/stats.js";
import { defineProtocol } from "../../lib/protocol.js";
import { realTime, reliable, timeSensitive } from "../../lib/strategy.js";
import { Flow, FlowEndpoint, flowsRun } from "./flow.js";
import { type EngineName, Rig } from "./rig.js";

const ENGINE: EngineName = process.env.NETRT_TEST_TWINS === "js" ? "js" : "native";
const HZ = 1000;
const SECONDS = 68;
const BYTES = 16;
const WRAP = 65_536;

describe("beyond 65,536 packets and messages", () => {
  const channels = { chat: reliable(), state: realTime(), shots: timeSensitive() };
  const protocol = defineProtocol("wrap/1", channels);
  const link = { delayUs: 5000, loss: 1, reorderPercent: 2, reorderUs: 2000, duplicatePercent: 2 };
  const rig = new Rig({ seed: 1, protocol, serverEngine: ENGINE, clientEngine: ENGINE, link });
  const server = new FlowEndpoint(rig, rig.server);
  const client = new FlowEndpoint(rig, rig.hosts[1]);
  rig.server.users[0] = server;
  rig.hosts[1].users[0] = client;
  const flows = [0, 1, 2].map((channel) => new Flow(client, server, channel, BYTES));
  rig.connect(1);
  rig.run(rig.nowUs + 1_000_000);
  flowsRun(rig, flows, HZ, rig.nowUs + SECONDS * 1_000_000);
  rig.run(rig.nowUs + 15_000_000);
  const { page } = rig.hosts[1].host;
  const packets = page[statsPeerWord(client.handle & 0xffff) + PEER_PACKETS_SENT];
  const [chat, state, shots] = flows;
  rig.close();

  it("there were so many", () => {
    expect(packets).toBeGreaterThan(WRAP + 1000);
    for (const { sentUs } of flows) expect(sentUs.length).toBeGreaterThan(WRAP + 1000);
  });

  it("Reliable delivers each, once, in order", () => {
    expect(chat.arrivedUs.filter((us) => us < 0)).toEqual([]);
    expect(chat.fates.filter((fate) => fate !== FATE_DELIVERED)).toEqual([]);
  });

  it("nothing comes twice, out of order or changed, and every message has one fate", () => {
    for (const { duplicates, disordered, corrupted, fatesWrong, pending } of flows) {
      const expected = { duplicates: 0, disordered: 0, corrupted: 0, fatesWrong: 0, pending: 0 };
      expect({ duplicates, disordered, corrupted, fatesWrong, pending }).toEqual(expected);
    }
  });

  it.each([
    ["RealTime", state],
    ["TimeSensitive", shots],
  ])("%s delivers as much behind the turn as before it", (_name, flow) => {
    const share = (from: number, to: number) => {
      const part = flow.arrivedUs.slice(from, to);
      return part.filter((us) => us >= 0).length / part.length;
    };
    expect(share(0, WRAP)).toBeGreaterThan(0.97);
    expect(share(WRAP, flow.arrivedUs.length)).toBeGreaterThan(0.97);
  });
});
