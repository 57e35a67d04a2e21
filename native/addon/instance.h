// Owns what one environment (the main thread, or a worker) has of this addon: a table of open
// engines, found by id.
// Never shares anything with another environment: the addon has no static mutable state.
// Invariants: an id names one engine and is not used again for 2^19 engines in its place; an engine
// is closed when its environment ends, whatever that interrupts.
#ifndef NETRT_ADDON_INSTANCE_H_
#define NETRT_ADDON_INSTANCE_H_

#include <node_api.h>

#include <cstdint>

#include "addon/wake.h"
#include "io/turn.h"

namespace netrt {

// Engines of one environment at a time: each has a socket and a thread, so the machine ends before.
constexpr uint32_t ENGINES_MAX = 4096;
constexpr uint32_t ENGINE_INDEX_BITS = 12;
// Ids are positive and fit 31 bits: JavaScript keeps such a number in a register.
constexpr uint32_t ENGINE_ID_MAX = 0x7fffffff;
static_assert(ENGINES_MAX == 1u << ENGINE_INDEX_BITS, "an id holds an index");

// Arrays that an engine writes or reads as long as it is open.
constexpr uint32_t ARRAYS_HELD = 4;

struct Instance;

// An open engine, and what its environment lends it.
struct Tenant {
  napi_env env;
  Instance* instance;
  uint32_t index;
  Engine engine;
  Wake wake;
  // With an I/O thread: how far the submission ring was checked, and whether it waits for a flush.
  uint32_t admitted;
  bool unflushed;
  napi_ref held[ARRAYS_HELD];
};

struct EngineSlot {
  Tenant* tenant;  // null while free
  uint32_t generation;
  uint32_t nextFree;
};

struct Instance {
  EngineSlot slots[ENGINES_MAX];
  uint32_t firstFree;
};

struct TenantOptions {
  EngineOptions engine;
  napi_value onWake;
  napi_value arrays[ARRAYS_HELD];
};

void instanceOpen(Instance& instance);

// Opens an engine with its waker and has it closed with the environment; `id` gets its id. On a
// fault nothing is left behind.
Fault tenantOpen(Instance& instance, napi_env env, const TenantOptions& options, uint32_t& id);

// The open engine of an id, or null.
Tenant* tenantFind(Instance& instance, uint32_t id);

// Gives everything back; the tenant is gone. Safe from within its onWake.
void tenantClose(Tenant& tenant);

}  // namespace netrt

#endif  // NETRT_ADDON_INSTANCE_H_
