// paddockd: one program, two roles. Started by hand or by systemd it is the
// supervisor, which starts it again as the server, without any privilege
// (--role=server). Process picture: server/supervisor/supervisor.h.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <utility>

#include "paddock/internal/v1/launch.pb.h"
#include "server/config/command_line.h"
#include "server/config/load_config.h"
#include "server/config/yaml_message.h"
#include "server/server_main.h"
#include "server/supervisor/kernel_release.h"
#include "server/supervisor/privileges.h"
#include "server/supervisor/run_supervisor.h"
#include "server/telemetry/log.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

constexpr size_t kMaxLaunchBytes = 4 << 20;

// The supervisor did the same before exec; its death in between is seen here.
absl::Status DieWithParent(pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
    return ErrnoStatus(errno, "prctl(PR_SET_PDEATHSIG)");
  }
  if (getppid() != parent) {
    return absl::UnavailableError("the supervisor is gone");
  }
  return absl::OkStatus();
}

absl::StatusOr<internal::v1::ServerLaunch> ReadLaunch(UniqueFd fd) {
  ASSIGN_OR_RETURN(const std::string bytes,
                   ReadSealedMemfd(fd.get(), kMaxLaunchBytes));
  internal::v1::ServerLaunch launch;
  if (!launch.ParseFromString(bytes)) {
    return absl::InvalidArgumentError("malformed launch message");
  }
  return launch;
}

int RunServerRole(const CommandLine& line) {
  UniqueFd launch_fd(line.launch_fd);
  UniqueFd control(line.control_fd);
  absl::StatusOr<internal::v1::ServerLaunch> launch =
      absl::UnknownError("not read");
  absl::Status status = DieWithParent(line.parent_pid);
  if (status.ok()) {
    launch = ReadLaunch(std::move(launch_fd));
    status = launch.status();
  }
  if (!status.ok()) {
    std::cerr << "paddockd --role=server is started by paddockd, not by hand: "
              << status.message() << "\n";
    return 1;
  }
  // It was exec'ed by descriptor, and older kernels name it after that.
  prctl(PR_SET_NAME, "paddockd");
  return RunServer(*launch, std::move(control));
}

int RunSupervisorRole(const CommandLine& line) {
  const bool run = !line.print_config && !line.check_config;
  bool rootless = geteuid() != 0;
  if (run) {
    // First: a user who may not start it may not read its file either.
    absl::Status status = CheckKernel();
    if (status.ok()) status = AcquirePrivileges(&rootless);
    if (!status.ok()) {
      std::cerr << "paddockd: " << status.message() << "\n";
      return 1;
    }
  }
  ConfigSources sources;
  sources.file = line.config_file;
  sources.settings = EnvironmentSettings(environ);
  sources.settings.insert(sources.settings.end(), line.settings.begin(),
                          line.settings.end());
  const absl::StatusOr<config::v1::Config> config =
      LoadConfig(sources, LookAtHost(rootless));
  if (!config.ok()) {
    std::cerr << "paddockd: the configuration is wrong:\n"
              << config.status().message() << "\n";
    return 1;
  }
  if (line.print_config) std::cout << ToYaml(*config);
  if (line.check_config) std::cout << "paddockd: the configuration is good\n";
  if (!run) return std::cout.flush() ? 0 : 1;
  SetUpLog(config->log());
  return RunSupervisor(*config, {line.ready_fd, line.worker_binary, rootless});
}

}  // namespace
}  // namespace paddock

int main(int argc, char** argv) {
  int exit_code = 0;
  const std::optional<paddock::CommandLine> line =
      paddock::ParseCommandLine(argc, argv, &exit_code);
  if (!line.has_value()) return exit_code;
  return line->is_server ? paddock::RunServerRole(*line)
                         : paddock::RunSupervisorRole(*line);
}
