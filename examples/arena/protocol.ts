/**
 * What server and clients share: the protocol, and the messages of its channels.
 *
 * Owns: the channels, and what their messages are: types, bits and checks, from one definition each.
 */
import { defineProtocol, realTime, reliable } from "../../lib/index.js";
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

export const arena = defineProtocol("arena/1", {
  /** Client to server, every tick: what the player does. Copies of the last ones ride along. */
  input: realTime({ redundancy: "high", message: Input }),
  /**
   * Server to all, every tick: a `State`. As bytes, since a bot looks at one in 16, and decodes that into
   * what it has.
   */
  state: realTime(),
  /** Client to server, and server to all: lines that nobody may miss. */
  chat: reliable({ message: Line }),
});

export type Arena = typeof arena;
