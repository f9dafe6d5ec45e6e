// SPDX-License-Identifier: MIT
//
// <ipn/ipn.hpp>: what it adds to the functions of C.
#include <array>
#include <chrono>
#include <span>

#include "tests/libipn/support.h"

#include <ipn/ipn.hpp>

namespace ipn::library_tests {
namespace {

/// What an operation throws; nothing thrown is a failure.
Error thrown_by(const std::function<void()>& operation) {
  try {
    operation();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing is thrown";
  return {std::error_code(), "nothing"};
}

ipn::Node joined(const std::string& network) {
  ipn::Node node = ipn::Node::open();
  node.bind(network.c_str());
  node.connect();
  return node;
}

TEST(Cxx, MessagesTravel) {
  const std::string net = new_name();
  ipn::Node a = joined(net), b = joined(net);
  EXPECT_EQ(a.wait_peers(1), 1U);
  a.send("hello");
  std::array<std::byte, 16> room{};
  ipn_msg header{};
  EXPECT_EQ(b.receive(room, 0, &header), 5U);
  EXPECT_EQ(header.peer, a.info().node);
  a.send("");
  EXPECT_EQ(b.receive(room), 0U) << "an empty message";
  end_network_of(a.get());
  EXPECT_EQ(b.receive(room), std::nullopt) << "the end";
}

TEST(Cxx, AFailureIsThrownWithItsSentence) {
  ipn::Node node = ipn::Node::open();
  const Error error = thrown_by([&] { node.connect("nobodys"); });
  EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
  EXPECT_EQ(error.what(), node.explain());
  EXPECT_NE(node.explain(), "");
  const Error unopened = thrown_by([] { ipn::Node::open("/nowhere/ipn"); });
  EXPECT_EQ(unopened.code(), std::errc::no_such_file_or_directory);
  EXPECT_NE(std::string(unopened.what()).find("/nowhere/ipn: "), std::string::npos);
}

TEST(Cxx, AnErrorCodeIsSetAndCleared) {
  ipn::Node node = joined(new_name());
  std::array<std::byte, 16> room{};
  std::error_code error;
  EXPECT_EQ(node.receive(room, IPN_MSG_DONTWAIT, nullptr, error), std::nullopt);
  EXPECT_EQ(error, std::errc::resource_unavailable_try_again);
  node.send("x", 0, error);
  EXPECT_FALSE(error);
  EXPECT_EQ(node.wait_peers(1, std::chrono::milliseconds(0), error), 0U);
  EXPECT_EQ(error, std::errc::timed_out);
  node.shutdown(IPN_SHUT_RD, error);
  EXPECT_FALSE(error);
  EXPECT_EQ(node.receive(room, IPN_MSG_DONTWAIT, nullptr, error), std::nullopt);
  EXPECT_FALSE(error) << "the end is no failure";
}

TEST(Cxx, MessagesAreWrittenAndReadInPlace) {
  const std::string net = new_name();
  ipn::Node a = joined(net), b = joined(net);
  const std::span<std::byte> room = a.reserve(3);
  ASSERT_EQ(room.size(), 3U);
  room[0] = room[1] = room[2] = std::byte{'a'};
  a.commit(2, IPN_MORE);
  a.flush();
  std::array<ipn_view, 4> views{};
  EXPECT_EQ(b.peek_many(views), 1U);
  EXPECT_EQ(views[0].len, 2U);
  b.release_views(1);
  std::array<ipn_buf, 2> rooms{ipn_buf{nullptr, 1, 0, nullptr}, ipn_buf{nullptr, 1, 0, nullptr}};
  EXPECT_GE(a.reserve_many(rooms), 1U);
  *static_cast<char*>(rooms[0].data) = 'm';
  EXPECT_EQ(a.commit_many(1), 1U);
  EXPECT_EQ(thrown_by([&] { a.commit_many(1); }).code(), std::errc::invalid_argument);
  EXPECT_EQ(b.peek_many(views), 1U);
  b.release_views(1);
  EXPECT_EQ(thrown_by([&] { b.release_views(1); }).code(), std::errc::invalid_argument);
}

TEST(Cxx, WhatBecomesOfAMessageIsTold) {
  const std::string net = new_name();
  ipn::Node a = joined(net), b = joined(net);
  ipn_msg header{};
  header.flags = IPN_MSG_REPORT;
  header.cookie = 5;
  a.send(header, std::as_bytes(std::span("x", 1)));
  std::array<ipn_completion, 2> done{};
  EXPECT_EQ(a.completions(done), 1U);
  EXPECT_EQ(done[0].cookie, 5U);
  EXPECT_EQ(a.completions(done), 0U);
}

TEST(Cxx, ANodeChangesItsDoorAndJoinsAgain) {
  ipn::Node a = joined(new_name());
  a.set_door(IPN_DOOR_DEVICE);
  EXPECT_NE(a.info().door, unsigned{IPN_DOOR_FAST});
  end_network_of(a.get());
  a.reconnect(std::chrono::milliseconds(0));
  EXPECT_EQ(a.wait_peers(0), 0U);
}

TEST(Cxx, ANodeIsMovedAndReleased) {
  ipn::Node first = joined(new_name());
  ipn_node* const raw = first.get();
  ipn::Node second = std::move(first);
  EXPECT_EQ(second.get(), raw);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): it is empty
  EXPECT_EQ(first.fd(), -EINVAL);
  EXPECT_EQ(thrown_by([&] { first.send("x"); }).code(), std::errc::invalid_argument);
  EXPECT_EQ(second.release(), raw);
  EXPECT_EQ(ipn_close(raw), 0);
}

}  // namespace
}  // namespace ipn::library_tests
