#include "server/supervisor/server_process.h"

#include <signal.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/supervisor/child_process.h"
#include "worker/base/file_util.h"
#include "worker/base/socket.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {
// A server that dies sooner than this after its start could hardly work.
constexpr absl::Duration kGoodLife = absl::Seconds(30);
}  // namespace

absl::Status ServerProcess::Start() {
  internal::v1::ServerLaunch launch;
  *launch.mutable_config() = program_.config;
  ASSIGN_OR_RETURN(const UniqueFd memfd,
                   SealedMemfd("paddock-launch", launch.SerializeAsString()));
  ASSIGN_OR_RETURN(SocketPair control, MakeSocketPair());
  ASSIGN_OR_RETURN(ServerLink link,
                   ServerLink::Create(std::move(control.first)));
  ChildProgram program;
  program.executable = program_.executable.get();
  program.argv = {"paddockd", "--role=server",
                  absl::StrCat("--launch-fd=", memfd.get()),
                  absl::StrCat("--control-fd=", control.second.get()),
                  absl::StrCat("--parent-pid=", getpid())};
  program.descriptors = {memfd.get(), control.second.get()};
  program.user = &program_.user;
  ASSIGN_OR_RETURN(pid_, StartChild(program));
  link_ = std::move(link);
  started_at_ = absl::Now();
  return absl::OkStatus();
}

void ServerProcess::KeepPorts(const internal::v1::ServerReady& ready) {
  auto keep = [](std::string* address, int port) {
    const size_t colon = address->rfind(':');
    if (port != 0 && colon != std::string::npos &&
        address->substr(colon) == ":0") {
      *address = absl::StrCat(address->substr(0, colon), ":", port);
    }
  };
  config::v1::Listen* listen = program_.config.mutable_listen();
  keep(listen->mutable_grpc_address(), ready.grpc_port());
  keep(listen->mutable_http_address(), ready.http_port());
}

absl::Duration ServerProcess::HandleEnd(absl::Time now) {
  pid_ = 0;
  link_.reset();
  return backoff_.NextDelay(now - started_at_ >= kGoodLife);
}

void ServerProcess::Signal(int signal_number) const {
  if (pid_ != 0) kill(pid_, signal_number);
}

}  // namespace paddock
