// SPDX-License-Identifier: MIT
#include "switchcore/io/uring_refusal.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace ipn::io {

namespace {

bool is_forbidden(int code) { return code == EPERM || code == EACCES; }

std::string remedy(int code, int disabled) {
  if (code == EPERM && disabled != 0) {
    return "allow it: sysctl -w kernel.io_uring_disabled=0";
  }
  if (is_forbidden(code)) {
    return "start the container with a seccomp profile that allows io_uring_setup, io_uring_enter "
           "and io_uring_register, such as --security-opt seccomp=unconfined";
  }
  if (code == ENOSYS) {
    return "use a kernel from 6.1 on with CONFIG_IO_URING, or a seccomp profile that allows "
           "io_uring_setup, io_uring_enter and io_uring_register";
  }
  if (code == ENOMEM) {
    return "raise the limit of locked memory: LimitMEMLOCK=8M in the unit, or ulimit -l 8192";
  }
  return "a kernel from 6.1 on is needed";
}

}  // namespace

int read_io_uring_disabled() {
  int value = 0;
  if (std::FILE* const file = std::fopen("/proc/sys/kernel/io_uring_disabled", "re")) {
    if (std::fscanf(file, "%d", &value) != 1) {
      value = 0;
    }
    std::fclose(file);
  }
  return value;
}

std::string uring_reason(int code, int disabled) {
  if (code == EPERM && disabled != 0) {
    return "forbidden by kernel.io_uring_disabled = " + std::to_string(disabled);
  }
  if (is_forbidden(code)) {
    return "forbidden by seccomp or the like";
  }
  if (code == ENOSYS) {
    return "not in the kernel, or hidden by seccomp";
  }
  if (code == ENOMEM) {
    return "no memory for the ring";
  }
  return std::strerror(code);
}

Error uring_refused(std::string_view call, int code, int disabled) {
  return Error{code, "io_uring: " + std::string(call) + ": " + uring_reason(code, disabled) + " (" +
                         remedy(code, disabled) + ")"};
}

}  // namespace ipn::io
