/**
 * The world: players that move, shoot and collide.
 *
 * Owns: the rules, and the state as bytes.
 * Never does: know a peer, a socket or a clock; a step is one tick.
 * Invariants: integers only, so the same seed and the same commands give the same world everywhere.
 * Positions are 0 to SIZE - 1; speeds are units per tick, worked out once from the tick rate.
 */
import type { ByteReader, ByteWriter } from "../../lib/bytes.js";
import { Random } from "../../lib/sim/random.js";
import type { Input } from "./protocol.js";

/** Width and height of the arena, in units. */
export const SIZE = 65_536;
/** Bits of a coordinate in the state: 16 units of error, a fiftieth of a player. */
const COORDINATE_BITS = 12;
const COORDINATE_SHIFT = 4;
const PLAYER_RADIUS = 800;
const PLAYER_UNITS_PER_SECOND = 12_000;
const SHOT_UNITS_PER_SECOND = 40_000;
const SHOT_SECONDS = 1;
/** Shots in flight at most: with 128 players the state still fits one packet. */
const SHOTS_MAX = 64;
const HEALTH_FULL = 100;
const HEALTH_BITS = 7;
const DAMAGE = 25;
const RELOAD_SECONDS = 0.5;
const RESPAWN_SECONDS = 2;
const DIRECTIONS = 256;
/** Sine and cosine are whole multiples of 1 / UNITY. */
const UNITY = 4096;

const SINES = Int32Array.from({ length: DIRECTIONS }, (_, index) =>
  Math.round(Math.sin((index * 2 * Math.PI) / DIRECTIONS) * UNITY),
);
const sine = (aim: number): number => SINES[aim & 255];
const cosine = (aim: number): number => SINES[(aim + DIRECTIONS / 4) & 255];

/** A step in a direction, in whole units. */
function along(component: number, speed: number): number {
  return Math.trunc((component * speed) / UNITY);
}

function clampCoordinate(value: number): number {
  return Math.min(Math.max(value, 0), SIZE - 1);
}

export interface Player {
  x: number;
  y: number;
  aim: number;
  health: number;
}

interface Fighter extends Player {
  readonly input: Input;
  /** Ticks until the gun is ready. */
  reload: number;
  /** Ticks until a dead player comes back. */
  respawn: number;
}

interface Shot {
  x: number;
  y: number;
  readonly aim: number;
  readonly owner: number;
  ticksLeft: number;
}

/** Somebody shot somebody. */
export interface Kill {
  readonly by: number;
  readonly whom: number;
}

export class World {
  readonly #tickRate: number;
  readonly #random: Random;
  readonly #fighters: Fighter[];
  #shots: Shot[] = [];
  #tick = 0;

  constructor(players: number, tickRate: number, seed: number) {
    this.#tickRate = tickRate;
    this.#random = new Random(seed);
    this.#fighters = Array.from({ length: players }, () => ({
      x: this.#random.below(SIZE),
      y: this.#random.below(SIZE),
      aim: 0,
      health: HEALTH_FULL,
      input: { moveX: 0, moveY: 0, fire: false, aim: 0 },
      reload: 0,
      respawn: 0,
    }));
  }

  /** What a player does from now on, until told otherwise. */
  command(player: number, input: Readonly<Input>): void {
    Object.assign(this.#fighters[player].input, input);
  }

  /** One tick. Returns who shot whom dead. */
  step(): Kill[] {
    this.#tick += 1;
    for (const [index, fighter] of this.#fighters.entries()) this.#act(index, fighter);
    this.#collide();
    return this.#fly();
  }

  #ticks(seconds: number): number {
    return Math.max(1, Math.round(seconds * this.#tickRate));
  }

  #act(index: number, fighter: Fighter): void {
    if (fighter.health === 0) {
      fighter.respawn -= 1;
      if (fighter.respawn > 0) return;
      fighter.health = HEALTH_FULL;
      fighter.x = this.#random.below(SIZE);
      fighter.y = this.#random.below(SIZE);
    }
    const { input } = fighter;
    // Diagonally each axis gets 1 / sqrt(2) of the speed: 2896 / 4096.
    const share = input.moveX !== 0 && input.moveY !== 0 ? 2896 : UNITY;
    const reach = along(share, Math.ceil(PLAYER_UNITS_PER_SECOND / this.#tickRate));
    fighter.x = clampCoordinate(fighter.x + input.moveX * reach);
    fighter.y = clampCoordinate(fighter.y + input.moveY * reach);
    fighter.aim = input.aim;
    if (fighter.reload > 0) fighter.reload -= 1;
    if (!input.fire || fighter.reload > 0 || this.#shots.length >= SHOTS_MAX) return;
    fighter.reload = this.#ticks(RELOAD_SECONDS);
    this.#shots.push({
      x: fighter.x,
      y: fighter.y,
      aim: fighter.aim,
      owner: index,
      ticksLeft: this.#ticks(SHOT_SECONDS),
    });
  }

  /** Players that overlap push each other apart, softly: over some ticks. */
  #collide(): void {
    const fighters = this.#fighters;
    for (let first = 0; first < fighters.length; first++) {
      for (let second = first + 1; second < fighters.length; second++) {
        pushApart(fighters[first], fighters[second]);
      }
    }
  }

  #fly(): Kill[] {
    const reach = Math.ceil(SHOT_UNITS_PER_SECOND / this.#tickRate);
    const kills: Kill[] = [];
    const flying: Shot[] = [];
    for (const shot of this.#shots) {
      shot.x += along(cosine(shot.aim), reach);
      shot.y += along(sine(shot.aim), reach);
      shot.ticksLeft -= 1;
      const inside = shot.x >= 0 && shot.x < SIZE && shot.y >= 0 && shot.y < SIZE;
      if (!inside || shot.ticksLeft <= 0) continue;
      const whom = this.#hit(shot);
      if (whom < 0) flying.push(shot);
      else if (this.#fighters[whom].health === 0) kills.push({ by: shot.owner, whom });
    }
    this.#shots = flying;
    return kills;
  }

  /** The player that a shot hits and hurts, or -1. */
  #hit(shot: Shot): number {
    const index = this.#fighters.findIndex(
      (fighter, candidate) =>
        candidate !== shot.owner &&
        fighter.health > 0 &&
        distanceBelow(fighter, shot, PLAYER_RADIUS),
    );
    if (index < 0) return -1;
    const fighter = this.#fighters[index];
    fighter.health = Math.max(0, fighter.health - DAMAGE);
    if (fighter.health === 0) fighter.respawn = this.#ticks(RESPAWN_SECONDS);
    return index;
  }

  /** The state as every client gets it, quantised: 5 bytes a player, 3 a shot. */
  write(writer: ByteWriter): void {
    writer.u32(this.#tick).u8(this.#fighters.length).u8(this.#shots.length);
    for (const { x, y, aim, health } of this.#fighters) {
      writePlace(writer, x, y);
      writer
        .bits(aim, 8)
        .bits(health, HEALTH_BITS)
        .bool(health > 0);
    }
    for (const { x, y } of this.#shots) writePlace(writer, x, y);
    writer.align();
  }
}

function distanceBelow(one: { x: number; y: number }, two: { x: number; y: number }, most: number) {
  const dx = one.x - two.x;
  const dy = one.y - two.y;
  return dx * dx + dy * dy < most * most;
}

function pushApart(one: Fighter, two: Fighter): void {
  if (one.health === 0 || two.health === 0 || !distanceBelow(one, two, 2 * PLAYER_RADIUS)) return;
  const overlap = (distance: number): number =>
    Math.sign(distance || 1) * ((2 * PLAYER_RADIUS - Math.abs(distance)) >> 3);
  const dx = overlap(one.x - two.x);
  const dy = overlap(one.y - two.y);
  one.x = clampCoordinate(one.x + dx);
  one.y = clampCoordinate(one.y + dy);
  two.x = clampCoordinate(two.x - dx);
  two.y = clampCoordinate(two.y - dy);
}

function writePlace(writer: ByteWriter, x: number, y: number): void {
  writer.bits(x >> COORDINATE_SHIFT, COORDINATE_BITS).bits(y >> COORDINATE_SHIFT, COORDINATE_BITS);
}

/** A state as a client sees it. */
export interface View {
  tick: number;
  players: Player[];
  shots: { x: number; y: number }[];
}

/** Reads what {@link World.write} wrote; null for bytes that are no state. */
export function readState(reader: ByteReader): View | null {
  const view: View = { tick: reader.u32(), players: [], shots: [] };
  const playerCount = reader.u8();
  const shotCount = reader.u8();
  for (let index = 0; index < playerCount; index++) {
    const player = { ...readPlace(reader), aim: reader.bits(8), health: reader.bits(HEALTH_BITS) };
    if (reader.bool() !== player.health > 0) return null;
    view.players.push(player);
  }
  for (let index = 0; index < shotCount; index++) view.shots.push(readPlace(reader));
  return reader.finish() ? view : null;
}

function readPlace(reader: ByteReader): { x: number; y: number } {
  const x = reader.bits(COORDINATE_BITS) << COORDINATE_SHIFT;
  return { x, y: reader.bits(COORDINATE_BITS) << COORDINATE_SHIFT };
}
