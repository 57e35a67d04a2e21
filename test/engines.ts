/*
 * The engines that API tests run on. NETRT_TEST_TWINS=js leaves the native one out on purpose.
 */
export type EngineName = "native" | "js";

export const engines: readonly EngineName[] =
  process.env.NETRT_TEST_TWINS === "js" ? ["js"] : ["native", "js"];

/** Every server engine with every client engine. */
export const pairings = engines.flatMap((server) => engines.map((client) => ({ server, client })));
