// The configuration file: YAML to a checked configuration and back.
#include <string>

#include "server/config/check_config.h"
#include "server/config/defaults.h"
#include "server/config/yaml_message.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace paddock;
  const HostFacts host = {
      .cpus = 2, .memory_bytes = int64_t{8} << 30, .open_files = 65536};
  const std::string yaml(reinterpret_cast<const char*>(data), size);
  config::v1::Config config = DefaultConfig(host);
  if (!ApplyYaml(yaml, &config).empty()) return 0;

  // What was read is written and read again as it is.
  config::v1::Config again;
  FUZZ_CHECK(ApplyYaml(ToYaml(config), &again).empty());
  FUZZ_CHECK(ToYaml(again) == ToYaml(config));

  FillUnset(host, &config);
  if (!CheckConfig(config, host).empty()) return 0;
  FUZZ_CHECK(config.workers().count() >= 1);
  FUZZ_CHECK(config.sandbox().images_size() >= 1);
  FUZZ_CHECK(config.requests().max_limits().has_memory_bytes());
  FUZZ_CHECK(config.requests().default_limits().memory_bytes() <=
             config.requests().max_limits().memory_bytes());
  return 0;
}
