#include "server/config/check_config.h"

#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/util/time_util.h"
#include "server/config/config_name.h"
#include "server/config/profiles.h"
#include "server/config/scalar_text.h"
#include "worker/wire/cpu_list.h"

namespace paddock {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kMostWorkers = 1024;
constexpr int kMostWarmSandboxes = 4;
constexpr int kMostCpuWeight = 10000;  // of cgroup v2
constexpr size_t kMostUserBytes = 32;  // useradd(8)
constexpr int64_t kMostShutdownSeconds = 24 * 3600;
// sockaddr_un's path with its NUL: unix(7).
constexpr size_t kMostSocketPathBytes = sizeof(sockaddr_un::sun_path) - 1;
// Below are the ids of the host's own users.
constexpr int64_t kLeastHostIdBase = 65536 + kInitIdsBelowBase;

bool IsOneOf(const std::string& text, std::initializer_list<const char*> all) {
  return std::any_of(all.begin(), all.end(),
                     [&](const char* one) { return text == one; });
}

bool HasDotDot(const std::string& path) {
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  return std::count(parts.begin(), parts.end(), "..") > 0;
}

void CheckListen(const config::v1::Listen& listen, Problems* problems) {
  auto address = [&](const char* field, const std::string& value) {
    if (value.empty()) return;
    const absl::StatusOr<HostPort> parsed = ParseHostPort(value);
    if (!parsed.ok()) {
      problems->push_back(
          absl::StrCat("listen.", field, ": ", parsed.status().message()));
    } else if (parsed->port != 0 && field == std::string("http_address") &&
               value == listen.grpc_address()) {
      problems->push_back(absl::StrCat("listen.http_address: ", value,
                                       " is listen.grpc_address too"));
    }
  };
  address("grpc_address", listen.grpc_address());
  address("http_address", listen.http_address());
  const std::string& path = listen.unix_socket();
  if (path.empty() && listen.grpc_address().empty()) {
    problems->push_back(
        "listen: grpc_address and unix_socket are both empty, so nobody could "
        "reach the service");
  }
  if (!path.empty() && (path[0] != '/' || HasDotDot(path) ||
                        path.back() == '/' || path.rfind('/') == 0)) {
    problems->push_back(absl::StrCat(
        "listen.unix_socket: '", path,
        "' is not an absolute path of a file in a directory, without '..'"));
  }
  if (path.size() > kMostSocketPathBytes) {
    problems->push_back(absl::StrCat("listen.unix_socket: ", path.size(),
                                     " bytes, a socket's path has at most ",
                                     kMostSocketPathBytes));
  }
  const absl::StatusOr<uint32_t> mode =
      ParseFileMode(listen.unix_socket_mode());
  if (!mode.ok()) {
    problems->push_back(
        absl::StrCat("listen.unix_socket_mode: ", mode.status().message()));
  }
}

void CheckWorkers(const config::v1::Workers& workers, Problems* problems) {
  auto range = [&](const char* field, int value, int most) {
    if (value >= 1 && value <= most) return;
    problems->push_back(absl::StrCat("workers.", field, ": ", value,
                                     " is not within 1 to ", most));
  };
  range("count", workers.count(), kMostWorkers);
  range("warm_sandboxes", workers.warm_sandboxes(), kMostWarmSandboxes);
  if (!IsName(workers.user(), kMostUserBytes, "abcdefghijklmnopqrstuvwxyz_",
              "0123456789-")) {
    problems->push_back(
        absl::StrCat("workers.user: '", workers.user(), "' is no user name"));
  } else if (workers.user() == "root") {
    problems->push_back(
        "workers.user: root, but the server process must have no privilege");
  }
}

void CheckHostIds(const config::v1::Config& config, Problems* problems) {
  const int64_t base = config.sandbox().host_id_base();
  if (base < kLeastHostIdBase) {
    problems->push_back(
        absl::StrCat("sandbox.host_id_base: ", base, " is below ",
                     kLeastHostIdBase, ": ids from ", kInitIdsBelowBase,
                     " below it are used too, and 0 to 65535 are the host's"));
    return;
  }
  const int64_t slots = std::clamp(config.workers().count(), 1, kMostWorkers);
  if (base + slots * kIdsPerSlot - 1 > kLastHostId) {
    problems->push_back(absl::StrCat(
        "sandbox.host_id_base: from ", base, " on there is room for ",
        (kLastHostId + 1 - base) / kIdsPerSlot, " workers of ", kIdsPerSlot,
        " ids each, and workers.count is ", slots));
  }
}

void CheckImageSource(const std::string& path, const config::v1::Image& image,
                      Problems* problems) {
  if (image.source_case() == config::v1::Image::SOURCE_NOT_SET) {
    problems->push_back(absl::StrCat(
        path, ": neither host nor directory says where it comes from"));
  } else if (image.has_directory()) {
    const std::string& directory = image.directory();
    struct stat st;
    if (directory.empty() || directory[0] != '/' || HasDotDot(directory)) {
      problems->push_back(absl::StrCat(path, ".directory: '", directory,
                                       "' is not an absolute path"));
    } else if (stat(directory.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) {
      problems->push_back(
          absl::StrCat(path, ".directory: there is no directory ", directory));
    } else if (directory.find_first_not_of('/') == std::string::npos) {
      problems->push_back(absl::StrCat(
          path,
          ".directory: the host's whole root cannot be an image; use "
          "`host: {}`"));
    }
  }
}

void CheckImages(const config::v1::Sandbox& sandbox, Problems* problems) {
  std::set<std::string> names;
  for (int i = 0; i < sandbox.images_size(); ++i) {
    const config::v1::Image& image = sandbox.images(i);
    const std::string path = absl::StrCat("sandbox.images[", i, "]");
    CheckConfigName(absl::StrCat(path, ".name"), image.name(), &names,
                    problems);
    CheckImageSource(path, image, problems);
    for (const auto& [key, value] : image.env()) {
      if (key.empty() || key.find('=') != std::string::npos ||
          key.find('\0') != std::string::npos ||
          value.find('\0') != std::string::npos) {
        problems->push_back(absl::StrCat(
            path, ".env: '", key,
            "' is empty or has '=', or NUL stands in it or in its value"));
      }
    }
  }
  if (names.count(sandbox.default_image()) == 0) {
    problems->push_back(
        absl::StrCat("sandbox.default_image: there is no image '",
                     sandbox.default_image(), "' in sandbox.images"));
  }
}

// Whether the daemon's cgroup may use them all is seen at start.
void CheckCpuset(const std::string& cpuset, const HostFacts& host,
                 Problems* problems) {
  if (cpuset.empty()) return;
  const absl::StatusOr<std::vector<int>> cpus = ParseCpuList(cpuset);
  if (!cpus.ok() || cpus->empty()) {
    problems->push_back(
        absl::StrCat("sandbox.cpuset: ",
                     cpus.ok() ? "it is blank" : cpus.status().message()));
    return;
  }
  std::vector<int> missing;
  std::set_difference(cpus->begin(), cpus->end(), host.online.begin(),
                      host.online.end(), std::back_inserter(missing));
  if (!host.online.empty() && !missing.empty()) {
    problems->push_back(absl::StrCat(
        "sandbox.cpuset: '", cpuset, "': this host has no CPU ",
        FormatCpuList(missing), ", only ", FormatCpuList(host.online)));
  }
}

void CheckSandbox(const config::v1::Sandbox& sandbox, const HostFacts& host,
                  Problems* problems) {
  auto positive = [&](const char* field, int64_t value) {
    if (value > 0) return;
    problems->push_back(
        absl::StrCat("sandbox.", field, ": ", value, " is not above 0"));
  };
  positive("tmp_bytes", sandbox.tmp_bytes());
  positive("tmp_inodes", sandbox.tmp_inodes());
  positive("shm_bytes", sandbox.shm_bytes());
  positive("shm_inodes", sandbox.shm_inodes());
  if (sandbox.cpu_weight() < 0 || sandbox.cpu_weight() > kMostCpuWeight) {
    problems->push_back(
        absl::StrCat("sandbox.cpu_weight: ", sandbox.cpu_weight(),
                     " is not within 0 to ", kMostCpuWeight));
  }
  CheckCpuset(sandbox.cpuset(), host, problems);
  CheckImages(sandbox, problems);
  CheckProfiles(sandbox, problems);
}

void CheckShutdown(const config::v1::Shutdown& shutdown, Problems* problems) {
  auto bounded = [&](const char* field,
                     const google::protobuf::Duration& value) {
    if (value >= TimeUtil::SecondsToDuration(0) &&
        value <= TimeUtil::SecondsToDuration(kMostShutdownSeconds)) {
      return;
    }
    problems->push_back(absl::StrCat("shutdown.", field, ": ",
                                     FormatDurationText(value),
                                     " is not within 0s to 24h"));
  };
  bounded("drain_delay", shutdown.drain_delay());
  bounded("grace", shutdown.grace());
}

}  // namespace

Problems CheckConfig(const config::v1::Config& config, const HostFacts& host) {
  Problems problems;
  CheckListen(config.listen(), &problems);
  CheckWorkers(config.workers(), &problems);
  CheckHostIds(config, &problems);
  CheckSandbox(config.sandbox(), host, &problems);
  CheckRequests(config.requests(), host, &problems);
  if (!IsOneOf(config.log().level(), {"debug", "info", "warning", "error"})) {
    problems.push_back(absl::StrCat("log.level: '", config.log().level(),
                                    "' is not debug, info, warning or error"));
  }
  if (!IsOneOf(config.log().format(), {"text", "json"})) {
    problems.push_back(absl::StrCat("log.format: '", config.log().format(),
                                    "' is not text or json"));
  }
  CheckShutdown(config.shutdown(), &problems);
  for (const std::string& name : config.cgroup().degrade()) {
    if (name != "cpus") {
      problems.push_back(absl::StrCat("cgroup.degrade: '", name,
                                      "' is not something that can be degraded "
                                      "(cpus can)"));
    }
  }
  const std::string& parent = config.cgroup().parent();
  if (!parent.empty() && (parent[0] != '/' || HasDotDot(parent))) {
    problems.push_back(absl::StrCat("cgroup.parent: '", parent,
                                    "' is not a path as in /proc/self/cgroup, "
                                    "absolute and without '..'"));
  }
  return problems;
}

}  // namespace paddock
