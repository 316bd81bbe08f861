#include "tests/support/bpf_evaluator.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace paddock {
namespace {

bool Holds(uint16_t code, uint32_t accumulator, uint32_t value) {
  switch (BPF_OP(code)) {
    case BPF_JEQ:
      return accumulator == value;
    case BPF_JGE:
      return accumulator >= value;
    default:
      return (accumulator & value) != 0;  // BPF_JSET
  }
}

absl::Status Refused(size_t at, const char* why) {
  return absl::InvalidArgumentError(
      absl::StrCat("instruction ", at, ": ", why));
}

}  // namespace

BpfEvaluator::BpfEvaluator(std::vector<sock_filter> program)
    : program_(std::move(program)), coverage_(program_.size()) {}

absl::StatusOr<uint32_t> BpfEvaluator::Run(const seccomp_data& data) {
  uint32_t accumulator = 0;
  // Ends: every step goes forward.
  for (size_t at = 0; at < program_.size(); ++at) {
    const sock_filter& instruction = program_[at];
    const uint32_t value = instruction.k;
    coverage_[at].ran = true;
    switch (instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (value % sizeof(uint32_t) != 0) return Refused(at, "not on a word");
        if (value >= sizeof(data)) return Refused(at, "outside of the data");
        memcpy(&accumulator, reinterpret_cast<const char*>(&data) + value,
               sizeof(accumulator));
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= value;
        break;
      case BPF_JMP | BPF_JA:
        at += value;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
      case BPF_JMP | BPF_JGE | BPF_K:
      case BPF_JMP | BPF_JSET | BPF_K: {
        const bool holds = Holds(instruction.code, accumulator, value);
        (holds ? coverage_[at].jumped : coverage_[at].passed) = true;
        at += holds ? instruction.jt : instruction.jf;
        break;
      }
      case BPF_RET | BPF_K:
        return value;
      default:
        return Refused(at, "unknown");
    }
  }
  return Refused(program_.size(), "past the end");
}

std::vector<std::string> BpfEvaluator::Untried() const {
  std::vector<std::string> untried;
  for (size_t at = 0; at < program_.size(); ++at) {
    const Coverage& seen = coverage_[at];
    const uint16_t code = program_[at].code;
    const bool conditional =
        BPF_CLASS(code) == BPF_JMP && BPF_OP(code) != BPF_JA;
    if (!seen.ran) {
      untried.push_back(absl::StrCat(at, ": never ran"));
    } else if (conditional && !seen.jumped) {
      untried.push_back(absl::StrCat(at, ": never true"));
    } else if (conditional && !seen.passed) {
      untried.push_back(absl::StrCat(at, ": never false"));
    }
  }
  return untried;
}

}  // namespace paddock
