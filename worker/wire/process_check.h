#ifndef PADDOCK_WORKER_WIRE_PROCESS_CHECK_H_
#define PADDOCK_WORKER_WIRE_PROCESS_CHECK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "paddock/v1/process.pb.h"

namespace paddock {

// The rules a paddock.v1.Process must keep. The server runs them for the
// client's sake, to name every wrong field; the worker runs them again because
// it does not trust the server.

// Bounds that are the same on every host. Shown in process.proto's comments.
inline constexpr int kMaxArguments = 4096;         // of argv
inline constexpr int kMaxEnvironment = 4096;       // entries
inline constexpr size_t kMaxPlanBytes = 96 << 10;  // argv + env, NULs included
inline constexpr size_t kMaxPathBytes = 1024;
inline constexpr size_t kMaxNameBytes = 255;  // of one path component
inline constexpr int kMaxInputs = 1024;
// That inputs lie in. Each costs the service about a kilobyte of the kernel's
// memory, and a short path may name five hundred.
inline constexpr int64_t kMaxInputDirectories = 8192;
inline constexpr int kMaxOutputs = 256;

// The profile of a process that names none. It weakens nothing.
inline constexpr char kDefaultProfile[] = "default";

struct FieldViolation {
  std::string field;        // as `job.process.inputs[1].path`
  std::string description;  // a sentence for people
};

// A field that the proto has and that no code carries out yet.
struct Unimplemented {
  std::string field;
};

// Appends every violation in `process` to `violations`, and every field that is
// set and not built yet to `unimplemented`. `prefix` is the path of `process`
// as the client knows it, "job.process". `max` bounds the limits; a field unset
// in it bounds nothing.
void CheckProcess(absl::string_view prefix, const v1::Process& process,
                  const v1::Limits& max,
                  std::vector<FieldViolation>* violations,
                  std::vector<Unimplemented>* unimplemented);

// Absolute path inside the sandbox for one that is absolute or relative to
// /work: no "." or empty component left. Empty string if `path` has "..", NUL,
// is empty, or is over the bounds above.
std::string NormalizePath(absl::string_view path);

// True if `path` (normalised) lies below one of the writable directories
// /work, /tmp and /dev/shm.
bool IsBelowWritableDirectory(absl::string_view path);

}  // namespace paddock

#endif  // PADDOCK_WORKER_WIRE_PROCESS_CHECK_H_
