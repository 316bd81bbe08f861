#ifndef PADDOCK_WORKER_WIRE_CPUS_H_
#define PADDOCK_WORKER_WIRE_CPUS_H_

#include <unistd.h>

namespace paddock {

// What GetServerInfo calls the layer that enforces Limits.cpus.
inline constexpr char kCpusLayer[] = "cpus";

// Whether `cpus` is less than this host has: otherwise nothing has to enforce
// it.
inline bool LimitsCpus(double cpus) {
  // Once: sysconf(3) reads files for it.
  static const double online =
      static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
  return cpus < online;
}

}  // namespace paddock

#endif  // PADDOCK_WORKER_WIRE_CPUS_H_
