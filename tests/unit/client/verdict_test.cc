#include "client/cli/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/message_format.h"

namespace paddock {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::JobResult Parse(const char* text) {
  v1::JobResult result;
  const absl::Status status = ParseMessage(text, &result);
  EXPECT_TRUE(status.ok()) << status;
  return result;
}

TEST(VerdictTest, SaysWhatAGoodRunUsed) {
  EXPECT_EQ(VerdictLine(Parse(R"(
      outcome: OUTCOME_SUCCEEDED
      process { exit_code: 0
                usage { cpu_time { nanos: 12300000 }
                        wall_time { seconds: 1 nanos: 20000000 }
                        peak_memory_bytes: 3250586 } })")),
            "SUCCEEDED, exit 0, cpu 12.3 ms, wall 1.020 s, memory 3.1 MiB");
}

TEST(VerdictTest, SaysWhichLimitsWereHit) {
  EXPECT_EQ(VerdictLine(Parse(R"(
      outcome: OUTCOME_CPU_TIME_LIMIT_EXCEEDED
      process { term_signal: 9
                limits_hit: [LIMIT_KIND_CPU_TIME, LIMIT_KIND_OUTPUT]
                stdout { data: "0123456789" written_bytes: 2097152
                         truncated: true }
                stderr { text: "ab" written_bytes: 3 truncated: true } })")),
            "CPU_TIME_LIMIT_EXCEEDED, signal 9 (KILL), limits hit: CPU_TIME "
            "OUTPUT, stdout truncated (10 B of 2.0 MiB), stderr truncated (2 B "
            "of 3 B)");
}

TEST(VerdictTest, SaysWhyNothingWasExecuted) {
  EXPECT_EQ(VerdictLine(Parse(R"(
      outcome: OUTCOME_EXEC_FAILED
      process { exec_error { path: "/no/such" error_number: 2
                             reason: FILE_ERROR_REASON_NOT_FOUND } })")),
            "EXEC_FAILED, cannot execute /no/such: NOT_FOUND: No such file or "
            "directory");
}

TEST(VerdictTest, SaysWhichInputAndWhichCall) {
  EXPECT_THAT(VerdictLine(Parse(R"(
      outcome: OUTCOME_INPUT_ERROR
      process { input_errors { path: "big" reason: FILE_ERROR_REASON_NO_SPACE
                               message: "no room" } })")),
              HasSubstr("input big: NO_SPACE: no room"));
  EXPECT_THAT(VerdictLine(Parse(R"(
      outcome: OUTCOME_POLICY_VIOLATION
      process { term_signal: 9
                violation { system_call: "bpf" system_call_number: 321
                            architecture: "x86_64" } })")),
              HasSubstr("system call bpf (x86_64 321)"));
}

TEST(VerdictTest, IsOneLineWhateverTheServerSays) {
  const std::string line = VerdictLine(Parse(R"(
      outcome: OUTCOME_INFRASTRUCTURE_ERROR
      message: "two\nlines \033[2J"
      process { exec_error { path: "/a\nb" } message: "two\nlines \033[2J" })"));
  EXPECT_THAT(line, Not(HasSubstr("\n")));
  EXPECT_THAT(line, Not(HasSubstr("\033")));
  EXPECT_THAT(line, HasSubstr("two\\nlines"));
  // Said once, though job and process both say it.
  EXPECT_EQ(line.find("two"), line.rfind("two"));
}

TEST(VerdictTest, HasWordsForWhatItDoesNotKnow) {
  EXPECT_EQ(OutcomeName(static_cast<v1::Outcome>(27)), "OUTCOME 27");
  EXPECT_EQ(LimitName(static_cast<v1::LimitKind>(99)), "LIMIT 99");
  v1::JobResult result;
  result.set_outcome(v1::OUTCOME_SIGNALED);
  result.mutable_process()->set_term_signal(200);
  EXPECT_EQ(VerdictLine(result), "SIGNALED, signal 200");
}

TEST(FormatTest, KeepsDigitsThatMatter) {
  EXPECT_EQ(FormatTime(absl::ZeroDuration()), "0 us");
  EXPECT_EQ(FormatTime(absl::Microseconds(250)), "250 us");
  EXPECT_EQ(FormatTime(absl::Microseconds(1500)), "1.5 ms");
  EXPECT_EQ(FormatTime(absl::Milliseconds(61234)), "61.234 s");
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1.0 KiB");
  EXPECT_EQ(FormatBytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(FormatBytes(int64_t{5} << 40), "5.0 TiB");
  EXPECT_EQ(FormatBytes(int64_t{5} << 60), "5242880.0 TiB");
}

}  // namespace
}  // namespace paddock
