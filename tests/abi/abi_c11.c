/* SPDX-License-Identifier: MIT */
/* The ABI as C11 sees it; built for 64 and for 32 bit. All is checked by the compiler; the program
 * says as what. */
#include <stdio.h>

#include "tests/abi/abi_layout.h"

int main(void) {
  printf("C %ld, %u bit: the layout holds\n", __STDC_VERSION__, (unsigned)(8 * sizeof(void*)));
  return 0;
}
