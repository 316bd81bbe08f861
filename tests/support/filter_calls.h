#ifndef PADDOCK_TESTS_SUPPORT_FILTER_CALLS_H_
#define PADDOCK_TESTS_SUPPORT_FILTER_CALLS_H_

#include <gtest/gtest.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <ostream>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/support/bpf_evaluator.h"
#include "worker/policy/seccomp_policy.h"
#include "worker/policy/system_calls.h"

namespace paddock {

// Bits the kernel ignores where the argument is an int.
inline constexpr uint64_t kHigh = 0x100000000;
inline constexpr uint64_t kAllHigh = 0xffffffff00000000;

inline seccomp_data NativeCall(uint32_t number,
                               const std::vector<uint64_t>& arguments = {}) {
  seccomp_data data = {};
  data.nr = static_cast<int>(number);
  data.arch = NativeArchitecture();
  for (size_t i = 0; i < arguments.size(); ++i) data.args[i] = arguments[i];
  return data;
}

// Every set of weakenings, the empty one first: so every profile there can be.
inline std::vector<Weakenings> EverySetOfWeakenings() {
  std::vector<Weakenings> sets = {{}};
  for (const Weakening token : kEveryWeakening) {
    for (size_t i = sets.size(); i > 0; --i) {
      sets.push_back(sets[i - 1]);
      sets.back().Weaken(token);
    }
  }
  return sets;
}

// Every filter of programs there can be.
inline std::vector<FilterOptions> EveryFilterOfPrograms() {
  std::vector<FilterOptions> filters;
  for (const Weakenings weakenings : EverySetOfWeakenings()) {
    for (const bool internet : {false, true}) {
      filters.push_back(
          {.internet_sockets = internet, .weakenings = weakenings});
    }
  }
  return filters;
}

// "internet_0_2", with the weakenings by their place in kEveryWeakening.
inline void PrintTo(const FilterOptions& options, std::ostream* out) {
  *out << (options.internet_sockets ? "internet" : "local");
  for (const Weakening token : kEveryWeakening) {
    if (options.weakenings.Has(token)) *out << '_' << static_cast<int>(token);
  }
}

// arm64 has neither poll(2) nor select(2): libc makes others of them.
inline bool HasCall(absl::string_view name) {
  return SystemCallNumber(NativeArchitecture(), name).has_value();
}

// A filter of ours in the evaluator.
class FilterUnderTest {
 public:
  static FilterUnderTest OfPrograms(bool internet_sockets = false,
                                    Weakenings weakenings = {}) {
    return OfPrograms(FilterOptions{.internet_sockets = internet_sockets,
                                    .weakenings = weakenings});
  }
  static FilterUnderTest OfPrograms(const FilterOptions& options) {
    return FilterUnderTest(CompileSandboxFilter(options));
  }
  static FilterUnderTest OfWorker(Weakenings weakenings = {}) {
    return FilterUnderTest(CompileWorkerFilter(weakenings));
  }

  uint32_t VerdictOn(const seccomp_data& data) {
    const absl::StatusOr<uint32_t> verdict = evaluator_.Run(data);
    EXPECT_TRUE(verdict.ok()) << verdict.status();
    return verdict.value_or(SECCOMP_RET_LOG);  // no verdict of ours
  }
  // Of a call this architecture must have.
  uint32_t VerdictOn(absl::string_view name,
                     const std::vector<uint64_t>& arguments = {}) {
    const auto number = SystemCallNumber(NativeArchitecture(), name);
    EXPECT_TRUE(number.has_value()) << name;
    return VerdictOn(NativeCall(number.value_or(UINT32_MAX), arguments));
  }
  std::vector<std::string> Untried() const { return evaluator_.Untried(); }
  size_t size() const { return size_; }

 private:
  explicit FilterUnderTest(absl::StatusOr<std::vector<sock_filter>> program)
      : size_(program.ok() ? program->size() : 0),
        evaluator_(program.value_or(std::vector<sock_filter>())) {
    EXPECT_TRUE(program.ok()) << program.status();
  }

  size_t size_;
  BpfEvaluator evaluator_;
};

// A test of each filter of programs: TEST_P and INSTANTIATE_TEST_SUITE_P.
class FilterOfProgramsTest : public ::testing::TestWithParam<FilterOptions> {
 protected:
  uint32_t On(absl::string_view name, const std::vector<uint64_t>& arguments) {
    return filter_.VerdictOn(name, arguments);
  }
  FilterUnderTest filter_ = FilterUnderTest::OfPrograms(GetParam());
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_FILTER_CALLS_H_
