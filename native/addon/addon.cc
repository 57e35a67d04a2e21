// Owns the functions that JavaScript sees: seven of them, each a check of its arguments and one
// call. Never does the work itself, and keeps nothing between calls but the environment's Instance.
// Invariant: whatever the arguments are, the process goes on; what is wrong throws a TypeError with
// a `code`, and changes nothing.
#include <node_api.h>

#include <algorithm>
#include <new>

#include "addon/arguments.h"
#include "addon/check.h"
#include "addon/instance.h"
#include "core/config.h"
#include "core/seal.h"
#include "core/stats.h"

namespace netrt {

namespace {

constexpr char CODE_ARGUMENT[] = "ERR_NETRT_ARGUMENT";
constexpr char CODE_CLOSED[] = "ERR_NETRT_CLOSED";
constexpr char CODE_UNAVAILABLE[] = "ERR_NETRT_ENGINE_UNAVAILABLE";

// A submission ring holds some messages at least.
constexpr size_t SUBMISSION_BYTES_LEAST = 4096;
// Below twice what one datagram can bring forth, nothing would be received for long.
constexpr size_t COMPLETION_BYTES_LEAST = 2 * COMPLETION_RESERVE_BYTES;

// Words of a wanted socket.
constexpr uint32_t SOCKET_TYPE = 0;
constexpr uint32_t SOCKET_PORT = 1;
constexpr uint32_t SOCKET_ADDRESS = 2;
constexpr uint32_t SOCKET_BUFFER = 6;
constexpr uint32_t SOCKET_FLAGS = 7;
constexpr uint32_t SOCKET_WORDS = 8;
// Bits of SOCKET_FLAGS; lib/native.ts has the same.
constexpr uint32_t SOCKET_REUSE_PORT = 1;
constexpr uint32_t SOCKET_THREAD = 2;

Instance& instanceOf(const Arguments& arguments) { return *static_cast<Instance*>(arguments.data); }

// The open engine that the first argument names, or null when it has thrown.
Tenant* tenantOf(const Arguments& arguments) {
  uint32_t id = 0;
  if (!argumentWord(arguments, 0, "id: a number that open gave", ENGINE_ID_MAX, id)) return nullptr;
  Tenant* tenant = tenantFind(instanceOf(arguments), id);
  if (tenant == nullptr) argumentRefuse(arguments.env, CODE_CLOSED, "id: no such engine is open");
  return tenant;
}

// seal(): string | null. The provider of the ciphers, chosen at the first call in the process.
napi_value seal(napi_env env, napi_callback_info) {
  napi_value result = nullptr;
  const char* name = sealInit();
  if (name == nullptr) {
    napi_get_null(env, &result);
  } else {
    napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &result);
  }
  return result;
}

// ---- Opening ----

bool socketRead(const Arguments& arguments, size_t index, EngineOptions& options) {
  Memory memory;
  if (!argumentMemory(arguments, index, "socket: a Uint32Array of 8 words", napi_uint32_array,
                      SOCKET_WORDS, SOCKET_WORDS, memory)) {
    return false;
  }
  const uint32_t* words = static_cast<const uint32_t*>(memory.bytes);
  const bool family = words[SOCKET_TYPE] == ADDRESS_IPV4 || words[SOCKET_TYPE] == ADDRESS_IPV6;
  if (!family || words[SOCKET_PORT] > UINT16_MAX || words[SOCKET_BUFFER] < 1 ||
      words[SOCKET_BUFFER] > INT32_MAX ||
      words[SOCKET_FLAGS] > (SOCKET_REUSE_PORT | SOCKET_THREAD)) {
    return argumentRefuse(arguments.env, CODE_ARGUMENT, "socket: type, port, buffer size or flags");
  }
  SocketOptions& socket = options.socket;
  socket.reusePort = (words[SOCKET_FLAGS] & SOCKET_REUSE_PORT) != 0;
  options.gated = (words[SOCKET_FLAGS] & SOCKET_THREAD) != 0;
  socket.address.type = static_cast<uint8_t>(words[SOCKET_TYPE]);
  socket.address.port = static_cast<uint16_t>(words[SOCKET_PORT]);
  socket.address.a = words[SOCKET_ADDRESS];
  if (socket.address.type == ADDRESS_IPV6) {
    socket.address.b = words[SOCKET_ADDRESS + 1];
    socket.address.c = words[SOCKET_ADDRESS + 2];
    socket.address.d = words[SOCKET_ADDRESS + 3];
  }
  socket.receiveBufferBytes = words[SOCKET_BUFFER];
  socket.sendBufferBytes = words[SOCKET_BUFFER];
  return true;
}

bool ringRead(const Arguments& arguments, size_t index, const char* what, size_t least,
              Memory& memory) {
  return argumentMemory(arguments, index, what, napi_uint8_array, least, SIZE_MAX, memory) &&
         (checkRing(static_cast<uint8_t*>(memory.bytes), memory.length, least) ||
          argumentRefuse(arguments.env, CODE_ARGUMENT, what));
}

// Arguments 0 to 2: what the core is told once.
bool optionsRead(const Arguments& arguments, EngineOptions& options) {
  Memory config;
  Memory key;
  Memory entropy;
  if (!argumentMemory(arguments, 0, "config: a Uint32Array of CONFIG_WORDS", napi_uint32_array,
                      CONFIG_WORDS, CONFIG_WORDS, config) ||
      !argumentMemory(arguments, 1, "privateKey: a Uint8Array of 32 bytes", napi_uint8_array,
                      KEY_BYTES, KEY_BYTES, key) ||
      !argumentMemory(arguments, 2, "entropy: a Uint8Array of 88 bytes", napi_uint8_array,
                      ENTROPY_BYTES, ENTROPY_BYTES, entropy)) {
    return false;
  }
  options.config = static_cast<const uint32_t*>(config.bytes);
  options.privateKey = static_cast<const uint8_t*>(key.bytes);
  options.entropy = static_cast<const uint8_t*>(entropy.bytes);
  const char* wrong = checkConfig(options.config);
  return wrong == nullptr || argumentRefuse(arguments.env, CODE_ARGUMENT, wrong);
}

// Arguments 3, 4, 5 and 7: what both sides see from now on.
bool memoryRead(const Arguments& arguments, TenantOptions& options) {
  Memory submission;
  Memory completion;
  Memory page;
  Memory published;
  EngineOptions& engine = options.engine;
  const size_t pageWords = statsWords(engine.config[CONFIG_PEERS_MAX]);
  if (!ringRead(arguments, 3, "submission: a Uint8Array that is a ring", SUBMISSION_BYTES_LEAST,
                submission) ||
      !ringRead(arguments, 4, "completion: a Uint8Array that is a ring", COMPLETION_BYTES_LEAST,
                completion) ||
      !argumentMemory(arguments, 5, "page: a Uint32Array of statsWords words", napi_uint32_array,
                      pageWords, SIZE_MAX, page) ||
      !argumentMemory(arguments, 7, "published: a Uint32Array of PUBLISHED_WORDS",
                      napi_uint32_array, PUBLISHED_WORDS, SIZE_MAX, published)) {
    return false;
  }
  if (reinterpret_cast<uintptr_t>(published.bytes) % sizeof(uint64_t) != 0) {
    return argumentRefuse(arguments.env, CODE_ARGUMENT, "published: not aligned to 8 bytes");
  }
  engine.submission = static_cast<uint8_t*>(submission.bytes);
  engine.submissionBytes = submission.length;
  engine.completion = static_cast<uint8_t*>(completion.bytes);
  engine.completionBytes = completion.length;
  engine.page = static_cast<uint32_t*>(page.bytes);
  engine.published = static_cast<uint32_t*>(published.bytes);
  options.arrays[0] = submission.array;
  options.arrays[1] = completion.array;
  options.arrays[2] = page.array;
  options.arrays[3] = published.array;
  return true;
}

// open(config, privateKey, entropy, submission, completion, page, socket, published, onWake): the
// engine's id, or -1 - FaultKind of what the system refused, its errno in `published`.
napi_value open(napi_env env, napi_callback_info info) {
  Arguments arguments;
  TenantOptions options;
  if (!argumentsRead(arguments, env, info, 9)) return nullptr;
  if (sealInit() == nullptr) {
    argumentRefuse(env, CODE_UNAVAILABLE, "this runtime has no ciphers");
    return nullptr;
  }
  if (!optionsRead(arguments, options.engine) || !memoryRead(arguments, options) ||
      !socketRead(arguments, 6, options.engine) ||
      !argumentFunction(arguments, 8, "onWake: a function")) {
    return nullptr;
  }
  options.onWake = arguments.values[8];
  uint32_t id = 0;
  const Fault fault = tenantOpen(instanceOf(arguments), env, options, id);
  napi_value result = nullptr;
  if (fault.error == 0) {
    napi_create_uint32(env, id, &result);
    return result;
  }
  options.engine.published[PUBLISHED_ERROR] = static_cast<uint32_t>(fault.error);
  options.engine.published[PUBLISHED_CALL] = static_cast<uint32_t>(fault.call);
  napi_create_int32(env, -1 - static_cast<int32_t>(fault.kind), &result);
  return result;
}

// ---- Running ----

// connect(id, token)
napi_value connect(napi_env env, napi_callback_info info) {
  Arguments arguments;
  if (!argumentsRead(arguments, env, info, 2)) return nullptr;
  Tenant* tenant = tenantOf(arguments);
  if (tenant == nullptr) return nullptr;
  if (tenant->engine.host.config.role != ROLE_CLIENT) {
    argumentRefuse(env, CODE_ARGUMENT, "id: a server does not connect");
    return nullptr;
  }
  Memory token;
  if (argumentMemory(arguments, 1, "token: a Uint8Array of 2048 bytes", napi_uint8_array,
                     TOKEN_PUBLIC_BYTES, TOKEN_PUBLIC_BYTES, token)) {
    const uint8_t* bytes = static_cast<const uint8_t*>(token.bytes);
    if (tenant->wake.thread.running) {
      threadConnect(tenant->wake.thread, bytes);
    } else {
      engineConnect(tenant->engine, bytes);
    }
  }
  return nullptr;
}

// now(id): µs of the clock that deadlines count by, in `published`.
napi_value now(napi_env env, napi_callback_info info) {
  Arguments arguments;
  if (!argumentsRead(arguments, env, info, 1)) return nullptr;
  Tenant* tenant = tenantOf(arguments);
  if (tenant != nullptr) engineNow(tenant->engine);
  return nullptr;
}

bool submissionRefuse(napi_env env) {
  return argumentRefuse(env, CODE_ARGUMENT, "submission: the ring holds no whole records");
}

// An inline turn. False when it has thrown.
bool turnInline(napi_env env, Engine& engine, uint32_t flags, uint32_t& turned) {
  const Ring& ring = engine.host.submission;
  if (!checkSubmission(ring, ring.tail, engineSubmitted(engine))) return submissionRefuse(env);
  turned = engineTurn(engine, flags);
  return true;
}

// Shows an I/O thread what JavaScript has submitted since. False when it has thrown.
bool submissionShow(napi_env env, Tenant& tenant) {
  Engine& engine = tenant.engine;
  const uint32_t head = engineSubmitted(engine);
  if (head == tenant.admitted) return true;
  if (!checkSubmission(engine.host.submission, tenant.admitted, head)) return submissionRefuse(env);
  engineAdmit(engine, head);
  tenant.admitted = head;
  tenant.unflushed = true;
  return true;
}

// A turn where an I/O thread takes the turns: what JavaScript has to say, and no more. Messages
// become visible with the flush that sends them, and nothing to flush wakes no thread.
bool turnThreaded(napi_env env, Tenant& tenant, uint32_t flags, uint32_t& turned) {
  Thread& thread = tenant.wake.thread;
  const bool flush = (flags & TURN_FLUSH) != 0;
  turned = thread.failed.load(std::memory_order_acquire) ? TURNED_FAILED : 0;
  if (thread.warned.exchange(false, std::memory_order_acq_rel)) turned |= TURNED_WARNED;
  if ((turned & TURNED_FAILED) != 0 || (flags != 0 && !flush)) return true;
  if (!submissionShow(env, tenant)) return false;
  if (flags == 0) {
    turned |= threadSubmit(thread);
  } else if (tenant.unflushed) {
    tenant.unflushed = false;
    threadFlush(thread);
  }
  return true;
}

// turn(id, flags): TURNED_ bits.
napi_value turn(napi_env env, napi_callback_info info) {
  Arguments arguments;
  if (!argumentsRead(arguments, env, info, 2)) return nullptr;
  Tenant* tenant = tenantOf(arguments);
  uint32_t flags = 0;
  if (tenant == nullptr || !argumentWord(arguments, 1, "flags: TURN_ bits", TURN_ALL, flags)) {
    return nullptr;
  }
  uint32_t turned = 0;
  const bool taken = tenant->wake.thread.running ? turnThreaded(env, *tenant, flags, turned)
                                                 : turnInline(env, tenant->engine, flags, turned);
  napi_value result = nullptr;
  if (taken) napi_create_uint32(env, turned, &result);
  return result;
}

// arm(id, deadlineUs, watch, flush). With an I/O thread, `flush` is a turn with TURN_FLUSH as well.
napi_value arm(napi_env env, napi_callback_info info) {
  Arguments arguments;
  if (!argumentsRead(arguments, env, info, 4)) return nullptr;
  Tenant* tenant = tenantOf(arguments);
  uint64_t deadlineUs = 0;
  bool watch = false;
  bool flush = false;
  if (tenant == nullptr || !argumentTime(arguments, 1, "deadlineUs: a time in µs", deadlineUs) ||
      !argumentFlag(arguments, 2, "watch: a boolean", watch) ||
      !argumentFlag(arguments, 3, "flush: a boolean", flush)) {
    return nullptr;
  }
  const bool threaded = tenant->wake.thread.running;
  if (threaded && flush && !submissionShow(env, *tenant)) return nullptr;
  flush = threaded && flush && tenant->unflushed;
  if (flush) tenant->unflushed = false;
  // A socket that is gone can't be watched; the next turn says so again.
  const Engine& engine = tenant->engine;
  const bool gone = !threaded && engine.socket.fault.error != 0;
  // Nor one that could not be read a moment ago: what waits in it would wake us at once, again and
  // again.
  const bool starved = !threaded && engine.socket.starved;
  if (starved) deadlineUs = std::min(deadlineUs, engine.nowUs + BLOCKED_RETRY_US);
  wakeArm(tenant->wake, deadlineUs, watch && !gone && !starved, flush);
  return nullptr;
}

// close(id). An engine that is closed already stays so.
napi_value close(napi_env env, napi_callback_info info) {
  Arguments arguments;
  uint32_t id = 0;
  if (!argumentsRead(arguments, env, info, 1)) return nullptr;
  if (!argumentWord(arguments, 0, "id: a number that open gave", ENGINE_ID_MAX, id)) return nullptr;
  Tenant* tenant = tenantFind(instanceOf(arguments), id);
  if (tenant != nullptr) tenantClose(*tenant);
  return nullptr;
}

// ---- The module ----

// Its engines are closed by then: their own hooks ran before.
void instanceFinalize(napi_env, void* data, void*) { delete static_cast<Instance*>(data); }

napi_value moduleOpen(napi_env env, napi_value exports) {
  Instance* instance = new (std::nothrow) Instance;
  if (instance == nullptr ||
      napi_set_instance_data(env, instance, instanceFinalize, nullptr) != napi_ok) {
    delete instance;
    argumentRefuse(env, CODE_UNAVAILABLE, "no memory for the addon");
    return nullptr;
  }
  instanceOpen(*instance);
  const napi_property_attributes attributes = napi_enumerable;
  const napi_property_descriptor functions[] = {
      {"seal", nullptr, seal, nullptr, nullptr, nullptr, attributes, instance},
      {"now", nullptr, now, nullptr, nullptr, nullptr, attributes, instance},
      {"open", nullptr, open, nullptr, nullptr, nullptr, attributes, instance},
      {"connect", nullptr, connect, nullptr, nullptr, nullptr, attributes, instance},
      {"turn", nullptr, turn, nullptr, nullptr, nullptr, attributes, instance},
      {"arm", nullptr, arm, nullptr, nullptr, nullptr, attributes, instance},
      {"close", nullptr, close, nullptr, nullptr, nullptr, attributes, instance},
  };
  napi_define_properties(env, exports, sizeof(functions) / sizeof(*functions), functions);
  return exports;
}

}  // namespace

}  // namespace netrt

NAPI_MODULE_INIT() { return netrt::moduleOpen(env, exports); }
