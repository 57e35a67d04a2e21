// Keys from secrets: see hkdf.h.
#include "core/hkdf.h"

#include <cstring>

#include "core/seal.h"

namespace netrt {

bool hkdfExtract(const uint8_t* salt, size_t saltBytes, const uint8_t* secret, size_t secretBytes,
                 uint8_t* out) {
  return hmacSha256(salt, saltBytes, secret, secretBytes, out);
}

bool hkdfExpand(const uint8_t* key, const uint8_t* info, size_t infoBytes, uint8_t* out,
                size_t outBytes) {
  NETRT_ASSERT(infoBytes <= INFO_BYTES_MAX && outBytes % DIGEST_BYTES == 0);
  // The digest before (none at first), the info, a counter.
  uint8_t input[DIGEST_BYTES + INFO_BYTES_MAX + 1];
  size_t before = 0;
  uint8_t counter = 1;
  bool made = true;
  for (size_t offset = 0; offset < outBytes; offset += DIGEST_BYTES) {
    std::memcpy(input + before, info, infoBytes);
    input[before + infoBytes] = counter;
    made = made && hmacSha256(key, DIGEST_BYTES, input, before + infoBytes + 1, out + offset);
    std::memcpy(input, out + offset, DIGEST_BYTES);
    before = DIGEST_BYTES;
    counter += 1;
  }
  sealWipe(input, sizeof(input));
  return made;
}

}  // namespace netrt
