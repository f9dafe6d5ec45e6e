// SPDX-License-Identifier: MIT
#pragma once

// The calls of an open file that wait for their answer; for the files that
// implement OpenFile.

#include <cerrno>
#include <list>
#include <optional>
#include <utility>
#include <vector>

#include "cuse_dev/open_file.h"

#include <ipn/ioctl.h>

namespace ipn::device {

inline constexpr std::uint32_t kNrSend = _IOC_NR(IPN_IOC_SEND(0));
inline constexpr std::uint32_t kNrReceive = _IOC_NR(IPN_IOC_RECV(0));
inline constexpr std::uint32_t kNrWaitPeers = _IOC_NR(IPN_IOC_WAIT_PEERS);
inline constexpr std::uint32_t kNrDetach = _IOC_NR(IPN_IOC_DETACH);

struct OpenFile::ParkedRead final : Interruptible {
  ParkedRead(OpenFile& f, Call c, const ReadForm& how) : file(f), call(std::move(c)), form(how) {}
  void on_interrupt() override {
    file.refuse(call, form.ioctl ? kNrReceive : kCallRead, EINTR);
    file.reads_.erase(self);
  }
  OpenFile& file;
  Call call;
  ReadForm form;
  std::list<ParkedRead>::iterator self;
};

struct OpenFile::ParkedWrite final : ParkedSend, Interruptible {
  ParkedWrite(OpenFile& f, Call c, std::optional<ipn_msg> header, std::size_t size)
      : file(f), call(std::move(c)), ioctl_header(header), bytes_taken(size) {}
  void on_interrupt() override {
    file.refuse(call, ioctl_header ? kNrSend : kCallWrite, EINTR);
    file.core_.cancel(*this);
    file.forget(*this);
  }
  void on_done(const SendOutcome& outcome) override {
    call.watch_interrupt(nullptr);
    file.answer_send(call, ioctl_header, bytes_taken, outcome);
    file.forget(*this);
  }
  OpenFile& file;
  Call call;
  std::optional<ipn_msg> ioctl_header;
  std::size_t bytes_taken;  ///< what write(2) returns
  std::vector<std::byte> payload;
  std::list<ParkedWrite>::iterator self;
};

struct OpenFile::ParkedWait final : Interruptible {
  ParkedWait(OpenFile& f, Call c, const ipn_wait_peers& r)
      : file(f), call(std::move(c)), request(r) {}
  ~ParkedWait() {
    if (timeout) file.host_.remove(*timeout);
  }
  void on_interrupt() override {
    file.refuse(call, kNrWaitPeers, EINTR);
    file.waits_.erase(self);
  }
  OpenFile& file;
  Call call;
  ipn_wait_peers request;
  std::optional<OpenFileHost::Timeout> timeout;
  std::list<ParkedWait>::iterator self;
};

/// IPN_IOC_DETACH until the ring is empty.
struct OpenFile::ParkedDetach final : Interruptible {
  ParkedDetach(OpenFile& f, Call c) : file(f), call(std::move(c)) {}
  void on_interrupt() override {
    file.refuse(call, kNrDetach, EINTR);
    file.detach_.reset();
  }
  OpenFile& file;
  Call call;
};

}  // namespace ipn::device
