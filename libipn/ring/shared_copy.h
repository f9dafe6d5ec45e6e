// SPDX-License-Identifier: MIT
#pragma once

// Bytes to and from memory that another process reads or writes at the same
// time. A log that overwrites is read as under a sequence lock: a reader copies
// and then looks whether the copy is worth anything. For the thread sanitizer,
// which does not know that, the same copies are made word by word and atomically.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ipn::ring {

/// A copy of what mostly is some tens of bytes, for which a call costs as much as the copy.
[[gnu::always_inline]] inline void copy_short(void* to, const void* from, std::size_t bytes) {
  constexpr std::size_t kBlock = 32;
  if (bytes < kBlock || bytes > 4 * kBlock) {
    if (bytes > 0) std::memcpy(to, from, bytes);
    return;
  }
  auto* target = static_cast<unsigned char*>(to);
  const auto* source = static_cast<const unsigned char*>(from);
  for (std::size_t at = 0; at + kBlock <= bytes; at += kBlock) {
    std::memcpy(target + at, source + at, kBlock);
  }
  // The last block may overlap the one before it.
  std::memcpy(target + bytes - kBlock, source + bytes - kBlock, kBlock);
}

#if defined(__SANITIZE_THREAD__)
#define IPN_RING_ATOMIC_COPIES 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define IPN_RING_ATOMIC_COPIES 1
#endif
#endif

#ifdef IPN_RING_ATOMIC_COPIES

inline void copy_to_shared(void* to, const void* from, std::size_t bytes) {
  auto* target = static_cast<unsigned char*>(to);
  const auto* source = static_cast<const unsigned char*>(from);
  for (std::size_t i = 0; i < bytes; ++i) {
    std::atomic_ref<unsigned char>(target[i]).store(source[i], std::memory_order_relaxed);
  }
}

inline void copy_short_to_shared(void* to, const void* from, std::size_t bytes) {
  copy_to_shared(to, from, bytes);
}

inline void copy_from_shared(void* to, const void* from, std::size_t bytes) {
  auto* target = static_cast<unsigned char*>(to);
  auto* source = static_cast<unsigned char*>(const_cast<void*>(from));
  for (std::size_t i = 0; i < bytes; ++i) {
    target[i] = std::atomic_ref<unsigned char>(source[i]).load(std::memory_order_relaxed);
  }
}

#undef IPN_RING_ATOMIC_COPIES
#else

inline void copy_to_shared(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

[[gnu::always_inline]] inline void copy_short_to_shared(void* to, const void* from,
                                                        std::size_t bytes) {
  copy_short(to, from, bytes);
}

inline void copy_from_shared(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

#endif

}  // namespace ipn::ring
