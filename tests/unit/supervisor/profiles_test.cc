#include "server/config/profiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paddock {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

config::v1::Sandbox Parsed(const std::string& yaml) {
  config::v1::Config config;
  EXPECT_THAT(ApplyYaml("sandbox: {profiles: " + yaml + "}", &config),
              IsEmpty());
  FillProfiles(config.mutable_sandbox());
  return config.sandbox();
}

Problems ProblemsOf(const std::string& yaml) {
  Problems problems;
  CheckProfiles(Parsed(yaml), &problems);
  return problems;
}

TEST(Profiles, DefaultIsAlwaysThereAndFirst) {
  for (const char* yaml : {"[]", "[{name: ci}]",
                           "[{name: ci}, {name: b, "
                           "weakenings: [ptrace]}]"}) {
    const config::v1::Sandbox sandbox = Parsed(yaml);
    EXPECT_EQ(sandbox.profiles(0).name(), "default") << yaml;
    EXPECT_THAT(sandbox.profiles(0).weakenings(), IsEmpty());
    EXPECT_THAT(ProblemsOf(yaml), IsEmpty()) << yaml;
  }
  EXPECT_EQ(Parsed("[{name: default}]").profiles_size(), 1);
}

TEST(Profiles, CiIsBuiltInAndCanBeWrittenOut) {
  EXPECT_THAT(Parsed("[{name: ci}]").profiles(1).weakenings(),
              ElementsAre(v1::WEAKENING_FULL_PROC, v1::WEAKENING_INOTIFY));
  EXPECT_THAT(
      Parsed("[{name: ci, weakenings: [ptrace]}]").profiles(1).weakenings(),
      ElementsAre(v1::WEAKENING_PTRACE));
}

TEST(Profiles, EveryTokenCanBeWrittenAndIsDescribed) {
  const auto* type = v1::Weakening_descriptor();
  ASSERT_GT(type->value_count(), 3);
  for (int i = 1; i < type->value_count(); ++i) {
    config::v1::Config config;
    v1::Profile* profile = config.mutable_sandbox()->add_profiles();
    profile->set_name("x");
    profile->add_weakenings(static_cast<v1::Weakening>(i));
    config::v1::Config again;
    ASSERT_THAT(ApplyYaml(ToYaml(config), &again), IsEmpty());
    EXPECT_EQ(again.sandbox().profiles(0).weakenings(0), i);
    Problems problems;
    CheckProfiles(again.sandbox(), &problems);
    EXPECT_THAT(problems, IsEmpty());
    EXPECT_THAT(DescribeWeakenings(again.sandbox()),
                ElementsAre(HasSubstr("profile x weakens sandboxes by ")));
  }
  EXPECT_THAT(DescribeWeakenings(Parsed("[]")), IsEmpty());
}

TEST(Profiles, WhatIsRefused) {
  EXPECT_THAT(ProblemsOf("[{name: default, weakenings: [ptrace]}]"),
              ElementsAre(HasSubstr("'default' weakens nothing")));
  EXPECT_THAT(ProblemsOf("[{name: x}]"),
              ElementsAre(HasSubstr("sandbox.profiles[1].weakenings: empty")));
  EXPECT_THAT(ProblemsOf("[{name: x, weakenings: [inotify, inotify]}]"),
              ElementsAre(HasSubstr("'inotify' is given twice")));
  EXPECT_THAT(ProblemsOf("[{name: '', weakenings: [inotify]}]"),
              ElementsAre(HasSubstr("sandbox.profiles[1].name: ''")));
  config::v1::Config config;
  for (const char* bad : {"user_namespaces", "PTRACE", "1", "unspecified"}) {
    EXPECT_THAT(
        ApplyValue("sandbox.profiles",
                   std::string("[{name: x, weakenings: [") + bad + "]}]",
                   &config),
        ElementsAre(HasSubstr("expected one of full_proc, inotify, "
                              "ptrace, got")))
        << bad;
  }
}

TEST(Profiles, NumbersOfNoTokenAreRefused) {
  config::v1::Sandbox sandbox;
  for (const int number : {0, 77}) {
    sandbox.clear_profiles();
    v1::Profile* profile = sandbox.add_profiles();
    profile->set_name("x");
    profile->add_weakenings(static_cast<v1::Weakening>(number));
    Problems problems;
    CheckProfiles(sandbox, &problems);
    EXPECT_THAT(problems, ElementsAre(HasSubstr("there is no weakening")));
  }
}

TEST(Profiles, HasProfile) {
  config::v1::Config config;
  EXPECT_TRUE(HasProfile(config, ""));
  EXPECT_TRUE(HasProfile(config, "default"));
  EXPECT_FALSE(HasProfile(config, "ci"));
  config.mutable_sandbox()->add_profiles()->set_name("ci");
  EXPECT_TRUE(HasProfile(config, "ci"));
}

}  // namespace
}  // namespace paddock
