// SPDX-License-Identifier: MIT
#include "ipnctl/table.h"

#include <gtest/gtest.h>

namespace ipnctl {
namespace {

using enum Table::Align;

TEST(Table, StandsNumbersRightAndTextLeft) {
  Table table({{"NAME", kLeft}, {"MSGS", kRight}, {"OWNER", kLeft}});
  table.add_row({"chat", "5", "root"});
  table.add_row({"a-long-name", "1234567", "alice"});
  EXPECT_EQ(table.text(),
            "NAME            MSGS  OWNER\n"
            "chat               5  root\n"
            "a-long-name  1234567  alice\n");
}

TEST(Table, HasNoBlanksAtTheEndOfALine) {
  Table table({{"A", kLeft}, {"LONG", kLeft}});
  table.add_row({"1", ""});
  EXPECT_EQ(table.text(), "A  LONG\n1\n");
}

TEST(Table, HasItsHeaderAlsoWithoutRows) {
  EXPECT_EQ(Table({{"NAME", kLeft}, {"MSGS", kRight}}).text(), "NAME  MSGS\n");
}

TEST(Sheet, StandsValuesBelowEachOther) {
  Sheet sheet;
  sheet.add("name", "chat");
  sheet.add("longer name", "5");
  sheet.add("none", "");
  EXPECT_EQ(sheet.text(),
            "name:         chat\n"
            "longer name:  5\n"
            "none:\n");
}

TEST(Printable, KeepsATerminalSafeFromNames) {
  EXPECT_EQ(printable("plain name"), "plain name");
  EXPECT_EQ(printable("\x1b[31m\n\xff~"), "?[31m??~");
}

}  // namespace
}  // namespace ipnctl
