// Owns the probe of the codec half of the core: test/probe.ts names the same calls and says what
// their arguments are. Never keeps anything between calls but opened seal keys, which the test's
// handle owns.
#include <cstring>

#include "addon/probe.h"
#include "addon/probe_standin.h"
#include "core/address.h"
#include "core/bytes.h"
#include "core/hash.h"
#include "core/hkdf.h"
#include "core/packet.h"
#include "core/provider.h"
#include "core/replay.h"
#include "core/seal.h"
#include "core/sequence.h"
#include "core/sip.h"
#include "core/token.h"

namespace netrt {

namespace {

using Info = Napi::CallbackInfo;
using Napi::Boolean;
using Napi::Number;
using Napi::Value;

// ---- bytes ----

// Operations of a program, as test/probe.ts numbers them.
enum Operation : uint32_t {
  OPERATION_U8,
  OPERATION_U16,
  OPERATION_U32,
  OPERATION_VARINT,
  OPERATION_BITS,
  OPERATION_ALIGN,
  OPERATION_SKIP,
  OPERATION_BYTES,
};

uint32_t readOne(Reader& reader, uint32_t operation, uint32_t count, uint8_t* copy) {
  switch (operation) {
    case OPERATION_U8:
      return readU8(reader);
    case OPERATION_U16:
      return readU16(reader);
    case OPERATION_U32:
      return readU32(reader);
    case OPERATION_VARINT:
      return readVarint(reader);
    case OPERATION_BITS:
      return readBits(reader, count);
    case OPERATION_ALIGN:
      readAlign(reader);
      return 0;
    case OPERATION_SKIP:
      return readSkip(reader, count) ? 1 : 0;
    default:
      return readBytes(reader, copy, 0, count) ? 1 : 0;
  }
}

void writeOne(Writer& writer, uint32_t operation, uint32_t value, uint32_t count,
              const uint8_t* source) {
  switch (operation) {
    case OPERATION_U8:
      return writeU8(writer, static_cast<uint8_t>(value));
    case OPERATION_U16:
      return writeU16(writer, static_cast<uint16_t>(value));
    case OPERATION_U32:
      return writeU32(writer, value);
    case OPERATION_VARINT:
      return writeVarint(writer, value);
    case OPERATION_BITS:
      return writeBits(writer, value, count);
    case OPERATION_ALIGN:
      return writeAlign(writer);
    case OPERATION_SKIP:
      return writeZeros(writer, count);
    default:
      return writeBytes(writer, source, 0, count);
  }
}

template <typename Cursor>
void stateOut(const Cursor& cursor, uint32_t* state) {
  state[0] = static_cast<uint32_t>(cursor.offset);
  state[1] = cursor.bitOffset;
  state[2] = cursor.failed ? 1 : 0;
}

void readProgram(const Info& info) {
  const uint32_t* program = probeWords(info, 0);
  Reader reader;
  readerSet(reader, probeBytes(info, 1), probeU32(info, 2), probeU32(info, 3));
  for (size_t index = 0; index < probeLength(info, 0) / 3; index++) {
    const uint32_t* step = program + 3 * index;
    probeWords(info, 5)[index] = readOne(reader, step[0], step[2], probeBytes(info, 4));
  }
  stateOut(reader, probeWords(info, 6));
}

void writeProgram(const Info& info) {
  const uint32_t* program = probeWords(info, 0);
  Writer writer;
  writerSet(writer, probeBytes(info, 1), probeU32(info, 2), probeU32(info, 3));
  for (size_t index = 0; index < probeLength(info, 0) / 3; index++) {
    const uint32_t* step = program + 3 * index;
    writeOne(writer, step[0], step[1], step[2], probeBytes(info, 4));
  }
  stateOut(writer, probeWords(info, 5));
}

void bytesInit(Napi::Object exports) {
  probeExport(exports, "readProgram", readProgram);
  probeExport(exports, "writeProgram", writeProgram);
  probeExport(exports, "varintBytes", [](const Info& info) -> Value {
    return Number::New(info.Env(), static_cast<double>(varintBytes(probeU32(info, 0))));
  });
  probeExport(exports, "hash32", [](const Info& info) -> Value {
    return Number::New(info.Env(), hash32(probeBytes(info, 0), probeU32(info, 1), probeU32(info, 2),
                                          probeU32(info, 3)));
  });
  probeExport(exports, "sipHash", [](const Info& info) -> Value {
    return Number::New(info.Env(),
                       sipHash(probeWords(info, 0), probeWords(info, 1), probeU32(info, 2)));
  });
  probeExport(exports, "sequenceNewer16", [](const Info& info) -> Value {
    return Boolean::New(info.Env(), sequenceNewer16(static_cast<uint16_t>(probeU32(info, 0)),
                                                    static_cast<uint16_t>(probeU32(info, 1))));
  });
  probeExport(exports, "sequenceExpand16", [](const Info& info) -> Value {
    const int64_t reference = info[1].As<Number>().Int64Value();
    return Number::New(
        info.Env(), static_cast<double>(sequenceExpand16(static_cast<uint16_t>(probeU32(info, 0)),
                                                         static_cast<uint64_t>(reference))));
  });
}

// ---- address ----

// Words of an address: type, port, a, b, c, d.
constexpr size_t ADDRESS_WORDS = 6;

Address addressIn(const uint32_t* words) {
  Address address;
  address.type = static_cast<uint8_t>(words[0]);
  address.port = static_cast<uint16_t>(words[1]);
  address.a = words[2];
  address.b = words[3];
  address.c = words[4];
  address.d = words[5];
  return address;
}

void addressOut(const Address& address, uint32_t* words) {
  words[0] = address.type;
  words[1] = address.port;
  words[2] = address.a;
  words[3] = address.b;
  words[4] = address.c;
  words[5] = address.d;
}

void addressInit(Napi::Object exports) {
  probeExport(exports, "addressRead", [](const Info& info) -> Value {
    Reader reader;
    readerSet(reader, probeBytes(info, 0), probeU32(info, 1), probeU32(info, 2));
    Address address;
    const bool read = addressRead(reader, address);
    addressOut(address, probeWords(info, 3));
    return Number::New(info.Env(), read ? static_cast<double>(reader.offset) : -1);
  });
  probeExport(exports, "addressWrite", [](const Info& info) -> Value {
    Writer writer;
    writerSet(writer, probeBytes(info, 1), probeU32(info, 2), probeU32(info, 3));
    addressWrite(writer, addressIn(probeWords(info, 0)));
    return Number::New(info.Env(), writer.failed ? -1 : static_cast<double>(writer.offset));
  });
  probeExport(exports, "addressEqual", [](const Info& info) -> Value {
    return Boolean::New(
        info.Env(), addressEqual(addressIn(probeWords(info, 0)), addressIn(probeWords(info, 1))));
  });
  probeExport(exports, "addressHash", [](const Info& info) -> Value {
    return Number::New(info.Env(),
                       addressHash(addressIn(probeWords(info, 0)), probeWords(info, 1)));
  });
}

// ---- packet and replay ----

void replayRun(const Info& info) {
  const uint32_t* sequences = probeWords(info, 0);
  const uint8_t* advances = probeBytes(info, 1);
  uint8_t* results = probeBytes(info, 2);
  ReplayWindow window;
  replayReset(window);
  for (size_t index = 0; index < probeLength(info, 1); index++) {
    const uint64_t sequence = sequences[2 * index] | (uint64_t{sequences[2 * index + 1]} << 32);
    results[index] = replayTest(window, sequence) ? 1 : 0;
    if (advances[index] != 0) replayAdvance(window, sequence);
  }
}

void packetInit(Napi::Object exports) {
  probeExport(exports, "replayRun", replayRun);
  probeExport(exports, "packetHeaderRead", [](const Info& info) -> Value {
    PacketHeader header;
    const int reason =
        packetHeaderRead(probeBytes(info, 0), probeU32(info, 1), probeU32(info, 2), header);
    uint32_t* words = probeWords(info, 3);
    words[0] = header.type;
    words[1] = static_cast<uint32_t>(header.sequence);
    words[2] = static_cast<uint32_t>(header.sequence >> 32);
    words[3] = static_cast<uint32_t>(header.bytes);
    return Number::New(info.Env(), reason);
  });
  probeExport(exports, "packetHeaderWrite", [](const Info& info) -> Value {
    const size_t count =
        packetHeaderWrite(static_cast<uint8_t>(probeU32(info, 0)), probeU64(info, 1),
                          probeBytes(info, 3), probeU32(info, 4));
    return Number::New(info.Env(), static_cast<double>(count));
  });
  probeExport(exports, "sessionHeaderWrite", [](const Info& info) -> Value {
    const size_t count =
        sessionHeaderWrite(probeU32(info, 0), probeBytes(info, 1), probeU32(info, 2));
    return Number::New(info.Env(), static_cast<double>(count));
  });
  probeExport(exports, "packetAssociatedData", [](const Info& info) {
    packetAssociatedData(probeU64(info, 0), static_cast<uint8_t>(probeU32(info, 2)),
                         probeBytes(info, 3));
  });
  probeExport(exports, "packetBodyValid", [](const Info& info) -> Value {
    return Boolean::New(
        info.Env(), packetBodyValid(static_cast<uint8_t>(probeU32(info, 0)), probeU32(info, 1)));
  });
}

// ---- seal ----

Value nameOut(Napi::Env env, const char* name) {
  return name == nullptr ? env.Null() : Napi::String::New(env, name);
}

SealKey& keyIn(const Info& info) { return *info[0].As<Napi::External<SealKey>>().Data(); }

Value keyOpen(const Info& info) {
  SealKey* key = new SealKey();
  if (!sealKeyOpen(*key)) {
    delete key;
    return info.Env().Null();
  }
  return Napi::External<SealKey>::New(info.Env(), key, [](Napi::BasicEnv, SealKey* data) {
    sealKeyClose(*data);
    delete data;
  });
}

using Aead = int (*)(SealKey&, const uint8_t*, const uint8_t*, size_t, uint8_t*, size_t, size_t);

template <Aead FUNCTION>
Value aead(const Info& info) {
  return Number::New(info.Env(), FUNCTION(keyIn(info), probeBytes(info, 1), probeBytes(info, 2),
                                          probeLength(info, 2), probeBytes(info, 3),
                                          probeU32(info, 4), probeU32(info, 5)));
}

using Packet = int (*)(SealKey&, uint64_t, const uint8_t*, size_t, uint8_t*, size_t, size_t);

template <Packet FUNCTION>
Value packet(const Info& info) {
  return Number::New(info.Env(), FUNCTION(keyIn(info), probeU64(info, 1), probeBytes(info, 3),
                                          probeLength(info, 3), probeBytes(info, 4),
                                          probeU32(info, 5), probeU32(info, 6)));
}

using Token = int (*)(SealScratch&, const uint8_t*, const uint8_t*, const uint8_t*, size_t,
                      uint8_t*, size_t, size_t);

template <Token FUNCTION>
Value token(const Info& info) {
  SealScratch scratch;
  if (!sealScratchOpen(scratch)) return Number::New(info.Env(), -1);
  const int result =
      FUNCTION(scratch, probeBytes(info, 0), probeBytes(info, 1), probeBytes(info, 2),
               probeLength(info, 2), probeBytes(info, 3), probeU32(info, 4), probeU32(info, 5));
  sealScratchClose(scratch);
  return Number::New(info.Env(), result);
}

using Block = bool (*)(SealScratch&, const uint8_t*, const uint8_t*, uint8_t*);

template <Block FUNCTION, size_t BYTES>
Value block(const Info& info) {
  SealScratch scratch;
  if (!sealScratchOpen(scratch)) return info.Env().Null();
  Napi::Uint8Array out = Napi::Uint8Array::New(info.Env(), BYTES);
  FUNCTION(scratch, probeBytes(info, 0), probeBytes(info, 1), out.Data());
  sealScratchClose(scratch);
  return out;
}

void keysInit(Napi::Object exports) {
  probeExport(exports, "x25519Public", [](const Info& info) -> Value {
    return Boolean::New(info.Env(), x25519Public(probeBytes(info, 0), probeBytes(info, 1)));
  });
  probeExport(exports, "x25519Agree", [](const Info& info) -> Value {
    return Boolean::New(info.Env(),
                        x25519Agree(probeBytes(info, 0), probeBytes(info, 1), probeBytes(info, 2)));
  });
  probeExport(exports, "hmacSha256", [](const Info& info) {
    hmacSha256(probeBytes(info, 0), probeLength(info, 0), probeBytes(info, 1), probeLength(info, 1),
               probeBytes(info, 2));
  });
  probeExport(exports, "hkdfExtract", [](const Info& info) {
    hkdfExtract(probeBytes(info, 0), probeLength(info, 0), probeBytes(info, 1),
                probeLength(info, 1), probeBytes(info, 2));
  });
  probeExport(exports, "hkdfExpand", [](const Info& info) {
    hkdfExpand(probeBytes(info, 0), probeBytes(info, 1), probeLength(info, 1), probeBytes(info, 2),
               probeLength(info, 2));
  });
}

void sealInitExports(Napi::Object exports) {
  probeExport(exports, "sealInit",
              [](const Info& info) -> Value { return nameOut(info.Env(), sealInit()); });
  probeExport(exports, "sealProviderName",
              [](const Info& info) -> Value { return nameOut(info.Env(), sealProviderName()); });
  probeExport(exports, "standIn",
              [](const Info& info) { standIn(info[0].As<Napi::Boolean>().Value()); });
  probeExport(exports, "sealKeyOpen", keyOpen);
  probeExport(exports, "sealKeySet", [](const Info& info) {
    sealKeySet(keyIn(info), probeBytes(info, 1), probeU32(info, 2));
  });
  probeExport(exports, "sealSuiteSet", [](const Info& info) {
    sealSuiteSet(keyIn(info), static_cast<uint8_t>(probeU32(info, 1)), probeBytes(info, 2),
                 probeU32(info, 3));
  });
  probeExport(exports, "sealKeyClear", [](const Info& info) { sealKeyClear(keyIn(info)); });
  probeExport(exports, "aeadSeal", aead<aeadSeal>);
  probeExport(exports, "aeadOpen", aead<aeadOpen>);
  probeExport(exports, "sealPacket", packet<sealPacket>);
  probeExport(exports, "openPacket", packet<openPacket>);
  probeExport(exports, "sealToken", token<sealToken>);
  probeExport(exports, "openToken", token<openToken>);
  probeExport(exports, "chachaBlock", block<chachaBlock, BLOCK_BYTES>);
  probeExport(exports, "hchacha", block<hchacha, KEY_BYTES>);
  keysInit(exports);
}

// ---- token ----

// Walks the words and bytes of a token's fields, in the order of its struct.
struct Fields {
  uint32_t* words;
  uint8_t* bytes;
};

void moveU64(Fields& fields, uint64_t& value, bool out) {
  if (out) {
    fields.words[0] = static_cast<uint32_t>(value);
    fields.words[1] = static_cast<uint32_t>(value >> 32);
  } else {
    value = fields.words[0] | (uint64_t{fields.words[1]} << 32);
  }
  fields.words += 2;
}

void moveBytes(Fields& fields, uint8_t* value, size_t count, bool out) {
  if (out) {
    std::memcpy(fields.bytes, value, count);
  } else {
    std::memcpy(value, fields.bytes, count);
  }
  fields.bytes += count;
}

template <typename Servers>
void moveServers(Fields& fields, Servers& token, bool out) {
  if (out) {
    fields.words[0] = static_cast<uint32_t>(token.timeoutSeconds);
    fields.words[1] = token.serverCount;
  } else {
    token.timeoutSeconds = static_cast<int32_t>(fields.words[0]);
    token.serverCount = fields.words[1];
  }
  fields.words += 2;
  for (Address& server : token.servers) {
    if (out) {
      addressOut(server, fields.words);
    } else {
      server = addressIn(fields.words);
    }
    fields.words += ADDRESS_WORDS;
  }
}

void moveToken(Fields fields, PrivateToken& token, bool out) {
  moveU64(fields, token.clientId, out);
  moveServers(fields, token, out);
  moveBytes(fields, token.clientToServerKey, KEY_BYTES, out);
  moveBytes(fields, token.serverToClientKey, KEY_BYTES, out);
  moveBytes(fields, token.userData, USER_DATA_BYTES, out);
}

void moveToken(Fields fields, ConnectToken& token, bool out) {
  moveU64(fields, token.protocolId, out);
  moveU64(fields, token.createTimestamp, out);
  moveU64(fields, token.expireTimestamp, out);
  moveServers(fields, token, out);
  moveBytes(fields, token.nonce, TOKEN_NONCE_BYTES, out);
  moveBytes(fields, token.privateBytes, TOKEN_PRIVATE_BYTES, out);
  moveBytes(fields, token.clientToServerKey, KEY_BYTES, out);
  moveBytes(fields, token.serverToClientKey, KEY_BYTES, out);
}

void moveToken(Fields fields, ChallengeToken& token, bool out) {
  moveU64(fields, token.clientId, out);
  moveBytes(fields, token.userData, USER_DATA_BYTES, out);
}

void moveToken(Fields fields, Request& request, bool out) {
  moveU64(fields, request.protocolId, out);
  moveU64(fields, request.expireTimestamp, out);
  fields.words[0] = static_cast<uint32_t>(request.privateOffset);
  moveBytes(fields, request.nonce, TOKEN_NONCE_BYTES, out);
}

// (words, blob, bytes, offset) -> whether it was written.
template <typename Token, bool (*WRITE)(const Token&, uint8_t*, size_t)>
Value tokenWrite(const Info& info) {
  Token token;
  moveToken({probeWords(info, 0), probeBytes(info, 1)}, token, false);
  return Boolean::New(info.Env(), WRITE(token, probeBytes(info, 2), probeU32(info, 3)));
}

// (bytes, offset, length, words, blob) -> whether it was read.
template <typename Token, bool (*READ)(const uint8_t*, size_t, size_t, Token&)>
Value tokenRead(const Info& info) {
  Token token;
  if (!READ(probeBytes(info, 0), probeU32(info, 1), probeU32(info, 2), token)) {
    return Boolean::New(info.Env(), false);
  }
  moveToken({probeWords(info, 3), probeBytes(info, 4)}, token, true);
  return Boolean::New(info.Env(), true);
}

void tokenInit(Napi::Object exports) {
  probeExport(exports, "tokenPrivateWrite", tokenWrite<PrivateToken, tokenPrivateWrite>);
  probeExport(exports, "tokenPrivateRead", tokenRead<PrivateToken, tokenPrivateRead>);
  probeExport(exports, "tokenPublicWrite", tokenWrite<ConnectToken, tokenPublicWrite>);
  probeExport(exports, "tokenPublicRead", tokenRead<ConnectToken, tokenPublicRead>);
  probeExport(exports, "tokenChallengeWrite", tokenWrite<ChallengeToken, tokenChallengeWrite>);
  probeExport(exports, "tokenChallengeRead", tokenRead<ChallengeToken, tokenChallengeRead>);
  probeExport(exports, "requestWrite", tokenWrite<ConnectToken, requestWrite>);
  probeExport(exports, "requestRead", tokenRead<Request, requestRead>);
  probeExport(exports, "tokenAssociatedData", [](const Info& info) {
    tokenAssociatedData(probeU64(info, 0), probeU64(info, 2), probeBytes(info, 4));
  });
}

}  // namespace

void probeCodecInit(Napi::Object exports) {
  bytesInit(exports);
  addressInit(exports);
  packetInit(exports);
  sealInitExports(exports);
  tokenInit(exports);
}

}  // namespace netrt
