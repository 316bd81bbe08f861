#include "client/cli/run_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace paddock {
namespace {

using ::testing::ElementsAre;
using Words = std::vector<std::string>;

// Parses `words` as what stands before "--". Returns what is left of them.
Words Parse(Words words, RunOptions* options) {
  CLI::App app;
  AddRunFlags(&app, options);
  std::reverse(words.begin(), words.end());
  app.parse(std::move(words));
  return app.remaining();
}

TEST(RunFlagsTest, EachLimitLandsInItsField) {
  RunOptions options;
  Parse({"--cpu-time",
         "2s",
         "--wall-time=3s",
         "--idle-time",
         "1500ms",
         "--memory",
         "64M",
         "--processes",
         "10",
         "--open-files",
         "11",
         "--file-size",
         "12K",
         "--workspace-size",
         "0",
         "--workspace-inodes",
         "14",
         "--stack",
         "1M",
         "--output-limit",
         "16",
         "--cpus",
         "0.5"},
        &options);
  const v1::Limits& limits = options.process.limits();
  EXPECT_EQ(limits.cpu_time().seconds(), 2);
  EXPECT_EQ(limits.wall_time().seconds(), 3);
  EXPECT_EQ(limits.idle_time().nanos(), 500000000);
  EXPECT_EQ(limits.memory_bytes(), 64 << 20);
  EXPECT_EQ(limits.processes(), 10);
  EXPECT_EQ(limits.open_files(), 11);
  EXPECT_EQ(limits.file_size_bytes(), 12 << 10);
  EXPECT_TRUE(limits.has_workspace_bytes());
  EXPECT_EQ(limits.workspace_bytes(), 0);
  EXPECT_EQ(limits.workspace_inodes(), 14);
  EXPECT_EQ(limits.stack_bytes(), 1 << 20);
  EXPECT_EQ(limits.output_bytes(), 16);
  EXPECT_EQ(limits.cpus(), 0.5);
}

TEST(RunFlagsTest, NoFlagLeavesEverythingUnset) {
  RunOptions options;
  Parse({}, &options);
  EXPECT_EQ(options.process.limits().ByteSizeLong(), 0u);
  options.process.clear_limits();
  EXPECT_EQ(options.process.ByteSizeLong(), 0u);
  EXPECT_EQ(options.deadline, absl::InfiniteDuration());
}

TEST(RunFlagsTest, TheRest) {
  RunOptions options;
  Parse({"--profile", "ci",        "--image",         "gcc",   "--on-overflow",
         "kill",      "--network", "loopback",        "--env", "A=1",
         "--env",     "B=x=y",     "--env",           "A=2",   "--workdir",
         "/tmp",      "--file",    "dir/in=/src/a=b", "--out", "a/b",
         "--out",     "c=/d/e",    "--stdin",         "f",     "--deadline",
         "5s",        "--json",    "--quiet"},
        &options);
  const v1::Process& process = options.process;
  EXPECT_EQ(process.image(), "gcc");
  EXPECT_EQ(process.profile(), "ci");
  EXPECT_EQ(process.stdout().on_overflow(), v1::OVERFLOW_POLICY_KILL);
  EXPECT_EQ(process.stderr().on_overflow(), v1::OVERFLOW_POLICY_KILL);
  EXPECT_EQ(process.network(), v1::NETWORK_LOOPBACK);
  EXPECT_EQ(process.env().at("A"), "2");
  EXPECT_EQ(process.env().at("B"), "x=y");
  EXPECT_EQ(process.working_directory(), "/tmp");
  ASSERT_EQ(options.inputs.size(), 1u);
  EXPECT_EQ(options.inputs[0].sandbox, "dir/in");
  EXPECT_EQ(options.inputs[0].local, "/src/a=b");
  ASSERT_EQ(options.outputs.size(), 2u);
  EXPECT_EQ(options.outputs[0].sandbox, "a/b");
  EXPECT_EQ(options.outputs[0].local, "b");
  EXPECT_EQ(options.outputs[1].local, "/d/e");
  EXPECT_EQ(options.stdin_file, "f");
  EXPECT_EQ(options.deadline, absl::Seconds(5));
  EXPECT_TRUE(options.json);
  EXPECT_TRUE(options.quiet);
}

TEST(RunFlagsTest, WrongValuesAreRefusedByTheNameOfTheFlag) {
  for (const Words& words : std::vector<Words>{
           {"--cpu-time", "2"},
           {"--memory", "-1"},
           {"--memory", "64MB"},
           {"--memory", "1M", "--memory", "2M"},
           {"--processes", "2147483648"},
           {"--open-files", "-1"},
           {"--cpus", "many"},
           {"--network", "host"},
           {"--on-overflow", "explode"},
           {"--env", "A"},
           {"--env", "=1"},
           {"--file", "a"},
           {"--file", "a="},
           {"--out", "dir/"},
           {"--out", "a="},
           {"--stdin"},
           {"--json=maybe"},
       }) {
    RunOptions options;
    try {
      Parse(words, &options);
      ADD_FAILURE() << ::testing::PrintToString(words);
    } catch (const CLI::ParseError& error) {
      EXPECT_NE(error.get_exit_code(), 0);
      EXPECT_THAT(std::string(error.what()),
                  ::testing::HasSubstr(words[0].substr(0, words[0].find('='))));
    }
  }
}

TEST(RunFlagsTest, FlagsOfTheProgramAreItsOwn) {
  RunOptions options;
  EXPECT_THAT(
      Parse({"--env", "A=1", "sh", "-c", "echo", "--memory", "1M", "--help",
             "[a,b]", ""},
            &options),
      ElementsAre("sh", "-c", "echo", "--memory", "1M", "--help", "[a,b]", ""));
  EXPECT_FALSE(options.process.limits().has_memory_bytes());
}

class SetArgumentsTest : public ::testing::Test {
 protected:
  Words Argv() const {
    return {process_.argv().begin(), process_.argv().end()};
  }
  v1::Process process_;
};

TEST_F(SetArgumentsTest, TakesWhatStandsBehindTheDashes) {
  const Words after = {"prog", "--", "-x", "[1]", ""};
  ASSERT_TRUE(SetArguments({}, after, &process_).ok());
  EXPECT_EQ(Argv(), after);
}

TEST_F(SetArgumentsTest, DashesBehindAProgramAreItsOwn) {
  ASSERT_TRUE(SetArguments({"sh", "x"}, Words{"-y"}, &process_).ok());
  EXPECT_THAT(Argv(), ElementsAre("sh", "x", "--", "-y"));
  process_.Clear();
  ASSERT_TRUE(SetArguments({"sh"}, Words{}, &process_).ok());
  EXPECT_THAT(Argv(), ElementsAre("sh", "--"));
  process_.Clear();
  ASSERT_TRUE(SetArguments({"sh"}, std::nullopt, &process_).ok());
  EXPECT_THAT(Argv(), ElementsAre("sh"));
}

TEST_F(SetArgumentsTest, RefusesUnknownFlagsAndNoProgram) {
  EXPECT_THAT(
      std::string(SetArguments({"--cputime", "2s"}, Words{"true"}, &process_)
                      .message()),
      ::testing::HasSubstr("--cputime"));
  EXPECT_FALSE(SetArguments({}, std::nullopt, &process_).ok());
  EXPECT_FALSE(SetArguments({}, Words{}, &process_).ok());
}

}  // namespace
}  // namespace paddock
