#ifndef PADDOCK_WORKER_SANDBOX_WORKSPACE_H_
#define PADDOCK_WORKER_SANDBOX_WORKSPACE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/base/unique_fd.h"
#include "worker/sandbox/run_spec.h"

namespace paddock {

// The writable directories of one sandbox, /work, /tmp and /dev/shm, each a
// tmpfs that only the sandbox's mount namespace has attached. The worker
// reaches them by the descriptors that init sent, never by a path of its own.
class Workspace {
 public:
  Workspace() = default;
  Workspace(UniqueFd work, UniqueFd tmp, UniqueFd shm)
      : work_(std::move(work)), tmp_(std::move(tmp)), shm_(std::move(shm)) {}

  // Gives /work the bounds of `limits`, with room on top for inputs that the
  // program may not write and for all inputs' directories: those are the
  // service's, not the program's. To be called before the program has its plan.
  // Costs nothing where they are the last call's.
  absl::Status SetBounds(const ProgramLimits& limits,
                         const std::vector<InputFile>& inputs);

  // Writes inputs into the fresh directories. `owner` is the host id of the
  // program's user. Returns what could not be written, empty if all went well.
  std::vector<FileProblem> WriteInputs(const std::vector<InputFile>& inputs,
                                       uid_t owner);

  // Makes /work read-only for good. After WriteInputs.
  absl::Status MakeWorkReadOnly();

  // Reads the files asked for. Only once every process of the sandbox is dead.
  // `budget_bytes` bounds all of them together.
  std::vector<CollectedOutput> CollectOutputs(
      const std::vector<OutputFile>& outputs, int64_t budget_bytes);

  // Bytes that files take in the three directories together.
  int64_t UsedBytes() const;

  // Whether one of the directories has no free block, or no free inode, left.
  void CheckFull(bool* bytes_full, bool* inodes_full);

 private:
  // The directory `path` lies in, and the rest of the path below it.
  int Locate(const std::string& path, std::string* below) const;

  UniqueFd work_;
  UniqueFd tmp_;
  UniqueFd shm_;
  int64_t bytes_ = 0;  // bounds as last set
  int64_t inodes_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_WORKSPACE_H_
