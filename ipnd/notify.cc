// SPDX-License-Identifier: MIT
#include "ipnd/notify.h"

#include <cstdint>
#include <systemd/sd-daemon.h>
#include <time.h>

namespace ipn {

void notify_ready(const std::string& status) {
  ::sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
}

void notify_reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto us = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  ::sd_notify(0, ("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us)).c_str());
}

void notify_stopping() { ::sd_notify(0, "STOPPING=1"); }

}  // namespace ipn
