#include "server/jobs/process_defaults.h"

#include <gtest/gtest.h>

namespace paddock {
namespace {

config::v1::Config MakeConfig() {
  config::v1::Config config;
  config.mutable_sandbox()->set_default_image("host");
  config::v1::Image* host = config.mutable_sandbox()->add_images();
  host->set_name("host");
  (*host->mutable_env())["PATH"] = "/bin";
  (*host->mutable_env())["HOME"] = "/work";
  config.mutable_sandbox()->add_images()->set_name("other");
  v1::Limits* limits = config.mutable_requests()->mutable_default_limits();
  limits->mutable_cpu_time()->set_seconds(10);
  limits->mutable_cpu_time()->set_nanos(5);
  limits->set_memory_bytes(100);
  limits->set_processes(64);
  return config;
}

TEST(ProcessDefaultsTest, AnEmptyProcessGetsEverything) {
  v1::Process process;
  ASSERT_TRUE(CompleteProcess(MakeConfig(), &process));
  EXPECT_EQ(process.image(), "host");
  EXPECT_EQ(process.profile(), "default");
  EXPECT_EQ(process.env().at("PATH"), "/bin");
  EXPECT_EQ(process.limits().cpu_time().seconds(), 10);
  EXPECT_EQ(process.limits().memory_bytes(), 100);
  EXPECT_FALSE(process.limits().has_idle_time());
}

TEST(ProcessDefaultsTest, LimitsFieldByField) {
  v1::Process process;
  process.mutable_limits()->set_memory_bytes(0);
  process.mutable_limits()->mutable_cpu_time()->set_seconds(1);
  ASSERT_TRUE(CompleteProcess(MakeConfig(), &process));
  EXPECT_EQ(process.limits().memory_bytes(), 0);
  EXPECT_EQ(process.limits().cpu_time().seconds(), 1);
  EXPECT_EQ(process.limits().cpu_time().nanos(), 0);  // not the default's 5
  EXPECT_EQ(process.limits().processes(), 64);
}

TEST(ProcessDefaultsTest, LaterEnvironmentsWin) {
  v1::Process process;
  (*process.mutable_env())["HOME"] = "/tmp";
  (*process.mutable_env())["TOKEN"] = "public";
  (*process.mutable_secret_env())["TOKEN"] = "secret";
  ASSERT_TRUE(CompleteProcess(MakeConfig(), &process));
  EXPECT_EQ(process.env().at("PATH"), "/bin");
  EXPECT_EQ(process.env().at("HOME"), "/tmp");
  EXPECT_EQ(process.env().at("TOKEN"), "secret");
  EXPECT_TRUE(process.secret_env().empty());
}

TEST(ProcessDefaultsTest, TextBecomesData) {
  v1::Process process;
  process.mutable_stdin()->set_text("in");
  process.add_inputs()->mutable_source()->set_text("file");
  process.add_inputs()->mutable_source()->set_data("data");
  ASSERT_TRUE(CompleteProcess(MakeConfig(), &process));
  EXPECT_EQ(process.stdin().data(), "in");
  EXPECT_EQ(process.inputs(0).source().data(), "file");
  EXPECT_EQ(process.inputs(1).source().data(), "data");
}

TEST(ProcessDefaultsTest, ImagesByName) {
  v1::Process process;
  process.set_image("other");
  process.set_profile("ci");
  EXPECT_TRUE(CompleteProcess(MakeConfig(), &process));
  EXPECT_EQ(process.image(), "other");
  EXPECT_EQ(process.profile(), "ci");
  EXPECT_TRUE(process.env().empty());
  process.set_image("none");
  EXPECT_FALSE(CompleteProcess(MakeConfig(), &process));
}

}  // namespace
}  // namespace paddock
