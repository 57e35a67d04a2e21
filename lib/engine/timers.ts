// timers: the earliest deadline of many owners, as an indexed binary heap.
//
// Owns one deadline per slot. Never knows what is due, never reads a clock, never scans all slots:
// setting is O(log n), the earliest is O(1). Equal deadlines come in an order that the sequence of
// calls alone decides, so both engines agree.
// Invariant: heap[i] is not later than its children; place[heap[i]] = i.

export const NO_DEADLINE = Number.MAX_SAFE_INTEGER;
const NOWHERE = 0xffffffff;

export class Timers {
  deadlines: Float64Array;
  heap: Uint32Array;
  place: Uint32Array;
  count = 0;

  constructor(slots: number) {
    this.deadlines = new Float64Array(slots).fill(NO_DEADLINE);
    this.heap = new Uint32Array(slots);
    this.place = new Uint32Array(slots).fill(NOWHERE);
  }
}

function place(timers: Timers, index: number, slot: number): void {
  timers.heap[index] = slot;
  timers.place[slot] = index;
}

function siftUp(timers: Timers, start: number, slot: number): void {
  let index = start;
  const deadline = timers.deadlines[slot];
  while (index > 0) {
    const parent = (index - 1) >>> 1;
    const other = timers.heap[parent];
    if (timers.deadlines[other] <= deadline) {
      break;
    }
    place(timers, index, other);
    index = parent;
  }
  place(timers, index, slot);
}

function siftDown(timers: Timers, start: number, slot: number): void {
  let index = start;
  const deadline = timers.deadlines[slot];
  for (;;) {
    let child = 2 * index + 1;
    if (child >= timers.count) {
      break;
    }
    const right = child + 1;
    if (
      right < timers.count &&
      timers.deadlines[timers.heap[right]] < timers.deadlines[timers.heap[child]]
    ) {
      child = right;
    }
    const other = timers.heap[child];
    if (deadline <= timers.deadlines[other]) {
      break;
    }
    place(timers, index, other);
    index = child;
  }
  place(timers, index, slot);
}

function remove(timers: Timers, slot: number): void {
  const index = timers.place[slot];
  timers.place[slot] = NOWHERE;
  timers.count -= 1;
  if (index === timers.count) {
    return;
  }
  const last = timers.heap[timers.count];
  siftDown(timers, index, last);
  siftUp(timers, timers.place[last], last);
}

/** Sets the deadline of a slot (µs); NO_DEADLINE takes it out. */
export function timersSet(timers: Timers, slot: number, deadlineUs: number): void {
  // A slot without a deadline is in no place, so one that loses its deadline is.
  if (timers.deadlines[slot] === deadlineUs) {
    return;
  }
  const known = timers.place[slot] !== NOWHERE;
  timers.deadlines[slot] = deadlineUs;
  if (deadlineUs === NO_DEADLINE) {
    remove(timers, slot);
    return;
  }
  if (!known) {
    timers.count += 1;
    siftUp(timers, timers.count - 1, slot);
    return;
  }
  siftDown(timers, timers.place[slot], slot);
  siftUp(timers, timers.place[slot], slot);
}

/** The earliest deadline (µs), or NO_DEADLINE. */
export function timersNext(timers: Timers): number {
  return timers.count === 0 ? NO_DEADLINE : timers.deadlines[timers.heap[0]];
}

/** The slot whose deadline is the earliest; only while timersNext is not NO_DEADLINE. */
export function timersFirst(timers: Timers): number {
  return timers.heap[0];
}
