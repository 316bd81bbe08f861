#include "server/config/yaml_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "google/protobuf/util/message_differencer.h"
#include "paddock/config/v1/config.pb.h"

namespace paddock {
namespace {

using config::v1::Config;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(YamlMessage, SetsFieldsOfEveryKind) {
  Config config;
  ASSERT_THAT(ApplyYaml(R"(
listen: {grpc_address: "[::1]:0", unix_socket_mode: 0660}
workers:
  count: 3
sandbox:
  host_id_base: 4000000000
  tmp_bytes: 64MiB
  images:
    - name: host
      host: {}
      env: {A: "1", B: two words}
    - {name: other, directory: /srv}
requests:
  default_limits: {cpu_time: 1.5s, memory_bytes: 1048576, cpus: 0.5}
  max_limits: {workspace_bytes: 1GiB}
shutdown: {grace: 500ms}
log:
)",
                        &config),
              IsEmpty());
  EXPECT_EQ(config.listen().grpc_address(), "[::1]:0");
  EXPECT_EQ(config.listen().unix_socket_mode(), "0660");
  EXPECT_EQ(config.workers().count(), 3);
  EXPECT_EQ(config.sandbox().host_id_base(), 4000000000u);
  EXPECT_EQ(config.sandbox().tmp_bytes(), 64 << 20);
  ASSERT_EQ(config.sandbox().images_size(), 2);
  EXPECT_TRUE(config.sandbox().images(0).has_host());
  EXPECT_EQ(config.sandbox().images(0).env().at("B"), "two words");
  EXPECT_EQ(config.sandbox().images(1).directory(), "/srv");
  const v1::Limits& limits = config.requests().default_limits();
  EXPECT_EQ(limits.cpu_time().seconds(), 1);
  EXPECT_EQ(limits.cpu_time().nanos(), 500000000);
  EXPECT_EQ(limits.memory_bytes(), 1 << 20);
  EXPECT_EQ(limits.cpus(), 0.5);
  EXPECT_FALSE(limits.has_idle_time());
  EXPECT_EQ(config.requests().max_limits().workspace_bytes(), 1 << 30);
  EXPECT_EQ(config.shutdown().grace().nanos(), 500000000);
}

TEST(YamlMessage, WritesTextSoThatItComesBackAsItWas) {
  for (const char* text : {"",
                           " ",
                           "two words",
                           "a: b",
                           "#",
                           "- x",
                           "~",
                           "0660",
                           "line\nline\n",
                           "ends in\r",
                           "\r\n",
                           "tab\t",
                           "\x01\x7f",
                           "caf\xc3\xa9",
                           "\xc2\x85",
                           "\xe2\x80\xa8",
                           "\xef\xbb\xbf",
                           "\xf0\x9f\x90\xb4",
                           "\"\\\"",
                           "'"}) {
    Config config;
    config.mutable_listen()->set_grpc_address(text);
    (*config.mutable_sandbox()->add_images()->mutable_env())[text] = text;
    Config again;
    EXPECT_THAT(ApplyYaml(ToYaml(config), &again), IsEmpty()) << text;
    EXPECT_TRUE(
        google::protobuf::util::MessageDifferencer::Equals(config, again))
        << ToYaml(config);
  }
}

TEST(YamlMessage, RefusesTextThatIsNotUtf8OrHoldsNul) {
  Config config;
  EXPECT_THAT(
      ApplyYaml("listen: {http_address: \"a\xff\", unix_socket: "
                "\"/run/a\\0b\"}",
                &config),
      ElementsAre("listen.http_address: not UTF-8 (line 1)",
                  "listen.unix_socket: holds a NUL character (line 1)"));
  EXPECT_THAT(ApplyValue("listen.http_address", "\xff", &config),
              ElementsAre("listen.http_address: not UTF-8"));
}

TEST(YamlMessage, LeavesWhatIsNotNamedAndReplacesLists) {
  Config config;
  config.mutable_listen()->set_http_address("kept:1");
  config.mutable_sandbox()->add_images()->set_name("replaced");
  ASSERT_THAT(ApplyYaml("listen: {grpc_address: 'x:2'}\n"
                        "sandbox: {images: [{name: a}]}\n",
                        &config),
              IsEmpty());
  EXPECT_EQ(config.listen().http_address(), "kept:1");
  ASSERT_EQ(config.sandbox().images_size(), 1);
  EXPECT_EQ(config.sandbox().images(0).name(), "a");
}

TEST(YamlMessage, NamesEachProblemWithPathAndLine) {
  Config config;
  EXPECT_THAT(
      ApplyYaml("sandbox:\n"                                  // 1
                "  imagez: 1\n"                               // 2
                "  images:\n"                                 // 3
                "    - {name: a, hots: {}}\n"                 // 4
                "    - {name: b, host: {}, directory: /x}\n"  // 5
                "  tmp_bytes: 12MB\n"                         // 6
                "workers: [1]\n"                              // 7
                "listen:\n"                                   // 8
                "  grpc_address: [a]\n"                       // 9
                "  grpc_address: b:1\n"                       // 10
                "shutdown: {grace: 5}\n"                      // 11
                "requests: {queue_capacity: 3000000000}\n"    // 12
                "log: {level:}\n",                            // 13
                &config),
      ElementsAre(
          "sandbox.imagez: no such field (line 2)",
          "sandbox.images[0].hots: no such field (line 4)",
          "sandbox.images[1].directory: only one source can be given (line 5)",
          "sandbox.tmp_bytes: expected bytes, a whole number or one with KiB, "
          "MiB, GiB or TiB, got '12MB' (line 6)",
          "workers: expected a map, got a list (line 7)",
          "listen.grpc_address: expected a single value, got a list (line 9)",
          "listen.grpc_address: given twice (line 10)",
          "shutdown.grace: expected a duration such as 2s, 500ms or 1h30m, got "
          "'5' (line 11)",
          "requests.queue_capacity: expected a whole number of at most 32 "
          "bits, "
          "got '3000000000' (line 12)",
          "log.level: expected a single value, got nothing (line 13)"));
}

TEST(YamlMessage, RefusesWhatIsNoDocumentOfOurs) {
  Config config;
  EXPECT_THAT(ApplyYaml("listen: {", &config),
              ElementsAre(testing::StartsWith("not YAML: ")));
  EXPECT_THAT(ApplyYaml("just text", &config),
              ElementsAre("expected a map, got a single value (line 1)"));
  EXPECT_THAT(ApplyYaml("listen: {}\n---\nlog: {}\n", &config),
              ElementsAre("more than one YAML document"));
  // yaml-cpp alone makes documents of these without end.
  EXPECT_THAT(ApplyYaml(",", &config),
              ElementsAre("more than one YAML document"));
  EXPECT_THAT(ApplyYaml("log: {}\n,\n", &config), testing::SizeIs(1));
  EXPECT_THAT(ApplyValue("sandbox.images", "[],", &config), testing::SizeIs(1));
  EXPECT_THAT(ApplyYaml("", &config), IsEmpty());
  EXPECT_THAT(ApplyYaml("# nothing\n", &config), IsEmpty());
}

TEST(YamlMessage, SetsOneFieldByPath) {
  Config config;
  EXPECT_THAT(ApplyValue("requests.max_limits.cpu_time", "2s", &config),
              IsEmpty());
  EXPECT_EQ(config.requests().max_limits().cpu_time().seconds(), 2);
  EXPECT_THAT(ApplyValue("sandbox.images", "[{name: z, host: {}}]", &config),
              IsEmpty());
  EXPECT_EQ(config.sandbox().images(0).name(), "z");
  // Text is taken as it stands, not as YAML.
  EXPECT_THAT(ApplyValue("listen.grpc_address", "[::]:1", &config), IsEmpty());
  EXPECT_EQ(config.listen().grpc_address(), "[::]:1");
  EXPECT_THAT(ApplyValue("listen.grpc_adress", "x", &config),
              ElementsAre("listen.grpc_adress: no such field"));
  EXPECT_THAT(ApplyValue("sandbox.images.name", "x", &config),
              ElementsAre("sandbox.images.name: no such field"));
  EXPECT_THAT(ApplyValue("workers.count.x", "1", &config),
              ElementsAre("workers.count.x: no such field"));
}

TEST(YamlMessage, ReadsBackWhatItWrites) {
  Config config;
  ASSERT_THAT(ApplyYaml(R"(
listen: {grpc_address: "", unix_socket_mode: "0600"}
sandbox:
  images: [{name: h, host: {}, env: {EMPTY: "", QUOTED: "a: 'b' # \"c\""}}]
  tmp_bytes: 1025
requests: {default_limits: {cpus: 0.1, cpu_time: 90.25s, stack_bytes: 3MiB}}
)",
                        &config),
              IsEmpty());
  Config again;
  const std::string yaml = ToYaml(config);
  ASSERT_THAT(ApplyYaml(yaml, &again), IsEmpty()) << yaml;
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(config, again))
      << yaml;
  EXPECT_THAT(yaml, testing::HasSubstr("cpu_time: 1m30.25s"));
  EXPECT_THAT(yaml, testing::HasSubstr("stack_bytes: 3MiB"));
}

}  // namespace
}  // namespace paddock
