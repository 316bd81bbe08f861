#include "server/supervisor/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "worker/base/refused_call.h"
#include "worker/base/socket.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

constexpr const char* kPassedVariables[] = {"PATH",
                                            "LANG",
                                            "LC_ALL",
                                            "TZ",
                                            "LD_LIBRARY_PATH",
                                            "ASAN_OPTIONS",
                                            "LSAN_OPTIONS",
                                            "TSAN_OPTIONS",
                                            "UBSAN_OPTIONS"};

enum class StartStep : int {
  kWatchParent,
  kSession,
  kStdin,
  kDescriptors,
  kBecomeUser,
  kExec,
};

const char* StartStepName(StartStep step) {
  switch (step) {
    case StartStep::kWatchParent:
      return "prctl(PR_SET_PDEATHSIG)";
    case StartStep::kSession:
      return "setsid";
    case StartStep::kStdin:
      return "open /dev/null";
    case StartStep::kDescriptors:
      return "close_range";
    case StartStep::kBecomeUser:
      return "becoming the service user";
    case StartStep::kExec:
      return "execveat";
  }
  return "unknown step";
}

// Written at most once to the report pipe; end of file without it: exec'ed.
struct StartFailure {
  StartStep step;
  int error;
};

// What the child needs, complete before the fork.
struct StartPlan {
  const ChildProgram* program;
  std::vector<char*> argv;
  std::vector<char*> environment;
  pid_t parent;
  int report;
};

// The child's side: system calls only, nothing is allocated.
[[noreturn]] void Fail(const StartPlan& plan, StartStep step, int error) {
  const StartFailure failure = {step, error};
  // If even this fails, the parent sees the exit status.
  const ssize_t written = write(plan.report, &failure, sizeof(failure));
  _exit(written == sizeof(failure) ? 126 : 125);
}

// Has to be done again after a change of credentials, which clears it:
// prctl(2).
void DieWithParent(const StartPlan& plan) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
    Fail(plan, StartStep::kWatchParent, errno);
  }
  if (getppid() != plan.parent) _exit(0);  // it was gone before we asked
}

void ResetSignals() {
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void RunChild(const StartPlan& plan) {
  DieWithParent(plan);  // first: nothing may outlive the supervisor
  ResetSignals();
  if (setsid() < 0) Fail(plan, StartStep::kSession, errno);
  const int null = open("/dev/null", O_RDONLY);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0) {
    Fail(plan, StartStep::kStdin, errno);
  }
  if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
    Fail(plan, StartStep::kDescriptors, errno);
  }
  for (const int fd : plan.program->descriptors) {
    if (fcntl(fd, F_SETFD, 0) != 0) {
      Fail(plan, StartStep::kDescriptors, errno);
    }
  }
  if (plan.program->user != nullptr) {
    const int error = BecomeServiceUser(*plan.program->user);
    if (error != 0) Fail(plan, StartStep::kBecomeUser, error);
    DieWithParent(plan);
  }
  execveat(plan.program->executable, "", plan.argv.data(),
           plan.environment.data(), AT_EMPTY_PATH);
  Fail(plan, StartStep::kExec, errno);
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

std::vector<std::string> ChildEnvironment(char** environment) {
  std::vector<std::string> passed;
  for (char** entry = environment; *entry != nullptr; ++entry) {
    const absl::string_view text = *entry;
    bool pass = absl::StartsWith(text, "GRPC_");
    for (const char* name : kPassedVariables) {
      pass = pass || absl::StartsWith(text, absl::StrCat(name, "="));
    }
    if (pass) passed.emplace_back(text);
  }
  return passed;
}

absl::Status ForkError(int error) {
  const absl::Status status = ErrnoStatus(error, "fork");
  if (error != EPERM && error != EACCES && error != ENOSYS) return status;
  return absl::FailedPreconditionError(absl::StrCat(
      status.message(),
      ": a seccomp filter, of a container or a service, or a security module "
      "refuses clone(2): ",
      kAllowCall));
}

absl::StatusOr<pid_t> StartChild(const ChildProgram& program) {
  ASSIGN_OR_RETURN(PipeEnds report, MakePipe());
  // Ours blocks: the child is at most at its exec.
  if (fcntl(report.reader.get(), F_SETFL, 0) != 0) {
    return ErrnoStatus(errno, "fcntl");
  }
  std::vector<std::string> argv = program.argv;
  std::vector<std::string> environment = ChildEnvironment(environ);
  const StartPlan plan = {&program, Pointers(argv), Pointers(environment),
                          getpid(), report.writer.get()};
  const pid_t pid = fork();
  if (pid < 0) return ForkError(errno);
  if (pid == 0) RunChild(plan);
  report.writer.Reset();
  StartFailure failure;
  ssize_t n;
  do {
    n = read(report.reader.get(), &failure, sizeof(failure));
  } while (n < 0 && errno == EINTR);
  if (n == 0) return pid;
  waitpid(pid, nullptr, 0);
  return ErrnoStatus(n == sizeof(failure) ? failure.error : EIO,
                     absl::StrCat("starting ", program.argv[0], ": ",
                                  StartStepName(failure.step)));
}

}  // namespace paddock
