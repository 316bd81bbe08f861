// What a captured server sends to the supervisor, which is root: ports for the
// log and for the next server, and workers to be killed.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "server/config/check_config.h"
#include "server/config/defaults.h"
#include "server/supervisor/ready_report.h"
#include "server/supervisor/server_process.h"
#include "server/supervisor/worker_fleet.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/message_mutator.h"
#include "tests/fuzz/packet.h"
#include "worker/base/file_util.h"
#include "worker/base/socket.h"

namespace paddock::fuzz {
namespace {

using internal::v1::ServerControl;

constexpr int kWorkers = 2;
constexpr char kWorkerName[] = "paddock-worker";  // of WorkerFleet

const HostFacts& Host() {
  static const auto* const host = new HostFacts{
      .cpus = 2, .memory_bytes = int64_t{8} << 30, .open_files = 65536};
  return *host;
}

config::v1::Config AnyPorts() {
  config::v1::Config config = DefaultConfig(Host());
  FillUnset(Host(), &config);
  config.mutable_workers()->set_count(kWorkers);
  config.mutable_listen()->set_grpc_address("127.0.0.1:0");
  config.mutable_listen()->set_http_address("[::1]:0");
  return config;
}

// The real fleet; its workers are this program, and wait to be killed. Slot 0
// has incarnation 1, slot 1 has 2.
class Fleet {
 public:
  Fleet() : workers_(Program()) {
    workers_.StartDue(absl::Now(), nullptr);
    FUZZ_CHECK(workers_.alive() == kWorkers);
  }
  ~Fleet() {
    workers_.KillAll();
    while (workers_.alive() > 0) Reap(0);
  }

  void Obey(const ServerControl& control) {
    if (control.has_worker_up()) {
      workers_.MarkUp(control.worker_up().slot(),
                      control.worker_up().incarnation());
    } else if (control.has_replace_worker()) {
      const auto& replace = control.replace_worker();
      workers_.Replace(replace.slot(), replace.incarnation());
      if (replace.slot() >= 0 && replace.slot() < kWorkers &&
          replace.incarnation() == replace.slot() + 1) {
        named_.insert(replace.slot());
      }
    }
  }

  // Nothing but the workers that were named has ended. Whether all still run.
  bool ExpectOnlyNamedEnded() {
    const std::set<int> named = named_;
    for (size_t i = 0; i < named.size(); ++i) Reap(0);
    Reap(WNOHANG);
    return named.empty();
  }

 private:
  static WorkerProgram Program() {
    WorkerProgram program;
    absl::StatusOr<UniqueFd> self =
        OpenAt(AT_FDCWD, "/proc/self/exe", O_RDONLY);
    FUZZ_CHECK(self.ok());
    program.executable = *std::move(self);
    program.config = AnyPorts();
    program.ids.resize(kWorkers);
    return program;
  }

  void Reap(int options) {
    pid_t pid;
    do {
      pid = waitpid(-1, nullptr, options);
    } while (pid < 0 && errno == EINTR);  // libFuzzer's alarm, for -timeout
    if (pid <= 0) {
      FUZZ_CHECK(options == WNOHANG && pid == 0);
      return;
    }
    const auto end = workers_.HandleEnd(pid, absl::Now(), nullptr);
    FUZZ_CHECK(end.has_value() && end->incarnation == end->slot + 1);
    FUZZ_CHECK(end->expected || named_.erase(end->slot) == 1);
  }

  WorkerFleet workers_;
  std::set<int> named_;
};

void CheckReady(const internal::v1::ServerReady& ready) {
  ServerProcess server({.config = AnyPorts()});
  for (const std::string& text : {ReadyLine(server.config().listen(), ready),
                                  ReadyJson(server.config().listen(), ready)}) {
    for (const unsigned char c : text) FUZZ_CHECK(isprint(c));
  }
  server.KeepPorts(ready);
  // A next server can be started with it.
  FUZZ_CHECK(CheckConfig(server.config(), Host()).empty());
}

// False: the supervisor would give the server up.
bool ReceiveAll(ServerLink* link, Fleet* fleet) {
  for (;;) {
    const auto control = link->Receive();
    if (!control.ok()) {
      FUZZ_CHECK(absl::IsInvalidArgument(control.status()) ||
                 absl::IsUnavailable(control.status()));
      return false;
    }
    if (!control->has_value()) return true;
    if ((*control)->has_ready()) CheckReady((*control)->ready());
    fleet->Obey(**control);
  }
}

}  // namespace
}  // namespace paddock::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char*** argv) {
  if (strcmp((*argv)[0], paddock::fuzz::kWorkerName) != 0) return 0;
  for (;;) pause();  // it dies with its parent
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t max_size, unsigned seed) {
  paddock::fuzz::ControlPackets packets;
  return paddock::fuzz::MutateMessage(data, size, max_size, seed, &packets);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace paddock;
  fuzz::ControlPackets input;
  if (!input.ParseFromArray(data, size)) return 0;
  static std::unique_ptr<fuzz::Fleet> fleet;
  if (fleet == nullptr) fleet = std::make_unique<fuzz::Fleet>();
  absl::StatusOr<SocketPair> sockets = MakeSocketPair();
  FUZZ_CHECK(sockets.ok());
  absl::StatusOr<ServerLink> link =
      ServerLink::Create(std::move(sockets->first));
  FUZZ_CHECK(link.ok());
  for (const fuzz::ControlPacket& packet : input.packets()) {
    if (!fuzz::SendHostilePacket(sockets->second.get(), fuzz::BodyOf(packet),
                                 packet.carrier(), packet.more_descriptors())
             .ok() ||
        !fuzz::ReceiveAll(&*link, fleet.get())) {
      break;
    }
  }
  if (!fleet->ExpectOnlyNamedEnded()) fleet.reset();
  return 0;
}
