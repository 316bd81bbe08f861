#include "worker/wire/cpu_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paddock {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(CpuList, IsReadAsTheKernelWritesIt) {
  EXPECT_THAT(*ParseCpuList("0\n"), ElementsAre(0));
  EXPECT_THAT(*ParseCpuList("2-4,9"), ElementsAre(2, 3, 4, 9));
  EXPECT_THAT(*ParseCpuList("9,2-3,3"), ElementsAre(2, 3, 9));
  EXPECT_THAT(*ParseCpuList(" \n"), IsEmpty());
}

TEST(CpuList, RefusesWhatIsNone) {
  for (const char* text : {"a", "1-", "-1", "3-2", "1,,2", "1-2-3", "1,", "+1",
                           "1 ,2", "0x1", "65536", "99999999999", "0-6:1/2"}) {
    EXPECT_FALSE(ParseCpuList(text).ok()) << text;
  }
  EXPECT_TRUE(ParseCpuList("65535").ok());
}

TEST(CpuList, IsWrittenAsTheKernelReadsIt) {
  EXPECT_EQ(FormatCpuList({}), "");
  EXPECT_EQ(FormatCpuList({7}), "7");
  EXPECT_EQ(FormatCpuList({0, 1, 2, 4, 6, 7}), "0-2,4,6-7");
}

}  // namespace
}  // namespace paddock
