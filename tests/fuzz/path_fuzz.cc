// Paths of inputs, outputs and working directories, as a client writes them.
#include <string>

#include "absl/strings/str_split.h"
#include "tests/fuzz/fuzz_check.h"
#include "worker/wire/process_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string path(reinterpret_cast<const char*>(data), size);
  const std::string normal = paddock::NormalizePath(path);
  if (normal.empty()) return 0;

  FUZZ_CHECK(normal[0] == '/' && normal.size() <= paddock::kMaxPathBytes);
  FUZZ_CHECK(normal.find('\0') == std::string::npos);
  FUZZ_CHECK(paddock::NormalizePath(normal) == normal);
  const std::vector<std::string> names = absl::StrSplit(normal.substr(1), '/');
  for (const std::string& name : names) {
    FUZZ_CHECK(normal == "/" || !name.empty());
    FUZZ_CHECK(name != "." && name != "..");
    FUZZ_CHECK(name.size() <= paddock::kMaxNameBytes);
  }
  if (paddock::IsBelowWritableDirectory(normal)) {
    const bool shm = names[0] == "dev" && names[1] == "shm";
    FUZZ_CHECK(shm || names[0] == "work" || names[0] == "tmp");
    FUZZ_CHECK(names.size() > (shm ? 2 : 1));
  }
  return 0;
}
