#include "addon/instance.h"

#include <cerrno>
#include <new>

namespace netrt {

namespace {

constexpr uint32_t NO_SLOT = UINT32_MAX;
constexpr uint32_t GENERATION_MAX = ENGINE_ID_MAX >> ENGINE_INDEX_BITS;

Fault exhausted(int error) {
  Fault fault = faultOf(Call::OPEN, error);
  fault.action = FaultAction::FATAL;
  return fault;
}

// ---- Slots ----

void slotTake(Instance& instance, Tenant& tenant) {
  tenant.index = instance.firstFree;
  EngineSlot& slot = instance.slots[tenant.index];
  instance.firstFree = slot.nextFree;
  slot.tenant = &tenant;
}

void slotGive(Instance& instance, const Tenant& tenant) {
  EngineSlot& slot = instance.slots[tenant.index];
  slot.tenant = nullptr;
  // 0 is no generation, so that 0 is no id.
  slot.generation = slot.generation == GENERATION_MAX ? 1 : slot.generation + 1;
  slot.nextFree = instance.firstFree;
  instance.firstFree = tenant.index;
}

// ---- What the environment lends ----

// Keeps the arrays alive: the engine has pointers into them.
bool arraysHold(Tenant& tenant, const napi_value* arrays) {
  for (uint32_t index = 0; index < ARRAYS_HELD; index++) {
    if (napi_create_reference(tenant.env, arrays[index], 1, &tenant.held[index]) != napi_ok) {
      return false;
    }
  }
  return true;
}

void arraysRelease(Tenant& tenant) {
  for (napi_ref& reference : tenant.held) {
    if (reference != nullptr) napi_delete_reference(tenant.env, reference);
    reference = nullptr;
  }
}

// Gives everything back. The thread first: it watches the socket, and calls into the environment.
void tenantEnd(Tenant& tenant) {
  wakeClose(tenant.wake);
  engineClose(tenant.engine);
  arraysRelease(tenant);
  slotGive(*tenant.instance, tenant);
  delete &tenant;
}

// The hook of the environment's end: JavaScript runs no more, but the environment still stands.
void environmentEnds(void* argument) { tenantEnd(*static_cast<Tenant*>(argument)); }

}  // namespace

void instanceOpen(Instance& instance) {
  for (uint32_t index = 0; index < ENGINES_MAX; index++) {
    instance.slots[index] = {nullptr, 1, index + 1 < ENGINES_MAX ? index + 1 : NO_SLOT};
  }
  instance.firstFree = 0;
}

Fault tenantOpen(Instance& instance, napi_env env, const TenantOptions& options, uint32_t& id) {
  if (instance.firstFree == NO_SLOT) return exhausted(EMFILE);
  // The big arrays of an engine stay as they are: a page that is not used costs no memory.
  Tenant* tenant = new (std::nothrow) Tenant;
  if (tenant == nullptr) return exhausted(ENOMEM);
  tenant->env = env;
  tenant->instance = &instance;
  for (napi_ref& reference : tenant->held) reference = nullptr;
  Fault fault = engineOpen(tenant->engine, options.engine);
  if (fault.error != 0) {
    delete tenant;
    return fault;
  }
  tenant->admitted = tenant->engine.host.submission.tail;
  tenant->unflushed = false;
  slotTake(instance, *tenant);
  fault = wakeOpen(tenant->wake, env, options.onWake, tenant->engine);
  // Clean-up goes backwards: added after the thread-safe function, the hook runs before that is
  // gone, while the thread may still be using it.
  if (fault.error == 0 && (!arraysHold(*tenant, options.arrays) ||
                           napi_add_env_cleanup_hook(env, environmentEnds, tenant) != napi_ok)) {
    fault = exhausted(ENOMEM);
  }
  if (fault.error != 0) {
    tenantEnd(*tenant);
    return fault;
  }
  id = (instance.slots[tenant->index].generation << ENGINE_INDEX_BITS) | tenant->index;
  return FAULT_NONE;
}

Tenant* tenantFind(Instance& instance, uint32_t id) {
  const EngineSlot& slot = instance.slots[id & (ENGINES_MAX - 1)];
  return slot.generation == id >> ENGINE_INDEX_BITS ? slot.tenant : nullptr;
}

void tenantClose(Tenant& tenant) {
  napi_remove_env_cleanup_hook(tenant.env, environmentEnds, &tenant);
  tenantEnd(tenant);
}

}  // namespace netrt
