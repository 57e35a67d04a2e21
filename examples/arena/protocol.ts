/**
 * What server and clients share: the protocol, and the messages of its channels.
 *
 * Owns: the channels, and what their messages are: types, bits and checks, from one definition each.
 */
import { critical, defineProtocol, realTime, reliable, timeSensitive } from "../../lib/index.js";
import {
  array,
  bool,
  type Infer,
  object,
  quantized,
  range,
  schema,
  string,
  u8,
  u16,
  u32,
  vec2,
} from "../../lib/schema/index.js";
import { HEAD, TAIL } from "./envelope.js";

/** Width and height of the arena, in units. */
export const SIZE = 65_536;
/** Steps of a coordinate in the state: 8 units of error, a hundredth of a player; 12 bits. */
const COORDINATE_STEP = 16;
export const PLAYERS_MAX = 128;
/** Shots in flight at most: with 128 players the state still fits one packet. */
export const SHOTS_MAX = 64;
export const HEALTH_FULL = 100;
/** Later than this nobody wants to see a shot fired, in ms. */
const SHOT_MS = 150;
/** Longest chat line, in bytes of UTF-8. */
const LINE_BYTES_MAX = 120;

/** What a player does in one tick; `aim` is the direction of the gun: 256 steps, 0 to the right, 64 down. */
export const Input = schema({
  ...HEAD,
  moveX: range(-1, 1),
  moveY: range(-1, 1),
  fire: bool,
  aim: u8,
  ...TAIL,
});
export type Input = Infer<typeof Input>;

/** What somebody says. */
export const Line = schema({ ...HEAD, text: string(LINE_BYTES_MAX), ...TAIL });
export type Line = Infer<typeof Line>;

const coordinate = quantized(0, SIZE - COORDINATE_STEP, COORDINATE_STEP);

/** The whole world, 39 bits a player and 24 a shot. */
export const State = schema({
  ...HEAD,
  tick: u32,
  players: array(
    object({ x: coordinate, y: coordinate, aim: u8, health: range(0, HEALTH_FULL) }),
    PLAYERS_MAX,
  ),
  shots: array(vec2(coordinate), SHOTS_MAX),
  ...TAIL,
});
export type State = Infer<typeof State>;

/** Somebody fired: where, and in which direction. */
export const Shot = schema({
  ...HEAD,
  by: range(0, PLAYERS_MAX - 1),
  aim: u8,
  at: vec2(coordinate),
  ...TAIL,
});
export type Shot = Infer<typeof Shot>;

/** How often each player shot another one dead. */
export const Score = schema({ ...HEAD, kills: array(u16, PLAYERS_MAX), ...TAIL });
export type Score = Infer<typeof Score>;

/** What the first delta of a score is said by; both sides begin with it. */
export const NO_SCORE: Score = { sender: 0, sequence: 0, kills: [], checksum: 0 };

/** One channel for each of the four promises. */
export const arena = defineProtocol("arena/2", {
  /** Client to server, every tick: what the player does. Copies of the last ones ride along. */
  input: realTime({ redundancy: "high", message: Input }),
  /**
   * Server to all, every tick: a `State`. As bytes, since a bot looks at one in 16, and decodes that into
   * what it has.
   */
  state: realTime(),
  /** Server to all: what is worth showing while it is fresh. What comes too late is passed over. */
  shots: timeSensitive({ expiry: SHOT_MS, message: Shot }),
  /**
   * Server to all, when the game begins and with each kill: a `Score`, as bytes. All of them arrive, in order,
   * or the connection ends; so each is the delta to the one before.
   */
  score: critical(),
  /** Client to server, and server to all: lines that nobody may miss. */
  chat: reliable({ message: Line }),
});

export type Arena = typeof arena;
