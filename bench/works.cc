// SPDX-License-Identifier: MIT
#include "bench/works.h"

#include <array>

#include "bench/device_work.h"
#include "bench/idle_works.h"
#include "bench/pingpong_work.h"
#include "bench/stream_works.h"

namespace ipn_bench {

std::span<const Work> all_works() {
  static constexpr std::array kWorks{
      Work{"device", run_device_work},     Work{"p2p", run_p2p_work},
      Work{"fanout", run_fanout_work},     Work{"mesh", run_mesh_work},
      Work{"pingpong", run_pingpong_work}, Work{"idle", run_idle_work},
      Work{"scale", run_scale_work}};
  return kWorks;
}

}  // namespace ipn_bench
