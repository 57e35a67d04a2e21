/*
 * host: the target `host` over the engines; it mirrors test/fuzz/host.cc, where its input is described.
 */
import { ROLE_SERVER } from "../../lib/engine/config.js";
import { PACKET_DISCONNECT, PACKET_RESPONSE } from "../../lib/engine/packet.js";
import { TTL_DEFAULT } from "../../lib/engine/ring.js";
import type { EngineName } from "../sim/pair.js";
import { Machine } from "./machine.js";
import { PEERS, Peer } from "./peer.js";
import { addressOf, indexOf, LONG_BYTES, type Profile, profileTake } from "./profile.js";
import { Digest, Input } from "./targets.js";

const OPERATIONS_MAX = 64;
const SLOTS = 3;
const STRANGER = 8;
const TEXT = Uint8Array.of(9, 8, 7, 6);

class World {
  readonly machine: Machine;
  readonly peers: Peer[];

  constructor(
    engines: readonly EngineName[],
    digest: Digest,
    readonly input: Input,
    readonly profile: Profile,
  ) {
    this.machine = new Machine(engines, digest, profile, ROLE_SERVER, SLOTS);
    this.peers = Array.from({ length: PEERS }, (_, index) => new Peer(profile, index));
    this.machine.events = {
      sent: (to, bytes) => {
        for (const peer of this.peers) {
          if (indexOf(peer.address) === to) peer.hear(this.machine, bytes);
        }
      },
    };
  }

  #join(peer: Peer): void {
    const { machine } = this;
    if (!peer.hasChallenge) peer.sendBytes(machine, peer.identity.request);
    else peer.send(machine, PACKET_RESPONSE, peer.number(0), peer.challenge);
  }

  #userSends(parameter: number): void {
    const { input, machine } = this;
    const choice = input.take8();
    const bytes = Math.min(input.take8() * ((parameter & 8) !== 0 ? 24 : 1), LONG_BYTES);
    const body = new Uint8Array(bytes).fill(choice);
    for (let count = choice >> 5; count < 8; count++) {
      machine.send(machine.handle(parameter & 7), choice & 31, body, TTL_DEFAULT);
    }
  }

  operate(operation: number): void {
    const { machine, input, peers, profile } = this;
    const parameter = operation >> 4;
    const variant = parameter >= 8;
    const peer = peers[parameter % PEERS];
    const other = peers[(parameter + 1) % PEERS];
    switch (operation & 15) {
      case 0:
        this.#join(peer);
        break;
      case 1:
        peer.hello(machine);
        break;
      case 2:
        peer.payload(machine, false, variant ? 9 : 0, input.take(input.take8()));
        break;
      case 3:
        peer.payload(machine, true, variant ? 1 : 0, input.take(input.take8()));
        break;
      case 4:
        peer.send(machine, PACKET_DISCONNECT, peer.number(0), new Uint8Array(0));
        break;
      case 5:
        peer.keepAlive(machine);
        break;
      case 6:
        peer.address = variant ? other.address : addressOf(profile, parameter % PEERS);
        return;
      case 7: {
        const bytes = input.take(input.take8());
        machine.receive(addressOf(profile, STRANGER + (parameter % 8)), bytes);
        break;
      }
      case 8:
        peer.sendBytes(machine, variant ? other.last : peer.last);
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
        machine.broadcast(parameter, TEXT.subarray(0, 1 + (parameter % 4)));
        break;
      case 13:
        machine.end(machine.handle(parameter & 7), variant, 20 + parameter);
        break;
      case 14:
        peer.restart();
        break;
      default:
        machine.reads = variant;
    }
  }
}

export function hostTarget(engines: readonly EngineName[], bytes: Uint8Array): string {
  const input = new Input(bytes);
  const digest = new Digest();
  const world = new World(engines, digest, input, profileTake(input));
  for (let count = 0; count < OPERATIONS_MAX && !input.ended; count++) {
    world.operate(input.take8());
  }
  world.machine.finish();
  return digest.text;
}
