import { defineConfig } from "vitest/config";

// Two projects. `forks` runs everything but test/threads in child processes: a crash of the addon ends
// one file's process, not the run. `threads` runs test/threads in worker threads: the addon must live there
// too, with no state shared between environments.
const TEST_TIMEOUT_MS = 60_000;

const common = {
  environment: "node",
  testTimeout: TEST_TIMEOUT_MS,
  hookTimeout: TEST_TIMEOUT_MS,
  teardownTimeout: 10_000,
} as const;

export default defineConfig({
  test: {
    // Tests on real sockets and real time share the cores; more workers than that only add noise.
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...common,
          name: "forks",
          pool: "forks",
          include: ["test/**/*.test.ts"],
          exclude: ["test/threads/**"],
        },
      },
      {
        test: {
          ...common,
          name: "threads",
          pool: "threads",
          include: ["test/threads/**/*.test.ts"],
        },
      },
    ],
  },
});
