// Owns how keys are made from secrets: HKDF with SHA-256 (RFC 5869).
// Never keeps anything; the hash is a provider's, through seal.
#ifndef NETRT_CORE_HKDF_H_
#define NETRT_CORE_HKDF_H_

#include <cstddef>
#include <cstdint>

#include "core/limits.h"

namespace netrt {

// Bytes of what `hkdfExpand` binds its keys to at most.
constexpr size_t INFO_BYTES_MAX = 128;

// A pseudorandom key of DIGEST_BYTES from a secret (section 2.2); false where memory is missing.
bool hkdfExtract(const uint8_t* salt, size_t saltBytes, const uint8_t* secret, size_t secretBytes,
                 uint8_t* out);

// `outBytes` bytes, a multiple of DIGEST_BYTES, from a pseudorandom key (section 2.3). `info` has
// INFO_BYTES_MAX at most.
bool hkdfExpand(const uint8_t* key, const uint8_t* info, size_t infoBytes, uint8_t* out,
                size_t outBytes);

}  // namespace netrt

#endif  // NETRT_CORE_HKDF_H_
