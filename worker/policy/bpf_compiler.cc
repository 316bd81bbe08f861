#include "worker/policy/bpf_compiler.h"

#include <linux/seccomp.h>

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

constexpr size_t kMaxConditionalJump = 255;  // jt and jf have eight bits
constexpr int kArguments = 6;
constexpr bool kLittleEndian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

// Builds the program from its end: a BPF jump goes forward only, so what an
// instruction jumps to exists before it. A Label is the index of an instruction
// from the end, and stays right while instructions are put before it.
class BackwardAssembler {
 public:
  using Label = size_t;

  // RET `verdict`; one that is near enough to be jumped to is used again.
  Label Return(uint32_t verdict) {
    const auto known = returns_.find(verdict);
    if (known != returns_.end() && IsNear(known->second)) return known->second;
    return returns_[verdict] = Put(BPF_STMT(BPF_RET | BPF_K, verdict));
  }

  // A = word at `offset` of seccomp_data, then `next`.
  Label Load(uint32_t offset, Label next) {
    return PutBefore(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset), next);
  }

  // A &= mask, then `next`.
  Label And(uint32_t mask, Label next) {
    return PutBefore(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask), next);
  }

  // `condition` is BPF_JEQ, BPF_JGE or BPF_JSET, on A and `value`.
  Label JumpIf(uint16_t condition, uint32_t value, Label yes, Label no) {
    if (yes == no) return yes;
    // One step farther than IsNear asks: a trampoline may come in between.
    if (!IsNear(yes, 1)) yes = Put(BPF_STMT(BPF_JMP | BPF_JA, Distance(yes)));
    if (!IsNear(no)) no = Put(BPF_STMT(BPF_JMP | BPF_JA, Distance(no)));
    const auto to_yes = static_cast<uint8_t>(Distance(yes));
    const auto to_no = static_cast<uint8_t>(Distance(no));
    return Put(BPF_JUMP(static_cast<uint16_t>(BPF_JMP | condition | BPF_K),
                        value, to_yes, to_no));
  }

  std::vector<sock_filter> Finish() && {
    std::reverse(reversed_.begin(), reversed_.end());
    return std::move(reversed_);
  }

 private:
  // Instructions to skip from the next one put.
  uint32_t Distance(Label label) const {
    return static_cast<uint32_t>(reversed_.size() - 1 - label);
  }
  bool IsNear(Label label, size_t between = 0) const {
    return Distance(label) + between <= kMaxConditionalJump;
  }
  Label Put(sock_filter instruction) {
    reversed_.push_back(instruction);
    return reversed_.size() - 1;
  }
  // For an instruction that falls through to the one after it.
  Label PutBefore(sock_filter instruction, Label next) {
    if (next + 1 != reversed_.size()) {
      Put(BPF_STMT(BPF_JMP | BPF_JA, Distance(next)));
    }
    return Put(instruction);
  }

  std::vector<sock_filter> reversed_;
  std::map<uint32_t, Label> returns_;
};

using Label = BackwardAssembler::Label;

// Numbers from `first` to the one before the next interval's.
struct Interval {
  uint32_t first;
  const CallVerdict* verdict;
};

bool SameVerdict(const CallVerdict& a, const CallVerdict& b) {
  return a.clauses.empty() && b.clauses.empty() && a.otherwise == b.otherwise;
}

// The whole range of numbers, without two neighbours of the same verdict.
std::vector<Interval> MakeIntervals(const FilterSpec& spec,
                                    const CallVerdict& by_default,
                                    const CallVerdict& of_marked) {
  std::vector<Interval> intervals;
  const auto append = [&](uint32_t first, const CallVerdict& verdict) {
    if (intervals.empty() || !SameVerdict(*intervals.back().verdict, verdict)) {
      intervals.push_back({first, &verdict});
    }
  };
  uint32_t next = 0;
  for (const auto& [number, verdict] : spec.calls) {
    if (next < number) append(next, by_default);
    append(number, verdict);
    next = number + 1;
  }
  if (next < kFirstMarkedNumber) append(next, by_default);
  append(kFirstMarkedNumber, of_marked);
  return intervals;
}

Label CompileHalf(uint32_t offset, uint32_t mask, uint32_t value, Label yes,
                  Label no, BackwardAssembler* code) {
  if (mask == 0) return yes;
  Label label = code->JumpIf(BPF_JEQ, value, yes, no);
  if (mask != UINT32_MAX) label = code->And(mask, label);
  return code->Load(offset, label);
}

Label CompileTest(const ArgumentTest& test, Label yes, Label no,
                  BackwardAssembler* code) {
  const auto low = static_cast<uint32_t>(
      offsetof(seccomp_data, args) + sizeof(uint64_t) * test.argument +
      (kLittleEndian ? 0 : sizeof(uint32_t)));
  const uint32_t high = kLittleEndian ? low + 4 : low - 4;
  const Label low_matches =
      CompileHalf(low, static_cast<uint32_t>(test.mask),
                  static_cast<uint32_t>(test.value), yes, no, code);
  return CompileHalf(high, static_cast<uint32_t>(test.mask >> 32),
                     static_cast<uint32_t>(test.value >> 32), low_matches, no,
                     code);
}

Label CompileVerdict(const CallVerdict& verdict, BackwardAssembler* code) {
  Label next = code->Return(verdict.otherwise);
  for (auto clause = verdict.clauses.rbegin(); clause != verdict.clauses.rend();
       ++clause) {
    Label holds = code->Return(clause->verdict);
    for (auto test = clause->tests.rbegin(); test != clause->tests.rend();
         ++test) {
      holds = CompileTest(*test, holds, next, code);
    }
    next = holds;
  }
  return next;
}

// The tree over intervals[begin..end); A holds the number.
Label CompileTree(const std::vector<Interval>& intervals, size_t begin,
                  size_t end, BackwardAssembler* code) {
  if (end - begin == 1) return CompileVerdict(*intervals[begin].verdict, code);
  const size_t middle = begin + (end - begin) / 2;
  const Label right = CompileTree(intervals, middle, end, code);
  const Label left = CompileTree(intervals, begin, middle, code);
  return code->JumpIf(BPF_JGE, intervals[middle].first, right, left);
}

absl::Status CheckSpec(const FilterSpec& spec) {
  for (const auto& [number, verdict] : spec.calls) {
    if (number >= kFirstMarkedNumber) {
      return absl::InvalidArgumentError(absl::StrCat("marked call ", number));
    }
    for (const ArgumentClause& clause : verdict.clauses) {
      for (const ArgumentTest& test : clause.tests) {
        if (test.argument < 0 || test.argument >= kArguments ||
            (test.value & ~test.mask) != 0) {
          return absl::InvalidArgumentError(absl::StrCat(
              "bad test of argument ", test.argument, " of call ", number));
        }
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<sock_filter>> CompileFilter(const FilterSpec& spec) {
  RETURN_IF_ERROR(CheckSpec(spec));
  const CallVerdict by_default = {{}, spec.default_verdict};
  const CallVerdict of_marked = {{}, spec.marked_number_verdict};
  const std::vector<Interval> intervals =
      MakeIntervals(spec, by_default, of_marked);

  BackwardAssembler code;
  const Label tree = CompileTree(intervals, 0, intervals.size(), &code);
  const Label native = code.Load(offsetof(seccomp_data, nr), tree);
  const Label foreign = code.Return(spec.foreign_architecture_verdict);
  const Label check = code.JumpIf(BPF_JEQ, spec.architecture, native, foreign);
  code.Load(offsetof(seccomp_data, arch), check);

  std::vector<sock_filter> program = std::move(code).Finish();
  if (program.size() > BPF_MAXINSNS) {
    return absl::ResourceExhaustedError(
        absl::StrCat("filter of ", program.size(), " instructions"));
  }
  return program;
}

}  // namespace paddock
