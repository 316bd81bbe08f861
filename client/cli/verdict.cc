#include "client/cli/verdict.h"

#include <string.h>

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/cli/flag_values.h"

namespace paddock {
namespace {

// The name of an enum value without the prefix all of them have.
std::string WithoutPrefix(absl::string_view name, absl::string_view prefix,
                          absl::string_view kind, int number) {
  if (name.empty()) return absl::StrCat(kind, " ", number);
  return std::string(absl::StripPrefix(name, prefix));
}

// "signal 9 (KILL)".
std::string SignalText(int signal) {
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? absl::StrCat("signal ", signal)
                         : absl::StrCat("signal ", signal, " (", name, ")");
}

void AddEnding(const v1::ProcessResult& process,
               std::vector<std::string>* parts) {
  if (process.has_exec_error()) {
    parts->push_back(
        absl::StrCat("cannot execute ",
                     absl::Utf8SafeCHexEscape(process.exec_error().path()),
                     ": ", FileErrorText(process.exec_error())));
  }
  if (process.has_exit_code()) {
    parts->push_back(absl::StrCat("exit ", process.exit_code()));
  } else if (process.has_term_signal()) {
    parts->push_back(SignalText(process.term_signal()));
  }
  if (process.has_violation()) {
    const v1::PolicyViolation& violation = process.violation();
    parts->push_back(absl::StrCat(
        "system call ", absl::Utf8SafeCHexEscape(violation.system_call()), " (",
        absl::Utf8SafeCHexEscape(violation.architecture()), " ",
        violation.system_call_number(), ")"));
  }
}

void AddUsage(const v1::Usage& usage, std::vector<std::string>* parts) {
  if (usage.has_cpu_time()) {
    parts->push_back(
        absl::StrCat("cpu ", FormatTime(FromProto(usage.cpu_time()))));
  }
  if (usage.has_wall_time()) {
    parts->push_back(
        absl::StrCat("wall ", FormatTime(FromProto(usage.wall_time()))));
  }
  if (usage.has_peak_memory_bytes()) {
    parts->push_back(
        absl::StrCat("memory ", FormatBytes(usage.peak_memory_bytes())));
  }
}

void AddLimits(const v1::ProcessResult& process,
               std::vector<std::string>* parts) {
  if (process.limits_hit().empty()) return;
  std::vector<std::string> names;
  for (const int limit : process.limits_hit()) {
    names.push_back(LimitName(static_cast<v1::LimitKind>(limit)));
  }
  parts->push_back(absl::StrCat("limits hit: ", absl::StrJoin(names, " ")));
}

int64_t KeptBytes(const v1::CapturedOutput& output) {
  switch (output.content_case()) {
    case v1::CapturedOutput::kData:
      return static_cast<int64_t>(output.data().size());
    case v1::CapturedOutput::kText:
      return static_cast<int64_t>(output.text().size());
    case v1::CapturedOutput::kBlob:
      return output.blob().size_bytes();
    case v1::CapturedOutput::CONTENT_NOT_SET:
      break;
  }
  return 0;
}

void AddTruncation(const char* name, const v1::CapturedOutput& output,
                   std::vector<std::string>* parts) {
  if (!output.truncated()) return;
  parts->push_back(absl::StrCat(name, " truncated (",
                                FormatBytes(KeptBytes(output)), " of ",
                                FormatBytes(output.written_bytes()), ")"));
}

void AddMessages(const v1::JobResult& result, std::vector<std::string>* parts) {
  for (const v1::FileError& error : result.process().input_errors()) {
    parts->push_back(absl::StrCat("input ",
                                  absl::Utf8SafeCHexEscape(error.path()), ": ",
                                  FileErrorText(error)));
  }
  for (const std::string* message :
       {&result.message(), &result.process().message()}) {
    if (message->empty()) continue;
    const std::string text = absl::Utf8SafeCHexEscape(*message);
    // Server and worker may say the same.
    if (parts->back() != text) parts->push_back(text);
  }
}

}  // namespace

std::string OutcomeName(v1::Outcome outcome) {
  return WithoutPrefix(v1::Outcome_Name(outcome), "OUTCOME_", "OUTCOME",
                       outcome);
}

std::string LimitName(v1::LimitKind limit) {
  return WithoutPrefix(v1::LimitKind_Name(limit), "LIMIT_KIND_", "LIMIT",
                       limit);
}

std::string FileErrorText(const v1::FileError& error) {
  std::string text =
      WithoutPrefix(v1::FileErrorReason_Name(error.reason()),
                    "FILE_ERROR_REASON_", "REASON", error.reason());
  if (!error.message().empty()) {
    absl::StrAppend(&text, ": ", absl::Utf8SafeCHexEscape(error.message()));
  } else if (error.error_number() != 0) {
    absl::StrAppend(&text, ": ", strerror(error.error_number()));
  }
  return text;
}

std::string FormatTime(absl::Duration duration) {
  const double seconds = absl::ToDoubleSeconds(duration);
  if (seconds >= 1) return absl::StrFormat("%.3f s", seconds);
  if (seconds >= 1e-3) return absl::StrFormat("%.1f ms", seconds * 1e3);
  return absl::StrFormat("%.0f us", seconds * 1e6);
}

std::string FormatBytes(int64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  // 1023.95 would be shown as 1024.0 of the smaller unit.
  while (value >= 1023.95 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string VerdictLine(const v1::JobResult& result) {
  const v1::ProcessResult& process = result.process();
  std::vector<std::string> parts = {OutcomeName(result.outcome())};
  AddEnding(process, &parts);
  AddUsage(process.usage(), &parts);
  AddLimits(process, &parts);
  AddTruncation("stdout", process.stdout(), &parts);
  AddTruncation("stderr", process.stderr(), &parts);
  AddMessages(result, &parts);
  return absl::StrJoin(parts, ", ");
}

}  // namespace paddock
