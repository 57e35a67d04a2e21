// Owns the provider that uses the OpenSSL which the running process already has (Node's own).
// Never links OpenSSL and never includes its headers: a symbol that is referenced and missing kills
// the process at its first call, and other runtimes have none. The functions are looked up by name
// at first use, all or nothing; their prototypes are those of OpenSSL 1.1.0 and later.
// Invariants: one context for each key, made and given its cipher once; a packet changes the nonce
// and the direction only, which allocates nothing.
#include <cstring>

#include "core/provider.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace netrt {

namespace {

// EVP_CTRL_AEAD_GET_TAG and EVP_CTRL_AEAD_SET_TAG.
constexpr int CONTROL_TAG_OUT = 0x10;
constexpr int CONTROL_TAG_IN = 0x11;
// 1.1.0: the first with both ciphers.
constexpr unsigned long VERSION_MIN = 0x10100000ul;

struct Evp {
  unsigned long (*versionNumber)();
  void* (*contextNew)();
  void (*contextFree)(void* context);
  int (*init)(void* context, const void* cipher, void* engine, const uint8_t* key,
              const uint8_t* iv, int encrypt);
  int (*update)(void* context, uint8_t* out, int* outBytes, const uint8_t* in, int inBytes);
  int (*final)(void* context, uint8_t* out, int* outBytes);
  int (*control)(void* context, int type, int value, void* pointer);
  const void* (*aeadCipher)();
  const void* (*streamCipher)();
  void (*errorsClear)();
};

template <typename Function>
bool find(Function& function, const char* name) {
#ifdef _WIN32
  void* symbol = reinterpret_cast<void*>(GetProcAddress(GetModuleHandleA(nullptr), name));
#else
  void* symbol = dlsym(RTLD_DEFAULT, name);
#endif
  static_assert(sizeof(symbol) == sizeof(function), "a function's address is a pointer");
  std::memcpy(&function, &symbol, sizeof(symbol));
  return symbol != nullptr;
}

struct Library {
  Evp evp = {};
  bool found = false;

  Library() {
    found = find(evp.versionNumber, "OpenSSL_version_num") && evp.versionNumber() >= VERSION_MIN &&
            find(evp.contextNew, "EVP_CIPHER_CTX_new") &&
            find(evp.contextFree, "EVP_CIPHER_CTX_free") && find(evp.init, "EVP_CipherInit_ex") &&
            find(evp.update, "EVP_CipherUpdate") && find(evp.final, "EVP_CipherFinal_ex") &&
            find(evp.control, "EVP_CIPHER_CTX_ctrl") &&
            find(evp.aeadCipher, "EVP_chacha20_poly1305") &&
            find(evp.streamCipher, "EVP_chacha20") && find(evp.errorsClear, "ERR_clear_error");
  }
};

// Looked up once in the process and constant from then on.
const Library& library() {
  static const Library found;
  return found;
}

const Evp& evp() { return library().evp; }

// Node reads the thread's error queue after its own calls: ours must not be found there.
bool fail() {
  evp().errorsClear();
  return false;
}

void* contextOpen(const void* cipher) {
  const uint8_t zeros[KEY_BYTES] = {};
  void* context = evp().contextNew();
  if (context == nullptr) return nullptr;
  if (evp().init(context, cipher, nullptr, zeros, zeros, 1) == 1) return context;
  evp().contextFree(context);
  fail();
  return nullptr;
}

bool keyOpen(SealKey& key) {
  key.context = contextOpen(evp().aeadCipher());
  return key.context != nullptr;
}

void keyClose(SealKey& key) {
  evp().contextFree(key.context);
  key.context = nullptr;
}

bool keySet(SealKey& key) {
  const uint8_t nonce[NONCE_BYTES] = {};
  return evp().init(key.context, nullptr, nullptr, key.bytes, nonce, 1) == 1 || fail();
}

bool feed(void* context, const uint8_t* associated, size_t associatedBytes, uint8_t* out,
          const uint8_t* in, size_t length) {
  int count = 0;
  if (associatedBytes > 0 &&
      evp().update(context, nullptr, &count, associated, static_cast<int>(associatedBytes)) != 1) {
    return false;
  }
  return length == 0 || evp().update(context, out, &count, in, static_cast<int>(length)) == 1;
}

bool seal(SealKey& key, const uint8_t* nonce, const uint8_t* associated, size_t associatedBytes,
          uint8_t* bytes, size_t length) {
  int count = 0;
  uint8_t rest[BLOCK_BYTES];
  const bool sealed = evp().init(key.context, nullptr, nullptr, nullptr, nonce, 1) == 1 &&
                      feed(key.context, associated, associatedBytes, bytes, bytes, length) &&
                      evp().final(key.context, rest, &count) == 1 &&
                      evp().control(key.context, CONTROL_TAG_OUT, TAG_BYTES, bytes + length) == 1;
  return sealed || fail();
}

bool open(SealKey& key, const uint8_t* nonce, const uint8_t* associated, size_t associatedBytes,
          uint8_t* bytes, size_t length) {
  int count = 0;
  uint8_t rest[BLOCK_BYTES];
  // EVP deciphers before it knows whether the tag fits; `bytes` must not see what does not.
  uint8_t body[PAYLOAD_BYTES_MAX];
  const bool opened = evp().init(key.context, nullptr, nullptr, nullptr, nonce, 0) == 1 &&
                      evp().control(key.context, CONTROL_TAG_IN, TAG_BYTES, bytes + length) == 1 &&
                      feed(key.context, associated, associatedBytes, body, bytes, length) &&
                      evp().final(key.context, rest, &count) == 1;
  if (!opened) return fail();
  if (length > 0) std::memcpy(bytes, body, length);
  return true;
}

bool blockOpen(void** context) {
  *context = contextOpen(evp().streamCipher());
  return *context != nullptr;
}

void blockClose(void* context) { evp().contextFree(context); }

bool block(void* context, const uint8_t* key, const uint8_t* iv, uint8_t* out) {
  const uint8_t zeros[BLOCK_BYTES] = {};
  int count = 0;
  return (evp().init(context, nullptr, nullptr, key, iv, 1) == 1 &&
          evp().update(context, out, &count, zeros, BLOCK_BYTES) == 1 && count == BLOCK_BYTES) ||
         fail();
}

constexpr SealProvider PROVIDER = {"evp", keyOpen,   keyClose,   keySet, seal,
                                   open,  blockOpen, blockClose, block};

}  // namespace

const SealProvider* evpProvider() { return library().found ? &PROVIDER : nullptr; }

}  // namespace netrt
