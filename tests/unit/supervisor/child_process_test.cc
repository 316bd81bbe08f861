// What the supervisor's children start with, on the real kernel.
#include "server/supervisor/child_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "tests/support/skip.h"
#include "worker/base/file_util.h"
#include "worker/base/socket.h"

namespace paddock {
namespace {

using testing::HasSubstr;
using testing::Not;

const ServiceUser kNobody = {"nobody", 65534, 65534};

class ChildProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT("root", geteuid() == 0);
    shell_ = *OpenAt(AT_FDCWD, "/bin/sh", O_PATH);
  }

  // Runs `script` as a child that is passed a pipe; returns what it wrote
  // there.
  std::string Run(const std::string& script, const ServiceUser* user) {
    PipeEnds pipe = *MakePipe();
    fcntl(pipe.reader.get(), F_SETFL, 0);
    ChildProgram program;
    program.executable = shell_.get();
    program.argv = {"sh", "-c",
                    absl::StrCat("exec 1>&", pipe.writer.get(), "; ", script)};
    program.descriptors = {pipe.writer.get()};
    program.user = user;
    const auto pid = StartChild(program);
    EXPECT_TRUE(pid.ok()) << pid.status();
    if (!pid.ok()) return "";
    pipe.writer.Reset();
    std::string output;
    char buffer[4096];
    ssize_t n;
    while ((n = read(pipe.reader.get(), buffer, sizeof(buffer))) > 0) {
      output.append(buffer, n);
    }
    waitpid(*pid, nullptr, 0);
    return output;
  }

  UniqueFd shell_;
};

TEST_F(ChildProcessTest, ServerHasNoPrivilegeLeft) {
  const std::string status = Run("cat /proc/self/status", &kNobody);
  for (const char* line :
       {"Uid:\t65534\t65534\t65534\t65534\n", "Groups:\t \n",
        "Gid:\t65534\t65534\t65534\t65534\n", "CapInh:\t0000000000000000\n",
        "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
        "CapBnd:\t0000000000000000\n", "CapAmb:\t0000000000000000\n",
        "NoNewPrivs:\t1\n"}) {
    EXPECT_THAT(status, HasSubstr(line));
  }
  // Control: without a user it keeps what we have.
  EXPECT_THAT(Run("cat /proc/self/status", nullptr),
              Not(HasSubstr("CapEff:\t0000000000000000\n")));
}

TEST_F(ChildProcessTest, SignalsAreAsAtBoot) {
  sigset_t blocked, old;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &old);
  signal(SIGPIPE, SIG_IGN);
  const std::string status = Run("cat /proc/self/status", nullptr);
  sigprocmask(SIG_SETMASK, &old, nullptr);
  signal(SIGPIPE, SIG_DFL);
  EXPECT_THAT(status, HasSubstr("SigBlk:\t0000000000000000\n"));
  EXPECT_THAT(status, HasSubstr("SigIgn:\t0000000000000000\n"));
}

TEST_F(ChildProcessTest, OnlyWhatWasNamedIsOpen) {
  // Not even close-on-exec: another library may have opened it.
  const UniqueFd secret(open("/etc/passwd", O_RDONLY));
  ASSERT_TRUE(secret.valid());
  const std::string open = Run("ls -l /proc/$$/fd", nullptr);
  EXPECT_THAT(open, Not(HasSubstr("/etc/passwd")));
  EXPECT_THAT(open, HasSubstr("0 -> /dev/null"));
  EXPECT_THAT(open, HasSubstr("pipe:"));
}

TEST_F(ChildProcessTest, IsASessionOfItsOwn) {
  EXPECT_THAT(
      Run("set -- $(cat /proc/$$/stat); test $$ = $6 && echo leads", nullptr),
      HasSubstr("leads"));
}

TEST_F(ChildProcessTest, WhatCannotBeExecutedIsSaid) {
  const UniqueFd passwd = *OpenAt(AT_FDCWD, "/etc/passwd", O_PATH);
  ChildProgram program;
  program.executable = passwd.get();
  program.argv = {"thing"};
  const auto pid = StartChild(program);
  EXPECT_EQ(pid.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(pid.status().message()),
              HasSubstr("starting thing: execveat"));
}

// A parent that starts a child, is killed after `delay`, and leaves nobody who
// holds the pipe's writing end: end of file tells.
void ExpectChildDiesWithParent(int shell, const ServiceUser* user,
                               useconds_t delay) {
  PipeEnds alive = *MakePipe();
  const pid_t parent = fork();
  if (parent == 0) {
    ChildProgram program;
    program.executable = shell;
    program.argv = {"sh", "-c", "exec sleep 100"};
    program.descriptors = {alive.writer.get()};
    program.user = user;
    alive.reader.Reset();
    (void)StartChild(program);
    for (;;) pause();
  }
  alive.writer.Reset();
  usleep(delay);
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  pollfd fd = {alive.reader.get(), POLLIN, 0};
  EXPECT_EQ(poll(&fd, 1, 5000), 1) << "after " << delay << " us";
}

TEST_F(ChildProcessTest, DiesWithItsParentWheneverThatIsKilled) {
  for (useconds_t delay = 0; delay < 6000; delay += 100) {
    ExpectChildDiesWithParent(shell_.get(), nullptr, delay);
    ExpectChildDiesWithParent(shell_.get(), &kNobody, delay);
  }
}

}  // namespace
}  // namespace paddock
