#include "client/error_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace paddock {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ErrorTextTest, ShowsEveryDetail) {
  google::rpc::BadRequest bad_request;
  for (const char* field : {"job.process.argv", "job.process.env[\"A\"]"}) {
    auto* violation = bad_request.add_field_violations();
    violation->set_field(field);
    violation->set_description("is wrong");
  }
  google::rpc::ErrorInfo info;
  info.set_reason("QUEUE_FULL");
  (*info.mutable_metadata())["job_id"] = "j-1";
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(500000000);
  google::rpc::QuotaFailure quota;
  quota.add_violations()->set_subject("queue");
  google::rpc::PreconditionFailure precondition;
  precondition.add_violations()->set_description("no such blob");
  google::rpc::Status details;
  details.add_details()->PackFrom(bad_request);
  details.add_details()->PackFrom(info);
  details.add_details()->PackFrom(retry);
  details.add_details()->PackFrom(quota);
  details.add_details()->PackFrom(precondition);
  details.add_details()->set_type_url("type.googleapis.com/of.the.Future");

  const grpc::Status status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full",
                            details.SerializeAsString());
  EXPECT_EQ(ErrorText(status),
            "full\n"
            "  job.process.argv: is wrong\n"
            "  job.process.env[\"A\"]: is wrong\n"
            "  reason: QUEUE_FULL\n"
            "  job_id: j-1\n"
            "  try again after: 500ms\n"
            "  queue: \n"
            "  : no such blob");
}

TEST(ErrorTextTest, ShowsWhatTheMessageSaysOnlyOnce) {
  google::rpc::BadRequest bad_request;
  for (const char* field : {"job.a", "job.b"}) {
    auto* violation = bad_request.add_field_violations();
    violation->set_field(field);
    violation->set_description("is wrong");
  }
  google::rpc::Status details;
  details.add_details()->PackFrom(bad_request);
  EXPECT_EQ(
      ErrorText({grpc::StatusCode::INVALID_ARGUMENT,
                 "job.a: is wrong (and 1 more)", details.SerializeAsString()}),
      "job.a: is wrong (and 1 more)\n"
      "  job.b: is wrong");
}

TEST(ErrorTextTest, StandsDetailsThatDoNotDecode) {
  EXPECT_EQ(ErrorText({grpc::StatusCode::INTERNAL, "oops", "\xff\xff"}),
            "oops");
}

TEST(ErrorTextTest, EscapesControlCharacters) {
  const std::string text =
      ErrorText({grpc::StatusCode::INVALID_ARGUMENT, "bad \033[2J\n \"ä\""});
  EXPECT_EQ(text, "bad \\x1b[2J\\n \"ä\"");
}

TEST(WithCodeTest, NamesTheCode) {
  EXPECT_EQ(WithCode(absl::NotFoundError("no image x")),
            "NOT_FOUND: no image x");
}

}  // namespace
}  // namespace paddock
