// What the protocol has and nothing carries out yet, sent by a server that was
// taken over: the worker itself refuses it, rather than running the program
// without.
#include <gtest/gtest.h>

#include <string>

#include "tests/sandbox/captured_server.h"

namespace paddock {
namespace {

struct Unbuilt {
  const char* name;
  void (*set)(v1::Process*);
  // The nearest that is built: the same worker runs it.
  void (*set_built)(v1::Process*);
};

void Nothing(v1::Process* /*process*/) {}

constexpr Unbuilt kUnbuilt[] = {
    {"User", [](v1::Process* p) { p->set_user("0"); },
     [](v1::Process* p) { p->set_user("1000"); }},
    {"UserByName", [](v1::Process* p) { p->set_user("root"); }, Nothing},
    {"UserAndGroup", [](v1::Process* p) { p->set_user("1000:0"); },
     [](v1::Process* p) { p->set_user("1000:1000"); }},
    {"WritableRoot", [](v1::Process* p) { p->set_writable_root(true); },
     [](v1::Process* p) { p->set_writable_root(false); }},
    {"Terminal", [](v1::Process* p) { p->mutable_terminal()->set_rows(24); },
     Nothing},
    {"FileDescriptors",
     [](v1::Process* p) {
       v1::FileDescriptor* descriptor = p->add_file_descriptors();
       descriptor->set_fd(3);
       descriptor->mutable_read()->set_text("text");
     },
     Nothing},
    {"WorkspaceFrom",
     [](v1::Process* p) { p->mutable_workspace_from()->set_step("first"); },
     Nothing},
    {"Blob", [](v1::Process* p) { p->mutable_stdin()->mutable_blob(); },
     [](v1::Process* p) { p->mutable_stdin()->set_text("text"); }},
    {"LiveCapture", [](v1::Process* p) { p->mutable_stdout()->set_live(true); },
     [](v1::Process* p) { p->mutable_stdout()->set_live(false); }},
    {"DeliveryAsABlob",
     [](v1::Process* p) {
       p->mutable_stdout()->set_delivery(v1::DELIVERY_BLOB);
     },
     [](v1::Process* p) {
       p->mutable_stdout()->set_delivery(v1::DELIVERY_UNSPECIFIED);
     }},
};

class UnbuiltFieldTest : public CapturedServerTest,
                         public testing::WithParamInterface<Unbuilt> {};

TEST_P(UnbuiltFieldTest, IsRefused) {
  v1::Process built = WorkerProcess::NewProcess({"/bin/true"});
  GetParam().set_built(&built);
  absl::StatusOr<v1::ProcessResult> result = worker_->Run(built);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outcome(), v1::OUTCOME_SUCCEEDED);
  ExpectProcessRefused(GetParam().set);
}

INSTANTIATE_TEST_SUITE_P(Each, UnbuiltFieldTest, testing::ValuesIn(kUnbuilt),
                         [](const auto& test) {
                           return std::string(test.param.name);
                         });

}  // namespace
}  // namespace paddock
