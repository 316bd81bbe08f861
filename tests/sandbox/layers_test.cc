// Each layer of a sandbox as the program inside finds it, and as the same
// commands find the host: a probe that is broken fails on both.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/support/worker_process.h"

namespace paddock {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

// What a shell command prints on the host: the control.
std::string OnHost(const std::string& command) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(
      popen(absl::StrCat(command, " 2>&1").c_str(), "re"), pclose);
  std::string output;
  std::array<char, 4096> buffer;
  while (size_t n = fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    output.append(buffer.data(), n);
  }
  return output;
}

class LayersTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    absl::StatusOr<std::unique_ptr<WorkerProcess>> worker =
        WorkerProcess::Start();
    ASSERT_TRUE(worker.ok()) << worker.status();
    worker_ = std::move(*worker).release();
  }
  static void TearDownTestSuite() {
    delete worker_;
    worker_ = nullptr;
  }

  static v1::Process Shell(const std::string& command) {
    v1::Process process = WorkerProcess::NewProcess({"sh", "-c", command});
    process.set_stderr_to_stdout(true);
    return process;
  }

  static std::string Inside(const v1::Process& process) {
    absl::StatusOr<v1::ProcessResult> result = worker_->Run(process);
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok()) return "";
    EXPECT_TRUE(result->exit_case() != v1::ProcessResult::EXIT_NOT_SET)
        << result->DebugString();
    return result->stdout().data();
  }
  static std::string Inside(const std::string& command) {
    return Inside(Shell(command));
  }

  static inline WorkerProcess* worker_ = nullptr;
};

TEST_F(LayersTest, EveryNamespaceIsNew) {
  for (const char* name :
       {"mnt", "pid", "net", "ipc", "uts", "time", "user", "cgroup"}) {
    const std::string command = absl::StrCat("readlink /proc/self/ns/", name);
    const std::string host = OnHost(command);
    ASSERT_THAT(host, HasSubstr(absl::StrCat(name, ":[")));
    const std::string first = Inside(command);
    const std::string second = Inside(command);
    EXPECT_THAT(first, HasSubstr(absl::StrCat(name, ":[")));
    EXPECT_NE(first, host) << name;
    EXPECT_NE(first, second) << name << " is shared by two sandboxes";
  }
}

TEST_F(LayersTest, NoCapabilityIsHeldAndNoneCanBeRegained) {
  const std::string command =
      "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status";
  ASSERT_THAT(OnHost(command), Not(HasSubstr("CapBnd:\t0000000000000000")));
  const std::string inside = Inside(command);
  for (const char* set : {"Inh", "Prm", "Eff", "Bnd", "Amb"}) {
    EXPECT_THAT(inside,
                HasSubstr(absl::StrCat("Cap", set, ":\t0000000000000000")));
  }
  EXPECT_THAT(inside, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(inside, HasSubstr("Seccomp:\t2"));
}

TEST_F(LayersTest, NoSignalIsIgnoredOrBlocked) {
  const std::string command = "grep -E '^Sig(Blk|Ign)' /proc/self/status";
  EXPECT_EQ(Inside("exec " + command),
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  // Control: the same line shows a signal that is ignored.
  EXPECT_THAT(Inside("trap '' USR1; exec " + command),
              HasSubstr("SigIgn:\t0000000000000200"));
}

TEST_F(LayersTest, ProgramIsAnUnprivilegedUserWithARangeOfItsOwn) {
  EXPECT_EQ(Inside("id -u; id -g; id -G"), "1000\n1000\n1000\n");
  // user_namespaces(7): inside, outside, count.
  const auto outside_id = [](const std::string& map) {
    const std::vector<std::string> words =
        absl::StrSplit(map, ' ', absl::SkipWhitespace());
    return words.size() == 3 ? words[1] : "";
  };
  const std::string first = outside_id(Inside("cat /proc/self/uid_map"));
  const std::string second = outside_id(Inside("cat /proc/self/uid_map"));
  EXPECT_THAT(first, Not(IsEmpty()));
  EXPECT_NE(first, "0");
  EXPECT_NE(first, second) << "two sandboxes in a row share host ids";
}

TEST_F(LayersTest, RootHoldsTheImageAndNothingElse) {
  // Of the image, which is the host's, some have lib32 or libx32.
  std::string expected;
  for (const char* name : {"bin", "dev", "etc", "lib", "lib32", "lib64",
                           "libx32", "proc", "sbin", "tmp", "usr"}) {
    if (access(absl::StrCat("/", name).c_str(), F_OK) == 0) {
      absl::StrAppend(&expected, name, " ");
    }
  }
  const bool has_ghc = access("/var/lib/ghc", F_OK) == 0;
  if (has_ghc) expected += "var ";
  EXPECT_EQ(Inside("cd /; echo *"), expected + "work\n");
  if (has_ghc) {
    EXPECT_EQ(Inside("cd /var; echo * lib/*"), "lib lib/ghc\n");
  }
  EXPECT_EQ(Inside("cd /dev; echo *"),
            "fd full null random shm stderr stdin stdout urandom zero\n");
  EXPECT_THAT(OnHost("ls /dev"), HasSubstr("ptmx"));  // control
  const std::string mounts = Inside("cat /proc/self/mounts");
  EXPECT_THAT(mounts, Not(HasSubstr("cgroup")));
  EXPECT_THAT(mounts, Not(HasSubstr("sysfs")));
  EXPECT_THAT(OnHost("cat /proc/self/mounts"), HasSubstr("cgroup"));
}

TEST_F(LayersTest, MountsCannotGainSetuidOrDevices) {
  const std::vector<std::string> lines =
      absl::StrSplit(Inside("cat /proc/self/mounts"), '\n');
  ASSERT_GT(lines.size(), 6u);
  for (const std::string& line : lines) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    if (fields.size() < 4) continue;
    EXPECT_THAT(fields[3], HasSubstr("nosuid")) << line;
    if (fields[1] != "/dev") {
      EXPECT_THAT(fields[3], HasSubstr("nodev")) << line;
    }
    const bool writable = fields[1] == "/work" || fields[1] == "/tmp" ||
                          fields[1] == "/dev/shm" || fields[1] == "/proc";
    if (!writable) {
      EXPECT_TRUE(absl::StartsWith(fields[3], "ro")) << line;
    }
  }
}

TEST_F(LayersTest, OnlyOwnProcessesAreInProc) {
  EXPECT_THAT(OnHost("ls /proc"), HasSubstr("meminfo"));
  const std::string inside = Inside("cd /proc; echo [a-z]*; echo [0-9]*");
  EXPECT_THAT(inside, HasSubstr("self thread-self\n"));
  EXPECT_THAT(inside, Not(HasSubstr("meminfo")));
  // pid 1 is another user: hidepid=2.
  EXPECT_EQ(inside.find("\n1 "), std::string::npos) << inside;
}

TEST_F(LayersTest, LoopbackIsThereOnlyWhereAskedFor) {
  const std::string probe =
      "python3 -c 'import socket; s=socket.socket(); "
      "s.bind((\"127.0.0.1\", 0)); s.listen(); "
      "socket.create_connection(s.getsockname(), 5); print(\"connected\")'";
  ASSERT_EQ(OnHost(probe), "connected\n");
  EXPECT_THAT(Inside(probe), HasSubstr("Address family not supported"));
  v1::Process process = Shell(probe);
  process.set_network(v1::NETWORK_LOOPBACK);
  EXPECT_EQ(Inside(process), "connected\n");
  EXPECT_EQ(Inside("tail -n +3 /proc/self/net/dev | cut -d: -f1 | tr -d ' '"),
            "lo\n");
}

TEST_F(LayersTest, DescriptorsAreTheThreeStandardOnes) {
  EXPECT_EQ(Inside("cd /proc/self/fd; exec ls -1 /proc/self/fd"),
            "0\n1\n2\n3\n");  // 3 is ls's own directory
}

TEST_F(LayersTest, EnforcementTableHasEveryLimitAndLayer) {
  std::map<v1::LimitKind, v1::EnforcementState> limits;
  for (const auto& row : worker_->ready().limits()) {
    limits[row.limit()] = row.state();
    EXPECT_THAT(row.mechanism(), Not(IsEmpty()));
  }
  for (int kind = v1::LIMIT_KIND_CPU_TIME; kind <= v1::LIMIT_KIND_OUTPUT;
       ++kind) {
    EXPECT_EQ(limits[static_cast<v1::LimitKind>(kind)],
              v1::ENFORCEMENT_STATE_ENFORCED)
        << v1::LimitKind_Name(kind);
  }
  // Those that some hosts are without; the others stand wherever it starts.
  const std::set<std::string> of_the_host = {"cpus", "cpu_weight",
                                             "io_accounting", "landlock"};
  std::vector<std::string> layers;
  for (const auto& row : worker_->ready().layers()) {
    layers.push_back(row.layer());
    if (of_the_host.contains(row.layer())) continue;
    EXPECT_EQ(row.state(), v1::ENFORCEMENT_STATE_ENFORCED) << row.layer();
    EXPECT_THAT(row.mechanism(), Not(IsEmpty())) << row.layer();
  }
  EXPECT_THAT(layers, UnorderedElementsAre(
                          "namespaces", "user_ids", "rootfs", "proc", "devices",
                          "huge_pages", "network", "loopback", "kill", "oom",
                          "cgroup_entry", "cpus", "cpu_weight", "io_accounting",
                          "rlimits", "record_locks", "epoll", "capabilities",
                          "no_new_privs", "seccomp", "landlock"));
}

}  // namespace
}  // namespace paddock
