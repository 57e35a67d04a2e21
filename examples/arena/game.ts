/**
 * The world: players that move, shoot and collide.
 *
 * Owns: the rules, and what of the state everybody may see.
 * Never does: know a peer, a socket or a clock; a step is one tick.
 * Invariants: integers only, so the same seed and the same commands give the same world everywhere.
 * Positions are 0 to SIZE - 1; speeds are units per tick, worked out once from the tick rate.
 */
import { Random } from "../../lib/sim/random.js";
import { HEALTH_FULL, type Input, SHOTS_MAX, SIZE, type State } from "./protocol.js";

const PLAYER_RADIUS = 800;
const PLAYER_UNITS_PER_SECOND = 12_000;
const SHOT_UNITS_PER_SECOND = 40_000;
const SHOT_SECONDS = 1;
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

export type Player = State["players"][number];
/** What a player does from now on. */
export type Command = Pick<Input, "moveX" | "moveY" | "fire" | "aim">;
/** What everybody sees. */
export type View = Pick<State, "tick" | "players" | "shots">;

interface Fighter extends Player {
  readonly input: Command;
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

/** Somebody fired. */
export interface Fired {
  readonly by: number;
  readonly aim: number;
  readonly at: { readonly x: number; readonly y: number };
}

export class World {
  readonly #tickRate: number;
  readonly #random: Random;
  readonly #fighters: Fighter[];
  #shots: Shot[] = [];
  #fired: Fired[] = [];
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
  command(player: number, { moveX, moveY, fire, aim }: Readonly<Command>): void {
    Object.assign(this.#fighters[player].input, { moveX, moveY, fire, aim });
  }

  /** One tick. Returns who shot whom dead. */
  step(): Kill[] {
    this.#tick += 1;
    this.#fired = [];
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
    this.#fired.push({ by: index, aim: fighter.aim, at: { x: fighter.x, y: fighter.y } });
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

  /** Who fired in the last step. */
  get fired(): readonly Fired[] {
    return this.#fired;
  }

  /** The state as every client gets it; fighters and shots have more than is told. */
  get view(): View {
    return { tick: this.#tick, players: this.#fighters, shots: this.#shots };
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
