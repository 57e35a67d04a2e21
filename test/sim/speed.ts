// speed: how much faster than real the clock of a simulated pair goes, at 60 packets a second each way.
//
// Owns the measure. Never checks anything.
import { defineProtocol } from "../../lib/protocol.js";
import { realTime, reliable } from "../../lib/strategy.js";
import { Flow, FlowEndpoint, flowsRun } from "./flow.js";
import { type EngineName, Rig } from "./rig.js";

const HZ = 60;
const BYTES = 100;
const WARM_US = 20_000_000;
const MEASURED_US = 600_000_000;

export interface SpeedResult {
  readonly engine: EngineName;
  readonly virtualSeconds: number;
  readonly realSeconds: number;
  /** Of the processor: what the real time would be, were the machine idle. */
  readonly cpuSeconds: number;
  /** Virtual time for each unit of processor time. */
  readonly factor: number;
  readonly datagrams: number;
}

/** A server and a client of one engine, a real-time stream each way, 2 % loss and 50 ms round trip. */
export function speedRun(engine: EngineName): SpeedResult {
  const protocol = defineProtocol("speed/1", { state: realTime(), chat: reliable() });
  const link = { delayUs: 25_000, loss: 2 };
  const rig = new Rig({ seed: 1, protocol, serverEngine: engine, clientEngine: engine, link });
  const server = new FlowEndpoint(rig, rig.server);
  const client = new FlowEndpoint(rig, rig.hosts[1]);
  rig.server.users[0] = server;
  rig.hosts[1].users[0] = client;
  const flows = [new Flow(client, server, 0, BYTES), new Flow(server, client, 0, BYTES)];
  rig.connect(1);
  rig.run(rig.nowUs + 1_000_000);
  flowsRun(rig, flows, HZ, rig.nowUs + WARM_US);
  const before = rig.datagrams;
  const began = performance.now();
  const cpu = process.cpuUsage();
  flowsRun(rig, flows, HZ, rig.nowUs + MEASURED_US);
  const realSeconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  const datagrams = rig.datagrams - before;
  rig.close();
  const virtualSeconds = MEASURED_US / 1e6;
  const factor = virtualSeconds / cpuSeconds;
  return { engine, virtualSeconds, realSeconds, cpuSeconds, factor, datagrams };
}
