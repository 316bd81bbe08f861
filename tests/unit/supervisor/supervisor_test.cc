// The whole supervisor with scripted children. This program plays every part:
// started as paddock-worker it is a worker, with --role=server the server, with
// --supervise the supervisor, and else the test, which tells the server by
// datagrams what to do and reads from a pipe what happens.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "paddock/internal/v1/launch.pb.h"
#include "server/config/command_line.h"
#include "server/config/defaults.h"
#include "server/config/yaml_message.h"
#include "server/supervisor/run_supervisor.h"
#include "tests/support/skip.h"
#include "tests/support/time_scale.h"
#include "tests/unit/supervisor/cgroup_parent.h"
#include "worker/base/file_util.h"
#include "worker/base/socket.h"
#include "worker/wire/channel.h"

namespace paddock {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// ---- The children ----

void Say(const std::string& line) {
  const std::string text = line + "\n";
  if (write(STDOUT_FILENO, text.data(), text.size()) < 0) _exit(3);
}

template <typename Launch>
Launch ReadLaunch(int fd) {
  Launch launch;
  const auto bytes = ReadSealedMemfd(fd, 1 << 20);
  if (!bytes.ok() || !launch.ParseFromString(*bytes)) _exit(4);
  return launch;
}

// A process in a sandbox's group that nothing but a signal ends. Returns once
// it has said its pid.
void LeaveOrphanIn(const std::string& directory) {
  PipeEnds said = *MakePipe();
  if (fork() != 0) {
    said.writer.Reset();
    pollfd fd = {said.reader.get(), POLLIN, 0};
    poll(&fd, 1, -1);  // its end closes
    return;
  }
  setsid();
  prctl(PR_SET_PDEATHSIG, 0);
  if (!WriteControlAt(AT_FDCWD, directory + "/cgroup.procs", "0").ok()) {
    _exit(5);
  }
  Say(absl::StrCat("orphan ", getpid()));
  close_range(0, ~0U, 0);
  for (;;) pause();
}

// Fails at once if the log level is "error".
int PlayWorker(const CommandLine& flags) {
  const auto launch = ReadLaunch<internal::v1::WorkerLaunch>(flags.launch_fd);
  if (launch.config().log().level() == "error") return 1;
  const std::string group =
      absl::StrCat(launch.cgroups().unified_directory(), "/w", launch.slot(),
                   "-", launch.incarnation(), "-0");
  if (mkdir(group.c_str(), 0755) == 0) LeaveOrphanIn(group);
  Say(absl::StrCat("worker ", launch.slot(), " ", launch.incarnation(), " ",
                   getpid()));
  char byte = 'r';
  if (send(flags.control_fd, &byte, 1, MSG_NOSIGNAL) != 1) return 1;
  while (recv(flags.control_fd, &byte, 1, 0) > 0) {
  }
  return 0;
}

class ScriptedServer {
 public:
  ScriptedServer(const internal::v1::ServerLaunch& launch, int control)
      : launch_(launch), control_(control) {
    commands_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    const std::string& path = launch.config().listen().unix_socket();
    strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    unlink(path.c_str());
    if (bind(commands_, reinterpret_cast<sockaddr*>(&address),
             sizeof(address)) != 0) {
      Say(absl::StrCat("bind: ", strerror(errno)));
      _exit(6);
    }
  }

  int Run() {
    Say(absl::StrCat("server ", getpid(), " uid ", getuid()));
    for (;;) {
      pollfd fds[2] = {{control_, POLLIN, 0}, {commands_, POLLIN, 0}};
      poll(fds, 2, -1);
      if (fds[0].revents != 0) TakeNews();
      if (fds[1].revents != 0) TakeCommand();
    }
  }

 private:
  void TakeNews() {
    internal::v1::SupervisorMessage message;
    std::vector<UniqueFd> descriptors;
    if (!ReceiveMessage(control_, &message, &descriptors).ok()) _exit(7);
    if (message.has_worker_started()) {
      Say(absl::StrCat("started ", message.worker_started().slot(), " ",
                       message.worker_started().incarnation(), " with ",
                       descriptors.size()));
      if (descriptors.size() != 1) _exit(7);
      // The worker is ready, or dead; and all it says has been said.
      char byte;
      const bool up = recv(descriptors[0].get(), &byte, 1, 0) == 1;
      channels_.push_back(std::move(descriptors[0]));
      if (up && channels_.size() == 1) Ready();
    } else {
      Say(absl::StrCat("exited ", message.worker_exited().slot(), " ",
                       message.worker_exited().incarnation()));
    }
  }

  void Ready() {
    internal::v1::ServerControl control;
    control.mutable_ready()->set_grpc_port(1234);
    if (!SendMessage(control_, control).ok()) _exit(8);
  }

  void TakeCommand() {
    char buffer[256];
    const ssize_t n = recv(commands_, buffer, sizeof(buffer), 0);
    const std::vector<std::string> words =
        absl::StrSplit(absl::string_view(buffer, n > 0 ? n : 0), ' ');
    internal::v1::ServerControl control;
    if (words[0] == "exit") {
      _exit(atoi(words[1].c_str()));
    } else if (words[0] == "garbage") {
      (void)SendPacket(control_, "garbage");
      return;
    } else if (words[0] == "flood") {
      control.mutable_worker_up()->set_slot(99);
      for (int i = 0; i < 2; ++i) {
        std::thread([control, fd = control_] {
          while (SendMessage(fd, control).ok()) {
          }
        }).detach();
      }
      return;
    } else if (words[0] == "hangup") {
      close(control_);
      for (;;) pause();
    } else if (words[0] == "replace") {
      control.mutable_replace_worker()->set_slot(atoi(words[1].c_str()));
      control.mutable_replace_worker()->set_incarnation(atoi(words[2].c_str()));
    } else if (words[0] == "up") {
      control.mutable_worker_up()->set_slot(atoi(words[1].c_str()));
      control.mutable_worker_up()->set_incarnation(atoi(words[2].c_str()));
    }
    if (!SendMessage(control_, control).ok()) _exit(8);
  }

  internal::v1::ServerLaunch launch_;
  int control_;
  int commands_;
  std::vector<UniqueFd> channels_;
};

int PlayServer(const CommandLine& flags) {
  signal(SIGTERM, [](int) { _exit(0); });
  return ScriptedServer(ReadLaunch<internal::v1::ServerLaunch>(flags.launch_fd),
                        flags.control_fd)
      .Run();
}

int PlaySupervisor(const char* config_file) {
  config::v1::Config config = DefaultConfig(LookAtHost(false));
  const auto yaml = ReadFileAt(AT_FDCWD, config_file);
  if (!yaml.ok() || !ApplyYaml(*yaml, &config).empty()) return 9;
  return RunSupervisor(config, {.worker_binary = "/proc/self/exe"});
}

// ---- The test ----

class SupervisorTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT("root", geteuid() == 0);
    const auto parent = CgroupParentForTests();
    ASSERT_TRUE(parent.ok()) << parent.status();
    cgroup_parent_ = *parent;
    char name[] = "/tmp/paddock-supervisor-XXXXXX";
    directory_ = mkdtemp(name);
    chmod(name, 0755);
    socket_path_ = directory_ + "/run/command.sock";
  }

  void TearDown() override {
    if (supervisor_ > 0) {
      kill(supervisor_, SIGTERM);
      EXPECT_EQ(WaitForEnd(), 0) << Rest();
    }
    if (orphan_ > 0) kill(orphan_, SIGKILL);
    unlink(socket_path_.c_str());
    rmdir((directory_ + "/run").c_str());
    unlink((directory_ + "/config").c_str());
    rmdir(directory_.c_str());
  }

  void Start(const std::string& log_level = "info") {
    std::ofstream(directory_ + "/config")
        << "listen: {unix_socket: " << socket_path_ << "}\n"
        << "workers: {count: 1, user: nobody}\n"
        << "log: {level: " << log_level << "}\n"
        << "cgroup: {parent: '" << cgroup_parent_ << "'}\n";
    PipeEnds pipe = *MakePipe();
    supervisor_ = fork();
    if (supervisor_ == 0) {
      dup2(pipe.writer.get(), STDOUT_FILENO);
      dup2(pipe.writer.get(), STDERR_FILENO);
      execl("/proc/self/exe", "paddockd", "--supervise",
            (directory_ + "/config").c_str(), nullptr);
      _exit(1);
    }
    output_ = std::move(pipe.reader);
  }

  // The next line that begins with `start`, within 10 s; all before are
  // dropped. Empty: it did not come.
  std::string Next(const std::string& start) {
    const absl::Time deadline = absl::Now() + Scaled(absl::Seconds(10));
    while (absl::Now() < deadline) {
      const size_t end = text_.find('\n');
      if (end != std::string::npos) {
        const std::string line = text_.substr(0, end);
        text_.erase(0, end + 1);
        seen_ += line + "\n";
        if (line.rfind("orphan ", 0) == 0) orphan_ = Number(line, 1);
        if (line.find(start) != std::string::npos) return line;
        continue;
      }
      pollfd fd = {output_.get(), POLLIN, 0};
      poll(&fd, 1, 100);
      char buffer[4096];
      const ssize_t n = read(output_.get(), buffer, sizeof(buffer));
      if (n > 0) text_.append(buffer, n);
      if (n == 0) break;
    }
    ADD_FAILURE() << "no line with '" << start << "' in:\n" << seen_;
    return "";
  }

  // What nobody has read yet.
  std::string Rest() {
    char buffer[4096];
    const ssize_t n = read(output_.get(), buffer, sizeof(buffer));
    return text_ + std::string(buffer, n > 0 ? n : 0);
  }

  static int Number(const std::string& line, int word) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    return word < static_cast<int>(words.size()) ? atoi(words[word].c_str())
                                                 : 0;
  }

  void Command(const std::string& command) {
    const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, socket_path_.c_str(),
            sizeof(address.sun_path) - 1);
    EXPECT_EQ(sendto(fd.get(), command.data(), command.size(), 0,
                     reinterpret_cast<sockaddr*>(&address), sizeof(address)),
              static_cast<ssize_t>(command.size()))
        << strerror(errno);
  }

  // Exit status of the supervisor; -1 if a signal ended it.
  int WaitForEnd() {
    int status = 0;
    waitpid(supervisor_, &status, 0);
    supervisor_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  // Whether `pid` ends within 5 s. A zombie has ended: who reaps it differs.
  static bool IsGone(pid_t pid) {
    for (int i = 0; i < 500; ++i) {
      const auto stat =
          ReadFileAt(AT_FDCWD, absl::StrCat("/proc/", pid, "/stat"));
      if (!stat.ok() || stat->find(") Z ") != std::string::npos) return true;
      usleep(10000);
    }
    return false;
  }

  std::string cgroup_parent_;
  std::string directory_;
  std::string socket_path_;
  pid_t supervisor_ = 0;
  pid_t orphan_ = 0;
  UniqueFd output_;
  std::string text_;
  std::string seen_;
};

TEST_F(SupervisorTest, StartsAndStops) {
  Start();
  EXPECT_THAT(Next("server "), HasSubstr("uid 65534"));
  EXPECT_EQ(Next("started "), "started 0 1 with 1");
  EXPECT_THAT(Next("is ready"), HasSubstr("127.0.0.1:1234 and unix:/tmp/"));
  const pid_t orphan = orphan_;
  ASSERT_GT(orphan, 0);
  kill(supervisor_, SIGHUP);
  Next("SIGHUP has no effect");
  kill(supervisor_, SIGTERM);
  EXPECT_EQ(WaitForEnd(), 0);
  EXPECT_TRUE(IsGone(orphan));
}

TEST_F(SupervisorTest, AServerThatNeverStopsTalkingDoesNotKeepItFromSignals) {
  Start();
  Next("is ready");
  Command("flood");
  absl::SleepFor(absl::Milliseconds(200));
  kill(supervisor_, SIGHUP);
  Next("SIGHUP has no effect");
  kill(supervisor_, SIGTERM);
  EXPECT_EQ(WaitForEnd(), 0);
}

TEST_F(SupervisorTest, ReplacesAWorkerAndClearsAfterIt) {
  Start();
  const pid_t worker = Number(Next("worker 0 1"), 3);
  Next("is ready");
  const pid_t orphan = orphan_;
  ASSERT_GT(orphan, 0);
  Command("replace 0 1");
  Next("exited 0 1");
  EXPECT_EQ(Next("started "), "started 0 2 with 1");
  EXPECT_TRUE(IsGone(worker));
  // It had left its parent and every session: only the group leads to it.
  EXPECT_TRUE(IsGone(orphan));
  // What is not there any more is not replaced again.
  Command("replace 0 1");
  Command("replace 7 1");
  Command("replace -1 1");
  Command("replace 0 2");
  EXPECT_EQ(Next("started "), "started 0 3 with 1");
}

TEST_F(SupervisorTest, AWorkerThatWasUpIsReplacedAtOnceOthersLater) {
  Start();
  Next("is ready");
  for (int incarnation = 1; incarnation <= 5; ++incarnation) {
    Command(absl::StrCat("up 0 ", incarnation));
    Command(absl::StrCat("replace 0 ", incarnation));
    EXPECT_THAT(Next("(incarnation "), HasSubstr("starts in 0"));
  }
  Next("started 0 6");
  Command("replace 0 6");
  EXPECT_THAT(Next("(incarnation 6)"), HasSubstr("starts in 0"));
  Next("started 0 7");
  Command("replace 0 7");
  EXPECT_THAT(Next("(incarnation 7)"), HasSubstr("starts in 100ms"));
  Next("started 0 8");
}

TEST_F(SupervisorTest, AServerThatDiesIsStartedAgainWithNewWorkers) {
  Start();
  const pid_t server = Number(Next("server "), 1);
  Next("is ready");
  kill(server, SIGKILL);
  EXPECT_THAT(Next("the server "), HasSubstr("was killed by signal 9"));
  EXPECT_NE(Number(Next("server "), 1), server);
  EXPECT_THAT(Next("started "), StartsWith("started 0 "));
  Next("command.sock, again");
}

TEST_F(SupervisorTest, AServerThatBreaksTheProtocolIsKilled) {
  Start();
  const pid_t server = Number(Next("server "), 1);
  Next("is ready");
  Command("garbage");
  Next("broke the protocol");
  Next("the server ");  // ends
  EXPECT_TRUE(IsGone(server));
  Next("command.sock, again");
}

TEST_F(SupervisorTest, AServerThatHangsUpIsKilled) {
  Start();
  const pid_t server = Number(Next("server "), 1);
  Next("is ready");
  Command("hangup");
  Next("it is killed");
  EXPECT_TRUE(IsGone(server));
  Next("command.sock, again");
}

TEST_F(SupervisorTest, GivesUpWhenTheServerEndsBeforeItIsReady) {
  // The server cannot bind over a directory.
  mkdir((directory_ + "/run").c_str(), 0777);
  chmod((directory_ + "/run").c_str(), 0777);
  mkdir(socket_path_.c_str(), 0755);
  Start();
  Next("bind: ");
  Next("the server ended with exit status 6 before it was ready");
  EXPECT_EQ(WaitForEnd(), 1);
  rmdir(socket_path_.c_str());
}

TEST_F(SupervisorTest, GivesUpWhenNoWorkerCanStart) {
  Start("error");
  Next("times and none has become ready");
  EXPECT_EQ(WaitForEnd(), 1);
}

TEST_F(SupervisorTest, KilledItTakesAllWithIt) {
  Start();
  const pid_t server = Number(Next("server "), 1);
  Next("is ready");
  const pid_t orphan = orphan_;
  ASSERT_GT(orphan, 0);
  kill(supervisor_, SIGKILL);
  EXPECT_EQ(WaitForEnd(), -1);
  EXPECT_TRUE(IsGone(server));
  // The next one finds what nothing else could end.
  ASSERT_EQ(kill(orphan, 0), 0);
  Start();
  Next("is ready");
  EXPECT_TRUE(IsGone(orphan));
}

}  // namespace
}  // namespace paddock

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "--supervise") == 0) {
    return paddock::PlaySupervisor(argv[2]);
  }
  paddock::CommandLine flags;
  for (int i = 1; i < argc; ++i) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(argv[i], absl::MaxSplits('=', 1));
    if (parts.first == "--role") flags.is_server = true;
    if (parts.first == "--launch-fd") flags.launch_fd = stoi(parts.second);
    // A worker's channel is where the server has its control socket.
    if (parts.first == "--control-fd" || parts.first == "--channel-fd") {
      flags.control_fd = stoi(parts.second);
    }
  }
  if (flags.is_server) return paddock::PlayServer(flags);
  if (flags.control_fd >= 0) return paddock::PlayWorker(flags);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
