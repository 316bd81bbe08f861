// Rules of inputs and outputs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/support/check_process.h"

namespace paddock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

v1::Process WithInputs(const std::vector<std::string>& paths) {
  v1::Process process = GoodProcess();
  for (const std::string& path : paths) {
    v1::Input* input = process.add_inputs();
    input->set_path(path);
    input->mutable_source()->set_text("x");
  }
  return process;
}

v1::Process WithOutputs(const std::vector<std::string>& paths) {
  v1::Process process = GoodProcess();
  for (const std::string& path : paths) process.add_outputs()->set_path(path);
  return process;
}

const std::vector<std::string> kGoodPaths = {"a",
                                             "./a/b",
                                             "/work/a",
                                             "/tmp/x",
                                             "...",
                                             "a//b/",
                                             "/dev/shm/x/y",
                                             "-",
                                             "ä\n\"'",
                                             "a b",
                                             std::string(255, 'n')};
const std::vector<std::string> kBadPaths = {"",
                                            ".",
                                            "/",
                                            "..",
                                            "a/../b",
                                            "/work",
                                            "/tmp",
                                            "/tmp/",
                                            "/dev/shm/.",
                                            "/etc/passwd",
                                            "/workx/a",
                                            "/dev/null",
                                            "/dev",
                                            "/dev/shmx/a",
                                            "/proc/self/mem",
                                            "/work/..",
                                            "../work/a",
                                            "//",
                                            std::string(256, 'n'),
                                            "/tmp/../etc/passwd",
                                            std::string("a\0b", 3)};

TEST(InputCheckTest, PathsBelowWritableDirectories) {
  for (const std::string& path : kGoodPaths) {
    EXPECT_THAT(Check(WithInputs({path})), IsFine()) << path;
  }
  for (const std::string& path : kBadPaths) {
    EXPECT_THAT(Check(WithInputs({path})),
                Violates("job.process.inputs[0].path"))
        << path;
  }
}

TEST(InputCheckTest, EachPathOnce) {
  EXPECT_THAT(Check(WithInputs({"a", "b", "/tmp/a"})), IsFine());
  EXPECT_THAT(Check(WithInputs({"a", "b", "/work/./a"})),
              Violates("job.process.inputs[2].path", HasSubstr("inputs[0]")));
  EXPECT_THAT(
      FieldsOf(Check(WithInputs({"a", "a", "a"}))),
      ElementsAre("job.process.inputs[1].path", "job.process.inputs[2].path"));
}

TEST(InputCheckTest, NoFileIsAParent) {
  EXPECT_THAT(Check(WithInputs({"a/b", "a/c/d", "a.b", "a-b/c"})), IsFine());
  EXPECT_THAT(Check(WithInputs({"a", "a/b"})),
              Violates("job.process.inputs[1].path", HasSubstr("inputs[0]")));
  // In the other order it is still the lower one that cannot be.
  EXPECT_THAT(Check(WithInputs({"/work/a/b/c", "a"})),
              Violates("job.process.inputs[0].path", HasSubstr("inputs[1]")));
  // Said once for each that cannot be.
  EXPECT_THAT(FieldsOf(Check(WithInputs({"a", "a/b", "a/b/c"}))),
              UnorderedElementsAre("job.process.inputs[1].path",
                                   "job.process.inputs[2].path"));
  // Between the two in the order of names.
  EXPECT_THAT(Check(WithInputs({"a", "a-", "a.x", "a/b"})),
              Violates("job.process.inputs[3].path", HasSubstr("inputs[0]")));
}

TEST(InputCheckTest, Sources) {
  v1::Process process = WithInputs({"a"});
  v1::Source* source = process.mutable_inputs(0)->mutable_source();
  source->set_data("");
  EXPECT_THAT(Check(process), IsFine());
  source->mutable_blob();
  EXPECT_THAT(Check(process), IsNotBuilt("job.process.inputs[0].source.blob"));
  source->mutable_output();
  EXPECT_THAT(Check(process),
              IsNotBuilt("job.process.inputs[0].source.output"));
  source->set_case_file("x");
  EXPECT_THAT(Check(process),
              IsNotBuilt("job.process.inputs[0].source.case_file"));
  source->mutable_directory();
  EXPECT_THAT(Check(process),
              IsNotBuilt("job.process.inputs[0].source.directory"));
  source->mutable_live();
  EXPECT_THAT(Check(process), Violates("job.process.inputs[0].source.live"));
  source->Clear();
  EXPECT_THAT(Check(process), Violates("job.process.inputs[0].source"));
  process.mutable_inputs(0)->clear_source();
  EXPECT_THAT(Check(process), Violates("job.process.inputs[0].source"));
}

TEST(InputCheckTest, FlagsAreBuilt) {
  v1::Process process = WithInputs({"a"});
  process.mutable_inputs(0)->set_executable(true);
  process.mutable_inputs(0)->set_writable(true);
  EXPECT_THAT(Check(process), IsFine());
}

TEST(InputCheckTest, Number) {
  std::vector<std::string> paths;
  for (int i = 0; i < kMaxInputs; ++i) paths.push_back(std::to_string(i));
  EXPECT_THAT(Check(WithInputs(paths)), IsFine());
  paths.push_back("x");
  EXPECT_THAT(Check(WithInputs(paths)),
              Violates("job.process.inputs", HasSubstr("1024")));
  paths.front() = "..";
  paths.back() = "..";  // beyond what is checked
  EXPECT_THAT(FieldsOf(Check(WithInputs(paths))),
              ElementsAre("job.process.inputs", "job.process.inputs[0].path"));
}

TEST(InputCheckTest, Directories) {
  // 63 names in a path, below / and /work.
  std::string folders;
  for (int i = 0; i < 62; ++i) folders += "d/";
  std::vector<std::string> paths;
  for (int i = 0; i < 130; ++i) {
    paths.push_back(absl::StrCat(i, "/", folders, "a"));
    paths.push_back(absl::StrCat(i, "/", folders, "b"));
  }
  EXPECT_THAT(Check(WithInputs(paths)), IsFine());  // 130 * 63 + 2
  paths.push_back("x/" + folders + "y");
  EXPECT_THAT(Check(WithInputs(paths)),
              Violates("job.process.inputs", HasSubstr("8255 directories")));
}

TEST(OutputCheckTest, PathsBelowWritableDirectories) {
  for (const std::string& path : kGoodPaths) {
    EXPECT_THAT(Check(WithOutputs({path})), IsFine()) << path;
  }
  for (const std::string& path : kBadPaths) {
    EXPECT_THAT(Check(WithOutputs({path})),
                Violates("job.process.outputs[0].path"))
        << path;
  }
}

TEST(OutputCheckTest, EachPathOnce) {
  EXPECT_THAT(Check(WithOutputs({"a", "a/b", "/tmp/a"})), IsFine())
      << "a directory and a file in it may both be wanted";
  EXPECT_THAT(Check(WithOutputs({"a", "/work//a"})),
              Violates("job.process.outputs[1].path", HasSubstr("outputs[0]")));
}

TEST(OutputCheckTest, MayBeAnInput) {
  v1::Process process = WithInputs({"a"});
  process.add_outputs()->set_path("a");
  EXPECT_THAT(Check(process), IsFine());
}

TEST(OutputCheckTest, Bounds) {
  v1::Process process = WithOutputs({"a"});
  v1::Output* output = process.mutable_outputs(0);
  output->set_optional(true);
  for (const int64_t bytes : {int64_t{0}, int64_t{1}, INT64_MAX}) {
    output->set_limit_bytes(bytes);
    EXPECT_THAT(Check(process), IsFine()) << bytes;
  }
  for (const int64_t bytes : {int64_t{-1}, INT64_MIN}) {
    output->set_limit_bytes(bytes);
    EXPECT_THAT(Check(process), Violates("job.process.outputs[0].limit_bytes"));
  }
}

TEST(OutputCheckTest, Delivery) {
  v1::Process process = WithOutputs({"a"});
  for (const v1::Delivery delivery :
       {v1::DELIVERY_BLOB, v1::DELIVERY_JOB_ONLY, v1::DELIVERY_ON_FAILURE}) {
    process.mutable_outputs(0)->set_delivery(delivery);
    EXPECT_THAT(Check(process), IsNotBuilt("job.process.outputs[0].delivery"));
  }
  process.mutable_outputs(0)->set_delivery(static_cast<v1::Delivery>(-1));
  EXPECT_THAT(Check(process), Violates("job.process.outputs[0].delivery"));
}

TEST(OutputCheckTest, Number) {
  std::vector<std::string> paths;
  for (int i = 0; i < kMaxOutputs; ++i) paths.push_back(std::to_string(i));
  EXPECT_THAT(Check(WithOutputs(paths)), IsFine());
  paths.push_back("x");
  EXPECT_THAT(Check(WithOutputs(paths)),
              Violates("job.process.outputs", HasSubstr("256")));
  paths.front() = "..";
  paths.back() = "..";
  EXPECT_THAT(
      FieldsOf(Check(WithOutputs(paths))),
      ElementsAre("job.process.outputs", "job.process.outputs[0].path"));
}

}  // namespace
}  // namespace paddock
