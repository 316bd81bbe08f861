#include "server/telemetry/process_gauges.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "server/telemetry/gauges.h"
#include "worker/base/file_util.h"

namespace paddock {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

// Positions in /proc/self/stat counted from the state, the first field after
// the name: proc_pid_stat(5) counts from 1 and the state is its third.
constexpr size_t kUserTicks = 14 - 3;
constexpr size_t kSystemTicks = 15 - 3;
constexpr size_t kStartTicks = 22 - 3;
constexpr size_t kVirtualBytes = 23 - 3;
constexpr size_t kResidentPages = 24 - 3;
constexpr size_t kFieldsNeeded = kResidentPages + 1;

double Number(const std::vector<std::string>& fields, size_t index) {
  double value = 0;
  (void)absl::SimpleAtod(fields[index], &value);
  return value;
}

double SecondsOf(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  constexpr double kNanosPerSecond = 1e9;
  return now.tv_sec + now.tv_nsec / kNanosPerSecond;
}

// -1 if they cannot be counted.
double OpenDescriptors() {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return -1;
  int entries = 0;
  while (readdir(directory) != nullptr) ++entries;
  closedir(directory);
  return entries - 3;  // ".", ".." and the directory's own
}

std::vector<MetricFamily> FromStat(const std::vector<std::string>& fields) {
  const double ticks = sysconf(_SC_CLK_TCK);
  // starttime counts from boot, suspended time included.
  const double start = SecondsOf(CLOCK_REALTIME) - SecondsOf(CLOCK_BOOTTIME) +
                       Number(fields, kStartTicks) / ticks;
  const double cpu =
      (Number(fields, kUserTicks) + Number(fields, kSystemTicks)) / ticks;
  const double resident =
      Number(fields, kResidentPages) * sysconf(_SC_PAGESIZE);
  return {
      MakeFamily(MetricType::Counter, "process_cpu_seconds_total",
                 "CPU time of the server process, seconds.", "", {{"", cpu}}),
      MakeFamily(MetricType::Gauge, "process_resident_memory_bytes",
                 "Resident memory of the server process, bytes.", "",
                 {{"", resident}}),
      MakeFamily(MetricType::Gauge, "process_virtual_memory_bytes",
                 "Address space of the server process, bytes.", "",
                 {{"", Number(fields, kVirtualBytes)}}),
      MakeFamily(MetricType::Gauge, "process_start_time_seconds",
                 "When the server process started, seconds since 1970.", "",
                 {{"", start}}),
  };
}

}  // namespace

std::vector<MetricFamily> ProcessGaugeCollector::Collect() const {
  std::vector<MetricFamily> families;
  const absl::StatusOr<std::string> stat =
      ReadFileAt(AT_FDCWD, "/proc/self/stat");
  if (stat.ok() && stat->rfind(") ") != std::string::npos) {
    // The name may hold spaces and parentheses.
    const std::vector<std::string> fields =
        absl::StrSplit(stat->substr(stat->rfind(") ") + 2), ' ');
    if (fields.size() >= kFieldsNeeded) families = FromStat(fields);
  }
  if (const double open = OpenDescriptors(); open >= 0) {
    families.push_back(MakeFamily(MetricType::Gauge, "process_open_fds",
                                  "Descriptors the server process has open.",
                                  "", {{"", open}}));
  }
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    families.push_back(
        MakeFamily(MetricType::Gauge, "process_max_fds",
                   "Descriptors the server process may have open.", "",
                   {{"", static_cast<double>(limit.rlim_cur)}}));
  }
  return families;
}

}  // namespace paddock
