// What a profile weakens is set up whole or not at all.
#include "worker/init/proc_mask.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "tests/support/skip.h"

namespace paddock {
namespace {

constexpr int kSetupFailed = 255;

// A new root as init has it when it masks: ./proc, ./dev/null, ./work. In a
// child with a mount namespace of its own.
void MakeRoot() {
  const bool made =
      unshare(CLONE_NEWNS) == 0 &&
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
      mount("tmpfs", "/mnt", "tmpfs", 0, nullptr) == 0 && chdir("/mnt") == 0 &&
      mkdir("proc", 0755) == 0 && mkdir("dev", 0755) == 0 &&
      mkdir("work", 0755) == 0 &&
      mknod("dev/null", S_IFCHR | 0666, makedev(1, 3)) == 0 &&
      mount("proc", "proc", "proc", 0, "hidepid=2") == 0;
  if (!made) _exit(kSetupFailed);
}

// Changes the root by `change`; 0 if all was masked then, else errno.
int MaskAfter(bool (*change)()) {
  const pid_t child = fork();
  if (child == 0) {
    MakeRoot();
    if (!change()) _exit(kSetupFailed);
    _exit(init::MaskProc() ? 0 : errno);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << status;
  return WEXITSTATUS(status);
}

bool UseTmpfs() {
  return umount("proc") == 0 &&
         mount("tmpfs", "proc", "tmpfs", 0, nullptr) == 0 &&
         mkdir("proc/sys", 0755) == 0;
}

class ProcMaskTest : public testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT("root", geteuid() == 0); }
};

TEST_F(ProcMaskTest, TheRealProcIsMasked) {
  EXPECT_EQ(MaskAfter([] { return true; }), 0);
  EXPECT_EQ(MaskAfter([] { return UseTmpfs(); }), 0);
}

TEST_F(ProcMaskTest, NothingToCoverWith) {
  EXPECT_EQ(MaskAfter([] { return unlink("dev/null") == 0; }), ENOENT);
  EXPECT_EQ(MaskAfter([] { return rmdir("work") == 0; }), ENOENT);
}

TEST_F(ProcMaskTest, AnEntryThatCannotBeCovered) {
  EXPECT_EQ(MaskAfter([] { return UseTmpfs() && mkfifo("proc/x", 0600) == 0; }),
            ENOTSUP);
  EXPECT_EQ(MaskAfter([] { return UseTmpfs() && symlink("/", "proc/x") == 0; }),
            ENOTSUP);
}

// Something is mounted over it already: what is covered would be another thing
// than what was looked at.
TEST_F(ProcMaskTest, AnEntryThatIsAMountAlready) {
  EXPECT_EQ(MaskAfter([] {
              return UseTmpfs() && mkdir("proc/x", 0755) == 0 &&
                     mount("tmpfs", "proc/x", "tmpfs", 0, nullptr) == 0;
            }),
            EXDEV);
}

TEST_F(ProcMaskTest, NoSysToMakeReadOnly) {
  EXPECT_EQ(MaskAfter([] { return UseTmpfs() && rmdir("proc/sys") == 0; }),
            ENOENT);
}

}  // namespace
}  // namespace paddock
