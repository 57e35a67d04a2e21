// The way between two peers: see path.h.
#include "core/path.h"

#include <algorithm>
#include <cstring>

#include "core/frame.h"
#include "core/seal.h"

namespace netrt {

namespace {

// What is drawn from the host's seed, beside what session draws: this, the slot's handle, a number.
constexpr uint8_t DRAW_PROOF = 2;
constexpr size_t DRAW_BYTES = 1 + 4 + 8;

bool proofEqual(const Path& path, const uint8_t* bytes, size_t offset) {
  uint8_t difference = 0;
  for (size_t index = 0; index < PATH_PROOF_BYTES; index++) {
    difference |= path.proof[index] ^ bytes[offset + index];
  }
  return difference == 0;
}

// How long a client waits for an ack before its address may have changed.
uint64_t silenceUs(const Rtt& rtt) {
  const uint64_t roundUs = uint64_t{rtt.smoothedUs} + 4 * uint64_t{rtt.varianceUs};
  const uint64_t waitUs = 2 * roundUs + rtt.heldUs;
  return std::min(std::max(waitUs, PATH_SILENCE_MIN_US), PATH_SILENCE_MAX_US);
}

}  // namespace

void pathReset(Path& path) {
  path.dueUs = NO_DEADLINE;
  path.acked = NO_NUMBER;
  path.asked = false;
  path.answered = false;
  path.strayed = 0;
}

// ---- A client ----

void pathAsk(Path& path, const Rtt& rtt, uint64_t nowUs) {
  if (path.dueUs != NO_DEADLINE) return;
  path.intervalUs = silenceUs(rtt);
  path.dueUs = nowUs + path.intervalUs;
}

void pathTell(Path& path, Writer& writer, uint64_t nowUs) {
  if (path.answered) {
    pathWrite(writer, FRAME_RESPONSE, path.proof);
  } else {
    pingWrite(writer);
  }
  path.answered = false;
  path.dueUs = nowUs + path.intervalUs;
  path.intervalUs = std::min(2 * path.intervalUs, PATH_SILENCE_MAX_US);
}

bool pathChallenged(Path& path, const Rtt& rtt, const uint8_t* bytes, size_t offset) {
  path.intervalUs = silenceUs(rtt);
  path.dueUs = 0;
  path.answered = true;
  if (path.asked && proofEqual(path, bytes, offset)) return false;
  path.asked = true;
  std::memcpy(path.proof, bytes + offset, PATH_PROOF_BYTES);
  return true;
}

// ---- A server ----

void pathAnswered(Path& path, const uint8_t* bytes, size_t offset) {
  path.answered = path.asked && proofEqual(path, bytes, offset);
}

bool pathProven(const Path& path, const Address& address, uint64_t nowUs) {
  const bool fresh = nowUs < path.candidateUs + PATH_PROOF_US;
  return path.answered && fresh && addressEqual(path.candidate, address);
}

bool pathSuspect(Path& path, const Address& address, const uint8_t* seed, uint32_t handle,
                 uint64_t number, uint64_t nowUs) {
  const bool known = path.asked && addressEqual(path.candidate, address);
  if (known && nowUs < path.candidateUs + PATH_PROOF_US) return true;
  addressCopy(path.candidate, address);
  path.candidateUs = nowUs;
  uint8_t input[DRAW_BYTES] = {DRAW_PROOF};
  for (size_t index = 0; index < 4; index++) {
    input[1 + index] = static_cast<uint8_t>(handle >> (8 * index));
  }
  for (size_t index = 0; index < 8; index++) {
    input[5 + index] = static_cast<uint8_t>(number >> (8 * index));
  }
  uint8_t digest[DIGEST_BYTES];
  path.asked = hmacSha256(seed, DIGEST_BYTES, input, DRAW_BYTES, digest);
  if (path.asked) std::memcpy(path.proof, digest, PATH_PROOF_BYTES);
  return path.asked;
}

}  // namespace netrt
