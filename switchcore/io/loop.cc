// SPDX-License-Identifier: MIT
#include "switchcore/io/loop.h"

#include "switchcore/io/epoll_loop.h"
#include "switchcore/io/uring_loop.h"
#include "switchcore/io/uring_refusal.h"

namespace ipn::io {

Result<std::unique_ptr<Loop>> make_loop(Backend backend) {
  if (backend == Backend::kEpoll) {
    return EpollLoop::create("asked for");
  }
  Result<std::unique_ptr<Loop>> ring = UringLoop::create();
  if (ring || backend == Backend::kUring) {
    return ring;
  }
  return EpollLoop::create("io_uring: " +
                           uring_reason(ring.error().code, read_io_uring_disabled()));
}

}  // namespace ipn::io
