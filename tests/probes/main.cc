#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/probes/probe.h"

namespace paddock_probe {
namespace {

constexpr int kWrongCall = 2;

const Probe* const kTables[] = {kTimeProbes,    kBombProbes,      kCpuProbes,
                                kMemoryProbes,  kHogProbes,       kFileProbes,
                                kProcessProbes, kMeetingProbes,   kCallProbes,
                                kEntryProbes,   kPrivilegeProbes, kTraceProbes,
                                kInetProbes,    kLockProbes};

const Probe* Find(const char* name) {
  for (const Probe* table : kTables) {
    for (const Probe* probe = table; probe->name != nullptr; ++probe) {
      if (strcmp(probe->name, name) == 0) return probe;
    }
  }
  return nullptr;
}

int ShowUsage() {
  for (const Probe* table : kTables) {
    for (const Probe* probe = table; probe->name != nullptr; ++probe) {
      fprintf(stderr, "probe %s %s\n", probe->name, probe->usage);
    }
  }
  return kWrongCall;
}

}  // namespace

int64_t ParseNumber(const char* text) {
  char* end = nullptr;
  errno = 0;
  const int64_t value = strtoll(text, &end, 0);
  if (errno != 0 || end == text || *end != '\0') {
    fprintf(stderr, "probe: '%s' is no number\n", text);
    exit(kWrongCall);
  }
  return value;
}

double ParseSeconds(const char* text) {
  char* end = nullptr;
  const double value = strtod(text, &end);
  if (end == text || *end != '\0') {
    fprintf(stderr, "probe: '%s' is no number of seconds\n", text);
    exit(kWrongCall);
  }
  return value;
}

int Report(int64_t done, int error) {
  printf("{\"done\": %" PRId64 ", \"errno\": %d}\n", done, error);
  fflush(stdout);
  return error == 0 ? 0 : 1;
}

}  // namespace paddock_probe

int main(int argc, char** argv) {
  using namespace paddock_probe;
  if (argc < 2) return ShowUsage();
  const Probe* probe = Find(argv[1]);
  if (probe == nullptr || (probe->argument_count != kAnyCount &&
                           probe->argument_count != argc - 2)) {
    return ShowUsage();
  }
  return probe->run(argv + 2);
}
