#include "worker/sandbox/report_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string>

#include "worker/base/socket.h"
#include "worker/init/report.h"

namespace paddock {
namespace {

using init::Report;
using init::ReportKind;
using init::SetupStep;

Report SetupFailure(SetupStep step, int32_t error) {
  Report report = {};
  report.kind = ReportKind::kSetupFailure;
  report.step = step;
  report.error = error;
  return report;
}

Report Ended(int32_t status) {
  Report report = {};
  report.kind = ReportKind::kProgramEnded;
  report.status = status;
  return report;
}

std::string BytesOf(const Report& report) {
  return std::string(reinterpret_cast<const char*>(&report), sizeof(report));
}

bool Passes(const Report& report) {
  const absl::StatusOr<Report> parsed = ParseReport(BytesOf(report));
  if (!parsed.ok()) {
    EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << parsed.status();
    return false;
  }
  EXPECT_EQ(BytesOf(*parsed), BytesOf(report));
  return true;
}

TEST(ReportReaderTest, OneWholeReport) {
  const std::string packet = BytesOf(Ended(0));
  EXPECT_TRUE(ParseReport(packet).ok());
  EXPECT_FALSE(ParseReport("").ok());
  EXPECT_FALSE(ParseReport(packet.substr(1)).ok());
  EXPECT_FALSE(ParseReport(packet + '\0').ok());
}

TEST(ReportReaderTest, KnownKinds) {
  Report report = SetupFailure(SetupStep::kExec, ENOENT);
  for (uint32_t kind = 1; kind <= 6; ++kind) {
    report.kind = static_cast<ReportKind>(kind);
    EXPECT_TRUE(Passes(report)) << kind;
  }
  for (const uint32_t kind : {0u, 7u, ~0u}) {
    report.kind = static_cast<ReportKind>(kind);
    EXPECT_FALSE(Passes(report)) << kind;
  }
}

TEST(ReportReaderTest, StepsOfInitAndProgram) {
  const auto last = static_cast<uint32_t>(SetupStep::kLast);
  for (uint32_t step = 0; step <= last + 1; ++step) {
    const auto as_step = static_cast<SetupStep>(step);
    const bool theirs = as_step >= SetupStep::kCloseDescriptors && step <= last;
    EXPECT_EQ(Passes(SetupFailure(as_step, EPERM)), theirs) << step;
  }
  EXPECT_FALSE(Passes(SetupFailure(static_cast<SetupStep>(~0u), EPERM)));
}

TEST(ReportReaderTest, ErrnosOfTheKernel) {
  for (const int32_t error : {1, 4095}) {
    EXPECT_TRUE(Passes(SetupFailure(SetupStep::kExec, error))) << error;
  }
  for (const int32_t error : {0, -1, 4096, INT32_MIN, INT32_MAX}) {
    EXPECT_FALSE(Passes(SetupFailure(SetupStep::kExec, error))) << error;
  }
}

TEST(ReportReaderTest, WaitStatusOfAProcessThatEnded) {
  const int core_dumped = 0x80;
  for (const int32_t status :
       {0, 0xff00, SIGKILL, SIGSEGV | core_dumped, SIGRTMAX}) {
    EXPECT_TRUE(Passes(Ended(status))) << status;
  }
  const int stopped = SIGSTOP << 8 | 0x7f, continued = 0xffff;
  for (const int32_t status :
       {stopped, continued, SIGRTMAX + 1, 0x10000, INT32_MIN, -1}) {
    EXPECT_FALSE(Passes(Ended(status))) << status;
  }
}

TEST(ReportReaderTest, CountsAreNotNegative) {
  using Field = int64_t Report::*;
  for (const Field field :
       {&Report::voluntary_switches, &Report::involuntary_switches,
        &Report::minor_faults, &Report::major_faults, &Report::io_read_bytes,
        &Report::io_write_bytes}) {
    Report report = Ended(0);
    report.*field = INT64_MAX;
    EXPECT_TRUE(Passes(report));
    report.*field = -1;
    EXPECT_FALSE(Passes(report));
  }
}

class ReceiveReportTest : public testing::Test {
 protected:
  const SocketPair sockets_ = *MakeSocketPair();
  const int worker_ = sockets_.first.get();
  const int init_ = sockets_.second.get();
};

TEST_F(ReceiveReportTest, WhatInitSendsWithDescriptors) {
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int descriptors[] = {null.get(), null.get()};
  ASSERT_TRUE(init::SendReport(init_, Ended(7 << 8), descriptors, 2));
  const absl::StatusOr<ReceivedReport> received = ReceiveReport(worker_);
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(received->report.status, 7 << 8);
  EXPECT_EQ(received->descriptors.size(), 2u);
  EXPECT_EQ(received->sender_pid, 0);
}

TEST_F(ReceiveReportTest, LongerThanAReport) {
  for (const size_t more : {1, 2, 5000}) {
    const std::string packet = BytesOf(Ended(0)) + std::string(more, 'x');
    ASSERT_TRUE(SendPacket(init_, packet).ok());
    EXPECT_TRUE(absl::IsInvalidArgument(ReceiveReport(worker_).status()));
  }
}

TEST(ReportTest, AFailureWithoutAnErrnoHasOne) {
  const SocketPair sockets = *MakeSocketPair();
  const pid_t child = fork();
  if (child == 0) {
    errno = 0;
    init::StepReporter(sockets.second.get()).Fail(SetupStep::kMountTmp);
  }
  const absl::StatusOr<ReceivedReport> received =
      ReceiveReport(sockets.first.get());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(received->report.error, EIO);
}

}  // namespace
}  // namespace paddock
