#include "server/confine.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/landlock.h"
#include "server/system_call_filter.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

// What libc, gRPC and the metrics read while the server runs.
constexpr const char* kReadable[] = {
    "/usr",  // modules libc loads, zone data, locales
    "/etc/ld.so.cache",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/services",
    "/etc/gai.conf",
    "/etc/localtime",
    "/etc/ssl",
    "/proc/self",               // process_* metrics
    "/sys/devices/system/cpu",  // sysconf(_SC_NPROCESSORS_CONF)
    "/dev/null",
    "/dev/urandom",
};

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Port of "host:port". The configuration is checked: there is one.
uint16_t PortOf(const std::string& address) {
  uint32_t port = 0;
  (void)absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port);
  return static_cast<uint16_t>(port);
}

LandlockRules RulesFor(const config::v1::Listen& listen) {
  LandlockRules rules;
  rules.readable.assign(std::begin(kReadable), std::end(kReadable));
  if (!listen.unix_socket().empty()) {
    rules.socket_directories.push_back(DirectoryOf(listen.unix_socket()));
  }
  std::vector<uint16_t> ports;
  for (const std::string& address :
       {listen.grpc_address(), listen.http_address()}) {
    if (!address.empty()) ports.push_back(PortOf(address));
  }
  // Port 0 is a port nobody knows yet.
  if (std::find(ports.begin(), ports.end(), 0) == ports.end()) {
    // gRPC takes no IPv6 address unless it can bind ::1 itself, at port 0.
    if (absl::StartsWith(listen.grpc_address(), "[")) ports.push_back(0);
    rules.bind_ports = std::move(ports);
  }
  return rules;
}

absl::Status SetResourceLimits() {
  const rlimit no_core = {0, 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0) {
    return ErrnoStatus(errno, "setrlimit(RLIMIT_CORE)");
  }
  // A connection, and a large request that waits, is a descriptor each.
  rlimit files = {};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
    return ErrnoStatus(errno, "getrlimit(RLIMIT_NOFILE)");
  }
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
    return ErrnoStatus(errno, "setrlimit(RLIMIT_NOFILE)");
  }
  return absl::OkStatus();
}

v1::LayerEnforcement Layer(const char* name, v1::EnforcementState state,
                           const std::string& mechanism) {
  v1::LayerEnforcement layer;
  layer.set_layer(name);
  layer.set_state(state);
  layer.set_mechanism(mechanism);
  return layer;
}

}  // namespace

absl::StatusOr<std::vector<v1::LayerEnforcement>> ConfineServer(
    const config::v1::Config& config) {
  RETURN_IF_ERROR(SetResourceLimits());
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return ErrnoStatus(errno, "prctl(PR_SET_DUMPABLE)");
  }
  // Both layers below need it; the supervisor has set it too.
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return ErrnoStatus(errno, "prctl(PR_SET_NO_NEW_PRIVS)");
  }
  ASSIGN_OR_RETURN(const int abi, ConfineByLandlock(RulesFor(config.listen())));
  RETURN_IF_ERROR(LoadServerFilter());  // last: it knows no way back

  std::vector<v1::LayerEnforcement> layers;
  layers.push_back(
      abi > 0 ? Layer("server landlock", v1::ENFORCEMENT_STATE_ENFORCED,
                      absl::StrCat("landlock, ABI ", abi))
              : Layer("server landlock", v1::ENFORCEMENT_STATE_NONE,
                      "the kernel has no Landlock"));
  layers.push_back(Layer("server seccomp", v1::ENFORCEMENT_STATE_ENFORCED,
                         "seccomp filter without exec, fork, ptrace, mount"));
  return layers;
}

}  // namespace paddock
