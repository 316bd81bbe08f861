// Rules of argv, environment, names and streams.
#include "worker/wire/process_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/check_process.h"

namespace paddock {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kNul(1, '\0');

TEST(ProcessCheckTest, TheLeastIsEnough) {
  EXPECT_THAT(Check(GoodProcess()), IsFine());
}

TEST(ProcessCheckTest, AProgramIsNamed) {
  v1::Process process;
  EXPECT_THAT(Check(process), Violates("job.process.argv"));
  process.add_argv("");
  EXPECT_THAT(Check(process), Violates("job.process.argv[0]"));
  process.set_argv(0, "true");
  process.add_argv("");
  EXPECT_THAT(Check(process), IsFine()) << "other arguments may be empty";
}

TEST(ProcessCheckTest, NoNulInArguments) {
  v1::Process process = GoodProcess();
  process.add_argv("a" + kNul + "b");
  EXPECT_THAT(Check(process), Violates("job.process.argv[1]"));
  process.set_argv(0, kNul);
  process.set_argv(1, "b");
  EXPECT_THAT(Check(process), Violates("job.process.argv[0]"));
}

TEST(ProcessCheckTest, NumberOfArguments) {
  v1::Process process = GoodProcess();
  while (process.argv_size() < kMaxArguments) process.add_argv("x");
  EXPECT_THAT(Check(process), IsFine());
  process.add_argv("x");
  EXPECT_THAT(Check(process), Violates("job.process.argv", HasSubstr("4096")));
}

TEST(ProcessCheckTest, BytesOfThePlan) {
  // "true", 'A=', and the NUL of each string.
  constexpr size_t kRest = sizeof("true") + sizeof("A=") + 1;
  v1::Process process = GoodProcess();
  process.add_argv(std::string(1000, 'x'));
  (*process.mutable_env())["A"] =
      std::string(kMaxPlanBytes - kRest - 1000, 'y');
  EXPECT_THAT(Check(process), IsFine());
  process.mutable_argv(1)->push_back('x');
  EXPECT_THAT(Check(process), Violates("job.process.argv", HasSubstr("98304")));
}

TEST(ProcessCheckTest, SecretsCountInThePlan) {
  v1::Process process = GoodProcess();
  (*process.mutable_env())["A"] = std::string(kMaxPlanBytes / 2, 'y');
  EXPECT_THAT(Check(process), IsFine());
  (*process.mutable_secret_env())["B"] = std::string(kMaxPlanBytes / 2, 'y');
  EXPECT_THAT(Check(process), Violates("job.process.argv"));
}

TEST(ProcessCheckTest, NamesOfVariables) {
  v1::Process process = GoodProcess();
  (*process.mutable_env())["PATH"] = "=/usr/bin=";
  (*process.mutable_env())["a b"] = "";
  EXPECT_THAT(Check(process), IsFine());
  (*process.mutable_env())["A=B"] = "x";
  EXPECT_THAT(Check(process), Violates(R"(job.process.env["A=B"])"));
  process.mutable_env()->clear();
  (*process.mutable_env())[""] = "x";
  EXPECT_THAT(Check(process), Violates(R"(job.process.env[""])"));
}

TEST(ProcessCheckTest, NoNulInVariables) {
  v1::Process process = GoodProcess();
  (*process.mutable_env())["A" + kNul] = "x";
  EXPECT_THAT(Check(process), Violates(R"(job.process.env["A\x00"])"));
  process.mutable_env()->clear();
  (*process.mutable_env())["A"] = kNul;
  EXPECT_THAT(Check(process), Violates(R"(job.process.env["A"])"));
}

TEST(ProcessCheckTest, SecretsKeepTheSameRulesAndAreNotShown) {
  v1::Process process = GoodProcess();
  (*process.mutable_secret_env())["TOKEN"] = "hunter2" + kNul;
  const Checked checked = Check(process);
  EXPECT_THAT(checked, Violates(R"(job.process.secret_env["TOKEN"])",
                                Not(HasSubstr("hunter2"))));
}

TEST(ProcessCheckTest, LongNamesOfVariablesAreCutInTheField) {
  v1::Process process = GoodProcess();
  (*process.mutable_env())["=" + std::string(5000, 'x')] = "";
  const Checked checked = Check(process);
  ASSERT_EQ(checked.violations.size(), 1u);
  EXPECT_LT(checked.violations[0].field.size(), 100u);
}

TEST(ProcessCheckTest, NumberOfVariables) {
  v1::Process process = GoodProcess();
  for (int i = 0; i < kMaxEnvironment / 2; ++i) {
    (*process.mutable_env())["A" + std::to_string(i)] = "";
    (*process.mutable_secret_env())["B" + std::to_string(i)] = "";
  }
  EXPECT_THAT(Check(process), IsFine());
  (*process.mutable_env())["C"] = "";
  EXPECT_THAT(Check(process), Violates("job.process.env", HasSubstr("4096")));
}

TEST(ProcessCheckTest, TheFirstElementsOfTooLongListsAreChecked) {
  v1::Process process;
  process.add_argv("");
  while (process.argv_size() < kMaxArguments) process.add_argv("x");
  process.add_argv(kNul);  // beyond what is checked
  for (int i = 0; i <= kMaxEnvironment; ++i) {
    (*process.mutable_env())["V" + std::to_string(i)] = "";
  }
  (*process.mutable_env())["="] = "";    // the first by name
  (*process.mutable_env())["W"] = kNul;  // the last
  process.mutable_secret_env()->insert({"", "x"});
  EXPECT_THAT(
      FieldsOf(Check(process)),
      ElementsAre("job.process.argv", "job.process.argv[0]", "job.process.env",
                  "job.process.env[\"=\"]", "job.process.secret_env[\"\"]"));
}

TEST(ProcessCheckTest, NoMoreVariablesAreNamedThanThereMayBe) {
  v1::Process process = GoodProcess();
  for (int i = 0; i < 100000; ++i) {
    (*process.mutable_env())["=" + std::to_string(i)] = "";
  }
  const Checked checked = Check(process);
  // And that there are too many, of too many bytes.
  ASSERT_EQ(checked.violations.size(), kMaxEnvironment + 2);
  EXPECT_EQ(checked.violations[1].field, "job.process.env[\"=0\"]");
  EXPECT_EQ(checked.violations[2].field, "job.process.env[\"=1\"]");
  EXPECT_EQ(checked.violations[3].field, "job.process.env[\"=10\"]");
}

TEST(ProcessCheckTest, NameOfTheProcess) {
  v1::Process process = GoodProcess();
  process.set_name(std::string(kMaxNameBytes, 'n'));
  EXPECT_THAT(Check(process), IsFine());
  process.set_name(std::string(kMaxNameBytes + 1, 'n'));
  EXPECT_THAT(Check(process), Violates("job.process.name"));
  process.set_name("a\nb");
  EXPECT_THAT(Check(process), Violates("job.process.name"));
  process.set_name("große Lösung");
  EXPECT_THAT(Check(process), IsFine());
}

TEST(ProcessCheckTest, ImageAndProfileNames) {
  v1::Process process = GoodProcess();
  const std::string longest(64, 'a');
  for (const auto& name : {std::string("host"), std::string("gcc-12.2_x"),
                           std::string("0"), longest}) {
    process.set_image(name);
    process.set_profile(name);
    EXPECT_THAT(Check(process), IsFine()) << name;
  }
  process.clear_profile();
  for (const auto& name :
       {std::string("Host"), std::string(".a"), std::string("-a"),
        std::string("a/b"), std::string(".."), std::string("a b"),
        std::string("ä"), "a" + kNul, longest + "a"}) {
    process.set_image(name);
    EXPECT_THAT(Check(process), Violates("job.process.image")) << name;
    process.clear_image();
    process.set_profile(name);
    EXPECT_THAT(Check(process), Violates("job.process.profile")) << name;
    process.clear_profile();
  }
}

TEST(ProcessCheckTest, WorkingDirectory) {
  v1::Process process = GoodProcess();
  for (const char* path : {"/", "/work", "sub/dir", ".", "/usr//lib/."}) {
    process.set_working_directory(path);
    EXPECT_THAT(Check(process), IsFine()) << path;
  }
  for (const auto& path : {std::string(".."), std::string("/work/../etc"),
                           "a" + kNul, std::string(300, 'a')}) {
    process.set_working_directory(path);
    EXPECT_THAT(Check(process), Violates("job.process.working_directory"))
        << path;
  }
}

TEST(ProcessCheckTest, Users) {
  v1::Process process = GoodProcess();
  for (const char* user : {"", "1000", "1000:1000"}) {
    process.set_user(user);
    EXPECT_THAT(Check(process), IsFine()) << user;
  }
  for (const char* user :
       {"0", "1001", "0:0", "1000:0", "nobody", "_apt", "4294967294"}) {
    process.set_user(user);
    EXPECT_THAT(Check(process), IsNotBuilt("job.process.user")) << user;
  }
  for (const char* user :
       {"-1", "1000:", ":1000", "1:2:3", "4294967295", "a:b", "4294967296",
        "a b", "+1", " 1000", "1000 ", "1e3"}) {
    process.set_user(user);
    EXPECT_THAT(Check(process), Violates("job.process.user")) << user;
  }
}

TEST(ProcessCheckTest, Networks) {
  v1::Process process = GoodProcess();
  for (const v1::Network network :
       {v1::NETWORK_UNSPECIFIED, v1::NETWORK_NONE, v1::NETWORK_LOOPBACK}) {
    process.set_network(network);
    EXPECT_THAT(Check(process), IsFine());
  }
  for (const int network : {-1, 3, 1000}) {
    process.set_network(static_cast<v1::Network>(network));
    EXPECT_THAT(Check(process), Violates("job.process.network"));
  }
}

TEST(ProcessCheckTest, Stdin) {
  v1::Process process = GoodProcess();
  process.mutable_stdin()->set_data(std::string(5, '\0'));
  EXPECT_THAT(Check(process), IsFine());
  process.mutable_stdin()->set_text("");
  EXPECT_THAT(Check(process), IsFine());
  process.mutable_stdin()->mutable_blob();
  EXPECT_THAT(Check(process), IsNotBuilt("job.process.stdin.blob"));
  process.mutable_stdin()->mutable_output();
  EXPECT_THAT(Check(process), IsNotBuilt("job.process.stdin.output"));
  process.mutable_stdin()->set_case_file("in");
  EXPECT_THAT(Check(process), IsNotBuilt("job.process.stdin.case_file"));
  process.mutable_stdin()->mutable_directory();
  EXPECT_THAT(Check(process), Violates("job.process.stdin.directory"));
  process.mutable_stdin()->mutable_live();
  EXPECT_THAT(Check(process),
              Violates("job.process.stdin.live", HasSubstr("ExecuteStream")));
  process.mutable_stdin()->Clear();
  EXPECT_THAT(Check(process), Violates("job.process.stdin"));
}

TEST(ProcessCheckTest, Captures) {
  v1::Process process = GoodProcess();
  process.mutable_stdout()->set_prefer_text(true);
  process.mutable_stdout()->set_on_overflow(v1::OVERFLOW_POLICY_KILL);
  process.mutable_stderr()->set_discard(true);
  process.mutable_stderr()->set_on_overflow(v1::OVERFLOW_POLICY_TRUNCATE);
  EXPECT_THAT(Check(process), IsFine());
  process.mutable_stdout()->set_on_overflow(static_cast<v1::OverflowPolicy>(3));
  EXPECT_THAT(Check(process), Violates("job.process.stdout.on_overflow"));
}

TEST(ProcessCheckTest, CapturesNotBuilt) {
  v1::Process process = GoodProcess();
  process.mutable_stdout()->set_live(true);
  EXPECT_THAT(Check(process), IsNotBuilt("job.process.stdout.live"));
  process.clear_stdout();
  for (const v1::Delivery delivery :
       {v1::DELIVERY_BLOB, v1::DELIVERY_JOB_ONLY, v1::DELIVERY_ON_FAILURE}) {
    process.mutable_stderr()->set_delivery(delivery);
    EXPECT_THAT(Check(process), IsNotBuilt("job.process.stderr.delivery"));
  }
  process.mutable_stderr()->set_delivery(static_cast<v1::Delivery>(4));
  EXPECT_THAT(Check(process), Violates("job.process.stderr.delivery"));
}

TEST(ProcessCheckTest, StderrToStdoutExcludesStderr) {
  v1::Process process = GoodProcess();
  process.set_stderr_to_stdout(true);
  process.mutable_stdout();
  EXPECT_THAT(Check(process), IsFine());
  process.mutable_stderr();
  EXPECT_THAT(Check(process), Violates("job.process.stderr_to_stdout"));
  process.set_stderr_to_stdout(false);
  EXPECT_THAT(Check(process), IsFine());
}

TEST(ProcessCheckTest, NotBuilt) {
  v1::Process process = GoodProcess();
  process.mutable_workspace_from();
  EXPECT_THAT(Check(process), IsNotBuilt("job.process.workspace_from"));
  process = GoodProcess();
  process.mutable_terminal();
  EXPECT_THAT(Check(process), IsNotBuilt("job.process.terminal"));
  process = GoodProcess();
  process.add_file_descriptors();
  EXPECT_THAT(Check(process), IsNotBuilt("job.process.file_descriptors"));
  process = GoodProcess();
  process.set_writable_root(true);
  EXPECT_THAT(Check(process), IsNotBuilt("job.process.writable_root"));
}

TEST(ProcessCheckTest, SaysAllAtOnceBelowTheGivenPath) {
  v1::Process process;
  process.set_image("?");
  process.set_writable_root(true);
  process.add_inputs()->set_path("..");
  process.mutable_limits()->set_memory_bytes(-1);
  Checked checked;
  CheckProcess("job.steps[2].processes[0]", process, {}, &checked.violations,
               &checked.unimplemented);
  EXPECT_THAT(FieldsOf(checked),
              ElementsAre("job.steps[2].processes[0].argv",
                          "job.steps[2].processes[0].image",
                          "job.steps[2].processes[0].inputs[0].path",
                          "job.steps[2].processes[0].inputs[0].source",
                          "job.steps[2].processes[0].limits.memory_bytes"));
  EXPECT_THAT(
      checked.unimplemented,
      Contains(testing::Field(&Unimplemented::field,
                              "job.steps[2].processes[0].writable_root")));
}

TEST(ProcessCheckTest, AppendsToWhatIsThere) {
  Checked checked;
  checked.violations.push_back({"job", "x"});
  CheckProcess("job.process", {}, {}, &checked.violations,
               &checked.unimplemented);
  EXPECT_THAT(FieldsOf(checked), ElementsAre("job", "job.process.argv"));
}

}  // namespace
}  // namespace paddock
