#include "client/cli/exit_code.h"

#include <gtest/gtest.h>

namespace paddock {
namespace {

v1::JobResult Result(v1::Outcome outcome) {
  v1::JobResult result;
  result.set_outcome(outcome);
  result.mutable_process()->set_outcome(outcome);
  return result;
}

int Exited(v1::Outcome outcome, int code) {
  v1::JobResult result = Result(outcome);
  result.mutable_process()->set_exit_code(code);
  return ExitCodeOf(result);
}

int Signaled(v1::Outcome outcome, int signal) {
  v1::JobResult result = Result(outcome);
  result.mutable_process()->set_term_signal(signal);
  return ExitCodeOf(result);
}

TEST(ExitCodeTest, IsTheProgramsOwn) {
  EXPECT_EQ(Exited(v1::OUTCOME_SUCCEEDED, 0), 0);
  EXPECT_EQ(Exited(v1::OUTCOME_NONZERO_EXIT, 42), 42);
  EXPECT_EQ(Signaled(v1::OUTCOME_SIGNALED, 11), 139);
  // It went on after it met the limit, and ended as it chose.
  EXPECT_EQ(Exited(v1::OUTCOME_DISK_LIMIT_EXCEEDED, 1), 1);
  EXPECT_EQ(Signaled(v1::OUTCOME_DISK_LIMIT_EXCEEDED, 25), 153);
  EXPECT_EQ(Exited(v1::OUTCOME_PROCESS_LIMIT_EXCEEDED, 2), 2);
}

TEST(ExitCodeTest, TellsLimitsApart) {
  for (const v1::Outcome outcome :
       {v1::OUTCOME_CPU_TIME_LIMIT_EXCEEDED,
        v1::OUTCOME_WALL_TIME_LIMIT_EXCEEDED, v1::OUTCOME_IDLE_LIMIT_EXCEEDED,
        v1::OUTCOME_JOB_TIMEOUT}) {
    EXPECT_EQ(Signaled(outcome, 9), 124) << outcome;
  }
  EXPECT_EQ(Signaled(v1::OUTCOME_MEMORY_LIMIT_EXCEEDED, 9), 137);
  // A child was killed for memory and the program made the best of it.
  EXPECT_EQ(Exited(v1::OUTCOME_MEMORY_LIMIT_EXCEEDED, 0), 137);
  EXPECT_EQ(Signaled(v1::OUTCOME_OUTPUT_LIMIT_EXCEEDED, 9), 153);
  EXPECT_EQ(Signaled(v1::OUTCOME_POLICY_VIOLATION, 9), 159);
}

TEST(ExitCodeTest, TellsWhyNothingWasExecuted) {
  v1::JobResult result = Result(v1::OUTCOME_EXEC_FAILED);
  v1::FileError* error = result.mutable_process()->mutable_exec_error();
  error->set_reason(v1::FILE_ERROR_REASON_NOT_FOUND);
  EXPECT_EQ(ExitCodeOf(result), 127);
  error->set_reason(v1::FILE_ERROR_REASON_NOT_EXECUTABLE);
  EXPECT_EQ(ExitCodeOf(result), 126);
  error->set_reason(v1::FILE_ERROR_REASON_IO);
  EXPECT_EQ(ExitCodeOf(result), 126);
}

TEST(ExitCodeTest, NothingElseIsSuccess) {
  // Also with an exit code of 0, as OUTPUT_ERROR has.
  for (const v1::Outcome outcome :
       {v1::OUTCOME_UNSPECIFIED, v1::OUTCOME_INPUT_ERROR,
        v1::OUTCOME_OUTPUT_ERROR, v1::OUTCOME_CANCELLED, v1::OUTCOME_SKIPPED,
        v1::OUTCOME_QUEUE_TIMEOUT, v1::OUTCOME_INFRASTRUCTURE_ERROR,
        static_cast<v1::Outcome>(27), static_cast<v1::Outcome>(1000)}) {
    EXPECT_EQ(Exited(outcome, 0), 125) << outcome;
    EXPECT_EQ(ExitCodeOf(Result(outcome)), 125) << outcome;
  }
}

TEST(ExitCodeTest, AnOutcomeOfTheFutureKeepsTheProgramsCode) {
  EXPECT_EQ(Exited(static_cast<v1::Outcome>(12), 7), 7);
  EXPECT_EQ(Signaled(static_cast<v1::Outcome>(27), 9), 137);
}

}  // namespace
}  // namespace paddock
