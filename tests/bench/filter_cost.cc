// What the filter costs a program that breaks no rule: system calls in a child
// without a filter, with the filters of a program whose violations are answered
// by an errno, and with the same filters as they are, violations by user
// notification and a listener that this process watches as a worker does.
// Between the last two only that differs. The three take turns, so that all see
// the same machine. Prints ratios; asserts nothing.
//
//     filter_cost [ROUNDS]
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "worker/base/socket.h"
#include "worker/policy/seccomp_policy.h"

namespace paddock {
namespace {

using Filter = std::vector<sock_filter>;

constexpr int kRounds = 41;  // without an argument
constexpr int kKinds = 3;
enum class Kind { kNone, kErrno, kNotification };

struct Call {
  const char* name;
  int repetitions;
  void (*make)();
};
constexpr Call kCalls[] = {
    {"getppid", 200'000, [] { syscall(SYS_getppid); }},
    {"openat + close", 50'000,
     [] { close(open("/dev/null", O_RDONLY | O_CLOEXEC)); }},
};
constexpr size_t kCallCount = std::size(kCalls);

struct Measurement {
  double nanoseconds[kCallCount];  // of one repetition
};

void DieIf(bool failed, const char* what) {
  if (!failed) return;
  perror(what);
  _exit(1);
}

Filter WithoutNotification(Filter filter) {
  for (sock_filter& line : filter) {
    if (line.code == (BPF_RET | BPF_K) && line.k == SECCOMP_RET_USER_NOTIF) {
      line.k = SECCOMP_RET_ERRNO | EPERM;
    }
  }
  return filter;
}

int Load(Filter filter, unsigned flags) {
  sock_fprog program = {static_cast<unsigned short>(filter.size()),
                        filter.data()};
  return static_cast<int>(
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

// In the child: the worker's filter, which programs inherit, below their own.
// The listener, if there is one, goes to the parent.
void LoadFilters(Kind kind, int socket) {
  std::vector<int> listeners;
  if (kind != Kind::kNone) {
    const Filter own = *CompileSandboxFilter({});
    DieIf(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0, "no_new_privs");
    DieIf(Load(*CompileWorkerFilter(), 0) != 0, "seccomp");
    if (kind == Kind::kErrno) {
      DieIf(Load(WithoutNotification(own), 0) != 0, "seccomp");
    } else {
      listeners = {Load(own, SECCOMP_FILTER_FLAG_NEW_LISTENER)};
      DieIf(listeners[0] < 0, "seccomp");
    }
  }
  DieIf(!SendPacket(socket, "ready", listeners).ok(), "send");
  for (const int listener : listeners) close(listener);
}

Measurement Measure() {
  using Clock = std::chrono::steady_clock;
  Measurement measurement;
  for (size_t i = 0; i < kCallCount; ++i) {
    const Call& call = kCalls[i];
    const Clock::time_point begin = Clock::now();
    for (int n = 0; n < call.repetitions; ++n) call.make();
    const std::chrono::duration<double, std::nano> took = Clock::now() - begin;
    measurement.nanoseconds[i] = took.count() / call.repetitions;
  }
  return measurement;
}

// One program under the filters of `kind`, measured or breaking a rule. Adds
// to `notifications`, if there is a listener, how often it had something to
// say.
Measurement RunChild(Kind kind, bool breaks_a_rule, int* notifications) {
  SocketPair sockets = *MakeSocketPair();
  const pid_t child = fork();
  if (child == 0) {
    LoadFilters(kind, sockets.second.get());
    if (breaks_a_rule) syscall(SYS_swapoff, "/nonexistent");
    const Measurement measurement = Measure();
    const absl::string_view bytes(reinterpret_cast<const char*>(&measurement),
                                  sizeof(measurement));
    _exit(SendPacket(sockets.second.get(), bytes).ok() ? 0 : 1);
  }
  sockets.second.Reset();
  Measurement measurement = {};
  const absl::StatusOr<Packet> ready =
      ReceivePacket(sockets.first.get(), sizeof(measurement));
  DieIf(!ready.ok(), "a child without a filter to load");
  const int listener =
      ready->descriptors.empty() ? -1 : ready->descriptors[0].get();
  for (;;) {
    pollfd fds[] = {{sockets.first.get(), POLLIN, 0}, {listener, POLLIN, 0}};
    poll(fds, 2, -1);
    if ((fds[1].revents & POLLIN) != 0) {
      seccomp_notif request = {};
      if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) == 0) {
        ++*notifications;
        kill(child, SIGKILL);  // as the worker does
      }
    }
    if (fds[0].revents == 0) continue;
    const absl::StatusOr<Packet> packet =
        ReceivePacket(sockets.first.get(), sizeof(measurement));
    if (packet.ok() && packet->data.size() == sizeof(measurement)) {
      memcpy(&measurement, packet->data.data(), sizeof(measurement));
    } else {
      DieIf(!breaks_a_rule, "a child that says nothing");
    }
    waitpid(child, nullptr, 0);
    return measurement;
  }
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2,
                   values.end());
  return values[values.size() / 2];
}

int Main(int rounds) {
  std::vector<double> values[kCallCount][kKinds];
  int notifications = 0;
  for (int round = 0; round < rounds; ++round) {
    for (int kind = 0; kind < kKinds; ++kind) {
      const Measurement measurement =
          RunChild(static_cast<Kind>(kind), false, &notifications);
      for (size_t i = 0; i < kCallCount; ++i) {
        values[i][kind].push_back(measurement.nanoseconds[i]);
      }
    }
  }
  printf("%-16s %10s %10s %12s %22s %12s\n", "ns, median", "no filter", "errno",
         "notification", "notification / errno", "/ no filter");
  for (size_t i = 0; i < kCallCount; ++i) {
    const double none = Median(values[i][0]);
    const double with_errno = Median(values[i][1]);
    const double as_is = Median(values[i][2]);
    printf("%-16s %10.1f %10.1f %12.1f %22.3f %12.3f\n", kCalls[i].name, none,
           with_errno, as_is, as_is / with_errno, as_is / none);
  }
  printf("notifications of %d programs that break no rule: %d\n", rounds,
         notifications);
  int of_one = 0;
  RunChild(Kind::kNotification, true, &of_one);
  printf("notifications of one that breaks a rule: %d\n", of_one);
  return 0;
}

}  // namespace
}  // namespace paddock

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? atoi(argv[1]) : paddock::kRounds;
  return rounds > 0 ? paddock::Main(rounds) : 1;
}
