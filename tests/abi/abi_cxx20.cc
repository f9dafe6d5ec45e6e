// SPDX-License-Identifier: MIT
// The ABI as C++20 sees it. All is checked by the compiler; the program says as what.
#include <cstdio>

#include "tests/abi/abi_layout.h"

int main() {
  std::printf("C++ %ld, %zu bit: the layout holds\n", __cplusplus, 8 * sizeof(void*));
  return 0;
}
