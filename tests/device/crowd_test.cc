// SPDX-License-Identifier: MIT
#include <poll.h>

#include "tests/device/scenario.h"

namespace ipn::scenarios {
namespace {

TEST_F(EveryDoor, ThereIsRoomForAThousandConnectedNodes) {
  constexpr std::uint32_t kNodes = 1024;
  const auto net = network({.nflags = IPN_NET_LOSSLESS, .ports = kNodes});
  std::vector<std::unique_ptr<File>> files;
  for (std::uint32_t i = 0; i < kNodes; ++i) files.push_back(member(*net));
  // Root has no quota; for others it is as large.
  EXPECT_EQ(connect(*open(), name()), me().uid == 0 ? EADDRNOTAVAIL : EDQUOT);
  EXPECT_EQ(net->record().nodes, kNodes);
  EXPECT_EQ(list_nodes(net->admin(), net->id()).size(), kNodes);
  EXPECT_EQ(send(*files[0], "hello, all").receivers, kNodes - 1);
  for (std::uint32_t i = 1; i < kNodes; ++i) {
    ASSERT_EQ(files[i]->read(100), message("hello, all"));
  }
  files[1]->set_nonblocking(true);
  EXPECT_EQ(files[1]->read(100), failure(EAGAIN));
}

TEST_F(EveryDoor, FourThousandFreeNodesCostNothing) {
  const auto a = open();
  const ipn_stats before = stats(*a);
  std::vector<std::unique_ptr<File>> files;
  for (int i = 0; i < 4096; ++i) {
    files.push_back(open());
    ASSERT_NE(files.back(), nullptr);
  }
  const ipn_stats after = stats(*a);
  EXPECT_EQ(after.open_files, before.open_files + 4096);
  EXPECT_EQ(after.nodes, 0U);
  EXPECT_EQ(after.uid_nodes, 0U);
  EXPECT_EQ(after.uid_log_bytes, 0U);
  EXPECT_TRUE(list_nodes(*a).empty());
  EXPECT_EQ(files.back()->poll(POLLIN | POLLOUT), 0U);
}

}  // namespace
}  // namespace ipn::scenarios
