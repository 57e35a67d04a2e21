/*
 * Every wrong argument of every public function: a typed error whose message says what was given and
 * what is allowed, at once, and nothing has happened.
 */
import { afterEach, describe, expect, test } from "vitest";
import {
  type ConnectOptions,
  connect,
  createServer,
  type ErrorCode,
  type InsecureTarget,
  type SendOptions,
  type ServerOptions,
} from "../../lib/index.js";
import { connectNetcode, createNetcodeServer } from "../../lib/netcode.js";
import { generateKey, mintToken } from "../../lib/token.js";
import { engines } from "../engines.js";
import { arena, encode, freePort, openPair, openServer, openSocket, refusal } from "./harness.js";

/** What is given, the code, and what the message must have in it. */
type Case = [given: object, code: ErrorCode, message: RegExp];

const secret = generateKey();
const LIMIT_CASES: Case[] = [
  [{ sendRate: 999 }, "ERR_NETRT_ARGUMENT", /sendRate .*1000 to 1000000000 \(B\/s\), but 999 /],
  [{ sendRate: "fast" }, "ERR_NETRT_ARGUMENT", /sendRate .*but 'fast' was given/],
  [{ sendRate: Number.NaN }, "ERR_NETRT_ARGUMENT", /sendRate .*but NaN was given/],
  [
    { queueBytes: 4095 },
    "ERR_NETRT_ARGUMENT",
    /queueBytes .*4096 to 67108864 \(bytes\), but 4095 /,
  ],
  [{ queueBytes: 2 ** 27 }, "ERR_NETRT_ARGUMENT", /queueBytes .*but 134217728 was given/],
  [{ engine: "wasm" }, "ERR_NETRT_ARGUMENT", /^engine .*"auto", "native" or "js", but 'wasm' /],
  [{ engine: null }, "ERR_NETRT_ARGUMENT", /^engine .*but null was given/],
];
const SIGNAL_CASES: Case[] = [
  [{ signal: 5 }, "ERR_NETRT_ARGUMENT", /signal must be an AbortSignal, but 5 was given/],
  [{ signal: null }, "ERR_NETRT_ARGUMENT", /signal must be an AbortSignal, but null was given/],
];
const ADDRESS_CASES: Case[] = [
  [{ address: undefined }, "ERR_NETRT_ADDRESS", /"a\.b\.c\.d:port" .*but undefined was given/],
  [{ address: "127.0.0.1" }, "ERR_NETRT_ADDRESS", /'127\.0\.0\.1' was given: the port is missing/],
  [{ address: "localhost:1" }, "ERR_NETRT_ADDRESS", /name must be resolved first, with node:dns/],
  [{ address: "127.0.0.1:65536" }, "ERR_NETRT_ADDRESS", /port must be a number from 0 to 65535/],
  [{ address: "::1:0" }, "ERR_NETRT_ADDRESS", /stands in brackets/],
  [{ address: "[::1%lo]:0" }, "ERR_NETRT_ADDRESS", /zone ids/],
  [{ address: 40000 }, "ERR_NETRT_ADDRESS", /but 40000 was given/],
  [{ publicAddresses: ["x"] }, "ERR_NETRT_ADDRESS", /'x' was given/],
  [
    { publicAddresses: "1.2.3.4:5" },
    "ERR_NETRT_ARGUMENT",
    /publicAddresses .*array of up to 8 addr/,
  ],
  [{ publicAddresses: Array(9).fill("1.2.3.4:5") }, "ERR_NETRT_ARGUMENT", /up to 8 addresses/],
];

describe.each(engines)("on %s", (engine) => {
  const cases: Case[] = [
    ...ADDRESS_CASES,
    ...LIMIT_CASES,
    ...SIGNAL_CASES,
    [{ insecure: "false" }, "ERR_NETRT_ARGUMENT", /insecure must be true or false, but 'false' /],
    [{ secret }, "ERR_NETRT_ARGUMENT", /secret must be left out.*but Uint8Array of 32 bytes/],
    [{ insecure: false }, "ERR_NETRT_KEY_SIZE", /secret must be 32 bytes, but undefined was given/],
    [{ insecure: undefined }, "ERR_NETRT_KEY_SIZE", /say insecure: true instead/],
    [
      { insecure: false, secret: new Uint8Array(31) },
      "ERR_NETRT_KEY_SIZE",
      /secret must be 32 bytes, but Uint8Array of 31 bytes was given/,
    ],
    [{ insecure: false, secret: "s".repeat(32) }, "ERR_NETRT_KEY_SIZE", /32 bytes, but 's/],
    [{ address: "0.0.0.0:0" }, "ERR_NETRT_INSECURE_ADDRESS", /127\.0\.0\.0\/8 .*0\.0\.0\.0:0 was/],
    [{ address: "[::]:0" }, "ERR_NETRT_INSECURE_ADDRESS", /\[::1\] only, but \[::\]:0 was given/],
    [{ address: "192.0.2.1:0" }, "ERR_NETRT_INSECURE_ADDRESS", /but 192\.0\.2\.1:0 was given/],
    [{ tickRate: 0 }, "ERR_NETRT_ARGUMENT", /tickRate .*from 1 to 1000 \(Hz\), but 0 was given/],
    [{ tickRate: 1001 }, "ERR_NETRT_ARGUMENT", /tickRate .*but 1001 was given/],
    [{ tickRate: "128" }, "ERR_NETRT_ARGUMENT", /tickRate .*but '128' was given/],
    [{ tickRate: Number.NaN }, "ERR_NETRT_ARGUMENT", /tickRate .*but NaN was given/],
    [{ maxPeers: 0 }, "ERR_NETRT_ARGUMENT", /maxPeers .*1 to 65536, but 0 was given/],
    [{ maxPeers: 65_537 }, "ERR_NETRT_ARGUMENT", /maxPeers .*but 65537 was given/],
    [{ maxPeers: 1.5 }, "ERR_NETRT_ARGUMENT", /maxPeers .*but 1\.5 was given/],
  ];
  test.each(cases)("createServer with %j", async (given, code, message) => {
    const open = { address: "127.0.0.1:0", insecure: true, maxPeers: 4, engine } as ServerOptions;
    const error = await refusal(() => createServer(arena, { ...open, ...given }));
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });

  test.each([null, undefined, 5])("createServer with %j as options or protocol", async (given) => {
    const error = await refusal(() => createServer(arena, given as never));
    expect(error.message).toBe(`options must be an object, but ${given} was given`);
    const other = await refusal(() => createServer(given as never, { address: "", engine }));
    expect(other.message).toBe(
      `protocol must be what defineProtocol() returned, but ${given} was given`,
    );
  });

  test("a refused server leaves its port free", async () => {
    const address = `127.0.0.1:${await freePort()}`;
    for (const wrong of [{ tickRate: 0 }, { queueBytes: 1 }, { publicAddresses: ["x"] }]) {
      await refusal(() => createServer(arena, { address, insecure: true, engine, ...wrong }));
    }
    await openServer(arena, engine, { address });
  });

  test("a port that somebody has, and an address that nobody has here", async () => {
    const server = await openServer(arena, engine);
    const error = await refusal(() => openServer(arena, engine, { address: server.address }));
    expect(error.code).toBe("ERR_NETRT_PORT_IN_USE");
    expect(error.message).toContain(server.address);
    expect(error.cause).toMatchObject({ code: "EADDRINUSE", syscall: "bind" });
    const socket = await openSocket();
    const taken = `127.0.0.1:${socket.address().port}`;
    const target = { insecure: true, address: server.address } as const;
    expect((await refusal(() => connect(arena, target, { engine, bind: taken }))).code).toBe(
      "ERR_NETRT_PORT_IN_USE",
    );
    const away = { address: "192.0.2.1:0", secret };
    const elsewhere = await refusal(() => openServer(arena, engine, away));
    expect(elsewhere.code).toBe("ERR_NETRT_ADDRESS_NOT_AVAILABLE");
    expect(elsewhere.message).toContain("192.0.2.1:0");
    expect(elsewhere.cause).toMatchObject({ code: "EADDRNOTAVAIL" });
  });

  // --- connect ---

  const targets: [Partial<InsecureTarget> | object, ErrorCode, RegExp][] = [
    [{ address: "192.0.2.1:1" }, "ERR_NETRT_INSECURE_ADDRESS", /\[::1\] only, but 192\.0\.2\.1:1 /],
    [{ insecure: false }, "ERR_NETRT_ARGUMENT", /insecure must be true, .*but false was given/],
    [{ address: "127.0.0.1" }, "ERR_NETRT_ADDRESS", /the port is missing/],
    [{ address: "127.0.0.1:0" }, "ERR_NETRT_ADDRESS", /clients send to/],
    [{ address: undefined }, "ERR_NETRT_ADDRESS", /undefined was given/],
    [{ clientId: -1n }, "ERR_NETRT_ARGUMENT", /clientId .*0 to 2\^64 - 1.*but -1n was given/],
    [{ clientId: 2n ** 64n }, "ERR_NETRT_ARGUMENT", /clientId /],
    [{ clientId: "7" }, "ERR_NETRT_ARGUMENT", /clientId .*but '7' was given/],
  ];
  test.each(targets)("connect to %o", async (given, code, message) => {
    const target = { insecure: true, address: "127.0.0.1:9", ...given } as InsecureTarget;
    const error = await refusal(() => connect(arena, target, { engine }));
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });

  const options: Case[] = [
    ...LIMIT_CASES,
    ...SIGNAL_CASES,
    [{ bind: "x" }, "ERR_NETRT_ADDRESS", /'x' was given/],
    [{ bind: 9 }, "ERR_NETRT_ADDRESS", /9 was given/],
    [{ bind: "[::1]:0" }, "ERR_NETRT_ADDRESS", /family .*127\.0\.0\.1:9, but \[::1\]:0 was given/],
  ];
  test.each(options)("connect with %j", async (given, code, message) => {
    const target = { insecure: true, address: "127.0.0.1:9" } as const;
    const error = await refusal(() =>
      connect(arena, target, { engine, ...given } as ConnectOptions),
    );
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
    const token = mintToken({
      protocol: arena,
      key: secret,
      clientId: 1,
      servers: [target.address],
    });
    const bare = await refusal(() => connectNetcode(token, { engine, ...given } as ConnectOptions));
    expect([bare.code, bare.message]).toEqual([error.code, error.message]);
  });

  test.each([null, 5])("connect with %j as options or protocol", async (given) => {
    const target = { insecure: true, address: "127.0.0.1:9" } as const;
    const error = await refusal(() => connect(arena, target, given as never));
    expect(error.message).toBe(`options must be an object, but ${given} was given`);
    const other = await refusal(() => connect(given as never, target, { engine }));
    expect(other.message).toMatch(/^protocol must be what defineProtocol/);
  });

  // --- a connection ---

  test("sends, broadcasts and closes", async () => {
    const { server, client, peer } = await openPair({ server: engine, client: engine });
    const bytes = encode("hello");
    const sends: [string, unknown, SendOptions | undefined, ErrorCode, RegExp][] = [
      [
        "talk",
        bytes,
        {},
        "ERR_NETRT_UNKNOWN_CHANNEL",
        /no channel "talk"; it has input, state, chat/,
      ],
      [undefined as never, bytes, {}, "ERR_NETRT_UNKNOWN_CHANNEL", /no channel undefined/],
      ["constructor", bytes, {}, "ERR_NETRT_UNKNOWN_CHANNEL", /no channel "constructor"/],
      [
        "chat",
        new Uint8Array(1101),
        {},
        "ERR_NETRT_MESSAGE_TOO_LARGE",
        /1101 .*"chat" .*most 1100/,
      ],
      ["chat", "hello", {}, "ERR_NETRT_ARGUMENT", /message must be a Uint8Array, but 'hello' was/],
      ["chat", new Float32Array(1), {}, "ERR_NETRT_ARGUMENT", /but Float32Array of 4 bytes/],
      ["chat", undefined, {}, "ERR_NETRT_ARGUMENT", /message .*but undefined was given/],
      ["chat", bytes, null as never, "ERR_NETRT_ARGUMENT", /options must be an object, but null/],
      ["chat", bytes, 80 as never, "ERR_NETRT_ARGUMENT", /options must be an object, but 80/],
      [
        "chat",
        bytes,
        { ttl: 0 },
        "ERR_NETRT_ARGUMENT",
        /ttl .*1 to 600000 \(ms\), but 0 was given/,
      ],
      ["chat", bytes, { ttl: 600_001 }, "ERR_NETRT_ARGUMENT", /ttl .*but 600001 was given/],
      ["chat", bytes, { ttl: "5" as never }, "ERR_NETRT_ARGUMENT", /ttl .*but '5' was given/],
      ["chat", bytes, { receipt: 1 as never }, "ERR_NETRT_ARGUMENT", /receipt .*but 1 was given/],
      ["state", bytes, { ttl: 80 }, "ERR_NETRT_STRATEGY", /"state" doesn't repair, .*no ttl/],
    ];
    for (const [channel, message, options, code, text] of sends) {
      for (const call of [
        () => client.send(channel as "chat", message as never, options),
        () => peer.send(channel as "chat", message as never, options),
        () => server.broadcast(channel as "chat", message as never, options as object),
      ]) {
        const error = await refusal(call);
        expect(error.message).toMatch(text);
        expect(error.code).toBe(code);
      }
    }
    const calls: [() => unknown, ErrorCode, RegExp][] = [
      [() => client.channel("talk" as "chat"), "ERR_NETRT_UNKNOWN_CHANNEL", /"talk"/],
      [() => server.channel("talk" as "chat"), "ERR_NETRT_UNKNOWN_CHANNEL", /"talk"/],
      [() => client.messages("talk" as "chat"), "ERR_NETRT_UNKNOWN_CHANNEL", /"talk"/],
      [
        () => server.broadcast("chat", bytes, { receipt: true } as never),
        "ERR_NETRT_ARGUMENT",
        /receipt must be left out: .* but true was given/,
      ],
      [
        () => server.broadcast("chat", bytes, { except: {} as never }),
        "ERR_NETRT_ARGUMENT",
        /except must be a peer of this server, but \{\} was given/,
      ],
    ];
    for (const end of [client, peer, server]) {
      const close = (given: unknown) => () => end.close(given as never);
      calls.push(
        [close({ reason: 5 }), "ERR_NETRT_ARGUMENT", /reason .*most 120 bytes.*but 5 was given/],
        [close({ reason: "ü".repeat(61) }), "ERR_NETRT_ARGUMENT", /reason .*at most 120 bytes/],
        [close({ drain: "yes" }), "ERR_NETRT_ARGUMENT", /drain must be true or false, but 'yes'/],
        [close("bye"), "ERR_NETRT_ARGUMENT", /options must be an object, but 'bye' was given/],
        [close(null), "ERR_NETRT_ARGUMENT", /options must be an object, but null was given/],
      );
    }
    const close = (timeout: unknown) => () => server.close({ timeout: timeout as never });
    calls.push(
      [close(-1), "ERR_NETRT_ARGUMENT", /timeout .*0 to 60000 \(ms\), but -1 was given/],
      [close(60_001), "ERR_NETRT_ARGUMENT", /timeout .*but 60001 was given/],
      [close("5"), "ERR_NETRT_ARGUMENT", /timeout .*but '5' was given/],
    );
    for (const [call, code, text] of calls) {
      const error = await refusal(call);
      expect(error.message).toMatch(text);
      expect(error.code).toBe(code);
    }
    // Nothing of it happened.
    expect([client.connected, peer.connected, server.peerCount]).toEqual([true, true, 1]);
    expect(client.hostStats.channels.chat.sent + server.stats.channels.chat.sent).toBe(0);
  });

  test("a peer of another server is nobody to leave out", async () => {
    const one = await openPair({ server: engine, client: engine });
    const two = await openPair({ server: engine, client: engine });
    expect(one.peer.handle).toBe(two.peer.handle);
    const heard = new Promise<void>((resolve) => one.client.once("message", () => resolve()));
    one.server.broadcast("chat", encode("all"), { except: two.peer });
    await heard;
  });

  // --- netrt/netcode ---

  const netcodeCases: Case[] = [
    ...ADDRESS_CASES,
    ...LIMIT_CASES,
    [{ protocolId: 5 }, "ERR_NETRT_ARGUMENT", /protocolId .*bigint from 0 to 2\^64 - 1, but 5 was/],
    [{ protocolId: -1n }, "ERR_NETRT_ARGUMENT", /protocolId .*but -1n was given/],
    [{ protocolId: 2n ** 64n }, "ERR_NETRT_ARGUMENT", /protocolId /],
    [{ privateKey: undefined }, "ERR_NETRT_KEY_SIZE", /privateKey must be 32 bytes, but undefined/],
    [{ privateKey: new Uint8Array(33) }, "ERR_NETRT_KEY_SIZE", /but Uint8Array of 33 bytes/],
    [{ maxClients: 0 }, "ERR_NETRT_ARGUMENT", /maxClients .*1 to 65536, but 0 was given/],
    [{ maxClients: 65_537 }, "ERR_NETRT_ARGUMENT", /maxClients .*but 65537 was given/],
  ];
  test.each(netcodeCases)("createNetcodeServer with %o", async (given, code, message) => {
    const open = { address: "127.0.0.1:0", protocolId: 1n, privateKey: secret, engine };
    const error = await refusal(() => createNetcodeServer({ ...open, ...given } as typeof open));
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });

  test("netcode's other arguments", async () => {
    const error = await refusal(() => createNetcodeServer(null as never));
    expect(error.message).toBe("options must be an object, but null was given");
    const token = mintToken({ protocolId: 1, key: secret, clientId: 1, servers: ["127.0.0.1:9"] });
    const wrong: [unknown, unknown, RegExp][] = [
      [null, {}, /null was given/],
      [token.subarray(1), {}, /2047 bytes was given/],
      ["token", {}, /'token' was given/],
      [token, null, /options must be an object, but null was given/],
      [token, { onState: 5 }, /onState must be a function, but 5 was given/],
    ];
    for (const [given, options, message] of wrong) {
      const refused = await refusal(() => connectNetcode(given as never, options as never));
      expect(refused.message).toMatch(message);
    }
  });
});

describe("NETRT_ENGINE", () => {
  const before = process.env.NETRT_ENGINE;
  afterEach(() => {
    if (before === undefined) delete process.env.NETRT_ENGINE;
    else process.env.NETRT_ENGINE = before;
  });

  test("of another word is refused by name", async () => {
    process.env.NETRT_ENGINE = "wasm";
    const open = { address: "127.0.0.1:0", insecure: true, maxPeers: 4 };
    const error = await refusal(() => createServer(arena, open));
    expect(error.code).toBe("ERR_NETRT_ARGUMENT");
    expect(error.message).toMatch(/NETRT_ENGINE must be "auto", "native" or "js", but 'wasm' was/);
  });

  test("chooses, and an option chooses before it", async () => {
    process.env.NETRT_ENGINE = "js";
    const open = { address: "127.0.0.1:0", insecure: true, maxPeers: 4 };
    const server = await createServer(arena, open);
    expect(server.engine).toBe("js");
    await server.close();
    for (const engine of engines) {
      const chosen = await openServer(arena, engine);
      expect(chosen.engine).toBe(engine);
    }
  });
});
