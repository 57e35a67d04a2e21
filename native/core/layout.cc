// What this side says of its channels: see layout.h.
#include "core/layout.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace netrt {

namespace {

// Which of the layouts is a channel's, or -1 where there is none.
int32_t layoutPlace(const Layouts& layouts, uint32_t channel) {
  if (channel == LAYOUT_CHANNELS) return static_cast<int32_t>(layouts.channelCount);
  return channel < layouts.channelCount ? static_cast<int32_t>(channel) : -1;
}

}  // namespace

bool layoutsOpen(Layouts& layouts, uint32_t channelCount) {
  layouts.channelCount = channelCount;
  layouts.bytes = static_cast<uint8_t*>(std::calloc(channelCount + 1, LAYOUT_BYTES_MAX));
  return layouts.bytes != nullptr;
}

void layoutsClose(Layouts& layouts) {
  std::free(layouts.bytes);
  layouts.bytes = nullptr;
}

void layoutSet(Layouts& layouts, uint32_t channel, const uint8_t* memory, size_t offset,
               uint32_t bytes) {
  const int32_t place = layoutPlace(layouts, channel);
  if (place < 0) return;
  const uint32_t count = std::min(bytes, LAYOUT_BYTES_MAX);
  std::memcpy(layouts.bytes + layoutOffset(layouts, channel), memory + offset, count);
  layouts.lengths[place] = static_cast<uint16_t>(count);
}

uint32_t layoutLength(const Layouts& layouts, uint32_t channel) {
  const int32_t place = layoutPlace(layouts, channel);
  return place < 0 ? 0 : layouts.lengths[place];
}

size_t layoutOffset(const Layouts& layouts, uint32_t channel) {
  return static_cast<size_t>(layoutPlace(layouts, channel)) * LAYOUT_BYTES_MAX;
}

}  // namespace netrt
