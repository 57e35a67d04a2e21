/*
 * connection: the target `connection` over the engines; it mirrors test/fuzz/connection.cc, where its input is
 * described.
 */
import { CONFIG_CHANNELS, ROLE_CLIENT, ROLE_SERVER } from "../../lib/engine/config.js";
import { CHALLENGE_BODY_BYTES, PACKET_TYPES, PAYLOAD_BYTES_MAX } from "../../lib/engine/limits.js";
import { PACKET_CHALLENGE, PACKET_KEEP_ALIVE, PACKET_RESPONSE } from "../../lib/engine/packet.js";
import { TTL_DEFAULT } from "../../lib/engine/ring.js";
import type { EngineName } from "../sim/pair.js";
import { Machine } from "./machine.js";
import { Peer, peerHello } from "./peer.js";
import { addressOf, LONG_BYTES, type Profile, profileTake } from "./profile.js";
import { Digest, Input } from "./targets.js";

const OPERATIONS_MAX = 64;
const TTLS = [TTL_DEFAULT, 0, 40, 2000];
const NUMBER_MAX = 1n << 62n;
const FRAME_PING = 4;

class World {
  readonly machine: Machine;
  readonly peer: Peer;

  constructor(
    engines: readonly EngineName[],
    digest: Digest,
    readonly input: Input,
    profile: Profile,
    options: number,
  ) {
    const client = (options & 1) !== 0;
    const index = 1 + (Math.trunc(options / 16) % 4);
    this.machine = new Machine(
      engines,
      digest,
      profile,
      client ? ROLE_CLIENT : ROLE_SERVER,
      client ? 1 : 2,
    );
    this.peer = new Peer(profile, index);
    const home = client ? 0 : index;
    this.machine.events = {
      sent: (to, bytes) => {
        if (to === home) this.peer.hear(this.machine, bytes);
      },
    };
    if (client) {
      this.peer.address = addressOf(profile, 0);
      this.#joinClient();
    } else {
      this.#joinServer();
    }
    if (profile.raw || (options & 2) !== 0) return;
    const hello = peerHello(this.machine, (options & 8) !== 0 ? 400 : PAYLOAD_BYTES_MAX);
    const half = (options & 4) !== 0;
    const frames = half ? hello.subarray(0, hello.length >> 1) : hello;
    this.peer.keepsToken = (options & 64) !== 0;
    this.peer.payload(this.machine, false, 0, frames);
    this.peer.greeted = !half;
  }

  #joinServer(): void {
    const { machine, peer } = this;
    peer.sendBytes(machine, peer.identity.request);
    machine.turn();
    peer.send(machine, PACKET_RESPONSE, peer.number(0), peer.challenge);
    machine.turn();
  }

  #joinClient(): void {
    const { machine, peer } = this;
    machine.pair.connect(peer.identity.token, machine.nowUs);
    machine.turn();
    const body = new Uint8Array(CHALLENGE_BODY_BYTES);
    body.set([1, 2, 3]);
    peer.send(machine, PACKET_CHALLENGE, 1n << 63n, body);
    machine.turn();
    peer.send(machine, PACKET_KEEP_ALIVE, peer.number(0), Uint8Array.of(0, 0, 0, 0, 4, 0, 0, 0));
    machine.turn();
  }

  // --- the operations ---

  operate(operation: number): void {
    const { machine, peer, input } = this;
    const parameter = operation >> 4;
    switch (operation & 15) {
      case 0:
      case 1:
        peer.payload(machine, false, parameter, input.take(input.take8()));
        break;
      case 2:
        peer.payload(machine, true, parameter, input.take(input.take8()));
        break;
      case 3:
        this.#longMessage(parameter);
        break;
      case 4: {
        const type = 1 + (input.take8() % (PACKET_TYPES - 1));
        const body = input.take(input.take8());
        peer.send(machine, type, peer.number(parameter), body);
        break;
      }
      case 5:
        peer.keepAlive(machine, parameter);
        break;
      case 6:
        this.#partial(parameter);
        break;
      case 7: {
        const distance = BigInt(input.take8()) << BigInt(4 * (parameter % 14));
        const next = peer.nextNumber + distance;
        peer.nextNumber = next < NUMBER_MAX ? next : NUMBER_MAX;
        return;
      }
      case 8:
        if (parameter > 0 && peer.last.length > parameter) peer.last[parameter] ^= 1;
        peer.sendBytes(machine, peer.last);
        break;
      case 9:
        machine.nowUs += (input.take8() + 1) * 2 ** parameter;
        machine.turn();
        break;
      case 10:
        machine.turn();
        break;
      case 11:
        this.#userSends(parameter);
        break;
      case 12:
        if (parameter >= 8) this.#block(parameter - 8);
        else machine.broadcast(parameter, Uint8Array.of(0, 1, 2, 3).subarray(0, parameter % 5));
        break;
      case 13:
        machine.end(machine.handle(0), (parameter & 1) !== 0, 20 + parameter);
        break;
      case 14:
        this.#wish(parameter);
        break;
      default:
        peer.forget((parameter & 1) === 0);
    }
  }

  #block(channel: number): void {
    const { machine } = this;
    const total = 64 * this.input.take8() + 1;
    if (channel < machine.config[CONFIG_CHANNELS]) machine.block(machine.handle(0), channel, total);
  }

  #wish(parameter: number): void {
    const { machine } = this;
    const handle = machine.handle(0);
    if (parameter < 4) machine.reads = (parameter & 1) !== 0;
    else if (parameter < 8) machine.watch(handle, (parameter & 1) !== 0);
    else machine.pause(handle, parameter - 8);
  }

  #longMessage(parameter: number): void {
    const { input } = this;
    const id = input.take16();
    const head = [0x80 | (input.take8() & 0x3f), id & 0xff, id >> 8];
    const count = 4 * input.take8();
    const body = new Uint8Array(count).fill(count);
    this.peer.payload(this.machine, false, parameter, new Uint8Array([...head, ...body]));
  }

  #partial(parameter: number): void {
    const { input, peer } = this;
    const mask = input.take8();
    let body = [...peer.acks()];
    if (body.length > 5) {
      body = body.map((byte, index) => (index < 5 ? byte : byte & mask));
      while (body.length > 5 && body.at(-1) === 0) body.pop();
      body[0] = 0x80 | (body.length - 5);
      body[3] = input.take8();
    }
    peer.payload(this.machine, true, parameter, Uint8Array.of(...body, FRAME_PING));
  }

  #userSends(parameter: number): void {
    const { input, machine } = this;
    const choice = input.take8();
    const bytes = Math.min(input.take8() * ((choice & 8) !== 0 ? 24 : 1), LONG_BYTES);
    const body = new Uint8Array(bytes).fill(choice);
    for (let count = 1 + (choice & 7); count > 0; count--) {
      machine.send(machine.handle(0), parameter, body, TTLS[choice >> 6]);
    }
  }
}

export function connectionTarget(engines: readonly EngineName[], bytes: Uint8Array): string {
  const input = new Input(bytes);
  const digest = new Digest();
  const profile = profileTake(input);
  const world = new World(engines, digest, input, profile, input.take8());
  for (let count = 0; count < OPERATIONS_MAX && !input.ended; count++) {
    world.operate(input.take8());
  }
  world.machine.finish();
  return digest.text;
}
