// Limits above the operator's maximum, sent by a server that was taken over.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/sandbox/captured_server.h"

namespace paddock {
namespace {

// Each field of Limits there is, so none can be forgotten.
class LimitAboveTheMaximumTest
    : public CapturedServerTest,
      public testing::WithParamInterface<std::string> {
 protected:
  static void RaiseByTheLeast(v1::Limits* limits) {
    const google::protobuf::Reflection* reflection = limits->GetReflection();
    const google::protobuf::FieldDescriptor* field =
        limits->GetDescriptor()->FindFieldByName(GetParam());
    using Type = google::protobuf::FieldDescriptor::CppType;
    switch (field->cpp_type()) {
      case Type::CPPTYPE_INT32:
        reflection->SetInt32(limits, field,
                             reflection->GetInt32(*limits, field) + 1);
        return;
      case Type::CPPTYPE_INT64:
        reflection->SetInt64(limits, field,
                             reflection->GetInt64(*limits, field) + 1);
        return;
      case Type::CPPTYPE_DOUBLE:
        reflection->SetDouble(
            limits, field,
            std::nextafter(reflection->GetDouble(*limits, field), INFINITY));
        return;
      case Type::CPPTYPE_MESSAGE:
        static_cast<google::protobuf::Duration*>(
            reflection->MutableMessage(limits, field))
            ->set_nanos(1);
        return;
      default:
        FAIL() << "a limit of a new type";
    }
  }
};

TEST_P(LimitAboveTheMaximumTest, IsRefused) {
  v1::Process process = WorkerProcess::NewProcess({"/bin/true"});
  *process.mutable_limits() = WorkerProcess::MaxLimits();
  absl::StatusOr<v1::ProcessResult> at_the_maximum = worker_->Run(process);
  ASSERT_TRUE(at_the_maximum.ok()) << at_the_maximum.status();
  EXPECT_EQ(at_the_maximum->outcome(), v1::OUTCOME_SUCCEEDED);
  RaiseByTheLeast(process.mutable_limits());
  ASSERT_TRUE(worker_->Send(process).ok());
  ExpectRefused();
}

std::vector<std::string> LimitNames() {
  std::vector<std::string> names;
  const google::protobuf::Descriptor* limits = v1::Limits::descriptor();
  for (int i = 0; i < limits->field_count(); ++i) {
    names.push_back(limits->field(i)->name());
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Each, LimitAboveTheMaximumTest,
                         testing::ValuesIn(LimitNames()),
                         [](const auto& name) { return name.param; });

}  // namespace
}  // namespace paddock
