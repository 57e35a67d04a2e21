// A payload as a whole: see payload.h.
#include "core/payload.h"

#include "core/limits.h"

namespace netrt {

bool payloadCheck(Reader& reader, AckHeader& header, Frame& frame, const uint8_t* bytes,
                  size_t offset, size_t end, uint32_t channelCount) {
  readerSet(reader, bytes, offset, end);
  if (!ackHeaderRead(reader, header)) return false;
  uint32_t messages = 0;
  // Of the kinds below FRAME_MESSAGE: 1 + the last channel, or 1 for those of the whole connection.
  uint8_t last[FRAME_RESPONSE + 1] = {};
  bool aged = false;
  for (;;) {
    const uint8_t kind = frameNext(reader, frame);
    // An age is that of the message or fragment behind it.
    if (aged && kind != FRAME_MESSAGE && kind != FRAME_FRAGMENT) return false;
    aged = kind == FRAME_AGE;
    if (kind == FRAME_END) return true;
    if (kind == FRAME_INVALID) return false;
    if (kind == FRAME_MESSAGE || kind == FRAME_FRAGMENT || kind == FRAME_BLOCK) {
      messages += 1;
      if (messages > MESSAGES_PER_PACKET_MAX) return false;
    }
    const bool ofChannel = kind == FRAME_SKIP || (kind >= FRAME_NACK && kind <= FRAME_WINDOW);
    const bool named = ofChannel || kind == FRAME_MESSAGE;
    if (named && frame.channel >= channelCount) return false;
    const bool ofRest = kind >= FRAME_WINDOW && kind <= FRAME_RESPONSE && kind != FRAME_AGE;
    if (kind < FRAME_FRAGMENT || ofRest) {
      const uint8_t place = static_cast<uint8_t>(named ? frame.channel + 1 : 1);
      if (place <= last[kind]) return false;
      last[kind] = place;
    }
  }
}

}  // namespace netrt
