// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cuse_dev/call.h"
#include "cuse_dev/fuse_door.h"
#include "ipnd/helper.h"
#include "ipnd/journal.h"
#include "ipnd/plan.h"
#include "switchcore/base/result.h"
#include "switchcore/io/loop.h"
#include "switchcore/io/unique_fd.h"

namespace ipn {

/// A descriptor of the kernel for one planned door; nobody serves it yet.
struct OpenedDoor {
  DoorPlan::Kind kind = DoorPlan::Kind::kFile;  ///< decided: kCuse or kFile
  std::string path;
  std::string why;  ///< this kind, in words
  UniqueFd fd;
};

/// Has the helper open all doors of the plan, and decides where it says "auto".
Result<std::vector<OpenedDoor>> open_doors(Helper& helper, const Plan& plan);

/// "CUSE device, because ..."
std::string describe(const OpenedDoor& door);

/// The doors of the running daemon, from the kernel's first request until the
/// files are gone. Programs may come in as soon as a door is ready; it is told
/// when all are, and udev has done its part.
class Doors {
 public:
  struct Events {
    std::function<void()> on_ready;
    /// The door serves nobody any more, and not because of close().
    std::function<void(const Error&)> on_lost;
  };

  Doors(Helper& helper, Journal& journal, const Plan& plan, Events events);
  ~Doors();

  Result<void> serve(std::vector<OpenedDoor> opened, io::Loop& loop,
                     device::RequestHandler& handler);
  bool all_lost() const;
  /// Takes the files away, so that nobody new finds them; `done` when that is
  /// so. Open files are served on.
  void unmount(std::function<void()> done);
  /// Open files end here.
  void close();

 private:
  class Entry;

  void entry_ready();
  void entry_lost(Entry& entry, int error);

  Helper& helper_;
  Journal& journal_;
  const Plan& plan_;
  const Events events_;
  std::vector<std::unique_ptr<Entry>> entries_;
  std::size_t ready_ = 0;
  bool closing_ = false;
};

}  // namespace ipn
