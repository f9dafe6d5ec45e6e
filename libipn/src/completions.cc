// SPDX-License-Identifier: MIT
// What became of messages that were sent with IPN_MSG_REPORT. The daemon writes it
// behind the status page, in the order of sending; what the device said is kept here
// and is always newer than what was taken over from the page before, and older than
// what comes there later.
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <new>

#include "libipn/src/fast.h"

namespace libipn {

struct Reports {
  unsigned first = 0, n = 0;
  ipn_completion entry[IPN_COMPLETION_ENTRIES];

  ipn_completion& at(unsigned i) { return entry[(first + i) % IPN_COMPLETION_ENTRIES]; }
};

namespace {

using ring::load_word;

/// Takes the next one from the status area; false: there is none.
bool take_from_page(Fast& fast, ipn_completion& completion) {
  const std::uint64_t head = load_word(fast.page->completion_head, std::memory_order_acquire);
  if (head == fast.collected) return false;
  const auto* entries = reinterpret_cast<const ipn_completion*>(fast.status.data + IPN_PAGE);
  completion = entries[fast.collected & (fast.page->completion_entries - 1)];
  ++fast.collected;
  ring::store_word(fast.control->completion_tail, __u64{fast.collected}, std::memory_order_release);
  return true;
}

unsigned take(ipn_node& node, ipn_completion* done, unsigned n) {
  unsigned count = 0;
  Reports* kept = node.reports;
  while (count < n && kept != nullptr && kept->n > 0) {
    done[count++] = kept->at(0);
    kept->first = (kept->first + 1) % IPN_COMPLETION_ENTRIES;
    --kept->n;
  }
  if (node.fast == nullptr) return count;
  while (count < n && take_from_page(*node.fast, done[count])) ++count;
  return count;
}

std::uint64_t outstanding(const ipn_node& node) {
  return node.fast == nullptr ? 0 : node.fast->reported - node.fast->collected;
}

/// Whether the daemon will complete no more; 0, or why.
int ended(const Fast& fast) {
  if (fast.send_state() == IPN_RING_OPEN) return 0;
  const auto error = load_word(fast.page->send_error, std::memory_order_relaxed);
  return error == 0 ? ECONNRESET : error;
}

int collect(ipn_node& node, ipn_completion* done, unsigned n, bool wait) {
  for (;;) {
    // Looked at first: what was completed before the end is taken below.
    const int end = node.fast != nullptr ? ended(*node.fast) : 0;
    const unsigned count = take(node, done, n);
    if (count > 0 || outstanding(node) == 0) return static_cast<int>(count);
    Fast& fast = *node.fast;
    if (end != 0) return fail(node, Call::kComplete, ECONNRESET, Why::kErrno);
    if (const long gone = fast_publish(node, fast); gone != 0) return static_cast<int>(gone);
    long result = 0;
    if (wait) {
      result = wait_for_completion(node, fast);
    } else {
      result = check_daemon_again(node, fast, fast.checked_send_ms);
      if (result == 0) return fail(node, Call::kComplete, EAGAIN, Why::kErrno);
    }
    if (result == -ECONNABORTED) {
      return fail(node, Call::kComplete, ECONNABORTED, Why::kDaemonGone);
    }
    if (result == kUseDevice) return fail(node, Call::kComplete, ECONNRESET, Why::kErrno);
    if (result != 0) return fail(node, Call::kComplete, static_cast<int>(-result), Why::kErrno);
  }
}

}  // namespace

int make_room_for_report(ipn_node& node) {
  if (node.reports == nullptr) {
    void* room = std::malloc(sizeof(Reports));
    if (room == nullptr) return fail(node, Call::kSend, ENOMEM, Why::kErrno);
    node.reports = new (room) Reports;
  }
  std::uint64_t most = IPN_COMPLETION_ENTRIES;
  if (node.fast != nullptr)
    most = std::min<std::uint64_t>(most, node.fast->page->completion_entries);
  if (node.reports->n + outstanding(node) < most) return 0;
  return fail(node, Call::kSend, ENOBUFS, Why::kReportsFull);
}

void add_completion(ipn_node& node, const ipn_completion& completion) {
  node.reports->at(node.reports->n++) = completion;
}

void collect_completions(ipn_node& node, Fast& fast) {
  if (node.reports == nullptr) return;
  ipn_completion completion;
  while (take_from_page(fast, completion)) add_completion(node, completion);
}

}  // namespace libipn

int ipn_completions(struct ipn_node* node, struct ipn_completion* done, unsigned n,
                    unsigned flags) {
  using namespace libipn;
  if (node == nullptr) return -EINVAL;
  if (is_stale(*node)) return fail_stale(*node, Call::kComplete);
  if (done == nullptr && n > 0) return fail(*node, Call::kComplete, EINVAL, Why::kNullPointer);
  if (n > INT_MAX) return fail(*node, Call::kComplete, EINVAL, Why::kTooMany);
  if ((flags & ~IPN_MSG_DONTWAIT) != 0) {
    return fail(*node, Call::kComplete, EINVAL, Why::kUnknownFlag);
  }
  const SendTurn turn(*node);
  if (!turn.taken()) return fail(*node, Call::kComplete, EBUSY, Why::kSenderBusy);
  if (n == 0) return 0;
  return collect(*node, done, n, (flags & IPN_MSG_DONTWAIT) == 0 && !is_nonblocking(*node));
}
