#include "server/api/page_token.h"

#include <gtest/gtest.h>

#include <climits>

namespace paddock {
namespace {

TEST(PageTokenTest, IsReadBack) {
  EXPECT_EQ(FirstOfPage("", 3), 0);
  EXPECT_EQ(FirstOfPage(PageToken(1), 3), 1);
  EXPECT_EQ(FirstOfPage(PageToken(2), 3), 2);
  EXPECT_EQ(FirstOfPage(PageToken(INT_MAX - 1), INT_MAX), INT_MAX - 1);
}

TEST(PageTokenTest, NoPageBeginsThere) {
  EXPECT_EQ(FirstOfPage(PageToken(0), 3), std::nullopt);
  EXPECT_EQ(FirstOfPage(PageToken(3), 3), std::nullopt);
  EXPECT_EQ(FirstOfPage(PageToken(-1), 3), std::nullopt);
  EXPECT_EQ(FirstOfPage("worker-4294967298", 3), std::nullopt);  // 2^32 + 2
}

TEST(PageTokenTest, OnlyAsItWasWritten) {
  for (const char* token :
       {"2", "worker", "worker-", "worker-02", "worker-+2", "worker- 2",
        "worker-2 ", " worker-2", "worker-2.0", "Worker-2", "worker-2x"}) {
    EXPECT_EQ(FirstOfPage(token, 3), std::nullopt) << token;
  }
}

}  // namespace
}  // namespace paddock
