// Owns what stands inside a payload between netrt peers: the ack header, then frames to the end;
// and their encoding, which is canonical: one meaning has one byte string and everything else is
// refused.
// Never acts on what it reads, never keeps a byte of it.
// frameNext is the only reader of frames; payload's check walks a whole payload with it before
// anything in it takes effect.
#ifndef NETRT_CORE_FRAME_H_
#define NETRT_CORE_FRAME_H_

#include <cstddef>
#include <cstdint>

#include "core/bytes.h"
#include "core/limits.h"

namespace netrt {

// ---- The ack header (R-21) ----

struct AckHeader {
  bool present = false;
  // The latest number received, modulo 65536.
  uint16_t latest = 0;
  // ACK_DELAY_UNIT_US since it came.
  uint16_t delay = 0;
  size_t bitsOffset = 0;
  uint32_t bitBytes = 0;
};

// Reads the ack header; false when it isn't canonical or ends early.
bool ackHeaderRead(Reader& reader, AckHeader& header);

// Writes the header up to the bitfield, whose bytes the caller writes next.
void ackHeaderWrite(Writer& writer, const AckHeader& header);

// ---- Frames ----

constexpr uint8_t FRAME_END = 0;
constexpr uint8_t FRAME_HELLO = 1;
constexpr uint8_t FRAME_SKIP = 2;
constexpr uint8_t FRAME_CLOSE = 3;
constexpr uint8_t FRAME_PING = 4;
constexpr uint8_t FRAME_NACK = 5;
constexpr uint8_t FRAME_FRAGMENT = 6;
constexpr uint8_t FRAME_BLOCK = 7;
constexpr uint8_t FRAME_WINDOW = 8;
constexpr uint8_t FRAME_AGE = 9;
constexpr uint8_t FRAME_LAYOUT = 10;
constexpr uint8_t FRAME_CHALLENGE = 11;
constexpr uint8_t FRAME_RESPONSE = 12;
constexpr uint8_t FRAME_MESSAGE = 128;
constexpr uint8_t FRAME_INVALID = 255;

struct Frame {
  // The longest payload that both ends take, from which the size of fragments follows.
  uint32_t payloadBytes = PAYLOAD_BYTES_MAX;
  uint32_t channel = 0;
  // Message id, skip's and window's first id that still matters, or nack's first missing id; modulo
  // 65536.
  uint16_t id = 0;
  // BLOCK: the block's number.
  uint16_t number = 0;
  bool block = false;
  // FRAGMENT and BLOCK: bytes of the whole; else 0.
  uint32_t total = 0;
  // FRAGMENT and BLOCK: which fragment of the whole.
  uint32_t index = 0;
  // Where the body, the text, the channel hashes, a path's proof or what another version's hello
  // says start.
  size_t offset = 0;
  uint32_t bytes = 0;
  // AGE: how old the message behind it is (ms); whoever takes that message makes it 0 again.
  uint32_t ageMs = 0;
  // HELLO: the protocol version. CLOSE: the reason.
  uint8_t code = 0;
  // HELLO: hash of the protocol's name.
  uint32_t nameHash = 0;
  // HELLO: number of channels.
  uint32_t channelCount = 0;
  // HELLO: the longest payload that its sender takes.
  uint32_t payloadBytesMax = 0;
  // HELLO: packets a second that its sender takes; 0 for any number.
  uint32_t packetRateMax = 0;
  // HELLO: bytes a second that its sender takes; 0 for any number.
  uint32_t byteRateMax = 0;
  // HELLO: the suites that its sender has, a bit each.
  uint8_t suites = 0;
  // HELLO: where its sender's public key starts, KEY_BYTES long.
  size_t keyOffset = 0;
};

// Reads the next frame. FRAME_END at the end, FRAME_INVALID for anything that isn't canonical.
uint8_t frameNext(Reader& reader, Frame& frame);

// ---- Writing: the caller has made sure that it fits ----

// The bytes that a message takes in a payload at most.
size_t messageFrameBytes(uint32_t bodyBytes);

// Writes the head of a message frame with a length; the body follows.
void messageHeadWrite(Writer& writer, uint32_t channel, int64_t id, uint32_t bodyBytes);

// Turns the message frame at `start`, the last of the payload, into the form without a length.
void messageShorten(Writer& writer, size_t start, uint32_t bodyBytes);

// The bytes that a fragment takes in a payload at most.
size_t fragmentFrameBytes(bool block, uint32_t bodyBytes);

// Writes the head of a fragment of a message; the body follows.
void fragmentHeadWrite(Writer& writer, uint32_t channel, int64_t id, uint32_t index,
                       uint32_t total);

// Writes the head of a fragment of a block; the body follows.
void blockHeadWrite(Writer& writer, uint32_t channel, int64_t id, uint16_t number, uint32_t index,
                    uint32_t total);

// Writes what a channel's user has consumed: everything below the id.
void windowWrite(Writer& writer, uint32_t channel, int64_t id);

void skipWrite(Writer& writer, uint32_t channel, int64_t id);

// Writes a nack up to its bitmap, which the caller writes next.
void nackWrite(Writer& writer, uint32_t channel, int64_t id, uint32_t bitsBytes);

// Writes how old the message is whose frame comes next.
void ageWrite(Writer& writer, uint32_t ageMs);

void pingWrite(Writer& writer);

// Writes a challenge (`kind` FRAME_CHALLENGE) or the response to one.
void pathWrite(Writer& writer, uint8_t kind, const uint8_t* proof);

// Writes a hello up to the channel hashes, which the caller writes next, four bytes each.
void helloWrite(Writer& writer, uint8_t version, uint32_t nameHash, uint32_t channelCount,
                uint32_t payloadBytesMax, uint32_t packetRateMax, uint32_t byteRateMax,
                uint8_t suites, const uint8_t* publicKey);

// Writes what this side says of a channel.
void layoutWrite(Writer& writer, uint32_t channel, const uint8_t* bytes, size_t offset,
                 uint32_t count);

void closeWrite(Writer& writer, uint8_t reason, const uint8_t* text, size_t textBytes);

}  // namespace netrt

#endif  // NETRT_CORE_FRAME_H_
