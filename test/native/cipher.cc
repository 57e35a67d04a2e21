// The ciphers of a foreign library: it may be missing or too old, fail at any call, or answer
// wrongly. A library like that is not used, and one that fails later fails alone.
//
// The provider is chosen once in a process: each case is a process of its own, forked before this
// one has chosen.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "bare.h"
#include "check.h"
#include "core/provider.h"

#ifdef NETRT_WRAP

extern "C" void* __real_dlsym(void* handle, const char* name);

namespace {

using namespace netrt;
using namespace netrt::test;

constexpr int32_t NEVER = -1;
constexpr int CONTROL_TAG_OUT = 0x10;
// Calls that a whole life of a key takes, with some to spare.
constexpr int32_t CALLS = 90;
constexpr uint32_t CONTEXT_STEPS = 200;

// What goes wrong, and how often a call may still go well before one fails.
struct Wrong {
  const char* missing = "";
  unsigned long version = 0;
  int32_t failsIn = NEVER;
  bool contexts = false;  // only making a context fails
  bool tag = false;
  bool forgery = false;
  bool text = false;
  bool block = false;
  bool blockBytes = false;
};

Wrong wrong;
void* openssl = nullptr;
bool used = false;
bool deciphers = false;

template <typename Function>
Function real(const char* name) {
  void* symbol = __real_dlsym(openssl, name);
  Function function;
  std::memcpy(&function, &symbol, sizeof(function));
  return function;
}

bool fails(bool context) {
  if (wrong.failsIn == NEVER || (wrong.contexts && !context)) return false;
  if (wrong.failsIn > 0) wrong.failsIn--;
  return wrong.failsIn == 0;
}

unsigned long versionNumber() {
  return wrong.version > 0 ? wrong.version : real<unsigned long (*)()>("OpenSSL_version_num")();
}

void* contextNew() { return fails(true) ? nullptr : real<void* (*)()>("EVP_CIPHER_CTX_new")(); }

int init(void* context, const void* cipher, void* engine, const uint8_t* key, const uint8_t* iv,
         int encrypt) {
  if (fails(false)) return 0;
  deciphers = encrypt == 0;
  return real<decltype(&init)>("EVP_CipherInit_ex")(context, cipher, engine, key, iv, encrypt);
}

int update(void* context, uint8_t* out, int* outBytes, const uint8_t* in, int inBytes) {
  if (fails(false)) return 0;
  const int done = real<decltype(&update)>("EVP_CipherUpdate")(context, out, outBytes, in, inBytes);
  const bool isBlock = out != nullptr && out != in && !deciphers;
  if (wrong.text && deciphers && out != nullptr) out[0] ^= 1;
  if (wrong.block && isBlock) out[0] ^= 1;
  if (wrong.blockBytes && isBlock) *outBytes -= 1;
  return done;
}

int final(void* context, uint8_t* out, int* outBytes) {
  if (fails(false)) return 0;
  const int done = real<decltype(&final)>("EVP_CipherFinal_ex")(context, out, outBytes);
  return wrong.forgery ? 1 : done;
}

int control(void* context, int type, int value, void* pointer) {
  if (fails(false)) return 0;
  const int done = real<decltype(&control)>("EVP_CIPHER_CTX_ctrl")(context, type, value, pointer);
  if (wrong.tag && type == CONTROL_TAG_OUT) static_cast<uint8_t*>(pointer)[0] ^= 1;
  return done;
}

template <typename Function>
void* pointerTo(Function function) {
  void* pointer = nullptr;
  std::memcpy(&pointer, &function, sizeof(pointer));
  return pointer;
}

void* lookUp(const char* name) {
  if (std::strcmp(name, wrong.missing) == 0) return nullptr;
  const auto is = [name](const char* other) { return std::strcmp(name, other) == 0; };
  if (is("OpenSSL_version_num")) return pointerTo(versionNumber);
  if (is("EVP_CIPHER_CTX_new")) return pointerTo(contextNew);
  if (is("EVP_CipherInit_ex")) return pointerTo(init);
  if (is("EVP_CipherUpdate")) return pointerTo(update);
  if (is("EVP_CipherFinal_ex")) return pointerTo(final);
  if (is("EVP_CIPHER_CTX_ctrl")) return pointerTo(control);
  return __real_dlsym(openssl, name);
}

bool opensslFound() {
  for (const char* name : {"libcrypto.so.3", "libcrypto.so.1.1"}) {
    if (openssl == nullptr) openssl = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }
  return openssl != nullptr;
}

// Runs a case in a process of its own; whether it said yes.
template <typename Body>
bool apart(const Wrong& what, Body body) {
  const pid_t child = fork();
  if (child == 0) {
    setenv("NETRT_SEAL", "evp", 1);
    used = true;
    wrong = what;
    std::exit(body() ? 0 : 1);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

// Without a provider nothing opens, and nothing is left open.
bool unusable() {
  Bare side;
  SealKey key;
  SealScratch scratch;
  return sealInit() == nullptr && !sealKeyOpen(key) && !sealScratchOpen(scratch) &&
         !side.open(ROLE_SERVER);
}

// All that is done with keys. Whatever fails says so: no text comes out wrong, and no packet is
// taken that was not sealed.
bool honest() {
  if (sealInit() == nullptr) return true;
  Bare server;
  if (server.open(ROLE_SERVER)) hostClose(*server.host);
  SealKey key;
  SealScratch scratch;
  const uint8_t secret[KEY_BYTES] = {1};
  const uint8_t nonce24[TOKEN_NONCE_BYTES] = {2};
  uint8_t bytes[40 + TAG_BYTES] = {3};
  bool good = true;
  if (sealKeyOpen(key)) {
    sealKeySet(key, secret, 0);
    const int sealed = sealPacket(key, 7, secret, 2, bytes, 0, 40);
    const int opened = openPacket(key, 7, secret, 2, bytes, 0, 40 + TAG_BYTES);
    good = (sealed == -1 || sealed == 40 + static_cast<int>(TAG_BYTES)) &&
           (opened == -1 || (opened == 40 && bytes[0] == 3));
    sealKeyClear(key);
    good = good && sealPacket(key, 7, secret, 2, bytes, 0, 40) == -1;
    sealKeyClose(key);
  }
  if (sealScratchOpen(scratch)) {
    bytes[0] = 3;
    const int sealed = sealToken(scratch, secret, nonce24, secret, 2, bytes, 0, 40);
    const int opened = openToken(scratch, secret, nonce24, secret, 2, bytes, 0, 40 + TAG_BYTES);
    good = good && (opened == -1 || (opened == 40 && bytes[0] == 3 && sealed > 0));
    sealScratchClose(scratch);
  }
  return good;
}

// Two hosts of which one gets no contexts, from the so many-th on, once both are open; later there
// are some again. Whether the client was told `during` and `after` that.
bool told(int32_t failsIn, int32_t during, int32_t after) {
  Bare server;
  Bare client;
  uint8_t token[TOKEN_PUBLIC_BYTES];
  if (!server.open(ROLE_SERVER) || !client.open(ROLE_CLIENT)) return false;
  if (!sidesToken(SERVER_PORT, token)) return false;
  uint64_t nowUs = 1000000;
  uint32_t number = 0;
  hostConnect(*client.host, token, nowUs);
  wrong.contexts = true;
  wrong.failsIn = failsIn;
  for (uint32_t step = 0; step < CONTEXT_STEPS; step++, nowUs += STEP_US) {
    bareStep(server, client, nowUs, number);
  }
  const bool first = client.state == during && client.peer == 0 && server.peer == 0;
  wrong.failsIn = NEVER;
  for (uint32_t step = 0; step < CONTEXT_STEPS; step++, nowUs += STEP_US) {
    bareStep(server, client, nowUs, number);
  }
  const bool met = client.peer != 0 && server.peer != 0;
  hostClose(*server.host);
  hostClose(*client.host);
  return first && client.state == after && met == (after == CLIENT_CONNECTED);
}

}  // namespace

extern "C" void* __wrap_dlsym(void* handle, const char* name) {
  return used ? lookUp(name) : __real_dlsym(handle, name);
}

TEST(aLibraryThatIsIncompleteOrOldIsNotUsed) {
  if (!opensslFound()) return;
  CHECK(apart(Wrong(), [] { return std::strcmp(sealInit(), "evp") == 0 && honest(); }));
  for (const char* name :
       {"OpenSSL_version_num", "EVP_CIPHER_CTX_new", "EVP_CIPHER_CTX_free", "EVP_CipherInit_ex",
        "EVP_CipherUpdate", "EVP_CipherFinal_ex", "EVP_CIPHER_CTX_ctrl", "EVP_chacha20_poly1305",
        "EVP_chacha20", "ERR_clear_error"}) {
    Wrong what;
    what.missing = name;
    CHECK(apart(what, unusable));
  }
  Wrong old;
  old.version = 0x1000200f;
  CHECK(apart(old, unusable));
}

TEST(aLibraryThatAnswersWronglyIsNotUsed) {
  if (!opensslFound()) return;
  for (bool Wrong::*fault :
       {&Wrong::tag, &Wrong::forgery, &Wrong::text, &Wrong::block, &Wrong::blockBytes}) {
    Wrong what;
    what.*fault = true;
    CHECK(apart(what, unusable));
  }
}

TEST(aLibraryThatFailsAtAnyCallIsNotBelieved) {
  if (!opensslFound()) return;
  for (int32_t call = 1; call <= CALLS; call++) {
    Wrong what;
    what.failsIn = call;
    CHECK(apart(what, honest));
  }
  Wrong none;
  none.failsIn = CALLS + 1;
  CHECK(apart(none, [] { return honest() && wrong.failsIn > 0; }));
}

TEST(aConnectionWithoutContextsDoesNotBegin) {
  if (!opensslFound()) return;
  // Sending and receiving, first at the server: it stays silent, and is asked again.
  for (int32_t failsIn : {1, 2}) {
    CHECK(apart(Wrong(), [=] { return told(failsIn, CLIENT_RESPONDING, CLIENT_CONNECTED); }));
  }
  // The client's own: its user hears of the end.
  for (int32_t failsIn : {3, 4}) {
    CHECK(apart(Wrong(), [=] { return told(failsIn, CLIENT_DISCONNECTED, CLIENT_DISCONNECTED); }));
  }
}

#endif  // NETRT_WRAP
