// SPDX-License-Identifier: MIT
#include "bench/plots.h"

#include <gtest/gtest.h>

#include "bench/chart.h"

namespace ipn_bench {
namespace {

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    count++;
  }
  return count;
}

Row p2p_row(const std::string& system, std::size_t size, double rate) {
  Row row;
  row.workload = "p2p";
  row.system = system;
  row.size = size;
  row.cpus = 2;
  row.deliveries_per_s = rate;
  return row;
}

TEST(Plots, HaveALineForEachSystemAndADotForEachSize) {
  const std::string svg = plots_of({p2p_row("ipn", 64, 3e7), p2p_row("ring", 64, 6e7),
                                    p2p_row("ipn", 1500, 4e6), p2p_row("ring", 1500, 5e6)});
  EXPECT_EQ(count_of(svg, "<polyline"), 2u);
  EXPECT_EQ(count_of(svg, "<circle"), 4u);
  EXPECT_EQ(count_of(svg, ">ring</text>"), 1u);
  EXPECT_EQ(count_of(svg, ">p2p on 2 CPUs</text>"), 1u);
}

TEST(Plots, ShowOneDotForASystemThatWasComparedTwice) {
  const std::string svg = plots_of({p2p_row("ipn", 64, 3e7), p2p_row("ipn", 64, 5e7)});
  EXPECT_EQ(count_of(svg, "<circle"), 1u);
}

TEST(Plots, LeaveOutWhatWasMeasuredOnOneCpu) {
  Row row = p2p_row("ipn", 64, 3e7);
  row.pinned = true;
  EXPECT_EQ(count_of(plots_of({row}), "<polyline"), 0u);
}

TEST(Plots, HaveABarForEachTime) {
  Row row;
  row.workload = "pingpong";
  row.system = "ipn";
  row.p50_ns = 2500;
  row.p99_ns = 9000;
  const std::string svg = plots_of({row, row});
  EXPECT_EQ(count_of(svg, ">pingpong ipn, 0 CPUs</text>"), 2u);
}

TEST(Plots, OfNothingAreAnEmptyPicture) {
  const std::string svg = plots_of({});
  EXPECT_EQ(count_of(svg, "<text"), 0u);
  EXPECT_EQ(count_of(svg, "</svg>"), 1u);
}

TEST(Chart, EscapesWhatXmlReads) { EXPECT_EQ(xml_text("a<b>&\"c"), "a&lt;b&gt;&amp;&quot;c"); }

TEST(Chart, WritesNumbersShortly) {
  EXPECT_EQ(short_number(64), "64");
  EXPECT_EQ(short_number(1500), "1.5 k");
  EXPECT_EQ(short_number(20'000'000), "20 M");
  EXPECT_EQ(short_number(0.5), "0.5");
}

}  // namespace
}  // namespace ipn_bench
