// The ciphers of a foreign library: it may be missing or too old, fail at any call, or answer
// wrongly. A library like that is not used, and one that fails later fails alone.
//
// The provider is chosen once in a process: each case is a process of its own, forked before this
// one has chosen.
#include <dlfcn.h>

#include <cstring>

#include "apart.h"
#include "check.h"
#include "core/provider.h"
#include "couple.h"

#ifdef NETRT_WRAP

extern "C" void* __real_dlsym(void* handle, const char* name);

namespace {

using namespace netrt;
using namespace netrt::test;

constexpr int32_t NEVER = -1;
constexpr int CONTROL_TAG_OUT = 0x10;
// Calls that a whole life of a key takes, with some to spare.
constexpr int32_t CALLS = 160;
constexpr uint32_t CONTEXT_STEPS = 200;
// Of ten steps each: longer than the token's time-out.
constexpr uint32_t SETTLE_ROUNDS = 70;

// What goes wrong, and how often a call may still go well before one fails.
struct Wrong {
  const char* missing = "";
  unsigned long version = 0;
  int32_t failsIn = NEVER;
  bool contexts = false;  // only making a context fails
  bool once = false;      // what fails goes well the next time
  bool aes = false;       // what is wrong is wrong of AES alone
  bool tag = false;
  bool forgery = false;
  bool text = false;
  bool block = false;
  bool blockBytes = false;
  bool lowOrder = false;
  bool shared = false;
  bool sharedBytes = false;
  bool digest = false;
};

Wrong wrong;
void* openssl = nullptr;
bool used = false;
bool deciphers = false;
// The context that was last given AES.
const void* aesContext = nullptr;

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
  if (wrong.failsIn != 0) return false;
  if (wrong.once) wrong.failsIn = NEVER;
  return true;
}

// Whether a fault of the ciphers shows in this context.
bool shows(const void* context) { return !wrong.aes || context == aesContext; }

unsigned long versionNumber() {
  return wrong.version > 0 ? wrong.version : real<unsigned long (*)()>("OpenSSL_version_num")();
}

void* contextNew() { return fails(true) ? nullptr : real<void* (*)()>("EVP_CIPHER_CTX_new")(); }

int init(void* context, const void* cipher, void* engine, const uint8_t* key, const uint8_t* iv,
         int encrypt) {
  if (fails(false)) return 0;
  deciphers = encrypt == 0;
  if (cipher != nullptr && cipher == real<const void* (*)()>("EVP_aes_256_gcm")()) {
    aesContext = context;
  } else if (cipher != nullptr && context == aesContext) {
    aesContext = nullptr;
  }
  return real<decltype(&init)>("EVP_CipherInit_ex")(context, cipher, engine, key, iv, encrypt);
}

int update(void* context, uint8_t* out, int* outBytes, const uint8_t* in, int inBytes) {
  if (fails(false)) return 0;
  const int done = real<decltype(&update)>("EVP_CipherUpdate")(context, out, outBytes, in, inBytes);
  const bool isBlock = out != nullptr && out != in && !deciphers;
  if (wrong.text && shows(context) && deciphers && out != nullptr) out[0] ^= 1;
  if (wrong.block && isBlock) out[0] ^= 1;
  if (wrong.blockBytes && isBlock) *outBytes -= 1;
  return done;
}

int final(void* context, uint8_t* out, int* outBytes) {
  if (fails(false)) return 0;
  const int done = real<decltype(&final)>("EVP_CipherFinal_ex")(context, out, outBytes);
  return wrong.forgery && shows(context) ? 1 : done;
}

int control(void* context, int type, int value, void* pointer) {
  if (fails(false)) return 0;
  const int done = real<decltype(&control)>("EVP_CIPHER_CTX_ctrl")(context, type, value, pointer);
  if (wrong.tag && shows(context) && type == CONTROL_TAG_OUT)
    static_cast<uint8_t*>(pointer)[0] ^= 1;
  return done;
}

// Whatever is only passed on, or fails.
template <typename Result, typename... Arguments>
Result passed(const char* name, Arguments... arguments) {
  if (fails(false)) return Result();
  return real<Result (*)(Arguments...)>(name)(arguments...);
}

void* privateNew(int type, void* engine, const uint8_t* bytes, size_t count) {
  return passed<void*>("EVP_PKEY_new_raw_private_key", type, engine, bytes, count);
}

void* publicNew(int type, void* engine, const uint8_t* bytes, size_t count) {
  return passed<void*>("EVP_PKEY_new_raw_public_key", type, engine, bytes, count);
}

int publicBytes(const void* key, uint8_t* out, size_t* count) {
  return passed<int>("EVP_PKEY_get_raw_public_key", key, out, count);
}

void* agreeNew(void* key, void* engine) { return passed<void*>("EVP_PKEY_CTX_new", key, engine); }

int agreeInit(void* context) { return passed<int>("EVP_PKEY_derive_init", context); }

int agreePeer(void* context, void* key) {
  return passed<int>("EVP_PKEY_derive_set_peer", context, key);
}

int agree(void* context, uint8_t* out, size_t* count) {
  const int done = passed<int>("EVP_PKEY_derive", context, out, count);
  if (wrong.shared) out[0] ^= 1;
  if (wrong.sharedBytes) *count -= 1;
  return wrong.lowOrder ? 1 : done;
}

uint8_t* hmac(const void* digest, const void* key, int keyBytes, const uint8_t* bytes, size_t count,
              uint8_t* out, unsigned int* outBytes) {
  uint8_t* done = passed<uint8_t*>("HMAC", digest, key, keyBytes, bytes, count, out, outBytes);
  if (wrong.digest) out[0] ^= 1;
  return done;
}

template <typename Function>
void* pointerTo(Function function) {
  void* pointer = nullptr;
  std::memcpy(&pointer, &function, sizeof(pointer));
  return pointer;
}

// Every function that the provider looks up; null: the library's own.
struct Entry {
  const char* name;
  void* function;
};

const Entry ENTRIES[] = {{"OpenSSL_version_num", pointerTo(versionNumber)},
                         {"EVP_CIPHER_CTX_new", pointerTo(contextNew)},
                         {"EVP_CIPHER_CTX_free", nullptr},
                         {"EVP_CipherInit_ex", pointerTo(init)},
                         {"EVP_CipherUpdate", pointerTo(update)},
                         {"EVP_CipherFinal_ex", pointerTo(final)},
                         {"EVP_CIPHER_CTX_ctrl", pointerTo(control)},
                         {"EVP_chacha20_poly1305", nullptr},
                         {"EVP_chacha20", nullptr},
                         {"EVP_aes_256_gcm", nullptr},
                         {"EVP_sha256", nullptr},
                         {"HMAC", pointerTo(hmac)},
                         {"EVP_PKEY_new_raw_private_key", pointerTo(privateNew)},
                         {"EVP_PKEY_new_raw_public_key", pointerTo(publicNew)},
                         {"EVP_PKEY_get_raw_public_key", pointerTo(publicBytes)},
                         {"EVP_PKEY_free", nullptr},
                         {"EVP_PKEY_CTX_new", pointerTo(agreeNew)},
                         {"EVP_PKEY_CTX_free", nullptr},
                         {"EVP_PKEY_derive_init", pointerTo(agreeInit)},
                         {"EVP_PKEY_derive_set_peer", pointerTo(agreePeer)},
                         {"EVP_PKEY_derive", pointerTo(agree)},
                         {"ERR_clear_error", nullptr}};

void* lookUp(const char* name) {
  if (std::strcmp(name, wrong.missing) == 0) return nullptr;
  for (const Entry& entry : ENTRIES) {
    if (entry.function != nullptr && std::strcmp(name, entry.name) == 0) return entry.function;
  }
  return __real_dlsym(openssl, name);
}

bool opensslFound() {
  for (const char* name : {"libcrypto.so.3", "libcrypto.so.1.1"}) {
    if (openssl == nullptr) openssl = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }
  return openssl != nullptr;
}

// Runs a case in a process of its own, over a library that goes wrong; whether it said yes.
template <typename Body>
bool apart(const Wrong& what, Body body) {
  return netrt::test::apart("evp", [&] {
    used = true;
    wrong = what;
    return body();
  });
}

// Without a provider nothing opens, and nothing is left open.
bool unusable() {
  Bare side;
  SealKey key;
  SealScratch scratch;
  return sealInit() == nullptr && sealSuites() == SUITES_ALWAYS && !sealKeyOpen(key) &&
         !sealScratchOpen(scratch) && !side.open(ROLE_SERVER);
}

// A packet sealed and opened with a key of a suite: right, or refused.
bool sealsRightly(uint8_t suite) {
  const uint8_t secret[KEY_BYTES] = {1};
  uint8_t bytes[40 + TAG_BYTES] = {3};
  SealKey key;
  if (!sealKeyOpen(key)) return true;
  sealSuiteSet(key, suite, secret, 0);
  const int sealed = sealPacket(key, 7, secret, 2, bytes, 0, 40);
  const int opened = openPacket(key, 7, secret, 2, bytes, 0, 40 + TAG_BYTES);
  sealKeyClear(key);
  const int cleared = sealPacket(key, 7, secret, 2, bytes, 0, 40);
  sealKeyClose(key);
  return cleared == -1 && (opened == -1 || (opened == 40 && sealed > 0 && bytes[0] == 3));
}

// Both sides of a key agreement come to the same secret, or one of them to none.
bool agreesRightly() {
  const uint8_t left[KEY_BYTES] = {5};
  const uint8_t right[KEY_BYTES] = {6};
  uint8_t publics[2][KEY_BYTES];
  uint8_t shared[2][KEY_BYTES];
  uint8_t digest[DIGEST_BYTES];
  const bool known = x25519Public(left, publics[0]) && x25519Public(right, publics[1]);
  if (!known || !x25519Agree(left, publics[1], shared[0])) return true;
  if (!x25519Agree(right, publics[0], shared[1])) return true;
  hmacSha256(shared[0], KEY_BYTES, shared[1], KEY_BYTES, digest);
  return std::memcmp(shared[0], shared[1], KEY_BYTES) == 0;
}

// All that is done with keys. Whatever fails says so: no text comes out wrong, and no packet is
// taken that was not sealed.
bool honest() {
  if (sealInit() == nullptr) return true;
  Bare server;
  if (server.open(ROLE_SERVER)) hostClose(*server.host);
  bool good = sealsRightly(SUITE_CHACHA) && agreesRightly();
  if (sealSuites() != SUITES_ALWAYS) good = good && sealsRightly(SUITE_AES);
  SealScratch scratch;
  const uint8_t secret[KEY_BYTES] = {1};
  const uint8_t nonce24[TOKEN_NONCE_BYTES] = {2};
  uint8_t bytes[40 + TAG_BYTES] = {3};
  if (sealScratchOpen(scratch)) {
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

// Two hosts whose library fails for a while, from the beginning or once they have met: then nothing
// is said, least of all unsealed, and afterwards they go on.
bool silent(bool met) {
  Bare server;
  Bare client;
  uint8_t token[TOKEN_PUBLIC_BYTES];
  if (!server.open(ROLE_SERVER) || !client.open(ROLE_CLIENT)) return false;
  if (!sidesToken(SERVER_PORT, token)) return false;
  uint64_t nowUs = 1000000;
  uint32_t number = 0;
  const auto steps = [&](uint32_t count) {
    for (uint32_t step = 0; step < count; step++, nowUs += STEP_US) {
      if (step % 10 == 0) server.send(20);
      bareStep(server, client, nowUs, number);
    }
    return server.host->page[statsHostWord(HOST_DATAGRAMS_OUT)];
  };
  hostConnect(*client.host, token, nowUs);
  const uint32_t before = steps(met ? CONTEXT_STEPS : 0);
  const uint32_t received = client.received;
  wrong.failsIn = 1;
  const uint32_t during = steps(CONTEXT_STEPS);
  const bool said = during != before || client.received != received;
  wrong.failsIn = NEVER;
  steps(CONTEXT_STEPS);
  const bool good = !said && client.received > received && client.peer != 0;
  hostClose(*server.host);
  hostClose(*client.host);
  return good;
}

// Two hosts, of which one gets no context for the keys that they agree on: both hear why it is
// over.
bool endsWithoutKeys(int32_t failsIn) {
  Couple couple;
  if (!couple.open()) return false;
  wrong.contexts = true;
  wrong.failsIn = failsIn;
  const bool met = couple.meet();
  return !met && couple.client.reason == REASON_RESOURCES;
}

// Two hosts whose library fails at one call of the handshake: what is sent arrives all the same, or
// the client is told.
bool settles(int32_t failsIn) {
  Couple couple;
  if (!couple.open()) return false;
  wrong.once = true;
  wrong.failsIn = failsIn;
  couple.meet();
  for (uint32_t round = 0; round < SETTLE_ROUNDS; round++) {
    couple.server.send(20);
    couple.steps(10);
  }
  const bool told = couple.client.state <= CLIENT_DISCONNECTED;
  return told || (couple.client.state == CLIENT_CONNECTED && couple.client.received > 0);
}

// A packet of the next epoch that opened, where its key finds no context: the key counts with the
// next one.
bool epochWaits() {
  Couple couple;
  if (!couple.open() || !couple.meet()) return false;
  Connection& connection = couple.server.host->connections[0];
  Session& session = connection.session;
  sealKeyClose(session.otherKey);
  session.confirmed = true;
  PacketHeader header;
  header.type = PACKET_SESSION;
  header.sequence = uint64_t{session.receiveEpoch + 1} << EPOCH_BITS;
  const uint32_t epoch = session.receiveEpoch;
  SealKey next;
  if (!sealKeyOpen(next)) return false;
  sealKeySet(next, SIDES_KEY, 0);
  wrong.contexts = true;
  wrong.failsIn = 1;
  sessionOpened(connection, next, header);
  if (session.receiveEpoch != epoch) return false;
  wrong.failsIn = NEVER;
  sessionOpened(connection, next, header);
  sealKeyClose(next);
  return session.receiveEpoch == epoch + 1 &&
         std::memcmp(connection.receiveKey.bytes, SIDES_KEY, KEY_BYTES) == 0;
}

}  // namespace

extern "C" void* __wrap_dlsym(void* handle, const char* name) {
  return used ? lookUp(name) : __real_dlsym(handle, name);
}

TEST(aLibraryThatIsIncompleteOrOldIsNotUsed) {
  if (!opensslFound()) return;
  CHECK(apart(Wrong(), [] { return std::strcmp(sealInit(), "evp") == 0 && honest(); }));
  for (const Entry& entry : ENTRIES) {
    Wrong what;
    what.missing = entry.name;
    CHECK(apart(what, unusable));
  }
  Wrong old;
  old.version = 0x1000200f;
  CHECK(apart(old, unusable));
}

TEST(aLibraryThatAnswersWronglyIsNotUsed) {
  if (!opensslFound()) return;
  for (bool Wrong::*fault :
       {&Wrong::tag, &Wrong::forgery, &Wrong::text, &Wrong::block, &Wrong::blockBytes,
        &Wrong::lowOrder, &Wrong::shared, &Wrong::sharedBytes, &Wrong::digest}) {
    Wrong what;
    what.*fault = true;
    CHECK(apart(what, unusable));
  }
}

TEST(aLibraryWhoseAesIsWrongIsUsedWithoutIt) {
  if (!opensslFound()) return;
  for (bool Wrong::*fault : {&Wrong::tag, &Wrong::forgery, &Wrong::text}) {
    Wrong what;
    what.*fault = true;
    what.aes = true;
    CHECK(apart(what, [] { return sealInit() != nullptr && sealSuites() == SUITES_ALWAYS; }));
  }
}

TEST(aLibraryThatFailsAtAnyCallIsNotBelieved) {
  if (!opensslFound()) return;
  for (int32_t call = 1; call <= CALLS; call++) {
    Wrong what;
    what.failsIn = call;
    CHECK(apart(what, honest));
    what.once = true;
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

TEST(aConnectionWithoutAContextForItsOwnKeysEndsForThatReason) {
  if (!opensslFound()) return;
  // The server's, then the client's.
  for (int32_t failsIn : {5, 6}) {
    CHECK(apart(Wrong(), [=] { return endsWithoutKeys(failsIn); }));
  }
}

TEST(aHandshakeOutlivesACallThatFails) {
  if (!opensslFound()) return;
  for (int32_t call = 1; call <= CALLS; call++) {
    CHECK(apart(Wrong(), [=] { return settles(call); }));
  }
}

TEST(anEpochWithoutAContextForItsKeyWaits) {
  if (!opensslFound()) return;
  CHECK(apart(Wrong(), epochWaits));
}

TEST(aLibraryThatFailsForAWhileIsSilence) {
  if (!opensslFound()) return;
  for (bool met : {false, true}) CHECK(apart(Wrong(), [met] { return silent(met); }));
}

#endif  // NETRT_WRAP
