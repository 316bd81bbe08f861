#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/config/command_line.h"
#include "server/config/load_config.h"
#include "server/config/scalar_text.h"
#include "server/config/yaml_message.h"

namespace paddock {
namespace {

using testing::HasSubstr;

const HostFacts kHost = {
    .cpus = 2, .memory_bytes = int64_t{8} << 30, .open_files = 20000};

// A file with `text` that lives as long as this.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) {
    char name[] = "/tmp/paddock-config-XXXXXX";
    close(mkstemp(name));
    path_ = name;
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Loads `yaml` with `settings` over it.
absl::StatusOr<config::v1::Config> Load(const std::string& yaml,
                                        std::vector<Setting> settings = {},
                                        const HostFacts& host = kHost) {
  const ConfigFile file(yaml);
  return LoadConfig({file.path(), std::move(settings)}, host);
}

// Expects that `yaml` is refused with `message` as one of the lines.
void ExpectRefused(const std::string& yaml, const std::string& message) {
  const auto config = Load(yaml);
  ASSERT_FALSE(config.ok()) << yaml;
  EXPECT_THAT(std::string(config.status().message()), HasSubstr(message));
}

TEST(Config, DefaultsAreThoseOfTheSchemasComments) {
  const auto config = Load("");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->listen().grpc_address(), "127.0.0.1:50051");
  EXPECT_EQ(config->listen().unix_socket(), "/run/paddock/paddock.sock");
  EXPECT_EQ(config->workers().count(), 2);
  EXPECT_EQ(config->workers().user(), "paddock");
  EXPECT_EQ(config->sandbox().host_id_base(), 0x10000000u);
  ASSERT_EQ(config->sandbox().images_size(), 1);
  EXPECT_EQ(config->sandbox().images(0).env().at("HOME"), "/work");
  ASSERT_EQ(config->sandbox().profiles_size(), 1);
  EXPECT_EQ(config->sandbox().profiles(0).name(), "default");
  const v1::Limits& limits = config->requests().default_limits();
  EXPECT_EQ(limits.cpu_time().seconds(), 10);
  EXPECT_EQ(limits.memory_bytes(), 256 << 20);
  EXPECT_FALSE(limits.has_idle_time());
  const v1::Limits& max = config->requests().max_limits();
  EXPECT_EQ(config->requests().queue_bytes(), 512 << 20);
  EXPECT_EQ(config->requests().memory_budget_bytes(), int64_t{7} << 30);
  EXPECT_EQ(max.memory_bytes(), int64_t{3584} << 20);
  EXPECT_EQ(max.workspace_bytes(), int64_t{1792} << 20);
  EXPECT_EQ(max.open_files(), 4096);
  EXPECT_EQ(max.cpus(), 2);
}

TEST(Config, FlagsWinOverEnvironmentOverFileOverDefaults) {
  char one[] = "PADDOCK_WORKERS__COUNT=5", two[] = "PADDOCK_LOG__LEVEL=error",
       other[] = "PADDOCK_SERVER=unix:/x", none[] = "HOME=/root";
  char* environment[] = {one, other, none, two, nullptr};
  std::vector<Setting> settings = EnvironmentSettings(environment);
  ASSERT_EQ(settings.size(), 2u);
  settings.push_back({"--log-level", "log.level", "debug"});
  const auto config =
      Load("workers: {count: 3, warm_sandboxes: 2}\nlog: {level: warning}\n",
           settings);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->workers().count(), 5);
  EXPECT_EQ(config->workers().warm_sandboxes(), 2);
  EXPECT_EQ(config->log().level(), "debug");
  EXPECT_EQ(config->log().format(), "text");
}

TEST(Config, ProblemsNameWhereTheyComeFrom) {
  const auto config = Load("workers: {cuont: 3}\n",
                           {{"PADDOCK_LOG__LEVLE", "log.levle", "info"},
                            {"--workers", "workers.count", "many"}});
  const std::string message(config.status().message());
  EXPECT_THAT(message, HasSubstr(": workers.cuont: no such field (line 1)"));
  EXPECT_THAT(message, HasSubstr("PADDOCK_LOG__LEVLE: log.levle: no such"));
  EXPECT_THAT(message, HasSubstr("--workers: workers.count: expected a whole"));
}

TEST(Config, MissingFileIsAnErrorOnlyWhenAskedFor) {
  const auto config = LoadConfig({"/nonexistent/paddock.yaml", {}}, kHost);
  EXPECT_THAT(std::string(config.status().message()),
              HasSubstr("open /nonexistent/paddock.yaml"));
}

TEST(Config, LoweredMaximumLowersTheDefaultNobodyWrote) {
  const auto config = Load("requests: {max_limits: {memory_bytes: 64MiB}}");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->requests().default_limits().memory_bytes(), 64 << 20);
  ExpectRefused(
      "requests: {max_limits: {memory_bytes: 64MiB}, "
      "default_limits: {memory_bytes: 65MiB}}",
      "requests.default_limits.memory_bytes: 65MiB is above "
      "requests.max_limits.memory_bytes, 64MiB");
}

TEST(Config, TheDefaultBudgetLeavesRoomForTheServiceOnEveryHost) {
  for (const int64_t memory : {int64_t{512} << 20, int64_t{1} << 30,
                               int64_t{24} << 30, int64_t{1} << 40}) {
    HostFacts host = kHost;
    host.memory_bytes = memory;
    const auto config = Load("", {}, host);
    ASSERT_TRUE(config.ok()) << config.status();
    const config::v1::Requests& requests = config->requests();
    EXPECT_GE(requests.memory_budget_bytes(), memory / 2);
    EXPECT_LT(requests.memory_budget_bytes() + requests.queue_bytes(), memory);
    // Two processes that set no limits; one that sets the maxima, and another
    // beside it.
    const v1::Limits& limits = requests.default_limits();
    EXPECT_LE(2 * (limits.memory_bytes() + limits.workspace_bytes()),
              requests.memory_budget_bytes());
    const v1::Limits& max = requests.max_limits();
    EXPECT_GE(max.memory_bytes(), limits.memory_bytes());
    EXPECT_LE(max.memory_bytes() + max.workspace_bytes() +
                  std::min(limits.memory_bytes() + limits.workspace_bytes(),
                           requests.memory_budget_bytes() / 4),
              requests.memory_budget_bytes());
  }
}

TEST(Config, MemoryThatNoProcessCouldHaveIsRefused) {
  EXPECT_TRUE(Load("requests: {memory_budget_bytes: 64MiB}").ok());
  ExpectRefused("requests: {memory_budget_bytes: 0}",
                "requests.memory_budget_bytes: 0 is not above 0");
  ExpectRefused("requests: {memory_budget_bytes: -9223372036854775808}",
                "requests.memory_budget_bytes: -9223372036854775808 is not");
  ExpectRefused(
      "requests: {memory_budget_bytes: 1GiB, "
      "default_limits: {memory_bytes: 900MiB, workspace_bytes: 200MiB}}",
      "requests.memory_budget_bytes: 1073741824 is less than memory_bytes");
  ExpectRefused(
      "requests: {memory_budget_bytes: 1GiB, max_limits: {memory_bytes: 2GiB}}",
      "requests.max_limits.memory_bytes: 2147483648 is above "
      "requests.memory_budget_bytes, 1073741824");
  ExpectRefused("requests: {queue_bytes: 1MiB, max_request_bytes: 2MiB}",
                "requests.queue_bytes: 1048576 is less than max_request_bytes");
}

TEST(Config, WhatNobodyWroteFollowsWhatTheOperatorWrote) {
  for (const int64_t mib : {256, 512, 1024, 2048, 8192, 65536}) {
    HostFacts host = kHost;
    host.memory_bytes = mib << 20;
    EXPECT_TRUE(Load("", {}, host).ok()) << mib;
    for (const char* field :
         {"max_request_bytes: 64KiB", "max_request_bytes: 95MiB",
          "queue_bytes: 64KiB", "queue_bytes: 1MiB", "queue_bytes: 8GiB",
          "memory_budget_bytes: 64MiB", "memory_budget_bytes: 128GiB",
          "max_limits: {memory_bytes: 16MiB}",
          "max_limits: {memory_bytes: 128MiB}",
          "max_limits: {workspace_bytes: 1MiB}",
          "max_limits: {workspace_bytes: 1GiB}", "max_limits: {wall_time: 1s}",
          "default_limits: {memory_bytes: 16MiB}",
          "default_limits: {memory_bytes: 96MiB}",
          "default_limits: {workspace_bytes: 96MiB}",
          "default_limits: {cpu_time: 3h}", "default_limits: {wall_time: 24h}",
          "default_limits: {output_bytes: 80MiB}"}) {
      const auto config =
          Load(absl::StrCat("requests: {", field, "}"), {}, host);
      EXPECT_TRUE(config.ok()) << mib << " MiB, " << config.status();
    }
  }
}

TEST(Config, AQueueThatWasSetMovesRequestsAndBudget) {
  const auto small = Load("requests: {queue_bytes: 8MiB}");
  ASSERT_TRUE(small.ok()) << small.status();
  EXPECT_EQ(small->requests().max_request_bytes(), 8 << 20);
  EXPECT_EQ(small->requests().memory_budget_bytes(), int64_t{7672} << 20);
  const auto large = Load("requests: {queue_bytes: 2GiB}");
  ASSERT_TRUE(large.ok()) << large.status();
  EXPECT_EQ(large->requests().max_request_bytes(), 64 << 20);
  EXPECT_EQ(large->requests().memory_budget_bytes(), int64_t{5632} << 20);
}

TEST(Config, ARaisedDefaultRaisesTheMaximumNobodyWrote) {
  const auto config = Load("requests: {default_limits: {memory_bytes: 5GiB}}");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->requests().max_limits().memory_bytes(), int64_t{5} << 30);
  // Not beyond what the host has.
  ExpectRefused("requests: {default_limits: {memory_bytes: 8GiB}}",
                "requests.default_limits.memory_bytes: 8GiB is above "
                "requests.max_limits.memory_bytes, 3584MiB: lower the first");
  ExpectRefused("requests: {default_limits: {cpus: 3}}",
                "requests.default_limits.cpus: 3 is above "
                "requests.max_limits.cpus, 2: lower the first");
}

TEST(Config, ManyCpusStillFitTheHostIds) {
  HostFacts large = kHost;
  large.cpus = 256;
  const auto config = Load("", {}, large);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->workers().count(), 59);
}

TEST(Config, RefusesBadValuesByTheirPath) {
  ExpectRefused("listen: {grpc_address: 'localhost:65536'}",
                "listen.grpc_address: expected host:port");
  ExpectRefused("listen: {http_address: ':80'}", "listen.http_address: ");
  ExpectRefused("listen: {http_address: '127.0.0.1:50051'}",
                "listen.http_address: 127.0.0.1:50051 is listen.grpc_address");
  ExpectRefused("listen: {grpc_address: '', unix_socket: ''}",
                "listen: grpc_address and unix_socket are both empty");
  ExpectRefused("listen: {unix_socket: relative.sock}",
                "listen.unix_socket: 'relative.sock' is not an absolute");
  ExpectRefused("listen: {unix_socket: /run/" + std::string(103, 'x') + "}",
                "listen.unix_socket: 108 bytes");
  ExpectRefused("listen: {unix_socket_mode: 0888}", "listen.unix_socket_mode");
  ExpectRefused("workers: {count: 0}", "workers.count: 0 is not within 1");
  ExpectRefused("workers: {count: 1025}", "workers.count: 1025 is not within");
  ExpectRefused("workers: {warm_sandboxes: 5}", "workers.warm_sandboxes: 5");
  ExpectRefused("workers: {user: root}", "workers.user: root");
  ExpectRefused("workers: {user: 'a b'}", "workers.user: 'a b'");
  ExpectRefused("workers: {count: 60}",
                "room for 59 workers of 67108864 ids each");
  ExpectRefused("sandbox: {host_id_base: 1000}", "sandbox.host_id_base: 1000");
  ExpectRefused("sandbox: {tmp_bytes: -1}", "sandbox.tmp_bytes: -1");
  ExpectRefused("sandbox: {cpu_weight: -1}", "sandbox.cpu_weight: -1");
  ExpectRefused("sandbox: {cpu_weight: 10001}", "sandbox.cpu_weight: 10001");
  EXPECT_TRUE(Load("sandbox: {cpu_weight: 10000}").ok());
  ExpectRefused("log: {level: loud}", "log.level: 'loud'");
  ExpectRefused("log: {format: xml}", "log.format: 'xml'");
  ExpectRefused("shutdown: {grace: -1s}", "shutdown.grace: -1s");
  ExpectRefused("cgroup: {parent: a/b}", "cgroup.parent: 'a/b'");
  ExpectRefused("requests: {default_limits: {cpus: nan}}",
                "requests.default_limits.cpus: is not a finite number");
  // What no request may say, no default may give it.
  ExpectRefused("requests: {default_limits: {idle_time: 99ms}}",
                "requests.default_limits.idle_time: is 99ms; the minimum is");
  ExpectRefused("requests: {default_limits: {open_files: 3}}",
                "requests.default_limits.open_files: is 3; the minimum is 4");
  ExpectRefused("requests: {max_limits: {stack_bytes: 1KiB}}",
                "requests.max_limits.stack_bytes: is 1024; the minimum is");
  ExpectRefused(
      "requests: {default_limits: {cpu_time: 0s}}",
      "requests.default_limits.cpu_time: is 0; it must be greater than 0");
  ExpectRefused("requests: {max_limits: {open_files: 20001}}",
                "requests.max_limits.open_files: 20001 is above 20000");
  ExpectRefused("requests: {max_request_bytes: 1GiB}",
                "requests.max_request_bytes");
  ExpectRefused("requests: {queue_capacity: -1}", "requests.queue_capacity");
}

TEST(Config, ACpusetIsCheckedByName) {
  ExpectRefused("sandbox: {cpuset: '1-'}",
                "sandbox.cpuset: '1-' is not a list of CPUs");
  ExpectRefused("sandbox: {cpuset: ' '}", "sandbox.cpuset: it is blank");
  const HostFacts host = {.cpus = 4,
                          .online = {0, 1, 2, 5},
                          .memory_bytes = int64_t{8} << 30,
                          .open_files = 20000};
  const auto config = Load("sandbox: {cpuset: '1-4'}", {}, host);
  EXPECT_THAT(std::string(config.status().message()),
              HasSubstr("sandbox.cpuset: '1-4': this host has no CPU 3-4, only "
                        "0-2,5"));
}

TEST(Config, DefaultsFollowTheCpuset) {
  HostFacts host = kHost;
  host.cpus = 8;
  const auto config = Load("sandbox: {cpuset: '2,4-5'}", {}, host);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->workers().count(), 3);
  EXPECT_EQ(config->requests().max_limits().cpus(), 3);
  const auto asked =
      Load("sandbox: {cpuset: '2,4-5'}\nworkers: {count: 2}\n", {}, host);
  ASSERT_TRUE(asked.ok()) << asked.status();
  EXPECT_EQ(asked->workers().count(), 2);
}

TEST(Config, ZeroIsALimitWhereItMeansSomething) {
  const auto config = Load(
      "requests: {default_limits: {file_size_bytes: 0, workspace_bytes: 0, "
      "output_bytes: 0}}");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->requests().default_limits().output_bytes(), 0);
}

TEST(Config, ChecksImages) {
  ExpectRefused("sandbox: {images: []}", "sandbox.default_image: there is no");
  ExpectRefused("sandbox: {images: [{name: host}]}",
                "sandbox.images[0]: neither host nor directory");
  ExpectRefused("sandbox: {images: [{name: Host, host: {}}]}",
                "sandbox.images[0].name: 'Host'");
  ExpectRefused(
      "sandbox: {images: [{name: host, host: {}}, {name: host, host: {}}]}",
      "sandbox.images[1].name: 'host' is a name above too");
  ExpectRefused("sandbox: {images: [{name: host, directory: /nonexistent}]}",
                "sandbox.images[0].directory: there is no directory");
  ExpectRefused("sandbox: {images: [{name: host, directory: usr}]}",
                "sandbox.images[0].directory: 'usr' is not an absolute path");
  ExpectRefused("sandbox: {images: [{name: host, directory: /}]}",
                "the host's whole root cannot be an image");
  ExpectRefused("sandbox: {images: [{name: host, host: {}, env: {'a=b': c}}]}",
                "sandbox.images[0].env: 'a=b'");
  ExpectRefused("sandbox: {default_image: other}", "there is no image 'other'");
  // Control: these are good.
  const auto config = Load(
      "sandbox: {default_image: a.b-c_1, images: "
      "[{name: a.b-c_1, directory: /usr, env: {A: b}}, {name: h, host: {}}]}");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->sandbox().images(0).env().size(), 1u);
}

TEST(Config, EffectiveConfigLoadsAsItself) {
  const auto config = Load("workers: {count: 7}\nshutdown: {grace: 90s}\n");
  ASSERT_TRUE(config.ok());
  const auto again = Load(ToYaml(*config));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(
      google::protobuf::util::MessageDifferencer::Equals(*config, *again));
}

// deploy/paddock.yaml with its settings in force.
std::string ExampleConfig() {
  std::ifstream file(PADDOCK_SOURCE_DIR "/deploy/paddock.yaml");
  EXPECT_TRUE(file.is_open());
  std::string yaml, line;
  while (std::getline(file, line)) {
    if (line.rfind("##", 0) == 0) continue;
    yaml += line.substr(line.rfind("#", 0) == 0 ? 1 : 0) + "\n";
  }
  return yaml;
}

TEST(ExampleConfig, IsTheDefaults) {
  const HostFacts host = {
      .cpus = 2, .memory_bytes = int64_t{8} << 30, .open_files = 65536};
  const auto defaults = Load("", {}, host);
  ASSERT_TRUE(defaults.ok()) << defaults.status();
  const auto example = Load(ExampleConfig(), {}, host);
  ASSERT_TRUE(example.ok()) << example.status();
  EXPECT_EQ(ToYaml(*example), ToYaml(*defaults));
}

TEST(ExampleConfig, HasEveryField) {
  // Every line of the defaults stands in the example.
  const std::string example = ExampleConfig();
  const auto defaults = Load("");
  ASSERT_TRUE(defaults.ok());
  std::istringstream lines(ToYaml(*defaults));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_THAT(example, HasSubstr(line.substr(0, line.find(':') + 1)));
  }
}

TEST(CommandLine, CollectsSettings) {
  const char* argv[] = {"paddockd",
                        "--workers",
                        "3",
                        "--set",
                        "log.level=debug",
                        "--set",
                        "cgroup.parent=/x=y",
                        "--grpc-address",
                        ""};
  int exit_code = -1;
  const auto line = ParseCommandLine(9, const_cast<char**>(argv), &exit_code);
  ASSERT_TRUE(line.has_value());
  ASSERT_EQ(line->settings.size(), 4u);
  EXPECT_EQ(line->settings[0].path, "listen.grpc_address");
  EXPECT_EQ(line->settings[0].value, "");
  EXPECT_EQ(line->settings[3].path, "cgroup.parent");
  EXPECT_EQ(line->settings[3].value, "/x=y");
  EXPECT_FALSE(line->is_server);
}

TEST(CommandLine, RefusesWhatItDoesNotKnow) {
  for (const std::vector<const char*>& flags :
       std::vector<std::vector<const char*>>{{"--wrokers", "3"},
                                             {"--set", "nonsense"},
                                             {"--role", "worker"},
                                             {"--role", "server"},
                                             {"--launch-fd", "3"},
                                             {"extra"}}) {
    std::vector<const char*> argv = {"paddockd"};
    argv.insert(argv.end(), flags.begin(), flags.end());
    int exit_code = -1;
    EXPECT_FALSE(ParseCommandLine(static_cast<int>(argv.size()),
                                  const_cast<char**>(argv.data()), &exit_code)
                     .has_value())
        << flags[0];
    EXPECT_EQ(exit_code, 2) << flags[0];
  }
}

TEST(CommandLine, SaysWhatIsWrongWithANumberInAShortLine) {
  for (const char* number : {"-1", "three"}) {
    const char* argv[] = {"paddockd", "--ready-fd", number};
    int exit_code = -1;
    testing::internal::CaptureStderr();
    EXPECT_FALSE(ParseCommandLine(3, const_cast<char**>(argv), &exit_code));
    const std::string text = testing::internal::GetCapturedStderr();
    EXPECT_EQ(exit_code, 2) << number;
    EXPECT_NE(text.find("--ready-fd"), std::string::npos) << text;
    EXPECT_LT(text.size(), 100u) << text;
  }
}

TEST(ScalarText, BytesBothWays) {
  EXPECT_EQ(*ParseBytes("0"), 0);
  EXPECT_EQ(*ParseBytes("3TiB"), int64_t{3} << 40);
  EXPECT_FALSE(ParseBytes("MiB").ok());
  EXPECT_FALSE(ParseBytes("1.5MiB").ok());
  EXPECT_FALSE(ParseBytes("9000000TiB").ok());
  for (const int64_t bytes : {0L, 1L, 1023L, 1024L, 3L << 20, 5L << 40}) {
    EXPECT_EQ(*ParseBytes(FormatBytes(bytes)), bytes);
  }
}

TEST(ScalarText, HostsAndPorts) {
  EXPECT_EQ(ParseHostPort("[::1]:80")->host, "::1");
  EXPECT_EQ(ParseHostPort("a.b:0")->port, 0);
  for (const char* bad : {"", "a", "a:", ":1", "::1:80", "a:+1", "a:1 ", "[]:1",
                          "unix:/x", "a:99999"}) {
    EXPECT_FALSE(ParseHostPort(bad).ok()) << bad;
  }
}

TEST(ScalarText, FileModes) {
  EXPECT_EQ(*ParseFileMode("0660"), 0660u);
  EXPECT_EQ(*ParseFileMode("777"), 0777u);
  for (const char* bad :
       {"", "8", "1000", "-1", "0x1", "77777777777777777777"}) {
    EXPECT_FALSE(ParseFileMode(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace paddock
