// How the program process becomes the program. The calls are those that it
// makes in a sandbox; here nothing has closed anything before, and no tree is
// its own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <string>

#include "worker/base/socket.h"
#include "worker/init/init.h"
#include "worker/sandbox/program_plan.h"
#include "worker/sandbox/report_reader.h"

namespace paddock {
namespace {

RunSpec Spec(const std::string& directory) {
  RunSpec spec;
  spec.argv = {"/bin/ls", "/proc/self/fd"};
  spec.path = "/bin";
  spec.working_directory = directory;
  spec.limits.cpu_time = absl::Seconds(100);
  spec.limits.open_files = 200;
  spec.limits.file_size_bytes = 1 << 20;
  spec.limits.stack_bytes = 8 << 20;
  return spec;
}

class ExecTest : public testing::Test {
 protected:
  void SetUp() override {
    auto socket = MakeSocketPair();
    auto output = MakePipe();
    ASSERT_TRUE(socket.ok() && output.ok());
    socket_ = *std::move(socket);
    output_ = *std::move(output);
  }

  // What the child prints that prepares itself and then becomes `ls`, by a plan
  // or without.
  std::string Output(const std::function<bool()>& prepare,
                     const std::string* packet) {
    const pid_t child = fork();
    if (child == 0) {
      if (dup2(output_.writer.get(), 1) != 1 || !prepare()) _exit(100);
      if (packet == nullptr) {
        execl("/bin/ls", "/bin/ls", "/proc/self/fd", nullptr);
        _exit(101);
      }
      init::ReceivePlanAndExec(socket_.second.get(), output_.writer.get(),
                               dup(2));
    }
    socket_.second.Reset();
    output_.writer.Reset();
    if (packet != nullptr) {
      EXPECT_TRUE(SendPacket(socket_.first.get(), *packet).ok());
    }
    waitpid(child, &status_, 0);
    char text[4096];
    const ssize_t n = read(output_.reader.get(), text, sizeof(text));
    return std::string(text, std::max<ssize_t>(0, n));
  }

  std::string OutputByPlan(const std::function<bool()>& prepare,
                           const std::string& directory) {
    const auto packet = EncodeProgramPlan(Spec(directory));
    EXPECT_TRUE(packet.ok()) << packet.status();
    return packet.ok() ? Output(prepare, &*packet) : "";
  }

  SocketPair socket_;
  PipeEnds output_;
  int status_ = -1;
};

bool Leak() { return fcntl(2, F_DUPFD, 100) == 100; }

TEST_F(ExecTest, NothingIsInherited) {
  EXPECT_EQ(OutputByPlan(Leak, "/"), "0\n1\n2\n3\n");  // 3 is the list itself
  EXPECT_EQ(status_, 0);
}

TEST_F(ExecTest, ItsControl) {
  EXPECT_NE(Output(Leak, nullptr).find("100\n"), std::string::npos);
}

// As a descriptor of another tree would, if the child had one.
bool LeaveTheTree() {
  if (geteuid() != 0 && unshare(CLONE_NEWUSER) != 0) return false;
  return chdir("/usr") == 0 && chroot("/bin") == 0;
}

TEST_F(ExecTest, ADirectoryOutsideOfTheTreeIsRefused) {
  EXPECT_EQ(OutputByPlan(LeaveTheTree, "."), "");
  const auto received = ReceiveReport(socket_.first.get());
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(received->report.step, init::SetupStep::kChangeDirectory);
  EXPECT_EQ(received->report.error, EXDEV);
}

// The control: within, and then there is no such program.
TEST_F(ExecTest, ADirectoryInsideIsTaken) {
  EXPECT_EQ(OutputByPlan([] { return LeaveTheTree() && chdir("/") == 0; }, "."),
            "");
  const auto received = ReceiveReport(socket_.first.get());
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(received->report.step, init::SetupStep::kExec);
  EXPECT_EQ(received->report.error, ENOENT);
}

}  // namespace
}  // namespace paddock
