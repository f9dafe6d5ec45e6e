// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cerrno>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <thread>

#include <ipn/ipn.h>

// What the tests of the library share. The daemon that they talk to runs
// already; IPN_DEVICE is its device.

namespace ipn::library_tests {

/// Waits until it holds; false if that takes much too long.
bool eventually(const std::function<bool()>& holds);

/// A name for a network, new at every call.
std::string new_name();

/// What ipn_explain() says.
std::string explain(ipn_node* node);

/// An open node, closed at the end.
class Node {
 public:
  /// `device` null: the one of all tests.
  explicit Node(unsigned flags = 0, const char* device = nullptr);
  ~Node();
  Node(Node&& other) noexcept;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  operator ipn_node*() const { return node_; }

 private:
  ipn_node* node_ = nullptr;
};

/// A node that is bound to the network and connected.
Node member(const std::string& network, unsigned roles = 0, unsigned flags = 0);
/// The same, and the first: the network loses nothing and holds `pool` messages.
Node lossless_member(const std::string& network, unsigned pool, unsigned flags = 0);

struct ipn_info info_of(ipn_node* node);
/// Whether its messages go through shared memory.
bool is_fast(ipn_node* node);
/// What the call returns. Through shared memory what was sent is there soon and not at once: as
/// long as nothing is there the call is made again.
ssize_t soon(ipn_node* node, const std::function<ssize_t()>& call);
/// Ends the network that the node is in.
void end_network_of(ipn_node* node);
/// Disconnects the node.
void kick(ipn_node* node);
/// Messages of the node's network that wait for room.
unsigned blocked_senders(ipn_node* node);

/// Sends a message that has to be taken.
void send(ipn_node* node, std::string_view message);
/// Waits until the network has taken all that this node has sent, and readers see it.
void drained(ipn_node* node);
/// Sends messages of one byte until the next one would wait; how many that were.
unsigned fill(ipn_node* node);
/// The next message, which has to be there.
std::string receive(ipn_node* node);
/// Receives `n` messages, which have to be there.
void drain(ipn_node* node, unsigned n);
/// Runs `body` in a child and returns whether it was true.
bool holds_in_child(const std::function<bool()>& body);

/// A call that is to sleep, made by another thread.
class Call {
 public:
  /// Returns when the call sleeps in the kernel, or is done.
  explicit Call(std::function<ssize_t()> call);
  /// Ends the program if the call does not return: nothing could be tested any more.
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  bool is_done() const { return done_; }
  /// What the call returns, waiting for it.
  ssize_t result();
  /// Runs a signal handler in the middle of the call, and waits until the call
  /// sleeps again or is done.
  void interrupt();
  /// The thread, for pthread_cancel(); it does not end before the call has returned.
  pthread_t thread() { return thread_.native_handle(); }

 private:
  bool settles();

  std::atomic<pid_t> tid_ = 0;
  std::atomic<bool> done_ = false;
  ssize_t result_ = 0;
  std::thread thread_;
};

}  // namespace ipn::library_tests
