// SPDX-License-Identifier: MIT
#include "ipnd/doors.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "ipnd/system_error.h"

namespace ipn {
namespace {

/// The reason alone of "object: reason (remedy)".
std::string reason_of(const Error& error) { return error.text.substr(0, error.text.find(" (")); }

Result<OpenedDoor> open_cuse_door(Helper& helper, std::uint32_t number, const DoorPlan& door,
                                  const std::string& why) {
  auto fd = helper.call(HelperCall::kOpenCuse, number);
  if (!fd) return fd.error();
  return OpenedDoor{DoorPlan::Kind::kCuse, door.path, why + ", /dev/cuse opens", std::move(*fd)};
}

Result<OpenedDoor> open_file_door(Helper& helper, std::uint32_t number, const DoorPlan& door,
                                  const std::string& why) {
  auto fd = helper.call(HelperCall::kMount, number);
  if (!fd) return fd.error();
  return OpenedDoor{DoorPlan::Kind::kFile, door.path, why, std::move(*fd)};
}

/// A name that is taken is an error; a CUSE that is not there is none.
Result<OpenedDoor> open_door(Helper& helper, std::uint32_t number, const DoorPlan& door,
                             const std::string& why) {
  if (door.kind == DoorPlan::Kind::kFile) return open_file_door(helper, number, door, why);
  auto opened = open_cuse_door(helper, number, door, why);
  const bool falls_back = !opened && door.kind == DoorPlan::Kind::kAuto &&
                          opened.error().code != EBUSY && opened.error().code != EPIPE;
  if (!falls_back) return opened;
  return open_file_door(helper, number, door, reason_of(opened.error()));
}

}  // namespace

Result<std::vector<OpenedDoor>> open_doors(Helper& helper, const Plan& plan) {
  std::vector<OpenedDoor> doors;
  for (std::uint32_t number = 0; number < plan.doors.size(); ++number) {
    auto door = open_door(helper, number, plan.doors[number], number == 0 ? plan.why : "--path");
    if (!door) return door.error();
    doors.push_back(std::move(*door));
  }
  return doors;
}

std::string describe(const OpenedDoor& door) {
  const char* kind = door.kind == DoorPlan::Kind::kCuse ? "CUSE device" : "FUSE file";
  return std::string(kind) + " (" + door.why + ")";
}

/// One door and the steps that make it ready once the kernel knows it.
class Doors::Entry final : private device::DoorObserver {
 public:
  Entry(Doors& doors, std::uint32_t number, DoorPlan::Kind kind, std::string path)
      : doors_(doors), number_(number), kind_(kind), path_(std::move(path)) {}

  Result<void> serve(UniqueFd fd, io::Loop& loop, device::RequestHandler& handler) {
    const AccessPlan& access = doors_.plan_.access;
    // The door takes the descriptor, whether it opens or not.
    const int taken = fd.release();
    auto door =
        kind_ == DoorPlan::Kind::kCuse
            ? device::open_cuse_door(taken, {doors_.plan_.name, doors_.plan_.major, 0}, loop,
                                     handler, *this)
            : device::open_file_door(taken, {access.mode, access.owner.value, access.group.value},
                                     loop, handler, *this);
    if (!door) return door.error();
    door_ = std::move(*door);
    // The kernel holds it back until it knows us, so the answer means ready. It
    // also tells the kernel the size of the file before anybody writes: a write
    // that waits must not hold the lock that a write beyond the end takes.
    if (kind_ == DoorPlan::Kind::kFile) step(HelperCall::kStat, [this] { become_ready(); });
    return {};
  }
  void close() { door_.reset(); }

  DoorPlan::Kind kind() const { return kind_; }
  std::uint32_t number() const { return number_; }
  const std::string& path() const { return path_; }
  bool is_ready() const { return ready_; }
  bool is_lost() const { return lost_; }

 private:
  void on_door_ready() override {
    if (kind_ == DoorPlan::Kind::kFile) return;
    step(HelperCall::kWaitUdev, [this] { step(HelperCall::kSetMode, [this] { become_ready(); }); });
  }

  void on_door_closed(int error) override {
    lost_ = true;
    doors_.entry_lost(*this, error);
  }

  /// What the helper cannot do is worth a line, the device works without it.
  void step(HelperCall call, std::function<void()> next) {
    doors_.helper_.request(call, number_, UniqueFd(),
                           [this, next = std::move(next)](Result<UniqueFd> done) {
                             if (lost_) return;
                             if (!done) doors_.journal_.warning(done.error().text);
                             next();
                           });
  }

  void become_ready() {
    ready_ = true;
    doors_.entry_ready();
  }

  Doors& doors_;
  const std::uint32_t number_;
  const DoorPlan::Kind kind_;
  const std::string path_;
  std::unique_ptr<device::FuseDoor> door_;
  bool ready_ = false;
  bool lost_ = false;
};

Doors::Doors(Helper& helper, Journal& journal, const Plan& plan, Events events)
    : helper_(helper), journal_(journal), plan_(plan), events_(std::move(events)) {}

Doors::~Doors() { close(); }

Result<void> Doors::serve(std::vector<OpenedDoor> opened, io::Loop& loop,
                          device::RequestHandler& handler) {
  for (OpenedDoor& door : opened) {
    const auto number = static_cast<std::uint32_t>(entries_.size());
    entries_.push_back(std::make_unique<Entry>(*this, number, door.kind, door.path));
    if (auto ok = entries_.back()->serve(std::move(door.fd), loop, handler); !ok) return ok;
  }
  return {};
}

bool Doors::all_lost() const {
  return std::all_of(entries_.begin(), entries_.end(),
                     [](const auto& entry) { return entry->is_lost(); });
}

void Doors::entry_ready() {
  if (++ready_ == entries_.size()) events_.on_ready();
}

void Doors::entry_lost(Entry& entry, int error) {
  if (closing_) return;
  const bool refused = entry.kind() == DoorPlan::Kind::kCuse && !entry.is_ready();
  if (refused) {
    events_.on_lost({EBUSY, entry.path() +
                                ": the kernel refused the device, its name or number is taken (end "
                                "who serves it, or choose another --name)"});
  } else {
    events_.on_lost({error, entry.path() + ": was taken away, nobody can use it any more: " +
                                errno_text(error) +
                                " (it was unmounted or aborted; restart ipnd)"});
  }
}

void Doors::unmount(std::function<void()> done) {
  closing_ = true;
  const auto left = std::make_shared<std::size_t>(entries_.size());
  const auto finish_one = [left, done = std::move(done)](const Result<UniqueFd>&) {
    if (--*left == 0) done();
  };
  for (const auto& entry : entries_) {
    helper_.request(HelperCall::kUnmount, entry->number(), UniqueFd(), finish_one);
  }
}

void Doors::close() {
  closing_ = true;
  for (const auto& entry : entries_) entry->close();
}

}  // namespace ipn
