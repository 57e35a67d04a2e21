/*
 * Owns a real link: two network namespaces with a veth pair between them, and what the kernel does to the packets on it:
 * loss and duplicates (nft), rate and queue (tbf), an outage (the device goes down), a way round through a relay (nat).
 * Never touches anything outside of its own two namespaces. They are gone when `close` returns, when this process ends,
 * and, after a SIGKILL, at the next start of anybody who calls `sweep`.
 */
import { spawnSync } from "node:child_process";

/** Namespaces are called this, then the process id, the number of the link, and the end. */
const PREFIX = "netrt-link-";
/** IPv6's smallest: every datagram of ours has to fit. */
export const MTU_BYTES = 1280;
/** Where clients find the server. */
export const SERVER_PORT = 5000;
/** Where the relay listens, and the server behind it; on loopback, in the server's namespace. */
export const RELAY_PORT = 6000;
export const BEHIND_PORT = 6001;

export const ENDS = ["server", "client"] as const;
export type EndName = (typeof ENDS)[number];

export interface LinkSettings {
  readonly family: 4 | 6;
  /** Share of datagrams that each end does not get. */
  readonly lossPercent?: number;
  /** Share that each end sends twice. */
  readonly duplicatePercent?: number;
  /** What fits through each way, and how long it may queue. */
  readonly rate?: { readonly kilobits: number; readonly queueMs: number };
  /** Whether datagrams to the server go through a relay at RELAY_PORT. */
  readonly relayed?: boolean;
}

/** What the kernel did at one end. */
export interface LinkCounters {
  readonly lost: number;
  readonly duplicated: number;
  /** Pieces of IP: there must be none. */
  readonly fragments: number;
  /** Dropped by a full queue. */
  readonly overflowed: number;
}

/** The kernel or the system lacks something. */
export class MissingError extends Error {
  override readonly name = "MissingError";
}

function call(command: string, args: readonly string[], input = ""): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8", input });
  if (status === 0) return stdout;
  const why = error?.message ?? stderr.trim().split("\n")[0];
  throw new MissingError(`${command} ${args.join(" ")}: ${why}`);
}

function namespaces(): string[] {
  const { stdout } = spawnSync("ip", ["netns", "list"], { encoding: "utf8" });
  return (stdout ?? "").split("\n").flatMap((line) => {
    const [name] = line.split(" ");
    return name.startsWith(PREFIX) ? [name] : [];
  });
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Removes what a process left that was killed. */
export function sweep(): void {
  // Where there is no `ip` there is nothing to sweep.
  for (const name of namespaces()) {
    const pid = Number(name.slice(PREFIX.length).split("-")[0]);
    if (!alive(pid)) spawnSync("ip", ["netns", "del", name]);
  }
}

/** Why real links can't be made here, or "". */
export function linksMissing(): string {
  if (process.platform !== "linux")
    return `network namespaces are Linux's, this is ${process.platform}`;
  const name = `${PREFIX}${process.pid}-probe`;
  try {
    call("ip", ["netns", "add", name]);
    call("ip", ["-n", name, "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"]);
    call("ip", ["netns", "exec", name, "nft", "list", "ruleset"]);
    return "";
  } catch (error) {
    return (error as Error).message;
  } finally {
    spawnSync("ip", ["netns", "del", name]);
  }
}

const open = new Set<NetLink>();
let made = 0;

/** Removes every link that this process has still open. */
export function closeLinks(): void {
  for (const link of open) link.close();
}

process.on("exit", closeLinks);

/** A link; its two namespaces exist as long as it is open. */
export class NetLink {
  readonly settings: LinkSettings;
  readonly #names: Readonly<Record<EndName, string>>;

  /** Throws MissingError when something of it can't be had here; then nothing of it is left. */
  constructor(settings: LinkSettings) {
    this.settings = settings;
    made += 1;
    const name = `${PREFIX}${process.pid}-${made}`;
    this.#names = { server: `${name}-server`, client: `${name}-client` };
    open.add(this);
    try {
      this.#make();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The namespace of an end. */
  name(end: EndName): string {
    return this.#names[end];
  }

  /** The address of an end, as in a URL. */
  address(end: EndName): string {
    const last = end === "server" ? 1 : 2;
    return this.settings.family === 4 ? `10.99.0.${last}` : `[fd99::${last}]`;
  }

  #device(end: EndName): string {
    return `${end}0`;
  }

  #ip(end: EndName, ...args: string[]): string {
    return call("ip", ["-n", this.name(end), ...args]);
  }

  #exec(end: EndName, command: string, args: readonly string[], input = ""): string {
    return call("ip", ["netns", "exec", this.name(end), command, ...args], input);
  }

  #make(): void {
    for (const end of ENDS) call("ip", ["netns", "add", this.name(end)]);
    const mtu = ["mtu", `${MTU_BYTES}`];
    call("ip", [
      ...["link", "add", this.#device("server"), "netns", this.name("server"), ...mtu],
      ...["type", "veth", "peer", "name", this.#device("client")],
      ...["netns", this.name("client"), ...mtu],
    ]);
    const { family } = this.settings;
    for (const end of ENDS) {
      const bare = this.address(end).replace(/[[\]]/g, "");
      // Without the detection of duplicates: addresses are usable at once, nobody else is there.
      const address = family === 4 ? [`${bare}/24`] : [`${bare}/64`, "nodad"];
      this.#ip(end, "addr", "add", ...address, "dev", this.#device(end));
      this.#ip(end, "link", "set", "lo", "up");
      this.up(end, true);
      this.#exec(end, "nft", ["-f", "-"], this.#rules(end));
      this.#shape(end);
    }
    if (this.settings.relayed) this.#detour();
  }

  /** Pieces are counted before the kernel puts them together again, which it does at -400 where it keeps track. */
  #rules(end: EndName): string {
    const { family, lossPercent = 0, duplicatePercent = 0 } = this.settings;
    const other = this.address(end === "server" ? "client" : "server").replace(/[[\]]/g, "");
    const share = (percent: number) => `numgen random mod 10000 < ${Math.round(percent * 100)}`;
    const duplicates = `dup to ${other} device ${this.#device(end)}`;
    const out = `oifname ${this.#device(end)} meta l4proto udp`;
    const inside = `iifname ${this.#device(end)} meta l4proto udp`;
    const ip = family === 4 ? "ip" : "ip6";
    const pieces = family === 4 ? "ip frag-off & 0x3fff != 0" : "exthdr frag exists";
    return `table ${ip} link {
  counter lost { }
  counter duplicated { }
  counter fragments { }
  chain pieces {
    type filter hook prerouting priority -450;
    ${pieces} counter name fragments
  }
  chain in {
    type filter hook prerouting priority raw;
    ${lossPercent > 0 ? `${inside} ${share(lossPercent)} counter name lost drop` : ""}
  }
  chain out {
    type filter hook postrouting priority 300;
    ${duplicatePercent > 0 ? `${out} ${share(duplicatePercent)} counter name duplicated ${duplicates}` : ""}
  }
}
`;
  }

  #shape(end: EndName): void {
    const { rate } = this.settings;
    if (rate === undefined) return;
    const limits = ["rate", `${rate.kilobits}kbit`, "burst", "3kb", "latency", `${rate.queueMs}ms`];
    this.#exec(end, "tc", ["qdisc", "add", "dev", this.#device(end), "root", "tbf", ...limits]);
  }

  /** What comes for the server goes to the relay on loopback, and back under the server's address. */
  #detour(): void {
    const local = "/proc/sys/net/ipv4/conf/all/route_localnet";
    this.#exec("server", "tee", [local], "1\n");
    const nat = `table ip detour {
  chain in {
    type nat hook prerouting priority dstnat;
    udp dport ${SERVER_PORT} dnat to 127.0.0.1:${RELAY_PORT}
  }
}
`;
    this.#exec("server", "nft", ["-f", "-"], nat);
  }

  /** Takes an end's device down, or up again. */
  up(end: EndName, up: boolean): void {
    this.#ip(end, "link", "set", this.#device(end), up ? "up" : "down");
  }

  counters(end: EndName): LinkCounters {
    const listed = this.#exec(end, "nft", ["-j", "list", "counters"]);
    const { nftables } = JSON.parse(listed) as {
      nftables: { counter?: { name: string; packets: number } }[];
    };
    const count = (name: string) =>
      nftables.find(({ counter }) => counter?.name === name)?.counter?.packets ?? 0;
    const shown = this.#exec(end, "tc", ["-s", "-j", "qdisc", "show", "dev", this.#device(end)]);
    const queues = JSON.parse(shown) as { kind: string; drops?: number }[];
    return {
      lost: count("lost"),
      duplicated: count("duplicated"),
      fragments: count("fragments"),
      overflowed: queues.find(({ kind }) => kind === "tbf")?.drops ?? 0,
    };
  }

  /** Removes both namespaces, and with them all that is in them; processes in them live on. */
  close(): void {
    open.delete(this);
    for (const end of ENDS) spawnSync("ip", ["netns", "del", this.name(end)]);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** How many namespaces of this process there are. */
export function linksLeft(): number {
  return namespaces().filter((name) => name.startsWith(`${PREFIX}${process.pid}-`)).length;
}
