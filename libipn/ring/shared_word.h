// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <linux/types.h>

namespace ipn::ring {

/// A word of memory that another process may write; also of memory that is mapped read-only.
template <typename Word>
Word load_word(const Word& word, std::memory_order order) {
  return std::atomic_ref<Word>(const_cast<Word&>(word)).load(order);
}

template <typename Word>
void store_word(Word& word, Word value, std::memory_order order) {
  std::atomic_ref<Word>(word).store(value, order);
}

/// Between what was stored and the look at the other side's wish.
inline void full_fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }

}  // namespace ipn::ring
