/*
 * script: the target `script` over the engines: two hosts that keep the rules, and a network that keeps none. It mirrors
 * test/fuzz/script.cc, where its input is described, and where the promises of delivery are checked.
 */
import {
  CONFIG_CHANNELS,
  CONFIG_POLICIES,
  ROLE_CLIENT,
  ROLE_SERVER,
} from "../../lib/engine/config.js";
import { POLICY_WORDS } from "../../lib/engine/policy.js";
import { TTL_DEFAULT } from "../../lib/engine/ring.js";
import type { EngineName } from "../sim/pair.js";
import { Machine } from "./machine.js";
import { identityOf } from "./peer.js";
import { addressOf, type Profile, profileTake } from "./profile.js";
import { Digest, Input } from "./targets.js";

const OPERATIONS_MAX = 64;
const DATAGRAMS_MAX = 48;
const SERVER = 0;
const CLIENT = 1;
const MESSAGES_MAX = 512;
const NUMBER_BYTES = 4;
const BYTES_WORD = 6;
const TTLS = [TTL_DEFAULT, 0, 30, 500];
/** A close needs this byte too. */
const REALLY = 0xee;

class World {
  readonly machines: readonly Machine[];
  readonly #sent: readonly number[][];
  readonly #datagrams: { to: number; bytes: Uint8Array }[] = [];

  constructor(
    engines: readonly EngineName[],
    digest: Digest,
    readonly input: Input,
    readonly profile: Profile,
  ) {
    this.machines = [ROLE_SERVER, ROLE_CLIENT].map(
      (role) => new Machine(engines, digest, profile, role, 1),
    );
    this.#sent = this.machines.map(({ config }) => Array(config[CONFIG_CHANNELS]).fill(0));
    for (const [self, machine] of this.machines.entries()) {
      machine.events = { sent: (_to, bytes) => this.#wire(1 - self, bytes) };
    }
    this.machines[CLIENT].pair.connect(identityOf(profile, CLIENT).token, profile.startUs);
    this.#calm(4, 1000, () => false);
  }

  // --- the network ---

  #wire(to: number, bytes: Uint8Array): void {
    if (this.#datagrams.length < DATAGRAMS_MAX) this.#datagrams.push({ to, bytes });
  }

  #place(index: number): number {
    return index % this.#datagrams.length;
  }

  #arrive(index: number): void {
    const { to, bytes } = this.#datagrams[index];
    this.machines[to].receive(addressOf(this.profile, to === SERVER ? CLIENT : SERVER), bytes);
  }

  #arriveAll(): void {
    for (let index = 0; index < this.#datagrams.length; index++) this.#arrive(index);
    this.#datagrams.length = 0;
  }

  #turnOver(index: number, where: number): void {
    const { bytes } = this.#datagrams[this.#place(index)];
    bytes[where % bytes.length] ^= 1 << (where & 7);
  }

  // --- users ---

  #sends(sender: number, given: number, wanted: number, ttlMs: number): void {
    const machine = this.machines[sender];
    const channel = given % machine.config[CONFIG_CHANNELS];
    const number = this.#sent[sender][channel];
    if (number === MESSAGES_MAX) return;
    const most = machine.config[CONFIG_POLICIES + channel * POLICY_WORDS + BYTES_WORD];
    const body = new Uint8Array(Math.min(Math.max(wanted, NUMBER_BYTES), most));
    for (let index = 0; index < body.length; index++) {
      body[index] = index < NUMBER_BYTES ? number >> (8 * index) : number * 7 + channel * 3 + index;
    }
    if (machine.send(machine.handle(0), channel, body, ttlMs)) this.#sent[sender][channel] += 1;
    else if (machine.raw) this.#sent[sender][channel] += 1;
  }

  // --- time ---

  #pass(us: number): void {
    for (const machine of this.machines) machine.nowUs += us;
  }

  #turnBoth(): void {
    for (const machine of this.machines) machine.turn();
  }

  #calm(rounds: number, stepMaxUs: number, done: () => boolean): void {
    for (let round = 0; round < rounds && !done(); round++) {
      this.#turnBoth();
      this.#arriveAll();
      const { nowUs } = this.machines[SERVER];
      const deadlines = this.machines.map(({ pair }) => pair.deadlineUs());
      const nextUs = Math.min(nowUs + stepMaxUs, ...deadlines);
      this.#pass(nextUs > nowUs ? nextUs - nowUs : 1);
    }
  }

  #settled(): boolean {
    const fated = this.machines.every((machine) => machine.fated + 1 >= machine.tagNext);
    return fated && this.#datagrams.length === 0;
  }

  // --- the script ---

  operate(operation: number): void {
    const { input } = this;
    const parameter = operation >> 4;
    const self = parameter & 1;
    const machine = this.machines[self];
    const under = this.#datagrams.length > 0;
    switch (operation & 15) {
      case 0:
        machine.turn();
        break;
      case 1:
        this.#turnBoth();
        break;
      case 2:
        if (under) {
          this.#arrive(this.#place(parameter));
          this.#datagrams.splice(this.#place(parameter), 1);
        }
        return;
      case 3:
        if (under) this.#datagrams.splice(this.#place(parameter), 1);
        return;
      case 4:
        if (under) this.#arrive(this.#place(parameter));
        return;
      case 5:
        this.#arriveAll();
        break;
      case 6:
        this.#datagrams.length = 0;
        return;
      case 7:
        this.#pass((input.take8() + 1) * 2 ** parameter);
        break;
      case 11: {
        const where = input.take8();
        if (under) this.#turnOver(parameter, where);
        return;
      }
      case 12:
        this.#calm(1 + parameter, 20_000, () => false);
        break;
      case 14:
        this.#wish(machine, parameter);
        break;
      default:
        this.#userActs(operation & 15, self, parameter);
        break;
    }
  }

  #wish(machine: Machine, parameter: number): void {
    const handle = machine.handle(0);
    const on = (parameter & 2) !== 0;
    if (parameter >> 2 === 0) machine.reads = on;
    else if (parameter >> 2 === 1) machine.watch(handle, on);
    else machine.pause(handle, (parameter & 4) !== 0 ? 3 : 5);
  }

  #blocks(machine: Machine, total: number): void {
    machine.block(machine.handle(0), machine.config[CONFIG_CHANNELS] > 3 ? 3 : 0, total);
  }

  #userActs(operation: number, self: number, parameter: number): void {
    const choice = operation === 15 ? 0 : this.input.take8();
    switch (operation) {
      case 8:
        this.#sends(self, choice & 63, parameter * 8, TTLS[choice >> 6]);
        break;
      case 9:
        this.#sends(self, choice & 63, (choice >> 6) * 1500 + parameter, TTL_DEFAULT);
        break;
      case 10:
        for (let count = 0; count < 2 + parameter; count++) {
          this.#sends(self, choice & 63, choice >> 6 === 0 ? 12 : 300, TTL_DEFAULT);
        }
        return;
      case 13: {
        const machine = this.machines[self];
        if (choice !== REALLY) return;
        machine.end(machine.handle(0), (parameter & 2) !== 0, 20 + parameter);
        break;
      }
      default:
        if (parameter < 8) this.#sends(self, parameter, 200, TTL_DEFAULT);
        else this.#blocks(this.machines[self], parameter * 400);
    }
  }

  end(rests: boolean): void {
    for (const machine of this.machines) {
      machine.reads = true;
      for (const [channel, paused] of machine.paused.entries()) {
        if (paused) machine.pause(machine.handle(0), channel);
      }
    }
    if (rests) this.#calm(64, 200_000, () => this.#settled());
    for (let tries = 0; tries < (rests ? 2 : 1); tries++) {
      for (const machine of this.machines) machine.end(machine.handle(0), rests && tries === 0, 40);
      this.#calm(rests ? 40 : 4, 50_000, () => this.machines.every(({ peers }) => peers === 0));
    }
    for (const machine of this.machines) machine.finish();
  }
}

export function scriptTarget(engines: readonly EngineName[], bytes: Uint8Array): string {
  const input = new Input(bytes);
  const digest = new Digest();
  const world = new World(engines, digest, input, profileTake(input));
  for (let count = 0; count < OPERATIONS_MAX && !input.ended; count++) {
    world.operate(input.take8());
  }
  world.end(bytes.length > 2 && (bytes[bytes.length - 1] & 7) === 0);
  return digest.text;
}
