// The layouts of tokens: see token.h.
#include "core/token.h"

#include "core/bytes.h"
#include "core/packet.h"

namespace netrt {

namespace {

// Whether the next bytes are the standard's version text; whoever asks has looked that they are
// there.
bool readVersion(Reader& reader) {
  bool same = true;
  for (size_t index = 0; index < VERSION_BYTES; index++) {
    if (readU8(reader) != VERSION_INFO[index]) same = false;
  }
  return same;
}

bool readServers(Reader& reader, Address* servers, uint32_t& serverCount) {
  const uint32_t count = readU32(reader);
  if (count < 1 || count > TOKEN_SERVERS_MAX) return false;
  for (uint32_t index = 0; index < count; index++) {
    if (!addressRead(reader, servers[index])) return false;
  }
  serverCount = count;
  return true;
}

void writeServers(Writer& writer, const Address* servers, uint32_t serverCount) {
  if (serverCount < 1 || serverCount > TOKEN_SERVERS_MAX) {
    writerFail(writer);
    return;
  }
  writeU32(writer, serverCount);
  for (uint32_t index = 0; index < serverCount; index++) {
    addressWrite(writer, servers[index]);
  }
}

// Fills the rest up to `end` with zeros.
void pad(Writer& writer) { writeZeros(writer, writer.end - writer.offset); }

}  // namespace

// ---- Private connect token ----

bool tokenPrivateWrite(const PrivateToken& token, uint8_t* bytes, size_t offset) {
  Writer writer;
  writerSet(writer, bytes, offset, offset + TOKEN_PRIVATE_BYTES);
  writeU64(writer, token.clientId);
  writeU32(writer, static_cast<uint32_t>(token.timeoutSeconds));
  writeServers(writer, token.servers, token.serverCount);
  writeBytes(writer, token.clientToServerKey, 0, KEY_BYTES);
  writeBytes(writer, token.serverToClientKey, 0, KEY_BYTES);
  writeBytes(writer, token.userData, 0, USER_DATA_BYTES);
  pad(writer);
  return !writer.failed;
}

bool tokenPrivateRead(const uint8_t* bytes, size_t offset, size_t length, PrivateToken& token) {
  token.serverCount = 0;
  if (length != TOKEN_PRIVATE_PLAIN_BYTES) return false;
  Reader reader;
  readerSet(reader, bytes, offset, offset + length);
  token.clientId = readU64(reader);
  token.timeoutSeconds = static_cast<int32_t>(readU32(reader));
  if (!readServers(reader, token.servers, token.serverCount)) return false;
  readBytes(reader, token.clientToServerKey, 0, KEY_BYTES);
  readBytes(reader, token.serverToClientKey, 0, KEY_BYTES);
  readBytes(reader, token.userData, 0, USER_DATA_BYTES);
  return !reader.failed;
}

void tokenAssociatedData(uint64_t protocolId, uint64_t expireTimestamp, uint8_t* out) {
  Writer writer;
  writerSet(writer, out, 0, TOKEN_ASSOCIATED_BYTES);
  writeBytes(writer, VERSION_INFO, 0, VERSION_BYTES);
  writeU64(writer, protocolId);
  writeU64(writer, expireTimestamp);
}

// ---- Connect token ----

bool tokenPublicWrite(const ConnectToken& token, uint8_t* bytes, size_t offset) {
  Writer writer;
  writerSet(writer, bytes, offset, offset + TOKEN_PUBLIC_BYTES);
  writeBytes(writer, VERSION_INFO, 0, VERSION_BYTES);
  writeU64(writer, token.protocolId);
  writeU64(writer, token.createTimestamp);
  writeU64(writer, token.expireTimestamp);
  writeBytes(writer, token.nonce, 0, TOKEN_NONCE_BYTES);
  writeBytes(writer, token.privateBytes, 0, TOKEN_PRIVATE_BYTES);
  writeU32(writer, static_cast<uint32_t>(token.timeoutSeconds));
  writeServers(writer, token.servers, token.serverCount);
  writeBytes(writer, token.clientToServerKey, 0, KEY_BYTES);
  writeBytes(writer, token.serverToClientKey, 0, KEY_BYTES);
  pad(writer);
  return !writer.failed;
}

bool tokenPublicRead(const uint8_t* bytes, size_t offset, size_t length, ConnectToken& token) {
  token.serverCount = 0;
  if (length != TOKEN_PUBLIC_BYTES) return false;
  Reader reader;
  readerSet(reader, bytes, offset, offset + length);
  if (!readVersion(reader)) return false;
  token.protocolId = readU64(reader);
  token.createTimestamp = readU64(reader);
  token.expireTimestamp = readU64(reader);
  if (token.createTimestamp > token.expireTimestamp) return false;
  readBytes(reader, token.nonce, 0, TOKEN_NONCE_BYTES);
  readBytes(reader, token.privateBytes, 0, TOKEN_PRIVATE_BYTES);
  token.timeoutSeconds = static_cast<int32_t>(readU32(reader));
  if (!readServers(reader, token.servers, token.serverCount)) return false;
  readBytes(reader, token.clientToServerKey, 0, KEY_BYTES);
  readBytes(reader, token.serverToClientKey, 0, KEY_BYTES);
  return !reader.failed;
}

// ---- Challenge token ----

bool tokenChallengeWrite(const ChallengeToken& token, uint8_t* bytes, size_t offset) {
  Writer writer;
  writerSet(writer, bytes, offset, offset + CHALLENGE_TOKEN_BYTES);
  writeU64(writer, token.clientId);
  writeBytes(writer, token.userData, 0, USER_DATA_BYTES);
  pad(writer);
  return !writer.failed;
}

bool tokenChallengeRead(const uint8_t* bytes, size_t offset, size_t length, ChallengeToken& token) {
  if (length != CHALLENGE_TOKEN_PLAIN_BYTES) return false;
  Reader reader;
  readerSet(reader, bytes, offset, offset + length);
  token.clientId = readU64(reader);
  return readBytes(reader, token.userData, 0, USER_DATA_BYTES);
}

// ---- Connection request ----

bool requestWrite(const ConnectToken& token, uint8_t* bytes, size_t offset) {
  Writer writer;
  writerSet(writer, bytes, offset, offset + REQUEST_BYTES);
  writeU8(writer, PACKET_REQUEST);
  writeBytes(writer, VERSION_INFO, 0, VERSION_BYTES);
  writeU64(writer, token.protocolId);
  writeU64(writer, token.expireTimestamp);
  writeBytes(writer, token.nonce, 0, TOKEN_NONCE_BYTES);
  writeBytes(writer, token.privateBytes, 0, TOKEN_PRIVATE_BYTES);
  return !writer.failed;
}

bool requestRead(const uint8_t* bytes, size_t offset, size_t length, Request& request) {
  if (length != REQUEST_BYTES) return false;
  Reader reader;
  readerSet(reader, bytes, offset, offset + length);
  if (readU8(reader) != PACKET_REQUEST) return false;
  if (!readVersion(reader)) return false;
  request.protocolId = readU64(reader);
  request.expireTimestamp = readU64(reader);
  readBytes(reader, request.nonce, 0, TOKEN_NONCE_BYTES);
  request.privateOffset = reader.offset;
  return readSkip(reader, TOKEN_PRIVATE_BYTES);
}

}  // namespace netrt
