// SPDX-License-Identifier: MIT
#ifndef IPN_IPN_HPP
#define IPN_IPN_HPP

// C++20 over <ipn/ipn.h>: a node that closes itself, spans instead of pointer
// and length, and two ways to learn of failures. Header only; link libipn.
//
//     auto node = ipn::Node::open();
//     node.bind("chat");
//     node.connect();
//     node.send("hello");
//
// Each operation comes twice. Without a std::error_code it throws ipn::Error,
// whose what() is the sentence of ipn_explain() and whose code() is an errno in
// std::generic_category(). With a std::error_code as the last argument it never
// throws, and a successful call clears the code. Non-blocking nodes want the
// second form: "it would wait" is std::errc::resource_unavailable_try_again,
// like any other failure. Without exceptions (-fno-exceptions) only the second
// form exists.
//
// The end of a network is not a failure: receiving returns no value.
//
// Everything said in <ipn/ipn.h> about threads, signals, fork and memory holds.
// Calling a node that is empty (default-made, moved from, closed) is EINVAL.

#include <ipn/ipn.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#ifdef __cpp_exceptions
#include <stdexcept>
#endif

namespace ipn {
inline namespace v0 {

// Why the last call failed; empty if none has. A null node: the calling
// thread's last open.
inline std::string explain(struct ipn_node *node) {
	char text[1024];
	const ssize_t length = ipn_explain(node, text, sizeof text);
	return length > 0 ? std::string(text) : std::string();
}

#ifdef __cpp_exceptions
class Error : public std::system_error {
      public:
	Error(std::error_code code, const std::string &text)
	    : std::system_error(code), text_(text.empty() ? code.message() : text) {}
	const char *what() const noexcept override { return text_.what(); }

      private:
	std::runtime_error text_; // copies without throwing
};
#endif

class Node {
      public:
	Node() noexcept = default;
	// Takes over a node made by ipn_open().
	explicit Node(struct ipn_node *node) noexcept : node_(node) {}
	Node(Node &&other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
	Node &operator=(Node &&other) noexcept {
		if (this != &other) {
			close();
			node_ = std::exchange(other.node_, nullptr);
		}
		return *this;
	}
	Node(const Node &) = delete;
	Node &operator=(const Node &) = delete;
	~Node() { close(); }

	// `device` null: the usual one. `flags`: IPN_NONBLOCK and others.
	static Node open(const char *device, unsigned flags, std::error_code &error) noexcept {
		Node node;
		judge(ipn_open(device, flags, &node.node_), error);
		return node;
	}

	void close() noexcept { ipn_close(std::exchange(node_, nullptr)); }
	explicit operator bool() const noexcept { return node_ != nullptr; }
	struct ipn_node *get() const noexcept { return node_; }
	// The caller closes it with ipn_close().
	struct ipn_node *release() noexcept { return std::exchange(node_, nullptr); }

	void bind(const char *name, unsigned policy, std::error_code &error) noexcept {
		judge(ipn_bind(node_, name, policy), error);
	}

	// `name` null: the network that the node is bound to. `roles` 0: both.
	void connect(
		const char *name, unsigned policy, unsigned roles, std::error_code &error) noexcept {
		judge(ipn_connect(node_, name, policy, roles), error);
	}

	// One message. `flags`: IPN_MSG_DONTWAIT.
	void send(std::span<const std::byte> message, unsigned flags,
		std::error_code &error) noexcept {
		judge(ipn_send(node_, message.data(), message.size(), flags), error);
	}
	void send(std::string_view message, unsigned flags, std::error_code &error) noexcept {
		judge(ipn_send(node_, message.data(), message.size(), flags), error);
	}

	// The number of bytes stored; no value at the end of the network, and after
	// a failure. `header`, if not null, tells the true length and the sender.
	std::optional<std::size_t> receive(std::span<std::byte> room, unsigned flags,
		struct ipn_msg *header, std::error_code &error) noexcept {
		return count_or_end(
			ipn_recvmsg(node_, header, room.data(), room.size(), flags), error);
	}

	// The same with a header: a completion is wanted (IPN_MSG_REPORT), cookie.
	void send(const struct ipn_msg &header, std::span<const std::byte> message,
		unsigned flags, std::error_code &error) noexcept {
		judge(ipn_sendmsg(node_, &header, message.data(), message.size(), flags), error);
	}

	// What became of messages that were to be reported: how many of `done` were
	// filled, 0 if none is outstanding.
	std::size_t completions(std::span<ipn_completion> done, unsigned flags,
		std::error_code &error) noexcept {
		return judge(
			ipn_completions(node_, done.data(), count(done.size()), flags), error);
	}

	// Room for a message where it will be sent from, until commit(); empty after
	// a failure.
	std::span<std::byte> reserve(
		std::size_t length, unsigned flags, std::error_code &error) noexcept {
		void *room = nullptr;
		judge(ipn_reserve(node_, length, &room, flags), error);
		return error ? std::span<std::byte>()
			     : std::span<std::byte>(static_cast<std::byte *>(room), length);
	}
	// Sends the first `length` bytes of it. `flags`: IPN_MORE, IPN_MSG_DONTWAIT.
	void commit(std::size_t length, unsigned flags, std::error_code &error) noexcept {
		judge(ipn_commit(node_, length, flags), error);
	}
	// Room for some of `messages`, whose sizes say how much; how many have got it.
	std::size_t reserve_many(std::span<ipn_buf> messages, unsigned flags,
		std::error_code &error) noexcept {
		return judge(ipn_reservemany(
				     node_, messages.data(), count(messages.size()), flags),
			error);
	}
	// Sends the first n of them. `flags`: IPN_MORE, IPN_MSG_DONTWAIT.
	std::size_t commit_many(std::size_t n, unsigned flags, std::error_code &error) noexcept {
		return judge(ipn_commitmany(node_, count(n), flags), error);
	}
	void flush(std::error_code &error) noexcept { judge(ipn_flush(node_), error); }

	// How many of `messages` were sent, from the first on.
	std::size_t send_many(std::span<const ipn_buf> messages, unsigned flags,
		std::error_code &error) noexcept {
		return judge(
			ipn_sendmany(node_, messages.data(), count(messages.size()), flags), error);
	}

	// How many of `rooms` were filled; no value at the end of the network.
	std::optional<std::size_t> receive_many(
		std::span<ipn_buf> rooms, unsigned flags, std::error_code &error) noexcept {
		return count_or_end(
			ipn_recvmany(node_, rooms.data(), count(rooms.size()), flags), error);
	}

	// Messages where they lie: how many of `views` were filled; no value at the
	// end of the network. They stay until release().
	std::optional<std::size_t> peek_many(std::span<struct ipn_view> views, unsigned flags,
		std::error_code &error) noexcept {
		return count_or_end(
			ipn_peekmany(node_, views.data(), count(views.size()), flags), error);
	}
	void release_views(std::size_t n, std::error_code &error) noexcept {
		judge(ipn_release(node_, count(n)), error);
	}

	// IPN_DOOR_FAST or IPN_DOOR_DEVICE.
	void set_door(unsigned door, std::error_code &error) noexcept {
		judge(ipn_setdoor(node_, door), error);
	}

	// After the end of the daemon or of the network. Negative: for ever.
	void reconnect(std::chrono::milliseconds timeout, std::error_code &error) noexcept {
		judge(ipn_reconnect(node_, milliseconds(timeout)), error);
	}

	// IPN_OPT_* of <ipn/ioctl.h>.
	void set_option(unsigned name, std::uint32_t value, std::error_code &error) noexcept {
		judge(ipn_setopt(node_, name, value), error);
	}
	std::uint32_t option(unsigned name, std::error_code &error) const noexcept {
		std::uint32_t value = 0;
		judge(ipn_getopt(node_, name, &value), error);
		return value;
	}

	// IPN_SHUT_RD, IPN_SHUT_WR, IPN_SHUT_RDWR.
	void shutdown(unsigned how, std::error_code &error) noexcept {
		judge(ipn_shutdown(node_, how), error);
	}

	// How many other nodes receive, once there are `readers`. A negative
	// `timeout` is none; longer ones than ipn_wait_peers() knows are its longest.
	unsigned wait_peers(unsigned readers, std::chrono::milliseconds timeout,
		std::error_code &error) noexcept {
		return static_cast<unsigned>(
			judge(ipn_wait_peers(node_, readers, milliseconds(timeout)), error));
	}

	// To wait on with poll and its kin; -EINVAL for an empty node.
	int fd() const noexcept { return ipn_fd(node_); }

	// All zeros for an empty node.
	struct ipn_info info() const noexcept {
		struct ipn_info info = {};
		info.size = sizeof info;
		if (ipn_info(node_, &info) < 0) info.size = 0;
		return info;
	}

	// Why the last call failed, in a sentence; empty for an empty node.
	std::string explain() const { return node_ ? v0::explain(node_) : std::string(); }

#ifdef __cpp_exceptions
	static Node open(const char *device = nullptr, unsigned flags = 0) {
		std::error_code error;
		Node node = open(device, flags, error);
		if (error) throw Error(error, v0::explain(nullptr));
		return node;
	}
	void bind(const char *name, unsigned policy = IPN_BROADCAST) {
		std::error_code error;
		bind(name, policy, error);
		require(error);
	}
	void connect(const char *name = nullptr, unsigned policy = IPN_ANY, unsigned roles = 0) {
		std::error_code error;
		connect(name, policy, roles, error);
		require(error);
	}
	void send(std::span<const std::byte> message, unsigned flags = 0) {
		std::error_code error;
		send(message, flags, error);
		require(error);
	}
	void send(std::string_view message, unsigned flags = 0) {
		std::error_code error;
		send(message, flags, error);
		require(error);
	}
	std::optional<std::size_t> receive(
		std::span<std::byte> room, unsigned flags = 0, struct ipn_msg *header = nullptr) {
		std::error_code error;
		const auto length = receive(room, flags, header, error);
		require(error);
		return length;
	}
	void send(const struct ipn_msg &header, std::span<const std::byte> message,
		unsigned flags = 0) {
		std::error_code error;
		send(header, message, flags, error);
		require(error);
	}
	std::size_t completions(std::span<ipn_completion> done, unsigned flags = 0) {
		std::error_code error;
		const std::size_t filled = completions(done, flags, error);
		require(error);
		return filled;
	}
	std::span<std::byte> reserve(std::size_t length, unsigned flags = 0) {
		std::error_code error;
		const auto room = reserve(length, flags, error);
		require(error);
		return room;
	}
	std::size_t reserve_many(std::span<ipn_buf> messages, unsigned flags = 0) {
		std::error_code error;
		const std::size_t reserved = reserve_many(messages, flags, error);
		require(error);
		return reserved;
	}
	std::size_t commit_many(std::size_t n, unsigned flags = 0) {
		std::error_code error;
		const std::size_t committed = commit_many(n, flags, error);
		require(error);
		return committed;
	}
	void commit(std::size_t length, unsigned flags = 0) {
		std::error_code error;
		commit(length, flags, error);
		require(error);
	}
	void flush() {
		std::error_code error;
		flush(error);
		require(error);
	}
	std::optional<std::size_t> peek_many(
		std::span<struct ipn_view> views, unsigned flags = 0) {
		std::error_code error;
		const auto shown = peek_many(views, flags, error);
		require(error);
		return shown;
	}
	void release_views(std::size_t n) {
		std::error_code error;
		release_views(n, error);
		require(error);
	}
	void set_door(unsigned door) {
		std::error_code error;
		set_door(door, error);
		require(error);
	}
	void reconnect(std::chrono::milliseconds timeout = std::chrono::milliseconds(-1)) {
		std::error_code error;
		reconnect(timeout, error);
		require(error);
	}
	std::size_t send_many(std::span<const ipn_buf> messages, unsigned flags = 0) {
		std::error_code error;
		const std::size_t sent = send_many(messages, flags, error);
		require(error);
		return sent;
	}
	std::optional<std::size_t> receive_many(std::span<ipn_buf> rooms, unsigned flags = 0) {
		std::error_code error;
		const auto received = receive_many(rooms, flags, error);
		require(error);
		return received;
	}
	void set_option(unsigned name, std::uint32_t value) {
		std::error_code error;
		set_option(name, value, error);
		require(error);
	}
	std::uint32_t option(unsigned name) const {
		std::error_code error;
		const std::uint32_t value = option(name, error);
		require(error);
		return value;
	}
	void shutdown(unsigned how) {
		std::error_code error;
		shutdown(how, error);
		require(error);
	}
	unsigned wait_peers(
		unsigned readers, std::chrono::milliseconds timeout = std::chrono::milliseconds(-1)) {
		std::error_code error;
		const unsigned there = wait_peers(readers, timeout, error);
		require(error);
		return there;
	}
#endif

      private:
	// A count, or 0 and the error.
	static std::size_t judge(ssize_t result, std::error_code &error) noexcept {
		error.clear();
		if (result >= 0) return static_cast<std::size_t>(result);
		error.assign(static_cast<int>(-result), std::generic_category());
		return 0;
	}
	static std::optional<std::size_t> count_or_end(
		ssize_t result, std::error_code &error) noexcept {
		if (result == -ENODATA) {
			error.clear();
			return std::nullopt;
		}
		const std::size_t done = judge(result, error);
		return error ? std::nullopt : std::optional<std::size_t>(done);
	}
	static int milliseconds(std::chrono::milliseconds timeout) noexcept {
		const auto longest = std::chrono::milliseconds(INT_MAX);
		const auto wait = timeout < longest ? timeout : longest;
		return wait.count() < 0 ? -1 : static_cast<int>(wait.count());
	}
	// The library counts in int; more than that is sent or received in parts.
	static unsigned count(std::size_t n) noexcept {
		return n < INT_MAX ? static_cast<unsigned>(n) : static_cast<unsigned>(INT_MAX);
	}
#ifdef __cpp_exceptions
	void require(const std::error_code &error) const {
		if (error) throw Error(error, explain());
	}
#endif

	struct ipn_node *node_ = nullptr;
};

} // namespace v0
} // namespace ipn

#endif // IPN_IPN_HPP
