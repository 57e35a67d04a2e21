// Owns what this side says of its channels to a peer that defines them differently: the
// memory of it.
// Never looks into it: the user's side writes and reads it.
#ifndef NETRT_CORE_LAYOUT_H_
#define NETRT_CORE_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "core/limits.h"

namespace netrt {

// In place of a channel: the list of all channels.
constexpr uint32_t LAYOUT_CHANNELS = CHANNELS_MAX;
// In place of a channel: nothing.
constexpr uint32_t LAYOUT_NONE = 255;

struct Layouts {
  uint32_t channelCount = 0;
  // One for each channel, and the list of all.
  uint8_t* bytes = nullptr;
  uint16_t lengths[CHANNELS_MAX + 1] = {};
};

// Takes the memory; false when there is none.
bool layoutsOpen(Layouts& layouts, uint32_t channelCount);

void layoutsClose(Layouts& layouts);

// Takes what the user says of a channel, as far as it may go.
void layoutSet(Layouts& layouts, uint32_t channel, const uint8_t* memory, size_t offset,
               uint32_t bytes);

// Bytes of what there is to say of a channel; 0 for nothing.
uint32_t layoutLength(const Layouts& layouts, uint32_t channel);

// Where it starts in `bytes`; only where there is something.
size_t layoutOffset(const Layouts& layouts, uint32_t channel);

}  // namespace netrt

#endif  // NETRT_CORE_LAYOUT_H_
