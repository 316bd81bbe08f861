#ifndef PADDOCK_WORKER_WIRE_CPUS_H_
#define PADDOCK_WORKER_WIRE_CPUS_H_

#include <unistd.h>

#include <string>

#include "worker/wire/cpu_list.h"

namespace paddock {

// Whether `cpus` is less than programs on this host have: otherwise nothing has
// to enforce it. `cpuset` is config.sandbox.cpuset.
inline bool LimitsCpus(double cpus, const std::string& cpuset) {
  if (!cpuset.empty()) {
    const auto set = ParseCpuList(cpuset);
    if (set.ok()) return cpus < static_cast<double>(set->size());
  }
  // Once: sysconf(3) reads files for it.
  static const double online =
      static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
  return cpus < online;
}

}  // namespace paddock

#endif  // PADDOCK_WORKER_WIRE_CPUS_H_
