/**
 * The four delivery strategies: each is a constructor of policies with rules of its own.
 *
 * Owns: what a strategy allows, and its defaults.
 * Never does: deliver anything. An engine runs one channel machine and knows policies, not
 * strategies; the names live here.
 * Invariants: what a strategy forbids does not compile, and throws from JavaScript with the rule in
 * the message.
 *
 * The strategies are those of the Rust netrt (its idea list), which took them from Glenn Fiedler's
 * articles and the Tribes networking model; docs/MISSION.md row S1.
 */
import {
  BLOCK_BYTES_MAX,
  COPIES_MAX,
  FRAGMENTED_BYTES_MAX,
  MESSAGE_BYTES_MAX,
} from "./engine/limits.js";
import { argumentError, checkInteger, describeGiven, NetrtError } from "./errors.js";
import {
  type ChannelPolicy,
  type CriticalPolicy,
  EXPIRY_LONG_MS,
  EXPIRY_MS_MAX,
  PRIORITY_MAX,
  type RealTimePolicy,
  type Redundancy,
  type ReliablePolicy,
  type Strategy,
  type TimeSensitivePolicy,
} from "./policy.js";

/** Options that all four constructors take. */
export interface PolicyOptions {
  /**
   * Weight when a packet has no room for all channels, 1 to 255: the share of what is left once RealTime
   * state is in, and of that the heavier goes first. Default
   * 128 for RealTime and TimeSensitive, 64 for Reliable and Critical: state that is late is
   * worthless, a chat line is not.
   */
  readonly priority?: number;
  /**
   * Longest message, in bytes, 1 to 65,536. Default 1,100, what one packet holds; longer messages go in
   * fragments, of which one that is lost for good takes the message along. A receiver holds the peer to it.
   */
  readonly messageBytesMax?: number;
}

/** Options of the channels that take blocks. */
export interface BlockPolicyOptions {
  /**
   * Longest block for `sendBlock`, in bytes, 0 to 16,777,216. Default 0: the channel takes none. A
   * receiver holds the peer to it.
   */
  readonly blockBytesMax?: number;
}

/** Options of {@link realTime}. */
export interface RealTimeOptions extends PolicyOptions {
  /** Always `sequenced`. */
  readonly order?: "sequenced";
  /** Always `none`. */
  readonly repair?: "none";
  /** `low` (default): copies ride in room left over. `high`: copies make room. */
  readonly redundancy?: "low" | "high";
  /** Always `immediate`: a message is of interest until the next one. */
  readonly expiry?: "immediate";
}

/** Options of {@link timeSensitive}. */
export interface TimeSensitiveOptions extends PolicyOptions {
  /** Always `ordered`. */
  readonly order?: "ordered";
  /** Always `nack`. */
  readonly repair?: "nack";
  /** Default `none`. A number is 0 to 15 copies. */
  readonly redundancy?: Redundancy;
  /** Default `short`, 200 ms. A number is milliseconds, 1 to 9,999: less than `long`. */
  readonly expiry?: "immediate" | "short" | number;
}

/** Options of {@link reliable}. */
export interface ReliableOptions extends PolicyOptions, BlockPolicyOptions {
  /** Default `ordered`. `none`: as they come, each once. */
  readonly order?: "ordered" | "none";
  /** Always `ack+nack`. */
  readonly repair?: "ack+nack";
  /** Default `low`. A number is 1 to 15 copies; `adaptive` follows the measured loss. */
  readonly redundancy?: "low" | "high" | "adaptive" | number;
  /** Default `long`, 10 s. `short` is 200 ms; a number is milliseconds, 1 to 600,000. */
  readonly expiry?: "short" | "long" | number;
}

/** Options of {@link critical}. */
export interface CriticalOptions extends PolicyOptions, BlockPolicyOptions {
  /** Always `ordered`. */
  readonly order?: "ordered";
  /** Always `ack+nack`. */
  readonly repair?: "ack+nack";
  /** Default `low`. */
  readonly redundancy?: "low" | "high";
  /** Default `never`. `long` is 10 s; a number is milliseconds, 10,000 to 600,000: at least `long`. */
  readonly expiry?: "long" | "never" | number;
}

/**
 * State and input of which only the newest matters. Never waits, never retransmits; a lost message
 * is filled by a copy in the packet after it, or superseded.
 *
 * Sequenced, no repair, redundancy low or high. The Tribes move manager and Fiedler's redundant
 * inputs.
 *
 * @throws NetrtError `ERR_NETRT_STRATEGY` for an option that RealTime forbids, `ERR_NETRT_ARGUMENT`
 * for one out of range
 */
export function realTime(options: RealTimeOptions = {}): RealTimePolicy {
  return makePolicy("realTime", options) as RealTimePolicy;
}

/**
 * Events that count in order for a moment: repaired while they can still arrive in time, skipped
 * at their deadline and never later.
 *
 * Ordered, repaired by nack, redundancy optional, expiry immediate or short.
 *
 * @throws NetrtError `ERR_NETRT_STRATEGY` for an option that TimeSensitive forbids,
 * `ERR_NETRT_ARGUMENT` for one out of range
 */
export function timeSensitive(options: TimeSensitiveOptions = {}): TimeSensitivePolicy {
  return makePolicy("timeSensitive", options) as TimeSensitivePolicy;
}

/**
 * Messages that arrive exactly once and in order, or are reported as expired.
 *
 * Ordered, repaired by ack and nack, redundancy at least low, expiry long or short.
 *
 * @throws NetrtError `ERR_NETRT_STRATEGY` for an option that Reliable forbids, `ERR_NETRT_ARGUMENT`
 * for one out of range
 */
export function reliable(options: ReliableOptions = {}): ReliablePolicy {
  return makePolicy("reliable", options) as ReliablePolicy;
}

/**
 * Messages that arrive exactly once and in order, or the connection closes with a reason.
 *
 * Ordered, repaired by ack and nack, redundancy low or high, expiry never or long.
 *
 * @throws NetrtError `ERR_NETRT_STRATEGY` for an option that Critical forbids, `ERR_NETRT_ARGUMENT`
 * for one out of range
 */
export function critical(options: CriticalOptions = {}): CriticalPolicy {
  return makePolicy("critical", options) as CriticalPolicy;
}

// What the fields can say at all, in any strategy: anything else is no rule broken, but a typo.
const FIELD_WORDS = {
  order: ["none", "sequenced", "ordered"],
  repair: ["none", "nack", "ack", "ack+nack"],
  redundancy: ["none", "low", "high", "adaptive"],
  expiry: ["immediate", "short", "long", "never"],
} as const;

// The fields that take a number as well: least, most, unit.
const FIELD_NUMBERS = {
  order: null,
  repair: null,
  redundancy: [0, COPIES_MAX, "copies"],
  expiry: [1, EXPIRY_MS_MAX, "ms"],
} as const;

type RuledField = keyof typeof FIELD_WORDS;
const RULED_FIELDS = ["order", "repair", "redundancy", "expiry"] as const;
const SIZE_FIELDS = ["priority", "messageBytesMax", "blockBytesMax"] as const;
const OPTION_NAMES = new Set<string>([...RULED_FIELDS, ...SIZE_FIELDS]);

interface Rule {
  /** The words allowed; the first is the default. */
  readonly words: readonly string[];
  /** Numbers allowed, from and to. */
  readonly numbers?: readonly [number, number];
  /** The rule in words, for the error. */
  readonly text: string;
}

// The table of the strategies (docs/ARCHITECTURE.md).
const RULES: Record<Strategy, Record<RuledField, Rule>> = {
  realTime: {
    order: { words: ["sequenced"], text: "RealTime is sequenced: the newest wins" },
    repair: { words: ["none"], text: "RealTime never retransmits: repair is none" },
    redundancy: { words: ["low", "high"], text: "RealTime redundancy is low or high" },
    expiry: {
      words: ["immediate"],
      text: "RealTime messages are superseded by the newest and have no expiry of their own",
    },
  },
  timeSensitive: {
    order: { words: ["ordered"], text: "TimeSensitive is ordered" },
    repair: { words: ["nack"], text: "TimeSensitive is repaired by nack alone" },
    redundancy: {
      words: ["none", "low", "high", "adaptive"],
      numbers: [0, COPIES_MAX],
      text: "TimeSensitive redundancy is optional",
    },
    expiry: {
      words: ["short", "immediate"],
      numbers: [1, EXPIRY_LONG_MS - 1],
      text: `TimeSensitive expiry is immediate or short, or 1 to ${EXPIRY_LONG_MS - 1} ms`,
    },
  },
  reliable: {
    order: { words: ["ordered", "none"], text: "Reliable is ordered or has no order" },
    repair: { words: ["ack+nack"], text: "Reliable is repaired by ack and nack" },
    redundancy: {
      words: ["low", "high", "adaptive"],
      numbers: [1, COPIES_MAX],
      text: "Reliable redundancy is mandatory: at least low",
    },
    expiry: {
      words: ["long", "short"],
      numbers: [1, EXPIRY_MS_MAX],
      text: `Reliable expiry is long or short, or 1 to ${EXPIRY_MS_MAX} ms`,
    },
  },
  critical: {
    order: { words: ["ordered"], text: "Critical is ordered" },
    repair: { words: ["ack+nack"], text: "Critical is repaired by ack and nack, both mandatory" },
    redundancy: {
      words: ["low", "high"],
      text: "Critical redundancy is mandatory, low or high",
    },
    expiry: {
      words: ["never", "long"],
      numbers: [EXPIRY_LONG_MS, EXPIRY_MS_MAX],
      text: `Critical expiry is never or long, or ${EXPIRY_LONG_MS} to ${EXPIRY_MS_MAX} ms`,
    },
  },
};

const PRIORITY_DEFAULT: Record<Strategy, number> = {
  realTime: 128,
  timeSensitive: 128,
  reliable: 64,
  critical: 64,
};

function makePolicy(strategy: Strategy, options: object): ChannelPolicy {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw argumentError(`${strategy}(options)`, options, "an object of options");
  }
  for (const name of Object.keys(options)) {
    if (OPTION_NAMES.has(name)) continue;
    throw argumentError(`${strategy}(options)`, name, `one of ${[...OPTION_NAMES].join(", ")}`);
  }
  const given: { readonly [name in RuledField | (typeof SIZE_FIELDS)[number]]?: unknown } = options;
  const policy = {
    strategy,
    order: ruledValue(strategy, "order", given.order),
    repair: ruledValue(strategy, "repair", given.repair),
    redundancy: ruledValue(strategy, "redundancy", given.redundancy),
    expiry: ruledValue(strategy, "expiry", given.expiry),
    priority: checkInteger(
      `${strategy} priority`,
      withDefault(given.priority, PRIORITY_DEFAULT[strategy]),
      1,
      PRIORITY_MAX,
    ),
    messageBytesMax: checkInteger(
      `${strategy} messageBytesMax`,
      withDefault(given.messageBytesMax, MESSAGE_BYTES_MAX),
      1,
      FRAGMENTED_BYTES_MAX,
      "bytes",
    ),
    blockBytesMax: checkInteger(
      `${strategy} blockBytesMax`,
      withDefault(given.blockBytesMax, 0),
      0,
      BLOCK_BYTES_MAX,
      "bytes",
    ),
  } as ChannelPolicy;
  const { repair, order, blockBytesMax } = policy;
  if (blockBytesMax > 0 && (repair !== "ack+nack" || order !== "ordered")) {
    throw new NetrtError(
      "ERR_NETRT_STRATEGY",
      `blocks go on ordered Reliable and on Critical channels; ${strategy} was given blockBytesMax ${blockBytesMax}`,
    );
  }
  return Object.freeze(policy);
}

function withDefault(given: unknown, fallback: number): unknown {
  return given === undefined ? fallback : given;
}

/** The value of one field, or its default: first it must mean something, then the strategy rules. */
function ruledValue(strategy: Strategy, field: RuledField, given: unknown): string | number {
  const rule = RULES[strategy][field];
  if (given === undefined) return rule.words[0] as string;
  const words: readonly string[] = FIELD_WORDS[field];
  const numbers = FIELD_NUMBERS[field];
  if (typeof given === "string" && words.includes(given)) {
    if (rule.words.includes(given)) return given;
    throw strategyError(strategy, field, given);
  }
  if (typeof given === "number" && numbers !== null) {
    checkInteger(`${strategy} ${field}`, given, numbers[0], numbers[1], numbers[2]);
    const lawful = rule.numbers;
    if (lawful !== undefined && given >= lawful[0] && given <= lawful[1]) return given;
    throw strategyError(strategy, field, given);
  }
  const range = numbers === null ? "" : `, or ${numbers[0]} to ${numbers[1]} (${numbers[2]})`;
  throw argumentError(`${strategy} ${field}`, given, `one of ${words.join(", ")}${range}`);
}

function strategyError(strategy: Strategy, field: RuledField, given: unknown): NetrtError {
  return new NetrtError(
    "ERR_NETRT_STRATEGY",
    `${RULES[strategy][field].text}; ${field} ${describeGiven(given)} was given`,
  );
}

/**
 * Passes a policy that one of the constructors made; anything else, such as a literal from
 * JavaScript, is held to the same rules.
 *
 * @param name what the policy is called in the error, e.g. `channel "chat"`
 * @throws NetrtError as the constructors do
 */
export function checkPolicy(name: string, policy: unknown): ChannelPolicy {
  const strategy = typeof policy === "object" && policy !== null && Reflect.get(policy, "strategy");
  if (typeof strategy !== "string" || !Object.hasOwn(RULES, strategy)) {
    throw argumentError(
      name,
      policy,
      "a policy made by realTime(), timeSensitive(), reliable() or critical()",
    );
  }
  const { strategy: _, ...options } = policy as ChannelPolicy;
  return makePolicy(strategy as Strategy, options);
}
