// SPDX-License-Identifier: MIT
#include "bench/works.h"

#include <array>

#include "bench/device_work.h"

namespace ipn_bench {

std::span<const Work> all_works() {
  static constexpr std::array kWorks{Work{"device", run_device_work}};
  return kWorks;
}

}  // namespace ipn_bench
