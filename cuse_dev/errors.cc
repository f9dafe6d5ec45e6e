// SPDX-License-Identifier: MIT
#include "cuse_dev/errors.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ipn::device {
namespace {

/// Reason and remedy of what read, write, SEND and RECV can answer.
const char* words_of(int code) {
  switch (code) {
    case EAGAIN:
      return "nothing to read, or no room to write, and the call may not wait (poll for it)";
    case EMSGSIZE:
      return "the message is longer than the network's mtu or than a message can be (send less, or "
             "ipnctl net set NETWORK --mtu N)";
    case ENOTCONN:
      return "not connected to a network (IPN_IOC_CONNECT first)";
    case EPIPE:
      return "may not send: receive-only by mode, by choice or by shutdown (connect with the send "
             "role)";
    case ECONNRESET:
      return "the network ended, or this node was disconnected from it (open again)";
    case ENOBUFS:
      return "too many bytes of this node wait for room already (let some be sent first)";
    case EOPNOTSUPP:
      return "the policy of the network does not do that (see the policy's manual)";
    case EINVAL:
      return "the header or an argument makes no sense (see ipn(4))";
    case EINTR:
      return "interrupted by a signal (call again)";
    case ENOTTY:
      return "this ioctl is unknown to the daemon (see ipn(4))";
    case E2BIG:
      return "the structure has a part that this daemon does not know (leave it zero, or use a "
             "newer daemon)";
    case ETIMEDOUT:
      return "the time was over before it happened (wait longer)";
    case EIO:
      return "the device cannot be mapped (use read and write)";
    default:
      return nullptr;
  }
}

}  // namespace

int LastError::set(std::uint32_t nr, const Error& error) {
  nr_ = nr;
  code_ = error.code;
  text_ = error.text;
  return code_;
}

int LastError::set(std::uint32_t nr, int error) {
  nr_ = nr;
  code_ = error;
  text_.clear();
  return code_;
}

int LastError::set(std::uint32_t nr, const SendOutcome& outcome) {
  return set(nr, outcome.kind == SendOutcome::Kind::kWouldBlock ? EAGAIN : outcome.error);
}

int LastError::set(std::uint32_t nr, const RecvOutcome& outcome) {
  return set(nr, outcome.kind == RecvOutcome::Kind::kWouldBlock ? EAGAIN : outcome.error);
}

void LastError::explain(ipn_explain& answer) const {
  answer.error = code_;
  answer.nr = nr_;
  std::string text = text_;
  if (text.empty() && code_ != 0) {
    const char* words = words_of(code_);
    text = std::string("this open file: ") + (words != nullptr ? words : std::strerror(code_));
  }
  const std::size_t length = std::min(text.size(), sizeof answer.text - 1);
  std::memcpy(answer.text, text.data(), length);
  answer.text[length] = '\0';
}

}  // namespace ipn::device
