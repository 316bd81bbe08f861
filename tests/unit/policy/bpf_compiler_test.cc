#include "worker/policy/bpf_compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>

#include <random>

#include "tests/support/bpf_evaluator.h"

namespace paddock {
namespace {

using ::testing::IsEmpty;

constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
constexpr uint32_t kDefault = 1000;
constexpr uint32_t kForeign = 1001;
constexpr uint32_t kMarked = 1002;

FilterSpec EmptySpec() {
  FilterSpec spec;
  spec.architecture = kArchitecture;
  spec.default_verdict = kDefault;
  spec.foreign_architecture_verdict = kForeign;
  spec.marked_number_verdict = kMarked;
  return spec;
}

BpfEvaluator Compiled(const FilterSpec& spec) {
  absl::StatusOr<std::vector<sock_filter>> program = CompileFilter(spec);
  EXPECT_TRUE(program.ok()) << program.status();
  return BpfEvaluator(program.value_or(std::vector<sock_filter>()));
}

seccomp_data Call(uint32_t number, std::vector<uint64_t> arguments = {}) {
  seccomp_data data = {};
  data.nr = static_cast<int>(number);
  data.arch = kArchitecture;
  std::copy(arguments.begin(), arguments.end(), data.args);
  return data;
}

// What the header promises, without a program.
uint32_t Expected(const FilterSpec& spec, const seccomp_data& data) {
  const auto number = static_cast<uint32_t>(data.nr);
  if (data.arch != spec.architecture) return spec.foreign_architecture_verdict;
  if (number >= kFirstMarkedNumber) return spec.marked_number_verdict;
  const auto call = spec.calls.find(number);
  if (call == spec.calls.end()) return spec.default_verdict;
  for (const ArgumentClause& clause : call->second.clauses) {
    bool holds = true;
    for (const ArgumentTest& test : clause.tests) {
      holds &= (data.args[test.argument] & test.mask) == test.value;
    }
    if (holds) return clause.verdict;
  }
  return call->second.otherwise;
}

TEST(BpfCompilerTest, EmptySpecHasDefaults) {
  BpfEvaluator filter = Compiled(EmptySpec());
  EXPECT_EQ(*filter.Run(Call(0)), kDefault);
  EXPECT_EQ(*filter.Run(Call(kFirstMarkedNumber - 1)), kDefault);
  EXPECT_EQ(*filter.Run(Call(kFirstMarkedNumber)), kMarked);
  EXPECT_EQ(*filter.Run(Call(UINT32_MAX)), kMarked);
  seccomp_data foreign = Call(0);
  foreign.arch = AUDIT_ARCH_I386;
  EXPECT_EQ(*filter.Run(foreign), kForeign);
  EXPECT_THAT(filter.Untried(), IsEmpty());
}

TEST(BpfCompilerTest, NeighboursOfOneVerdictAreOneInterval) {
  FilterSpec spec = EmptySpec();
  for (uint32_t number = 10; number < 400; ++number) {
    spec.calls[number] = {{}, 7};
  }
  EXPECT_EQ(*Compiled(spec).Run(Call(9)), kDefault);
  EXPECT_EQ(*Compiled(spec).Run(Call(10)), 7u);
  EXPECT_EQ(*Compiled(spec).Run(Call(399)), 7u);
  EXPECT_EQ(*Compiled(spec).Run(Call(400)), kDefault);
  EXPECT_LT(CompileFilter(spec)->size(), 12u);
}

TEST(BpfCompilerTest, FirstAndLastNumbersAreReached) {
  FilterSpec spec = EmptySpec();
  spec.calls[0] = {{}, 1};
  spec.calls[kFirstMarkedNumber - 1] = {{}, 2};
  BpfEvaluator filter = Compiled(spec);
  EXPECT_EQ(*filter.Run(Call(0)), 1u);
  EXPECT_EQ(*filter.Run(Call(1)), kDefault);
  EXPECT_EQ(*filter.Run(Call(kFirstMarkedNumber - 2)), kDefault);
  EXPECT_EQ(*filter.Run(Call(kFirstMarkedNumber - 1)), 2u);
  EXPECT_EQ(*filter.Run(Call(kFirstMarkedNumber)), kMarked);
}

TEST(BpfCompilerTest, ComparesBothHalves) {
  FilterSpec spec = EmptySpec();
  spec.calls[5] = {{{{{2, ~uint64_t{0}, 0x100000002}}, 1}}, 0};
  BpfEvaluator filter = Compiled(spec);
  EXPECT_EQ(*filter.Run(Call(5, {0, 0, 0x100000002})), 1u);
  EXPECT_EQ(*filter.Run(Call(5, {0, 0, 2})), 0u);
  EXPECT_EQ(*filter.Run(Call(5, {0, 0, 0x100000003})), 0u);
  EXPECT_EQ(*filter.Run(Call(5, {0x100000002, 0x100000002, 0})), 0u);
  EXPECT_THAT(filter.Untried(), testing::Not(IsEmpty()));  // other numbers
}

TEST(BpfCompilerTest, MasksHideBits) {
  FilterSpec spec = EmptySpec();
  spec.calls[5] = {{{{{0, 0xffffffff, 3}}, 1}, {{{0, 0xff00000000, 0}}, 2}}, 0};
  BpfEvaluator filter = Compiled(spec);
  EXPECT_EQ(*filter.Run(Call(5, {0xabc00000003})), 1u);
  EXPECT_EQ(*filter.Run(Call(5, {0xab000000004})), 0u);
  EXPECT_EQ(*filter.Run(Call(5, {0xa0000000004})), 2u);
}

TEST(BpfCompilerTest, AllTestsOfAClauseAndTheFirstClauseThatHolds) {
  FilterSpec spec = EmptySpec();
  const ArgumentTest a = {0, 0xff, 1};
  const ArgumentTest b = {1, 0xff, 1};
  spec.calls[5] = {{{{a, b}, 1}, {{b}, 2}, {{a}, 3}, {{}, 4}, {{a}, 5}}, 6};
  BpfEvaluator filter = Compiled(spec);
  EXPECT_EQ(*filter.Run(Call(5, {1, 1})), 1u);
  EXPECT_EQ(*filter.Run(Call(5, {0, 1})), 2u);
  EXPECT_EQ(*filter.Run(Call(5, {1, 0})), 3u);
  EXPECT_EQ(*filter.Run(Call(5, {0, 0})), 4u);
}

TEST(BpfCompilerTest, RefusesTestsThatCannotBe) {
  const auto code_of = [](uint32_t number, ArgumentTest test) {
    FilterSpec spec = EmptySpec();
    spec.calls[number] = {{{{test}, 1}}, 0};
    return CompileFilter(spec).status().code();
  };
  EXPECT_EQ(code_of(5, {5, 1, 1}), absl::StatusCode::kOk);
  EXPECT_EQ(code_of(5, {6, 1, 1}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code_of(5, {-1, 1, 1}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code_of(5, {0, 1, 3}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code_of(kFirstMarkedNumber, {5, 1, 1}),
            absl::StatusCode::kInvalidArgument);
}

TEST(BpfCompilerTest, RefusesWhatTheKernelWouldNotLoad) {
  FilterSpec spec = EmptySpec();
  for (uint32_t number = 0; number < 3000; ++number) {
    spec.calls[number] = {{}, number};
  }
  EXPECT_EQ(CompileFilter(spec).status().code(),
            absl::StatusCode::kResourceExhausted);
}

// Verdicts and tests by chance, in number enough that jumps of eight bits do
// not reach.
FilterSpec RandomSpec(std::mt19937_64& random, uint32_t numbers) {
  FilterSpec spec = EmptySpec();
  for (uint32_t number = 0; number < numbers; ++number) {
    if (random() % 3 == 0) continue;
    CallVerdict& call = spec.calls[number];
    call.otherwise = random() % 40;
    if (random() % 4 != 0) continue;
    for (uint64_t clauses = random() % 4; clauses > 0; --clauses) {
      ArgumentClause clause;
      clause.verdict = random() % 40;
      for (uint64_t tests = random() % 4; tests > 0; --tests) {
        const uint64_t mask = random() & random() & random();
        clause.tests.push_back(
            {static_cast<int>(random() % 6), mask, random() & random() & mask});
      }
      call.clauses.push_back(std::move(clause));
    }
  }
  return spec;
}

// Arguments that pass a clause of the call more often than chance would have.
seccomp_data RandomCall(std::mt19937_64& random, const FilterSpec& spec,
                        uint32_t number) {
  seccomp_data data = Call(number);
  for (auto& argument : data.args) argument = random();
  const auto call = spec.calls.find(number);
  if (call == spec.calls.end() || call->second.clauses.empty()) return data;
  const auto& clauses = call->second.clauses;
  for (const ArgumentTest& test : clauses[random() % clauses.size()].tests) {
    if (random() % 8 == 0) continue;
    data.args[test.argument] &= ~test.mask;
    data.args[test.argument] |= test.value;
  }
  return data;
}

TEST(BpfCompilerTest, AgreesWithTheSpecWhateverItIs) {
  std::mt19937_64 random(20240229);
  for (const uint32_t numbers : {1, 2, 3, 10, 100, 300, 500}) {
    const FilterSpec spec = RandomSpec(random, numbers);
    BpfEvaluator filter = Compiled(spec);
    if (numbers == 500) {
      ASSERT_GT(CompileFilter(spec)->size(), 1000u);
    }
    for (uint32_t number = 0; number < numbers + 2; ++number) {
      for (int i = 0; i < 20; ++i) {
        const seccomp_data data = RandomCall(random, spec, number);
        ASSERT_EQ(*filter.Run(data), Expected(spec, data))
            << "call " << number << " of " << numbers;
      }
    }
  }
}

}  // namespace
}  // namespace paddock
