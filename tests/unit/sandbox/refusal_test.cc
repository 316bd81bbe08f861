#include "worker/sandbox/refusal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "worker/base/status_macros.h"

namespace paddock {
namespace {

using init::SetupStep;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Explained(int error, SetupStep step, const Confinement& around) {
  const absl::Status status =
      ExplainRefusal(ErrnoStatus(error, "the call"), step, around);
  EXPECT_TRUE(IsRefusal(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("the call"));
  return std::string(status.message());
}

TEST(ParseConfinementTest, ReadsWhatTheKernelWrites) {
  const Confinement found = ParseConfinement(
      "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n",
      "containers-default-0.50.1 (enforce)\n",
      "1 2 0:3 / /proc rw - proc proc rw\n"
      "2 1 0:4 /null /proc/kcore rw - tmpfs tmpfs rw\n"
      "3 1 0:5 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n"
      "4 1 0:6 / /process rw - ext4 /dev/vda rw\n");
  EXPECT_TRUE(found.filtered);
  EXPECT_EQ(found.security_profile, "containers-default-0.50.1");
  EXPECT_THAT(found.masks, ElementsAre("/proc/kcore"));
}

TEST(ParseConfinementTest, AHostHasNone) {
  for (const char* profile : {"unconfined\n", "", "x (complain)\n"}) {
    const Confinement found =
        ParseConfinement("Name:\tx\nSeccomp:\t0\n", profile, "");
    EXPECT_FALSE(found.filtered);
    EXPECT_EQ(found.security_profile, "");
    EXPECT_TRUE(found.masks.empty());
  }
}

TEST(ExplainRefusalTest, NamesWhatRefused) {
  Confinement around;
  EXPECT_THAT(Explained(EPERM, SetupStep::kMountProc, around),
              HasSubstr("security module"));
  around.filtered = true;
  EXPECT_THAT(Explained(EPERM, SetupStep::kPivotRoot, around),
              HasSubstr("seccomp filter"));
  EXPECT_THAT(Explained(ENOSYS, SetupStep::kNone, around),
              HasSubstr("seccomp filter"));
  around.security_profile = "docker-default";
  EXPECT_THAT(Explained(EACCES, SetupStep::kMountTmp, around),
              HasSubstr("\"docker-default\""));
  around.masks = {"/proc/kcore"};
  EXPECT_THAT(Explained(EPERM, SetupStep::kMountProc, around),
              HasSubstr("/proc/kcore"));
}

TEST(ExplainRefusalTest, ANameOfAHostIsNeededInAUserNamespaceOfOnesOwnOnly) {
  Confinement around;
  around.filtered = true;
  EXPECT_THAT(Explained(EPERM, SetupStep::kSetHostname, around),
              HasSubstr("CAP_SYS_ADMIN"));
  EXPECT_THAT(Explained(EPERM, SetupStep::kPivotRoot, around),
              Not(HasSubstr("CAP_SYS_ADMIN")));
}

TEST(ExplainRefusalTest, NamesTheLimitOfNamespaces) {
  Confinement around;
  EXPECT_THAT(Explained(ENOSPC, SetupStep::kUnshareUser, around),
              HasSubstr("is reached"));
  around.no_more_of = {"user.max_user_namespaces"};
  EXPECT_THAT(Explained(ENOSPC, SetupStep::kUnshareUser, around),
              HasSubstr("user.max_user_namespaces is 0"));
}

TEST(ExplainRefusalTest, AShortageIsNone) {
  Confinement around;
  around.filtered = true;
  for (const int error : {ENOMEM, EAGAIN, EIO}) {
    const absl::Status status = ErrnoStatus(error, "the call");
    EXPECT_EQ(ExplainRefusal(status, SetupStep::kMountTmp, around), status);
    EXPECT_FALSE(IsRefusal(status));
  }
  EXPECT_FALSE(IsRefusal(ExplainRefusal(ErrnoStatus(ENOSPC, "the call"),
                                        SetupStep::kMountTmp, around)));
}

}  // namespace
}  // namespace paddock
