#include "server/supervisor/kernel_release.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paddock {
namespace {

using ::testing::HasSubstr;

TEST(CheckKernelReleaseTest, TheOldestIsNamed) {
  for (const char* old : {"5.13.19", "5.10.0-32-amd64", "4.18.0", "3.10.0"}) {
    const absl::Status status = CheckKernelRelease(old);
    EXPECT_THAT(std::string(status.message()), HasSubstr(old));
    EXPECT_THAT(std::string(status.message()), HasSubstr("5.14 or newer"));
  }
}

TEST(CheckKernelReleaseTest, TheOldestAndAllAfterItPass) {
  for (const char* good : {"5.14.0", "5.14", "5.15.0-91-generic", "6.1.0",
                           "6.12.9+deb12-amd64", "10.0", "odd"}) {
    EXPECT_TRUE(CheckKernelRelease(good).ok()) << good;
  }
}

}  // namespace
}  // namespace paddock
