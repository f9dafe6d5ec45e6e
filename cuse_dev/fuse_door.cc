// SPDX-License-Identifier: MIT
//
// Requests come from the loop, one per read, and go through
// fuse_session_process_buf(), which calls the operations below; replies go out by
// the writev of a custom io. All of it happens in one thread, so libfuse's own
// locks are never contended.
//
// libfuse believes the sizes in a request. The kernel can be trusted with them, a
// test's stand-in for it cannot: has_valid_sizes() looks first.
#define FUSE_USE_VERSION 35
#include "cuse_dev/fuse_door.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <cuse_lowlevel.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utility>

namespace ipn::device {
namespace {

/// Longest write that the kernel may send in one request; above the longest
/// message, so that messages are never cut (docs/architecture.md).
constexpr unsigned kMaxWrite = 131072;
constexpr unsigned kMaxBackground = 65535;
constexpr std::size_t kBufferBytes = kMaxWrite + 4096;

/// The longest write(2), so that none reaches behind the end of the file: one that
/// did would take the inode's lock and block all others. Not a byte more than 2 GiB,
/// else 32-bit programs could not open the file (EOVERFLOW without O_LARGEFILE).
constexpr off_t kHugeSize = 0x7ffff000;

class Session;

/// State of one door while the kernel talks to it.
class Session final : public FuseDoor, private io::MessageHandler, private Transport {
 public:
  Session(Door kind, const FileOptions& file, io::Loop& loop, RequestHandler& handler,
          DoorObserver& observer)
      : kind_(kind), file_(file), loop_(loop), handler_(handler), observer_(observer) {}
  ~Session() override { close(); }

  Result<void> start(fuse_session* session, int fd);
  void close() override;

  // What the operations use.
  static Session& of(fuse_req_t request) {
    return *static_cast<Session*>(fuse_req_userdata(request));
  }
  RequestHandler& handler() { return handler_; }
  Call call(fuse_req_t request) { return Call(*this, request); }
  void ready() { observer_.on_door_ready(); }
  FileOptions& file() { return file_; }

 private:
  void on_message(std::span<std::byte> message) override;
  void on_closed(int error) override;

  void reply_error(void* token, int error) override { fuse_reply_err(request(token), error); }
  void reply_opened(void* token, FileHandle file) override;
  void reply_data(void* token, std::span<const std::byte> first,
                  std::span<const std::byte> second) override;
  void reply_written(void* token, std::size_t bytes) override {
    fuse_reply_write(request(token), bytes);
  }
  void reply_ioctl(void* token, int result, std::span<const std::byte> first,
                   std::span<const std::byte> second) override;
  void reply_poll(void* token, unsigned events) override {
    fuse_reply_poll(request(token), events);
  }
  void reply_done(void* token) override { fuse_reply_err(request(token), 0); }
  void watch_interrupt(void* token, Interruptible* waiter) override;
  void notify_poll(void* poll_handle) override;
  void drop_poll(void* poll_handle) override {
    fuse_pollhandle_destroy(static_cast<fuse_pollhandle*>(poll_handle));
  }
  Door door() const override { return kind_; }

  static fuse_req_t request(void* token) { return static_cast<fuse_req_t>(token); }
  void refuse_malformed(std::span<const std::byte> message);

  const Door kind_;
  FileOptions file_;
  io::Loop& loop_;
  RequestHandler& handler_;
  DoorObserver& observer_;
  fuse_session* session_ = nullptr;
  io::SourceId source_;
  bool reading_ = false;
  int fd_ = -1;
};

iovec iovec_of(std::span<const std::byte> bytes) {
  return {const_cast<std::byte*>(bytes.data()), bytes.size()};
}

// Operations that both kinds have ---------------------------------------------

Caller caller_of(fuse_req_t request) {
  const fuse_ctx* context = fuse_req_ctx(request);
  return {context->uid, context->gid, static_cast<std::uint32_t>(context->pid)};
}

bool is_nonblocking(const fuse_file_info* file) { return (file->flags & O_NONBLOCK) != 0; }

void do_open(fuse_req_t request, fuse_file_info* file) {
  Session& session = Session::of(request);
  const Caller caller = caller_of(request);
  session.handler().open(session.call(request), caller, file->flags);
}

void do_read(fuse_req_t request, std::size_t size, off_t offset, fuse_file_info* file) {
  Session& session = Session::of(request);
  session.handler().read(session.call(request), {file->fh}, size,
                         static_cast<std::uint64_t>(offset), is_nonblocking(file));
}

void do_write(fuse_req_t request, const char* data, std::size_t size, off_t offset,
              fuse_file_info* file) {
  Session& session = Session::of(request);
  session.handler().write(session.call(request), {file->fh}, std::as_bytes(std::span(data, size)),
                          static_cast<std::uint64_t>(offset), is_nonblocking(file));
}

void do_ioctl(fuse_req_t request, unsigned command, fuse_file_info* file, const void* in,
              std::size_t in_size, std::size_t out_size) {
  Session& session = Session::of(request);
  const Caller caller = caller_of(request);
  session.handler().ioctl(session.call(request), {file->fh}, caller, command,
                          {static_cast<const std::byte*>(in), in_size}, out_size,
                          is_nonblocking(file));
}

void do_poll(fuse_req_t request, fuse_file_info* file, fuse_pollhandle* handle) {
  Session& session = Session::of(request);
  session.handler().poll(session.call(request), {file->fh}, file->poll_events, handle);
}

void do_release(fuse_req_t request, fuse_file_info* file) {
  Session& session = Session::of(request);
  session.handler().release(session.call(request), {file->fh});
}

// CUSE ------------------------------------------------------------------------

void cuse_init(void*, fuse_conn_info* connection) { connection->max_write = kMaxWrite; }

cuse_lowlevel_ops cuse_operations() {
  cuse_lowlevel_ops ops{};
  ops.init = cuse_init;
  ops.init_done = [](void* session) { static_cast<Session*>(session)->ready(); };
  ops.open = do_open;
  ops.read = do_read;
  ops.write = do_write;
  ops.release = do_release;
  ops.poll = do_poll;
  ops.ioctl = [](fuse_req_t request, int command, void*, fuse_file_info* file, unsigned,
                 const void* in, std::size_t in_size, std::size_t out_size) {
    do_ioctl(request, static_cast<unsigned>(command), file, in, in_size, out_size);
  };
  return ops;
}

// FUSE file -------------------------------------------------------------------

void file_init(void*, fuse_conn_info* connection) {
  connection->max_write = kMaxWrite;
  connection->max_readahead = 0;
  // Messages are small and must come whole: no splice. O_TRUNC has nothing to cut.
  // Asynchronous direct io: the kernel sends no INTERRUPT for it, so that a process
  // whose read waits could never be ended.
  connection->want &=
      ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
                             FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_ASYNC_DIO);
  // RELEASE is a background request here; none may wait behind others.
  connection->max_background = kMaxBackground;
}

struct stat attributes(const FileOptions& file) {
  struct stat st {};
  st.st_ino = FUSE_ROOT_ID;
  st.st_mode = S_IFREG | file.mode;
  st.st_nlink = 1;
  st.st_uid = file.uid;
  st.st_gid = file.gid;
  st.st_size = kHugeSize;
  return st;
}

void reply_attributes(fuse_req_t request) {
  const struct stat st = attributes(Session::of(request).file());
  fuse_reply_attr(request, &st, 3600.0);
}

fuse_lowlevel_ops file_operations() {
  fuse_lowlevel_ops ops{};
  ops.init = file_init;
  ops.getattr = [](fuse_req_t request, fuse_ino_t, fuse_file_info*) { reply_attributes(request); };
  // The kernel has checked that the caller may (default_permissions); the size
  // stays huge whatever somebody truncates it to.
  ops.setattr = [](fuse_req_t request, fuse_ino_t, struct stat* wanted, int to_set,
                   fuse_file_info*) {
    FileOptions& file = Session::of(request).file();
    if ((to_set & FUSE_SET_ATTR_MODE) != 0) file.mode = wanted->st_mode & 07777;
    if ((to_set & FUSE_SET_ATTR_UID) != 0) file.uid = wanted->st_uid;
    if ((to_set & FUSE_SET_ATTR_GID) != 0) file.gid = wanted->st_gid;
    reply_attributes(request);
  };
  ops.open = [](fuse_req_t request, fuse_ino_t, fuse_file_info* file) { do_open(request, file); };
  ops.read = [](fuse_req_t request, fuse_ino_t, std::size_t size, off_t offset,
                fuse_file_info* file) {
    // A private mapping that is touched: it must not take a message.
    if (file->lock_owner == 0) {
      fuse_reply_err(request, EIO);
    } else {
      do_read(request, size, offset, file);
    }
  };
  ops.write = [](fuse_req_t request, fuse_ino_t, const char* data, std::size_t size, off_t offset,
                 fuse_file_info* file) { do_write(request, data, size, offset, file); };
  ops.release = [](fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
    do_release(request, file);
  };
  ops.poll = [](fuse_req_t request, fuse_ino_t, fuse_file_info* file, fuse_pollhandle* handle) {
    do_poll(request, file, handle);
  };
  ops.ioctl = [](fuse_req_t request, fuse_ino_t, unsigned command, void*, fuse_file_info* file,
                 unsigned, const void* in, std::size_t in_size,
                 std::size_t out_size) { do_ioctl(request, command, file, in, in_size, out_size); };
  return ops;
}

// Requests --------------------------------------------------------------------

struct OpcodeSize {
  std::uint32_t opcode;
  std::size_t arguments;  ///< bytes that have to follow the header
};

constexpr std::array kOpcodeSizes = {
    OpcodeSize{CUSE_INIT, sizeof(cuse_init_in)},
    OpcodeSize{FUSE_INIT, FUSE_COMPAT_INIT_OUT_SIZE},
    OpcodeSize{FUSE_GETATTR, sizeof(fuse_getattr_in)},
    OpcodeSize{FUSE_SETATTR, sizeof(fuse_setattr_in)},
    OpcodeSize{FUSE_OPEN, sizeof(fuse_open_in)},
    OpcodeSize{FUSE_READ, sizeof(fuse_read_in)},
    OpcodeSize{FUSE_WRITE, sizeof(fuse_write_in)},
    OpcodeSize{FUSE_IOCTL, sizeof(fuse_ioctl_in)},
    OpcodeSize{FUSE_POLL, sizeof(fuse_poll_in)},
    OpcodeSize{FUSE_INTERRUPT, sizeof(fuse_interrupt_in)},
    OpcodeSize{FUSE_RELEASE, sizeof(fuse_release_in)},
};

template <typename T>
T argument(std::span<const std::byte> message) {
  T value;
  std::memcpy(&value, message.data() + sizeof(fuse_in_header), sizeof value);
  return value;
}

bool has_valid_sizes(std::span<const std::byte> message) {
  fuse_in_header header;
  if (message.size() < sizeof header) return false;
  std::memcpy(&header, message.data(), sizeof header);
  if (header.len != message.size()) return false;
  const std::size_t arguments = message.size() - sizeof header;
  bool known = false;
  for (const OpcodeSize& size : kOpcodeSizes) {
    if (size.opcode != header.opcode) continue;
    if (arguments < size.arguments) return false;
    known = true;
  }
  if (!known) return true;  // libfuse refuses it, or it has strings that we never use
  if (header.opcode == FUSE_WRITE) {
    return argument<fuse_write_in>(message).size <= arguments - sizeof(fuse_write_in);
  }
  if (header.opcode == FUSE_IOCTL) {
    return argument<fuse_ioctl_in>(message).in_size <= arguments - sizeof(fuse_ioctl_in);
  }
  return true;
}

void Session::on_message(std::span<std::byte> message) {
  if (has_valid_sizes(message)) {
    fuse_buf buffer{};
    buffer.size = message.size();
    buffer.mem = message.data();
    fuse_session_process_buf(session_, &buffer);
  } else {
    refuse_malformed(message);
  }
  handler_.finish_request();
}

void Session::refuse_malformed(std::span<const std::byte> message) {
  handler_.count_bad_request();
  fuse_in_header header{};
  if (message.size() < sizeof header) return;  // nobody to answer
  std::memcpy(&header, message.data(), sizeof header);
  fuse_out_header answer{};
  answer.len = sizeof answer;
  answer.error = -EINVAL;
  answer.unique = header.unique;
  [[maybe_unused]] const ssize_t written = ::write(fd_, &answer, sizeof answer);
}

void Session::on_closed(int error) {
  close();
  observer_.on_door_closed(error);
}

// Replies ---------------------------------------------------------------------

void Session::reply_opened(void* token, FileHandle file) {
  // libfuse 3.14 knows no flag for streams: the answer is formed here. Without
  // FOPEN_STREAM a blocked read holds the lock of the file position against every
  // write; without PARALLEL_DIRECT_WRITES a blocked write holds the inode's.
  fuse_open_out out{};
  out.fh = file.value;
  out.open_flags = FOPEN_DIRECT_IO | FOPEN_STREAM | FOPEN_NOFLUSH | FOPEN_PARALLEL_DIRECT_WRITES;
  if (kind_ == Door::kDevice) out.open_flags = 0;
  fuse_reply_buf(request(token), reinterpret_cast<const char*>(&out), sizeof out);
}

void Session::reply_data(void* token, std::span<const std::byte> first,
                         std::span<const std::byte> second) {
  const std::array<iovec, 2> parts = {iovec_of(first), iovec_of(second)};
  fuse_reply_iov(request(token), parts.data(), second.empty() ? 1 : 2);
}

void Session::reply_ioctl(void* token, int result, std::span<const std::byte> first,
                          std::span<const std::byte> second) {
  const std::array<iovec, 2> parts = {iovec_of(first), iovec_of(second)};
  fuse_reply_ioctl_iov(request(token), result, parts.data(), second.empty() ? 1 : 2);
}

void Session::watch_interrupt(void* token, Interruptible* waiter) {
  const fuse_req_t waiting = request(token);
  if (waiter == nullptr) {
    fuse_req_interrupt_func(waiting, nullptr, nullptr);
  } else if (fuse_req_interrupted(waiting) != 0) {
    // libfuse would call back under a lock that lies in the request, and the
    // answer frees the request.
    waiter->on_interrupt();
  } else {
    fuse_req_interrupt_func(
        waiting, [](fuse_req_t, void* data) { static_cast<Interruptible*>(data)->on_interrupt(); },
        waiter);
  }
}

void Session::notify_poll(void* poll_handle) {
  auto* handle = static_cast<fuse_pollhandle*>(poll_handle);
  fuse_lowlevel_notify_poll(handle);
  fuse_pollhandle_destroy(handle);
}

// Life ------------------------------------------------------------------------

ssize_t write_answer(int fd, iovec* parts, int count, void*) { return ::writev(fd, parts, count); }

ssize_t read_request(int fd, void* buffer, std::size_t size, void*) {
  return ::read(fd, buffer, size);
}

Result<void> Session::start(fuse_session* session, int fd) {
  fd_ = fd;
  if (session == nullptr) {
    ::close(fd);
    return Error{ENOMEM, "device: libfuse could not make a session (is memory short?)"};
  }
  session_ = session;
  fuse_custom_io io{};
  io.writev = write_answer;
  io.read = read_request;
  if (const int error = fuse_session_custom_io(session, &io, fd); error != 0) {
    ::close(fd);
    return Error{-error,
                 "device: libfuse refused the descriptor (is libfuse 3.13 or later "
                 "installed?)"};
  }
  auto source = loop_.add_messages(fd, kBufferBytes, *this);
  if (!source) return source.error();
  source_ = *source;
  reading_ = true;
  return {};
}

void Session::close() {
  if (reading_) loop_.remove(source_);
  reading_ = false;
  if (session_ == nullptr) return;
  // Calls that wait have to be answered and poll handles destroyed before the
  // session goes: they point into it. Perhaps nobody takes the answers any more;
  // libfuse does not complain about that after an exit.
  fuse_session_exit(session_);
  handler_.door_closed(*this);
  fuse_session_destroy(std::exchange(session_, nullptr));
}

/// libfuse wants a program name, and takes options from behind it.
struct Arguments {
  // libfuse replaces the list by one of its own.
  ~Arguments() { fuse_opt_free_args(&args); }

  char name[4] = "ipn";
  char* list[2] = {name, nullptr};
  fuse_args args = FUSE_ARGS_INIT(1, list);
};

}  // namespace

Result<std::unique_ptr<FuseDoor>> open_cuse_door(int fd, const CuseOptions& options, io::Loop& loop,
                                                 RequestHandler& handler, DoorObserver& observer) {
  static const cuse_lowlevel_ops operations = cuse_operations();
  auto session = std::make_unique<Session>(Door::kDevice, FileOptions{}, loop, handler, observer);
  Arguments arguments;
  const std::string device = "DEVNAME=" + options.name;
  const char* device_info[] = {device.c_str()};
  cuse_info info{};
  info.dev_major = options.major;
  info.dev_minor = options.minor;
  info.dev_info_argc = 1;
  info.dev_info_argv = device_info;
  fuse_session* fuse = cuse_lowlevel_new(&arguments.args, &info, &operations, session.get());
  if (auto started = session->start(fuse, fd); !started) return started.error();
  return std::unique_ptr<FuseDoor>(std::move(session));
}

Result<std::unique_ptr<FuseDoor>> open_file_door(int fd, const FileOptions& options, io::Loop& loop,
                                                 RequestHandler& handler, DoorObserver& observer) {
  static const fuse_lowlevel_ops operations = file_operations();
  auto session = std::make_unique<Session>(Door::kFile, options, loop, handler, observer);
  Arguments arguments;
  fuse_session* fuse =
      fuse_session_new(&arguments.args, &operations, sizeof operations, session.get());
  if (auto started = session->start(fuse, fd); !started) return started.error();
  return std::unique_ptr<FuseDoor>(std::move(session));
}

}  // namespace ipn::device
