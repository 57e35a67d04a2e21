// Packs the package and uses it as a stranger would: what is inside, publint, attw, then an installation into an
// empty project where ESM and CommonJS programs each connect a client to a server and exchange a message.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { ROOT } from "./sources.mjs";

const TIMEOUT_MS = 120_000;
const INSIDE = [
  "package.json",
  "README.md",
  "LICENSE",
  "CHANGELOG.md",
  "binding.gyp",
  "native/sodium.cjs",
  "dist/lib/index.js",
  "dist/lib/index.d.ts",
  "dist/lib/netcode.js",
  "dist/lib/token.js",
  "dist/lib/bytes.js",
  "dist/lib/schema/index.js",
];
const OUTSIDE = /^(test|bench|examples|\.ci|dist\/(test|bench|examples)|build.*|node_modules)\//;

// One exchange over loopback, whichever way the package was loaded; prints the engine that carried it.
const EXCHANGE = `
async function exchange({ createServer, connect, defineProtocol, reliable }) {
  const protocol = defineProtocol("pack/1", { talk: reliable() });
  const server = await createServer(protocol, { address: "127.0.0.1:0", tickRate: 60, insecure: true });
  server.channel("talk").on("message", (peer, bytes) => peer.send("talk", bytes));
  const client = await connect(protocol, { insecure: true, address: server.address });
  const answer = new Promise((resolve) => {
    client.channel("talk").on("message", (bytes) => resolve(Buffer.from(bytes).toString()));
  });
  client.send("talk", Buffer.from("hello"));
  if ((await answer) !== "hello") throw new Error("the answer differs");
  client.close();
  await server.close();
  console.log([...new Set([server.engine, client.engine])].join());
}
`;
const PROGRAMS = {
  "use.mjs": `import * as netrt from "netrt";
import * as netcode from "netrt/netcode";
import * as token from "netrt/token";
import * as bytes from "netrt/bytes";
${EXCHANGE}
for (const part of [netcode, token, bytes]) if (Object.keys(part).length === 0) throw new Error("empty");
await exchange(netrt);
`,
  "use.cjs": `const netrt = require("netrt");
for (const part of ["netcode", "token", "bytes"]) {
  if (Object.keys(require("netrt/" + part)).length === 0) throw new Error("empty");
}
${EXCHANGE}
exchange(netrt).catch((error) => { console.error(error); process.exit(1); });
`,
};

function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    timeout: TIMEOUT_MS,
    shell: process.platform === "win32",
    ...options,
  });
  if (result.status !== 0) {
    console.error(result.stdout ?? "");
    throw new Error(`${command} ${args.join(" ")}: ${result.error ?? `exit ${result.status}`}`);
  }
  return result.stdout;
}

function checkContents(files) {
  const missing = INSIDE.filter((file) => !files.includes(file));
  const unwanted = files.filter((file) => OUTSIDE.test(file) || /probe/.test(file));
  if (missing.length > 0) throw new Error(`not in the package: ${missing.join(", ")}`);
  if (unwanted.length > 0) throw new Error(`in the package, and should not be: ${unwanted}`);
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-pack-"));
const bin = (name) => path.join(ROOT, "node_modules", ".bin", name);
try {
  // A list in npm 11, an object by package name in others.
  const printed = run("npm", ["pack", "--json", "--pack-destination", folder]);
  const [packed] = Object.values(JSON.parse(printed));
  const tarball = path.join(folder, packed.filename);
  checkContents(packed.files.map((file) => file.path));
  console.error(`package: ${packed.files.length} files, ${packed.size} bytes packed`);

  run(bin("publint"), ["--strict", tarball], { stdio: ["ignore", 2, 2] });
  run(bin("attw"), ["--profile", "esm-only", tarball], { stdio: ["ignore", 2, 2] });

  const project = path.join(folder, "project");
  fs.mkdirSync(project);
  fs.writeFileSync(path.join(project, "package.json"), '{ "private": true }\n');
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], { cwd: project });
  const platform = `${process.platform}-${process.arch}`;
  const prebuilt = packed.files.some((file) => file.path.startsWith(`prebuilds/${platform}/`));
  for (const [name, program] of Object.entries(PROGRAMS)) {
    fs.writeFileSync(path.join(project, name), program);
    for (const engine of prebuilt ? ["native", "js"] : ["js"]) {
      const env = { ...process.env, NETRT_ENGINE: engine };
      const printed = run(process.execPath, [name], { cwd: project, env }).trim();
      if (printed !== engine) throw new Error(`${name}: ran on ${printed}, not on ${engine}`);
      console.error(`${name}: exchanged a message on the ${engine} engine`);
    }
  }
} catch (error) {
  console.error(`pack: ${error.message}`);
  process.exitCode = 1;
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
