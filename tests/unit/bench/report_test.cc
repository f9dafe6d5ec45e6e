// SPDX-License-Identifier: MIT
#include "bench/report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace ipn_bench {
namespace {

Row full_row() {
  Row row;
  row.workload = "device";
  row.system = "ipn";
  row.size = 64;
  row.cpus = 2;
  row.msgs_per_s = 45123.46;
  row.deliveries_per_s = 45123.46;
  row.cpu_ns_per_msg = 20123.44;
  row.ratio = Spread{0.87654321, 0.85, 0.9};
  row.p50_ns = 17900;
  row.p99_ns = 40120;
  return row;
}

Row bare_row() {
  Row row;
  row.workload = "device";
  row.system = "null";
  row.size = 64;
  row.cpus = 1;
  row.pinned = true;
  row.msgs_per_s = 9;
  row.loss = 3;
  return row;
}

TEST(Table, AlignsColumnsAndShowsWhatIsNotKnownAsADash) {
  EXPECT_EQ(table_of({full_row(), bare_row()}),
            "WORK    SYSTEM  SIZE  CPUS  MSGS/S  CPU NS/MSG  P50 US  P99 US  LOSS     RATIO "
            "[LOW..HIGH]\n"
            "device  ipn       64     2   45123       20123    17.9    40.1     0  0.877 "
            "[0.850..0.900]\n"
            "device  null      64     1       9           -       -       -     3              "
            "       -\n");
}

TEST(Table, ShowsAColumnThatARowNeeds) {
  Row row = bare_row();
  row.receivers = 16;
  row.deliveries_per_s = 144;
  row.mode = "in-place";
  row.lossless = false;
  row.against = "ring";
  EXPECT_EQ(table_of({row}),
            "WORK    SYSTEM  VARIANT         SIZE  RECEIVERS  CPUS  MSGS/S  DELIVERIES/S  "
            "CPU NS/MSG  P50 US  P99 US  LOSS  RATIO [LOW..HIGH]  AGAINST\n"
            "device  null    in-place lossy    64         16     1       9           144  "
            "         -       -       -     3                  -  ring\n");
}

TEST(Variant, NamesWhatTellsRowsApart) {
  Row row;
  EXPECT_EQ(variant_of(row), "");
  row.mode = "copy";
  row.lossless = true;
  row.door = "fast";
  EXPECT_EQ(variant_of(row), "copy");
  row.door = "device";
  row.spin = "never";
  row.idle_nodes = 7;
  row.crowd = "networks";
  EXPECT_EQ(variant_of(row), "copy device spin never 7 idle networks");
}

TEST(Json, IsOneListWithARowEach) {
  const auto list = nlohmann::json::parse(json_of({full_row(), bare_row()}));
  ASSERT_TRUE(list.is_array());
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0]["workload"], "device");
  EXPECT_EQ(list[0]["system"], "ipn");
  EXPECT_EQ(list[0]["size"], 64);
  EXPECT_EQ(list[0]["receivers"], 1);
  EXPECT_EQ(list[0]["cpus"], 2);
  EXPECT_EQ(list[0]["pinned"], false);
  EXPECT_DOUBLE_EQ(list[0]["msgs_per_s"], 45123.5);
  EXPECT_DOUBLE_EQ(list[0]["deliveries_per_s"], 45123.5);
  EXPECT_DOUBLE_EQ(list[0]["cpu_ns_per_msg"], 20123.4);
  EXPECT_EQ(list[0]["loss"], 0);
  EXPECT_DOUBLE_EQ(list[0]["ratio"], 0.8765);
  EXPECT_DOUBLE_EQ(list[0]["ratio_low"], 0.85);
  EXPECT_DOUBLE_EQ(list[0]["ratio_high"], 0.9);
  EXPECT_EQ(list[0]["p50_ns"], 17900);
  EXPECT_EQ(list[0]["p99_ns"], 40120);
  EXPECT_EQ(list[0]["disturbed"], 0);
  EXPECT_EQ(list[1]["loss"], 3);
}

TEST(Json, SaysNullWhereSomethingIsNotKnown) {
  const auto list = nlohmann::json::parse(json_of({bare_row()}));
  for (const char* key :
       {"cpu_ns_per_msg", "ratio", "ratio_low", "ratio_high", "against", "p50_ns", "p99_ns", "door",
        "mode", "lossless", "spin", "crowd", "process", "idle_nodes", "bytes_per_node", "wakeups",
        "seconds", "deliveries_per_s"}) {
    ASSERT_TRUE(list[0].contains(key)) << key;
    EXPECT_TRUE(list[0][key].is_null()) << key;
  }
}

TEST(Json, OfNothingIsAnEmptyList) { EXPECT_EQ(json_of({}), "[]\n"); }

}  // namespace
}  // namespace ipn_bench
