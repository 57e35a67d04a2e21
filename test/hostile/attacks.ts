/* Owns the list of the attacks, by their numbers, and of those that can't be tried yet. Never runs one. */
import * as amplification from "./amplification.js";
import type { Attack, Missing } from "./attack.js";
import * as blocks from "./blocks.js";
import * as bounds from "./bounds.js";
import * as budget from "./budget.js";
import * as busywork from "./busywork.js";
import * as canonical from "./canonical.js";
import * as channels from "./channels.js";
import * as collision from "./collision.js";
import * as crowd from "./crowd.js";
import * as crumbs from "./crumbs.js";
import * as disclosure from "./disclosure.js";
import * as disconnect from "./disconnect.js";
import * as flood from "./flood.js";
import * as future from "./future.js";
import * as guesser from "./guesser.js";
import * as hijack from "./hijack.js";
import * as hoarding from "./hoarding.js";
import * as layouts from "./layouts.js";
import * as loris from "./loris.js";
import * as multicollision from "./multicollision.js";
import * as mute from "./mute.js";
import * as optimistic from "./optimistic.js";
import * as poisoning from "./poisoning.js";
import * as reflection from "./reflection.js";
import * as repeats from "./repeats.js";
import * as replay from "./replay.js";
import * as starve from "./starve.js";
import * as trickle from "./trickle.js";
import * as unsent from "./unsent.js";
import * as withheld from "./withheld.js";
import * as wrap from "./wrap.js";

export const attacks: readonly Attack[] = [
  flood,
  amplification,
  replay,
  future,
  loris,
  mute,
  trickle,
  hoarding,
  blocks,
  budget,
  crumbs,
  bounds,
  canonical,
  repeats,
  wrap,
  unsent,
  optimistic,
  guesser,
  poisoning,
  withheld,
  crowd,
  busywork,
  layouts,
  starve,
  channels,
  disconnect,
  hijack,
  reflection,
  collision,
  multicollision,
  disclosure,
];

export const missing: readonly Missing[] = [];
