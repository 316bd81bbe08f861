#include "client/message_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "paddock/v1/execution_service.pb.h"

namespace paddock {
namespace {

using ::testing::HasSubstr;

TEST(MessageFormatTest, IsGuessedFromTheFirstCharacterThatCounts) {
  EXPECT_EQ(GuessFormat("{}"), MessageFormat::kJson);
  EXPECT_EQ(GuessFormat(" \n\t{\"job\":{}}"), MessageFormat::kJson);
  EXPECT_EQ(GuessFormat("# a comment {\n  {}"), MessageFormat::kJson);
  EXPECT_EQ(GuessFormat("job { }"), MessageFormat::kText);
  EXPECT_EQ(GuessFormat("# {\njob {}"), MessageFormat::kText);
  EXPECT_EQ(GuessFormat("# no end of line"), MessageFormat::kText);
  EXPECT_EQ(GuessFormat(""), MessageFormat::kText);
}

TEST(MessageFormatTest, ParsesBoth) {
  for (const char* content :
       {R"({"job": {"process": {"argv": ["/bin/true"]}}, "requestId": "x"})",
        R"({"job": {"process": {"argv": ["/bin/true"]}}, "request_id": "x"})",
        R"(job { process { argv: "/bin/true" } } request_id: "x")"}) {
    v1::ExecuteRequest request;
    const absl::Status status = ParseMessage(content, &request);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(request.job().process().argv(0), "/bin/true");
    EXPECT_EQ(request.request_id(), "x");
  }
}

TEST(MessageFormatTest, SaysWhatIsWrong) {
  v1::ExecuteRequest request;
  const auto error = [&request](const char* content) {
    const absl::Status status = ParseMessage(content, &request);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << content;
    return std::string(status.message());
  };
  EXPECT_THAT(error(R"({"job": {"processes": {}}})"), HasSubstr("processes"));
  EXPECT_THAT(error("job {\n  processes { } }"),
              HasSubstr("line 2, column 13"));
  EXPECT_THAT(error("job {\n  processes { } }"), HasSubstr("processes"));
  EXPECT_THAT(error(R"({"job": )"), HasSubstr("ExecuteRequest"));
  error(R"({"job": {"priority": "PRIORITY_EXTREME"}})");
  error(R"(job { priority: PRIORITY_EXTREME })");
  error("{\"job\": {\"process\": {\"argv\": \"\xff\"}}}");
}

TEST(MessageFormatTest, PrintsBoth) {
  v1::ExecuteResponse response;
  response.set_job_id("j");
  v1::ProcessResult* process = response.mutable_result()->mutable_process();
  process->set_exit_code(0);
  process->mutable_stdout()->set_data(std::string("\xff\0", 2));
  const std::string json = PrintMessage(response, MessageFormat::kJson).value();
  EXPECT_THAT(json, HasSubstr("\"jobId\": \"j\""));
  // Zero is told apart from unset.
  EXPECT_THAT(json, HasSubstr("\"exitCode\": 0"));
  EXPECT_THAT(json, HasSubstr("\"data\": \"/wA=\""));
  const std::string text = PrintMessage(response, MessageFormat::kText).value();
  EXPECT_THAT(text, HasSubstr("job_id: \"j\""));
  EXPECT_THAT(text, HasSubstr(R"(data: "\377\000")"));
  EXPECT_EQ(PrintMessage({v1::ExecuteResponse()}, MessageFormat::kJson).value(),
            "{}\n");
}

}  // namespace
}  // namespace paddock
