#include "tests/support/bpf_evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>

namespace paddock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr uint16_t kReturn = BPF_RET | BPF_K;
constexpr uint32_t kNumber = offsetof(seccomp_data, nr);

sock_filter Jump(uint16_t condition, uint32_t value, uint8_t yes, uint8_t no) {
  return BPF_JUMP(static_cast<uint16_t>(BPF_JMP | condition | BPF_K), value,
                  yes, no);
}

uint32_t VerdictOn(int number, std::vector<sock_filter> program) {
  BpfEvaluator evaluator(std::move(program));
  const auto verdict = evaluator.Run({.nr = number});
  EXPECT_TRUE(verdict.ok()) << verdict.status();
  return verdict.value_or(0xdead);
}

TEST(BpfEvaluatorTest, JumpsCompare) {
  const auto program = [](uint16_t condition) {
    return std::vector<sock_filter>{BPF_STMT(kLoad, kNumber),
                                    Jump(condition, 6, 1, 0),
                                    BPF_STMT(kReturn, 0), BPF_STMT(kReturn, 1)};
  };
  EXPECT_EQ(VerdictOn(6, program(BPF_JEQ)), 1u);
  EXPECT_EQ(VerdictOn(7, program(BPF_JEQ)), 0u);
  EXPECT_EQ(VerdictOn(6, program(BPF_JGE)), 1u);
  EXPECT_EQ(VerdictOn(5, program(BPF_JGE)), 0u);
  EXPECT_EQ(VerdictOn(-1, program(BPF_JGE)), 1u) << "numbers are unsigned";
  EXPECT_EQ(VerdictOn(2, program(BPF_JSET)), 1u);
  EXPECT_EQ(VerdictOn(9, program(BPF_JSET)), 0u);
}

TEST(BpfEvaluatorTest, AndChangesTheAccumulator) {
  const std::vector<sock_filter> program = {
      BPF_STMT(kLoad, kNumber), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
      Jump(BPF_JEQ, 0x30, 0, 1), BPF_STMT(kReturn, 1), BPF_STMT(kReturn, 0)};
  EXPECT_EQ(VerdictOn(0x35, program), 1u);
  EXPECT_EQ(VerdictOn(0x45, program), 0u);
}

TEST(BpfEvaluatorTest, LoadsHalvesOfArguments) {
  seccomp_data data = {};
  data.args[5] = 0x0123456789abcdef;
  const uint32_t last = offsetof(seccomp_data, args) + 5 * sizeof(uint64_t) + 4;
  BpfEvaluator evaluator({BPF_STMT(kLoad, last),
                          Jump(BPF_JEQ, 0x01234567, 0, 1), BPF_STMT(kReturn, 1),
                          BPF_STMT(kReturn, 0)});
  if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
    EXPECT_EQ(*evaluator.Run(data), 1u);
  } else {
    EXPECT_EQ(*evaluator.Run(data), 0u);
  }
}

TEST(BpfEvaluatorTest, RefusesWhatTheKernelRefuses) {
  const auto error = [](std::vector<sock_filter> program) {
    return std::string(
        BpfEvaluator(std::move(program)).Run({}).status().message());
  };
  EXPECT_THAT(error({BPF_STMT(kLoad, kNumber)}), HasSubstr("past the end"));
  EXPECT_THAT(error({Jump(BPF_JEQ, 0, 1, 0), BPF_STMT(kReturn, 0)}),
              HasSubstr("past the end"));
  EXPECT_THAT(error({BPF_STMT(kLoad, 2)}), HasSubstr("not on a word"));
  EXPECT_THAT(error({BPF_STMT(kLoad, sizeof(seccomp_data))}),
              HasSubstr("outside of the data"));
  EXPECT_THAT(error({BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0)}),
              HasSubstr("unknown"));
}

TEST(BpfEvaluatorTest, TellsWhatWasNotTried) {
  BpfEvaluator evaluator({BPF_STMT(kLoad, kNumber), Jump(BPF_JEQ, 6, 1, 0),
                          BPF_STMT(kReturn, 0), BPF_STMT(kReturn, 1)});
  ASSERT_TRUE(evaluator.Run({.nr = 5}).ok());
  EXPECT_THAT(evaluator.Untried(),
              ElementsAre("1: never true", "3: never ran"));
  ASSERT_TRUE(evaluator.Run({.nr = 6}).ok());
  EXPECT_THAT(evaluator.Untried(), IsEmpty());
}

}  // namespace
}  // namespace paddock
