#include "server/api/error_status.h"

#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace paddock {
namespace {

// What clients accept of headers by default.
constexpr size_t kMaxHeaderBytes = 8192;

template <typename Detail>
Detail DetailOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.code(), status.error_code());
  EXPECT_EQ(details.message(), status.error_message());
  Detail detail;
  for (const auto& any : details.details()) {
    if (any.UnpackTo(&detail)) return detail;
  }
  ADD_FAILURE() << "no " << Detail::descriptor()->name();
  return detail;
}

// Percent-encoding makes up to three bytes of one, base 64 four of three.
size_t HeaderBytes(const grpc::Status& status) {
  size_t message = 0;
  for (const char c : status.error_message()) {
    message += c < ' ' || c > '~' || c == '%' ? 3 : 1;
  }
  return message + status.error_details().size() * 4 / 3;
}

TEST(ErrorStatusTest, ViolationsAreNamed) {
  const grpc::Status status =
      InvalidArgument({{"job.a", "is bad"}, {"job.b[1]", "is worse"}});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "job.a: is bad (and 1 more)");
  const auto bad_request = DetailOf<google::rpc::BadRequest>(status);
  ASSERT_EQ(bad_request.field_violations_size(), 2);
  EXPECT_EQ(bad_request.field_violations(1).field(), "job.b[1]");
  EXPECT_EQ(bad_request.field_violations(1).description(), "is worse");
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  EXPECT_EQ(info.domain(), "paddock");
  EXPECT_EQ(info.reason(), "INVALID_REQUEST");
}

TEST(ErrorStatusTest, MessagesAreForPeople) {
  const auto message_of = [](const std::string& description) {
    return InvalidArgument({{"job.env[\"\\n\"]", description}}).error_message();
  };
  EXPECT_EQ(message_of("no \"ä\" within the server's maximum"),
            "job.env[\"\\n\"]: no \"ä\" within the server's maximum");
  EXPECT_EQ(message_of("a\n\x1b[2J\x7f\\n"),
            "job.env[\"\\n\"]: a\\n\\x1b[2J\\x7f\\\\n");
  EXPECT_EQ(message_of("\xff\xc3"), "job.env[\"\\n\"]: \\xff\\xc3");
}

std::string Repeat(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

TEST(ErrorStatusTest, VeryManyAndVeryLongOnesStayWithinTheHeaders) {
  for (const char* letter : {"u", "ü", "\x01", "%"}) {
    for (const int length : {1, 100, 300, 999}) {
      SCOPED_TRACE(letter);
      SCOPED_TRACE(length);
      const std::vector<FieldViolation> violations(
          10'000, {Repeat("f", length), Repeat(letter, length)});
      const grpc::Status status = InvalidArgument(violations);
      EXPECT_LT(HeaderBytes(status), kMaxHeaderBytes);
      EXPECT_GT(
          DetailOf<google::rpc::BadRequest>(status).field_violations_size(), 0);
    }
  }
}

TEST(ErrorStatusTest, UnimplementedNamesTheField) {
  const grpc::Status status = UnimplementedFields({{"job.steps"}});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_NE(status.error_message().find("job.steps"), std::string::npos);
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(status).metadata().at("field"),
            "job.steps");
  EXPECT_EQ(
      DetailOf<google::rpc::BadRequest>(status).field_violations(0).field(),
      "job.steps");
}

TEST(ErrorStatusTest, UnimplementedNamesTheRpc) {
  const grpc::Status status = UnimplementedRpc("paddock.v1.X.Y");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_NE(status.error_message().find("paddock.v1.X.Y"), std::string::npos);
}

}  // namespace
}  // namespace paddock
