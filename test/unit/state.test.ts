/*
 * The two state machines: the tables that docs/PROTOCOL.md prints are those of both engines, what a table does not
 * have changes nothing, and every state is reached and left.
 */
import { describe, expect, test } from "vitest";
import * as state from "../../lib/engine/state.js";
import { documentTable } from "../document.js";
import { twins } from "../twins.js";

type Row = readonly [from: number, event: number, to: number];

/** The events of a machine by their printed names. */
function eventNames(prefix: string): Map<string, number> {
  const names = Object.entries(state).filter(([name]) => name.startsWith(`${prefix}_EVENT_`));
  const print = (name: string) => name.slice(prefix.length + 7).toLowerCase();
  // A keep-alive is one word on paper, a peer's close is two.
  const named = names.map(([name, event]) => [
    print(name).replace("keep_", "keep-").replace("_", " "),
    event as number,
  ]);
  return new Map(named as [string, number][]);
}

/** The numbers of a machine's states: constants that stand for neither an event nor a table. */
function stateNumbers(prefix: string): number[] {
  const names = Object.keys(state).filter(
    (name) => name.startsWith(`${prefix}_`) && !/_(EVENT|TABLE)/.test(name),
  );
  return names.map((name) => (state as unknown as Record<string, number>)[name]);
}

function printedTable(heading: string, prefix: string): Row[] {
  const events = eventNames(prefix);
  return documentTable(heading).map(([from, event, to]) => {
    const number = events.get(event);
    if (number === undefined) throw new Error(`an event that is none: ${event}`);
    return [Number.parseInt(from, 10), number, Number.parseInt(to, 10)];
  });
}

const machines = [
  {
    machine: "client",
    rows: printedTable("The client's states", "CLIENT"),
    table: state.CLIENT_TABLE as readonly Row[],
    states: stateNumbers("CLIENT"),
    events: [...eventNames("CLIENT").values()],
    start: [state.CLIENT_DISCONNECTED, state.CLIENT_TOKEN_INVALID],
  },
  {
    machine: "connection",
    rows: printedTable("A connection's states", "CONNECTION"),
    table: state.CONNECTION_TABLE as readonly Row[],
    states: stateNumbers("CONNECTION"),
    events: [...eventNames("CONNECTION").values()],
    start: [state.CONNECTION_FREE],
  },
];

describe.each(machines)("the states of a $machine", ({ machine, rows, table, ...all }) => {
  const { states, events, start } = all;

  test("are printed as they are in the table (R-13)", () => {
    expect(table).toEqual(rows);
  });

  test("have one row at most for a state and an event", () => {
    const keys = rows.map(([from, event]) => `${from} ${event}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("are known states and known events only", () => {
    for (const [from, event, to] of rows) {
      expect(states).toContain(from);
      expect(states).toContain(to);
      expect(events).toContain(event);
    }
    expect(new Set(rows.map((row) => row[1]))).toEqual(new Set(events));
  });

  test("are all reached from the start", () => {
    const reached = new Set<number>(start);
    for (let size = 0; size !== reached.size; ) {
      size = reached.size;
      for (const [from, , to] of rows) if (reached.has(from)) reached.add(to);
    }
    expect([...reached].sort()).toEqual([...states].sort());
  });

  test.each(twins)("move in $name by the table, and by nothing else", ({ engine }) => {
    const next = machine === "client" ? engine.clientNext : engine.connectionNext;
    const known = new Map(rows.map(([from, event, to]) => [`${from} ${event}`, to]));
    for (let from = -8; from <= 8; from++) {
      for (let event = -1; event <= 8; event++) {
        expect([from, event, next(from, event)]).toEqual([
          from,
          event,
          known.get(`${from} ${event}`) ?? from,
        ]);
      }
    }
  });
});

test("a connection ends in one way only: its slot is free, and closing is left by done alone (R-47)", () => {
  const leaving = state.CONNECTION_TABLE.filter(([from]) => from === state.CONNECTION_CLOSING);
  expect(leaving).toEqual([
    [state.CONNECTION_CLOSING, state.CONNECTION_EVENT_DONE, state.CONNECTION_FREE],
  ]);
  // From every state but the free one a close and a done lead out.
  for (const from of [1, 2, 3]) {
    for (const event of [state.CONNECTION_EVENT_CLOSE, state.CONNECTION_EVENT_PEER_CLOSE]) {
      expect(state.connectionNext(from, event)).toBe(state.CONNECTION_CLOSING);
    }
    expect(state.connectionNext(from, state.CONNECTION_EVENT_DONE)).toBe(state.CONNECTION_FREE);
  }
});

test("an end of the client after which the next server is tried is one of three (R-14)", () => {
  const again = state.CLIENT_TABLE.filter(
    ([from, event]) => event === state.CLIENT_EVENT_START && from < 0,
  );
  expect(again.map(([from]) => from)).toEqual([
    state.CLIENT_DENIED,
    state.CLIENT_REQUEST_TIMED_OUT,
    state.CLIENT_RESPONSE_TIMED_OUT,
  ]);
});
