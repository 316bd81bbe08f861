#include "server/jobs/result_shape.h"

#include <gtest/gtest.h>

namespace paddock {
namespace {

v1::ProcessResult MakeResult(size_t out, size_t err) {
  v1::ProcessResult result;
  result.set_outcome(v1::OUTCOME_SUCCEEDED);
  result.mutable_stdout()->set_data(std::string(out, 'o'));
  result.mutable_stdout()->set_written_bytes(out);
  result.mutable_stderr()->set_data(std::string(err, 'e'));
  result.mutable_stderr()->set_written_bytes(err);
  return result;
}

void AddOutput(const char* path, size_t bytes, v1::ProcessResult* result) {
  v1::OutputResult* output = result->add_outputs();
  output->set_path(path);
  output->set_data(std::string(bytes, 'x'));
}

TEST(ResultShapeTest, WhatFitsIsLeftAlone) {
  v1::ProcessResult result = MakeResult(40, 40);
  AddOutput("a", 20, &result);
  const std::string before = result.SerializeAsString();
  ShapeResult({.inline_budget_bytes = 100}, &result);
  EXPECT_EQ(result.SerializeAsString(), before);
}

TEST(ResultShapeTest, StreamsShareTheBudget) {
  v1::ProcessResult both = MakeResult(500, 500);
  ShapeResult({.inline_budget_bytes = 100}, &both);
  EXPECT_EQ(both.stdout().data().size(), 50);
  EXPECT_EQ(both.stderr().data().size(), 50);
  EXPECT_TRUE(both.stdout().truncated());
  EXPECT_TRUE(both.stderr().truncated());
  EXPECT_EQ(both.stdout().written_bytes(), 500);

  v1::ProcessResult one = MakeResult(500, 10);
  ShapeResult({.inline_budget_bytes = 100}, &one);
  EXPECT_EQ(one.stdout().data().size(), 90);
  EXPECT_FALSE(one.stderr().truncated());

  v1::ProcessResult other = MakeResult(10, 500);
  ShapeResult({.inline_budget_bytes = 100}, &other);
  EXPECT_FALSE(other.stdout().truncated());
  EXPECT_EQ(other.stderr().data().size(), 90);
}

TEST(ResultShapeTest, AnOutputThatDoesNotFitIsAnErrorOfItsOwn) {
  v1::ProcessResult result = MakeResult(0, 0);
  AddOutput("large", 101, &result);
  AddOutput("small", 100, &result);
  ShapeResult({.inline_budget_bytes = 100}, &result);
  EXPECT_EQ(result.outcome(), v1::OUTCOME_OUTPUT_ERROR);
  EXPECT_EQ(result.outputs(0).error().reason(),
            v1::FILE_ERROR_REASON_TOO_LARGE);
  EXPECT_EQ(result.outputs(0).error().path(), "large");
  EXPECT_FALSE(result.outputs(0).error().message().empty());
  EXPECT_EQ(result.outputs(1).data().size(), 100);
}

TEST(ResultShapeTest, AnEndingOfItsOwnStays) {
  v1::ProcessResult result = MakeResult(0, 0);
  result.set_outcome(v1::OUTCOME_NONZERO_EXIT);
  AddOutput("large", 101, &result);
  ShapeResult({.inline_budget_bytes = 100}, &result);
  EXPECT_EQ(result.outcome(), v1::OUTCOME_NONZERO_EXIT);
}

TEST(ResultShapeTest, TextIfAskedForAndValid) {
  v1::ProcessResult result = MakeResult(0, 0);
  result.mutable_stdout()->set_data("gr\xC3\xBC\xC3\x9F");
  result.mutable_stderr()->set_data("\xFF");
  ShapeResult({.stdout_as_text = true,
               .stderr_as_text = true,
               .inline_budget_bytes = 100},
              &result);
  EXPECT_EQ(result.stdout().text(), "gr\xC3\xBC\xC3\x9F");
  EXPECT_EQ(result.stderr().data(), "\xFF");

  v1::ProcessResult not_asked = MakeResult(3, 3);
  ShapeResult({.inline_budget_bytes = 100}, &not_asked);
  EXPECT_TRUE(not_asked.stdout().has_data());
}

TEST(ResultShapeTest, TextIsCutBetweenCharacters) {
  v1::ProcessResult result = MakeResult(0, 0);
  result.mutable_stdout()->set_data("abc\xE2\x82\xAC");
  ShapeResult({.stdout_as_text = true, .inline_budget_bytes = 5}, &result);
  EXPECT_EQ(result.stdout().text(), "abc");
  EXPECT_TRUE(result.stdout().truncated());

  // What is not truncated and ends in half a character is binary.
  v1::ProcessResult whole = MakeResult(0, 0);
  whole.mutable_stdout()->set_data("abc\xE2\x82");
  ShapeResult({.stdout_as_text = true, .inline_budget_bytes = 100}, &whole);
  EXPECT_TRUE(whole.stdout().has_data());
}

}  // namespace
}  // namespace paddock
