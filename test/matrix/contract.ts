// contract: what each strategy promises, and whether a cell kept it.
//
// Owns the promises in words and as checks; each follows docs/STRATEGIES.md and the rules named.
// Never measures. What is a matter of degree (latency, shares) is a figure of `figures`, no contract.
import { REASON_UNDELIVERED } from "../../lib/engine/state.js";
import type { ChannelPolicy, Strategy } from "../../lib/policy.js";
import { type CellResult, expiryUs, REORDER_US, TICK_US, type Weather } from "./cell.js";

const PROMISES: Record<Strategy, string> = {
  realTime: "the newest wins: each at most once, strictly newer, never waiting",
  timeSensitive: "in order, each at most once, or reported; no gap waits past its deadline",
  reliable: "exactly once and in order, or reported expired",
  critical: "exactly once and in order, or closed as undelivered",
};

export function promiseOf(policy: ChannelPolicy): string {
  return PROMISES[policy.strategy];
}

/** What the cell broke; empty when all was kept. */
export function contractBroken(
  policy: ChannelPolicy,
  weather: Weather,
  result: CellResult,
): string[] {
  const broken: string[] = [];
  const none = (count: number, what: string) => {
    if (count > 0) broken.push(`${count} ${what}`);
  };
  none(result.duplicates, "duplicates");
  none(result.corrupted, "messages with other bytes");
  none(result.disordered, "messages out of order");
  none(result.fatesWrong, "fates told twice");
  none(result.unknown, "messages without a fate");
  none(result.silent, "messages missing in silence");
  const ended = result.ends.filter((end) => end !== null);
  const undelivered = ended.some((end) => end.reason === REASON_UNDELIVERED);
  if (ended.length > 0 && !(policy.strategy === "critical" && undelivered)) {
    broken.push(`the connection ended, reason ${ended[0].reason}`);
  }
  if (policy.strategy === "critical" && !undelivered) {
    none(result.sent - result.arrived, "messages missing, and the connection lives");
  }
  const boundMs = latencyBoundMs(policy, weather);
  if (result.latency.max > boundMs) {
    broken.push(
      `a message came after ${result.latency.max.toFixed(1)} ms, ${boundMs} are promised`,
    );
  }
  return broken;
}

/**
 * The age at which a message may be delivered at most. Where a way takes no longer than the expiry, a
 * time-sensitive one comes within it, or as much later as its datagram was held; else it goes once,
 * within its expiry, and waits RTT/8 for what it overtook. A real-time message and its copies leave within the next seven packets, which are ticks
 * here, and never wait.
 */
function latencyBoundMs(policy: ChannelPolicy, weather: Weather): number {
  const reorderMs = weather.reorderPercent > 0 ? REORDER_US / 1000 : 0;
  const onceMs = weather.rttMs / 2 + reorderMs + 2 * (TICK_US / 1000);
  if (policy.strategy === "realTime") {
    return Math.ceil(onceMs + (policy.redundancy === "high" ? 7 : 1) * 1.5 * (TICK_US / 1000));
  }
  if (policy.strategy === "timeSensitive") {
    const expiryMs = expiryUs(policy) / 1000;
    const inTime = weather.rttMs / 2 < expiryMs;
    return Math.ceil(inTime ? expiryMs + reorderMs : onceMs + expiryMs + weather.rttMs / 8);
  }
  return Number.POSITIVE_INFINITY;
}
