#ifndef PADDOCK_TESTS_SUPPORT_BPF_EVALUATOR_H_
#define PADDOCK_TESTS_SUPPORT_BPF_EVALUATOR_H_

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace paddock {

// Runs seccomp(2) programs as the kernel does, for the instructions that our
// compiler uses, and remembers what ran: a test can demand that nothing of a
// filter was left untried.
class BpfEvaluator {
 public:
  explicit BpfEvaluator(std::vector<sock_filter> program);

  // The program's verdict on `data`. InvalidArgument where the kernel would
  // refuse to load it: an unknown instruction, a load outside of seccomp_data
  // or not on a word, a way past the end.
  absl::StatusOr<uint32_t> Run(const seccomp_data& data);

  // A line for each instruction that never ran, and for each conditional jump
  // that always went the same way.
  std::vector<std::string> Untried() const;

 private:
  struct Coverage {
    bool ran = false;
    bool jumped = false;  // condition true
    bool passed = false;  // condition false
  };

  std::vector<sock_filter> program_;
  std::vector<Coverage> coverage_;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_BPF_EVALUATOR_H_
