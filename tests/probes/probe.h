#ifndef PADDOCK_TESTS_PROBES_PROBE_H_
#define PADDOCK_TESTS_PROBES_PROBE_H_

#include <cstdint>

// Programs that do one thing to a limit, all in one static binary: `probe NAME
// ARG...`. Tests run it inside a sandbox, where no library needs to be found
// and no interpreter adds to the figures, and outside as the control.
//
// Each prints one line of JSON and exits 0 if it could do what it was told, 1
// if the kernel refused ("errno" says how), 2 if it was called wrongly.

namespace paddock_probe {

inline constexpr int kAnyCount = -1;

struct Probe {
  const char* name;
  int argument_count;
  const char* usage;
  int (*run)(char** arguments);
};

// Tables that end with a null name.
extern const Probe kBombProbes[];
extern const Probe kCpuProbes[];
extern const Probe kHogProbes[];
extern const Probe kInetProbes[];
extern const Probe kLockProbes[];
extern const Probe kMeetingProbes[];
extern const Probe kTimeProbes[];
extern const Probe kMemoryProbes[];
extern const Probe kFileProbes[];
extern const Probe kProcessProbes[];
extern const Probe kCallProbes[];
extern const Probe kEntryProbes[];
extern const Probe kPrivilegeProbes[];
extern const Probe kTraceProbes[];

// The number `text` holds; exits 2 if it is none.
int64_t ParseNumber(const char* text);
double ParseSeconds(const char* text);

// Prints {"done": done, "errno": error} and returns the probe's exit status.
int Report(int64_t done, int error);

}  // namespace paddock_probe

#endif  // PADDOCK_TESTS_PROBES_PROBE_H_
