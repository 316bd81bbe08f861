#include "worker/wire/process_check.h"

#include <algorithm>
#include <cstdint>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "worker/base/directory_count.h"
#include "worker/base/utf8.h"
#include "worker/wire/check_report.h"
#include "worker/wire/first_by_key.h"
#include "worker/wire/limits_check.h"

namespace paddock {
namespace {

using Strings = google::protobuf::RepeatedPtrField<std::string>;

constexpr char kBadPath[] =
    "is not a path the sandbox can have: it must not be empty, contain NUL or "
    "'..', or be longer than 1024 bytes (255 for one name)";
static_assert(kMaxPathBytes == 1024 && kMaxNameBytes == 255);

constexpr char kBadName[] =
    "must be 1 to 64 characters of a-z, 0-9, '.', '_' and '-', the first a "
    "letter or digit";

bool HasNul(absl::string_view value) {
  return value.find('\0') != absl::string_view::npos;
}

std::string Indexed(absl::string_view field, int index) {
  return absl::StrCat(field, "[", index, "]");
}

// `env["A"]`. Names are the client's bytes: made printable, and cut, because
// the path travels in response headers.
std::string Keyed(absl::string_view field, absl::string_view key) {
  constexpr size_t kMaxShown = 64;
  return absl::StrCat(field, "[\"", absl::CHexEscape(key.substr(0, kMaxShown)),
                      key.size() > kMaxShown ? "..." : "", "\"]");
}

// Reports a list that is too long, and returns how many of its elements to
// check: the answer names all that is wrong, but no client decides how long
// that takes.
int CheckCount(const char* field, int count, int max,
               const CheckReport& report) {
  if (count <= max) return count;
  report.Violation(
      field, absl::StrCat("has ", count, " elements; the maximum is ", max));
  return max;
}

// ---- argv and environment

// Checks each argument and returns the bytes of all, NULs included.
size_t CheckArguments(const Strings& argv, const CheckReport& report) {
  if (argv.empty()) report.Violation("argv", "must have at least one element");
  size_t bytes = 0;
  for (const std::string& argument : argv) bytes += argument.size() + 1;
  const int checked = CheckCount("argv", argv.size(), kMaxArguments, report);
  for (int i = 0; i < checked; ++i) {
    if (i == 0 && argv[i].empty()) {
      report.Violation("argv[0]", "must name a program; it is empty");
    }
    if (HasNul(argv[i])) {
      report.Violation(Indexed("argv", i), "must not contain NUL");
    }
  }
  return bytes;
}

// The same for one of the two maps of environment variables. Never shows a
// value: one of the maps holds secrets.
size_t CheckEnvironment(const char* field, const StringMap& env,
                        const CheckReport& report) {
  size_t bytes = 0;
  for (const auto& [name, value] : env) {
    bytes += name.size() + 1 + value.size() + 1;
  }
  for (const StringMap::value_type* entry : FirstByKey(env, kMaxEnvironment)) {
    const auto& [name, value] = *entry;
    if (name.empty()) {
      report.Violation(Keyed(field, name), "a name must not be empty");
    } else if (absl::StrContains(name, '=') || HasNul(name)) {
      report.Violation(Keyed(field, name),
                       "a name must not contain '=' or NUL");
    }
    if (HasNul(value)) {
      report.Violation(Keyed(field, name), "the value must not contain NUL");
    }
  }
  return bytes;
}

void CheckPlan(const v1::Process& process, const CheckReport& report) {
  size_t bytes = CheckArguments(process.argv(), report);
  const size_t entries = process.env().size() + process.secret_env().size();
  if (entries > kMaxEnvironment) {
    report.Violation(
        "env", absl::StrCat("env and secret_env have ", entries,
                            " entries; the maximum is ", kMaxEnvironment));
  }
  bytes += CheckEnvironment("env", process.env(), report);
  bytes += CheckEnvironment("secret_env", process.secret_env(), report);
  if (bytes > kMaxPlanBytes) {
    report.Violation(
        "argv",
        absl::StrCat("argv, env and secret_env have ", bytes,
                     " bytes together; the maximum is ", kMaxPlanBytes));
  }
}

// ---- names

// Of an image or a profile.
bool IsName(absl::string_view name) {
  constexpr size_t kMaxName = 64;
  const auto is_lower_or_digit = [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c);
  };
  return !name.empty() && name.size() <= kMaxName &&
         is_lower_or_digit(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return is_lower_or_digit(c) || c == '.' || c == '_' || c == '-';
         });
}

bool IsUserId(absl::string_view text) {
  uint32_t id;
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), absl::ascii_isdigit) &&
         absl::SimpleAtoi(text, &id) && id != UINT32_MAX;  // -1: "no change"
}

// As useradd(8) has them.
bool IsUserName(absl::string_view text) {
  constexpr size_t kMaxUserName = 32;
  return !text.empty() && text.size() <= kMaxUserName &&
         (absl::ascii_isalpha(text[0]) || text[0] == '_') &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.';
         });
}

void CheckUser(absl::string_view user, const CheckReport& report) {
  if (user.empty() || user == "1000" || user == "1000:1000") return;
  const std::vector<absl::string_view> parts = absl::StrSplit(user, ':');
  const bool ids =
      parts.size() <= 2 && std::all_of(parts.begin(), parts.end(), IsUserId);
  if (ids || IsUserName(user)) {
    report.NotBuilt("user");
  } else {
    report.Violation("user", "must be a uid, uid:gid or the name of a user");
  }
}

void CheckNames(const v1::Process& process, const CheckReport& report) {
  if (process.name().size() > kMaxNameBytes) {
    report.Violation("name",
                     absl::StrCat("has ", process.name().size(),
                                  " bytes; the maximum is ", kMaxNameBytes));
  } else if (HasControls(process.name())) {
    report.Violation("name", "must not contain control characters");
  }
  if (!process.image().empty() && !IsName(process.image())) {
    report.Violation("image", kBadName);
  }
  if (!process.profile().empty() && !IsName(process.profile())) {
    report.Violation("profile", kBadName);
  }
  if (!process.working_directory().empty() &&
      NormalizePath(process.working_directory()).empty()) {
    report.Violation("working_directory", kBadPath);
  }
  CheckUser(process.user(), report);
  if (!v1::Network_IsValid(process.network())) {
    report.Violation("network", "is not a value of paddock.v1.Network");
  }
}

// ---- streams

// `field` holds the source: "stdin", or "source" of an input.
void CheckSource(const char* field, const v1::Source& source,
                 const CheckReport& report) {
  const bool is_stdin = absl::string_view(field) == "stdin";
  const CheckReport here = report.Below(field);
  switch (source.kind_case()) {
    case v1::Source::kData:
    case v1::Source::kText:
      return;
    case v1::Source::kBlob:
      return here.NotBuilt("blob");
    case v1::Source::kOutput:
      return here.NotBuilt("output");
    case v1::Source::kCaseFile:
      return here.NotBuilt("case_file");
    case v1::Source::kDirectory:
      if (!is_stdin) return here.NotBuilt("directory");
      return here.Violation("directory", "a directory can only be an input");
    case v1::Source::kLive:
      return here.Violation(
          "live", is_stdin ? "live input is possible in ExecuteStream only"
                           : "live input is possible for stdin only");
    case v1::Source::KIND_NOT_SET:
      return report.Violation(field, "must have one of data, text, ... set");
  }
}

void CheckDelivery(v1::Delivery delivery, const CheckReport& report) {
  if (!v1::Delivery_IsValid(delivery)) {
    report.Violation("delivery", "is not a value of paddock.v1.Delivery");
  } else if (delivery != v1::DELIVERY_UNSPECIFIED) {
    report.NotBuilt("delivery");
  }
}

void CheckCapture(const v1::Capture& capture, const CheckReport& report) {
  if (!v1::OverflowPolicy_IsValid(capture.on_overflow())) {
    report.Violation("on_overflow",
                     "is not a value of paddock.v1.OverflowPolicy");
  }
  CheckDelivery(capture.delivery(), report);
  if (capture.live()) report.NotBuilt("live");
}

void CheckStreams(const v1::Process& process, const CheckReport& report) {
  if (process.has_stdin()) {
    CheckSource("stdin", process.stdin(), report);
  }
  if (process.has_stdout()) {
    CheckCapture(process.stdout(), report.Below("stdout"));
  }
  if (process.has_stderr()) {
    CheckCapture(process.stderr(), report.Below("stderr"));
    if (process.stderr_to_stdout()) {
      report.Violation("stderr_to_stdout", "excludes stderr, which is set");
    }
  }
  if (process.has_terminal()) report.NotBuilt("terminal");
  if (!process.file_descriptors().empty()) report.NotBuilt("file_descriptors");
}

// ---- files

// Paths in normal form, with the index of the element each came from.
using PathIndex = std::map<std::string, int>;

// Checks the path of element `index` of `list` and adds it to `paths`.
void CheckFilePath(absl::string_view path, absl::string_view list, int index,
                   PathIndex* paths, const CheckReport& report) {
  const std::string normal = NormalizePath(path);
  if (normal.empty()) {
    report.Violation("path", kBadPath);
  } else if (!IsBelowWritableDirectory(normal)) {
    report.Violation("path", "must lie below /work, /tmp or /dev/shm");
  } else if (const auto [same, is_new] = paths->emplace(normal, index);
             !is_new) {
    report.Violation("path", absl::StrCat("is also the path of ",
                                          Indexed(list, same->second)));
  }
}

// An input below another input's path would need that file to be a directory.
void CheckInputParents(const PathIndex& by_path, const CheckReport& report) {
  for (const auto& [path, index] : by_path) {
    for (size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      const auto parent = by_path.find(path.substr(0, slash));
      if (parent == by_path.end()) continue;
      report.Below(Indexed("inputs", index))
          .Violation("path", absl::StrCat("lies below inputs[", parent->second,
                                          "], which is a file"));
      break;
    }
  }
}

void CheckInputs(const v1::Process& process, const CheckReport& report) {
  const int checked =
      CheckCount("inputs", process.inputs_size(), kMaxInputs, report);
  PathIndex by_path;
  for (int i = 0; i < checked; ++i) {
    const v1::Input& input = process.inputs(i);
    const CheckReport here = report.Below(Indexed("inputs", i));
    CheckFilePath(input.path(), "inputs", i, &by_path, here);
    if (input.has_source()) {
      CheckSource("source", input.source(), here);
    } else {
      here.Violation("source", "must be set");
    }
  }
  CheckInputParents(by_path, report);
  std::vector<absl::string_view> paths;
  for (const auto& [path, index] : by_path) paths.push_back(path);
  const int64_t directories = CountDirectories(std::move(paths));
  if (directories > kMaxInputDirectories) {
    report.Violation("inputs", absl::StrCat("lie in ", directories,
                                            " directories; the maximum is ",
                                            kMaxInputDirectories));
  }
}

void CheckOutputs(const v1::Process& process, const CheckReport& report) {
  const int checked =
      CheckCount("outputs", process.outputs_size(), kMaxOutputs, report);
  PathIndex by_path;
  for (int i = 0; i < checked; ++i) {
    const v1::Output& output = process.outputs(i);
    const CheckReport here = report.Below(Indexed("outputs", i));
    CheckFilePath(output.path(), "outputs", i, &by_path, here);
    if (output.has_limit_bytes() && output.limit_bytes() < 0) {
      here.Violation("limit_bytes", "must not be negative");
    }
    CheckDelivery(output.delivery(), here);
  }
}

}  // namespace

void CheckProcess(absl::string_view prefix, const v1::Process& process,
                  const v1::Limits& max,
                  std::vector<FieldViolation>* violations,
                  std::vector<Unimplemented>* unimplemented) {
  const CheckReport report(prefix, violations, unimplemented);
  CheckPlan(process, report);
  CheckNames(process, report);
  CheckStreams(process, report);
  CheckInputs(process, report);
  CheckOutputs(process, report);
  CheckLimits(process.limits(), max, report.Below("limits"));
  if (process.has_workspace_from()) report.NotBuilt("workspace_from");
  if (process.writable_root()) report.NotBuilt("writable_root");
}

}  // namespace paddock
