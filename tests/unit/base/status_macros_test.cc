#include "worker/base/status_macros.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace paddock {
namespace {

using ::testing::HasSubstr;

TEST(ErrnoStatusTest, NamesTheCallAndKeepsTheNumber) {
  const absl::Status status = ErrnoStatus(ENOENT, "open /nowhere");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("open /nowhere"));
  EXPECT_EQ(ErrnoOf(status), ENOENT);
}

TEST(ErrnoStatusTest, OtherStatusesHaveNone) {
  EXPECT_EQ(ErrnoOf(absl::OkStatus()), 0);
  EXPECT_EQ(ErrnoOf(absl::NotFoundError("x")), 0);
}

TEST(ErrnoStatusTest, AnAnnotatedOneKeepsTheNumber) {
  const absl::Status status = Annotate(ErrnoStatus(EPERM, "mount"), "image: ");
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr("image: mount"));
  EXPECT_EQ(ErrnoOf(status), EPERM);
  EXPECT_EQ(ErrnoOf(Annotate(absl::NotFoundError("x"), "y")), 0);
}

absl::Status FailIf(bool fail) {
  return fail ? absl::AbortedError("failed") : absl::OkStatus();
}

absl::Status ReturnIfError(bool fail, bool* went_on) {
  RETURN_IF_ERROR(FailIf(fail));
  *went_on = true;
  return absl::OkStatus();
}

TEST(StatusMacrosTest, ReturnIfError) {
  bool went_on = false;
  EXPECT_EQ(ReturnIfError(true, &went_on).code(), absl::StatusCode::kAborted);
  EXPECT_FALSE(went_on);
  EXPECT_TRUE(ReturnIfError(false, &went_on).ok());
  EXPECT_TRUE(went_on);
}

absl::StatusOr<std::unique_ptr<int>> MakeInt(int value) {
  if (value < 0) return absl::OutOfRangeError("negative");
  return std::make_unique<int>(value);
}

absl::StatusOr<int> Sum(int a, int b) {
  ASSIGN_OR_RETURN(const std::unique_ptr<int> first, MakeInt(a));
  ASSIGN_OR_RETURN(const std::unique_ptr<int> second, MakeInt(b));
  return *first + *second;
}

TEST(StatusMacrosTest, AssignOrReturnMovesTheValue) {
  EXPECT_EQ(Sum(1, 2).value(), 3);
  EXPECT_EQ(Sum(1, -2).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Sum(-1, 2).status().code(), absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace paddock
