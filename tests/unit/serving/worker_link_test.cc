#include "server/scheduling/worker_link.h"

#include <gtest/gtest.h>

namespace paddock {
namespace {

// What the server thinks of a result that a busy worker sends.
absl::Status Check(const v1::ProcessResult& result) {
  WorkerLink link;
  link.state = WorkerLink::State::kBusy;
  link.run = std::make_shared<Run>();
  link.run->id = 7;
  internal::v1::WorkerMessage message;
  message.mutable_finished()->set_run_id(7);
  *message.mutable_finished()->mutable_result() = result;
  return CheckWorkerMessage(link, message);
}

// The server's budget counts bytes; in another form they would not count.
TEST(WorkerLinkTest, OutputComesAsBytes) {
  v1::ProcessResult result;
  result.set_outcome(v1::OUTCOME_SUCCEEDED);
  EXPECT_TRUE(Check(result).ok());
  result.mutable_stdout()->set_data("data");
  result.mutable_stderr();
  result.add_outputs()->set_data("data");
  result.add_outputs()->mutable_error();
  EXPECT_TRUE(Check(result).ok());

  using Change = void (*)(v1::ProcessResult*);
  for (const Change change : {
           Change{[](auto* r) { r->mutable_stdout()->set_text("text"); }},
           Change{[](auto* r) { r->mutable_stderr()->set_text("text"); }},
           Change{[](auto* r) { r->mutable_stdout()->mutable_blob(); }},
           Change{[](auto* r) { r->mutable_outputs(1)->mutable_blob(); }},
           Change{[](auto* r) { r->mutable_outputs(0)->mutable_tree(); }},
           Change{[](auto* r) { r->add_file_descriptors(); }},
       }) {
    v1::ProcessResult changed = result;
    change(&changed);
    EXPECT_TRUE(absl::IsInvalidArgument(Check(changed)))
        << changed.DebugString();
  }
}

}  // namespace
}  // namespace paddock
