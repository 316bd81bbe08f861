// The requests of tests/e2e/requests: what users of many kinds would send. Each
// has to parse, and to survive the way through JSON and the wire unchanged.

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "client/cli/local_files.h"
#include "client/message_format.h"
#include "paddock/v1/execution_service.pb.h"
#include "paddock/v1/job_service.pb.h"

namespace paddock {
namespace {

std::vector<std::string> RequestFiles() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(REQUESTS_DIR)) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Read(const std::string& name) {
  return ReadLocalFile(std::string(REQUESTS_DIR) + "/" + name).value().data;
}

// The message that the file says it holds.
std::unique_ptr<google::protobuf::Message> MessageFor(
    const std::string& content) {
  if (absl::StrContains(content,
                        "# proto-message: paddock.v1.ExecuteStreamRequest\n")) {
    return std::make_unique<v1::ExecuteStreamRequest>();
  }
  EXPECT_TRUE(absl::StrContains(
      content, "# proto-message: paddock.v1.ExecuteRequest\n"));
  return std::make_unique<v1::ExecuteRequest>();
}

class RequestTest : public ::testing::TestWithParam<std::string> {};

TEST_P(RequestTest, ParsesAsTextAndAsJson) {
  const std::string content = Read(GetParam());
  const auto message = MessageFor(content);
  ASSERT_EQ(GuessFormat(content), MessageFormat::kText);
  const absl::Status status = ParseMessage(content, message.get());
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_GT(message->ByteSizeLong(), 0u);
  for (const MessageFormat format :
       {MessageFormat::kJson, MessageFormat::kText}) {
    const std::string printed = PrintMessage(*message, format).value();
    EXPECT_EQ(GuessFormat(printed), format);
    const std::unique_ptr<google::protobuf::Message> again(message->New());
    const absl::Status parsed = ParseMessage(printed, again.get());
    ASSERT_TRUE(parsed.ok()) << parsed << "\n" << printed;
    EXPECT_TRUE(
        google::protobuf::util::MessageDifferencer::Equals(*message, *again));
  }
}

TEST_P(RequestTest, IsTheSameOnTheWire) {
  const std::string content = Read(GetParam());
  const auto message = MessageFor(content);
  ASSERT_TRUE(ParseMessage(content, message.get()).ok());
  const std::unique_ptr<google::protobuf::Message> again(message->New());
  ASSERT_TRUE(again->ParseFromString(message->SerializeAsString()));
  EXPECT_TRUE(
      google::protobuf::util::MessageDifferencer::Equals(*message, *again));
}

// The three ways in take the same body.
TEST_P(RequestTest, IsAJobToCreate) {
  const auto message = MessageFor(Read(GetParam()));
  ASSERT_TRUE(ParseMessage(Read(GetParam()), message.get()).ok());
  const auto* stream =
      dynamic_cast<const v1::ExecuteStreamRequest*>(message.get());
  const google::protobuf::Message* body = message.get();
  if (stream != nullptr) body = &stream->start();
  v1::CreateJobRequest create;
  ASSERT_TRUE(create.ParseFromString(body->SerializeAsString()));
  EXPECT_TRUE(create.has_job());
  // No field was taken for an unknown one.
  EXPECT_TRUE(create.GetReflection()->GetUnknownFields(create).empty());
}

INSTANTIATE_TEST_SUITE_P(AllFiles, RequestTest,
                         ::testing::ValuesIn(RequestFiles()),
                         [](const auto& info) {
                           return info.param.substr(0, info.param.find('.'));
                         });

TEST(RequestsTest, AreEight) { EXPECT_EQ(RequestFiles().size(), 8u); }

}  // namespace
}  // namespace paddock
