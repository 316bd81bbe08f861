#include "client/cli/doctor_table.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "client/cli/flag_values.h"
#include "client/cli/verdict.h"

namespace paddock {
namespace {

using Row = std::vector<std::string>;

constexpr char kNone[] = "-";
constexpr char kCpusLayer[] = "cpus";

std::string StateName(v1::EnforcementState state) {
  const std::string& name = v1::EnforcementState_Name(state);
  if (name.empty()) return absl::StrCat("STATE ", state);
  return std::string(absl::StripPrefix(name, "ENFORCEMENT_STATE_"));
}

// What a limit is set to in `limits`, for people; "-" if it is not.
std::string LimitValue(const v1::Limits& limits, v1::LimitKind kind) {
  const auto time = [](bool has, const google::protobuf::Duration& value) {
    return has ? absl::FormatDuration(FromProto(value)) : kNone;
  };
  const auto size = [](bool has, int64_t value) {
    return has ? FormatBytes(value) : kNone;
  };
  const auto count = [](bool has, int64_t value) {
    return has ? absl::StrCat(value) : kNone;
  };
  switch (kind) {
    case v1::LIMIT_KIND_CPU_TIME:
      return time(limits.has_cpu_time(), limits.cpu_time());
    case v1::LIMIT_KIND_WALL_TIME:
      return time(limits.has_wall_time(), limits.wall_time());
    case v1::LIMIT_KIND_IDLE_TIME:
      return time(limits.has_idle_time(), limits.idle_time());
    case v1::LIMIT_KIND_MEMORY:
      return size(limits.has_memory_bytes(), limits.memory_bytes());
    case v1::LIMIT_KIND_PROCESSES:
      return count(limits.has_processes(), limits.processes());
    case v1::LIMIT_KIND_OPEN_FILES:
      return count(limits.has_open_files(), limits.open_files());
    case v1::LIMIT_KIND_FILE_SIZE:
      return size(limits.has_file_size_bytes(), limits.file_size_bytes());
    case v1::LIMIT_KIND_WORKSPACE_BYTES:
      return size(limits.has_workspace_bytes(), limits.workspace_bytes());
    case v1::LIMIT_KIND_WORKSPACE_INODES:
      return count(limits.has_workspace_inodes(), limits.workspace_inodes());
    case v1::LIMIT_KIND_STACK:
      return size(limits.has_stack_bytes(), limits.stack_bytes());
    case v1::LIMIT_KIND_OUTPUT:
      return size(limits.has_output_bytes(), limits.output_bytes());
    default:
      return kNone;
  }
}

std::string LowerName(v1::LimitKind kind) {
  return absl::AsciiStrToLower(
      absl::StrReplaceAll(LimitName(kind), {{"_", " "}}));
}

// The kinds this client knows, then any others the server speaks of.
std::vector<v1::LimitKind> KindsOf(const v1::GetServerInfoResponse& info) {
  std::vector<v1::LimitKind> kinds;
  for (int kind = v1::LIMIT_KIND_CPU_TIME; kind <= v1::LimitKind_MAX; ++kind) {
    kinds.push_back(static_cast<v1::LimitKind>(kind));
  }
  for (const v1::LimitEnforcement& limit : info.limits()) {
    if (!v1::LimitKind_IsValid(limit.limit())) kinds.push_back(limit.limit());
  }
  return kinds;
}

// The cells for state and mechanism; notes what is not enforced in `weak`.
void AddState(const std::string& name, v1::EnforcementState state,
              const std::string& mechanism, Row* row,
              std::vector<std::string>* weak) {
  row->push_back(StateName(state));
  row->push_back(absl::Utf8SafeCHexEscape(mechanism));
  if (state != v1::ENFORCEMENT_STATE_ENFORCED) {
    weak->push_back(absl::StrCat(name, " (", StateName(state), ")"));
  }
}

std::string LimitTable(const v1::GetServerInfoResponse& info,
                       std::vector<std::string>* weak) {
  std::vector<Row> rows = {{"LIMIT", "DEFAULT", "MAXIMUM", "STATE", "BY"}};
  for (const v1::LimitKind kind : KindsOf(info)) {
    const std::string name = LowerName(kind);
    Row row = {name, LimitValue(info.default_limits(), kind),
               LimitValue(info.max_limits(), kind)};
    const auto found = std::find_if(
        info.limits().begin(), info.limits().end(),
        [kind](const v1::LimitEnforcement& l) { return l.limit() == kind; });
    if (found != info.limits().end()) {
      AddState(name, found->state(), found->mechanism(), &row, weak);
    } else {
      row.push_back("NOT REPORTED");
      weak->push_back(absl::StrCat(name, " (NOT REPORTED)"));
    }
    rows.push_back(std::move(row));
  }
  const auto cpus = [](const v1::Limits& limits) {
    return limits.has_cpus() ? absl::StrCat(limits.cpus()) : kNone;
  };
  Row row = {"cpus", cpus(info.default_limits()), cpus(info.max_limits())};
  // No kind of limit that can be hit, but a layer: noted there if it is weak.
  for (const v1::LayerEnforcement& layer : info.layers()) {
    if (layer.layer() != kCpusLayer) continue;
    row.push_back(StateName(layer.state()));
    row.push_back(absl::Utf8SafeCHexEscape(layer.mechanism()));
  }
  rows.push_back(std::move(row));
  return FormatTable(rows);
}

std::string LayerTable(const v1::GetServerInfoResponse& info,
                       std::vector<std::string>* weak) {
  if (info.layers().empty()) weak->push_back("every layer (NOT REPORTED)");
  std::vector<Row> rows = {{"LAYER", "STATE", "BY"}};
  for (const v1::LayerEnforcement& layer : info.layers()) {
    const std::string name = absl::Utf8SafeCHexEscape(layer.layer());
    Row row = {name};
    AddState(name, layer.state(), layer.mechanism(), &row, weak);
    rows.push_back(std::move(row));
  }
  return FormatTable(rows);
}

std::string ImageList(const v1::GetServerInfoResponse& info) {
  std::vector<std::string> names;
  for (const std::string& image : info.images()) {
    names.push_back(image == info.default_image()
                        ? absl::StrCat(image, " (default)")
                        : image);
  }
  return absl::Utf8SafeCHexEscape(absl::StrJoin(names, ", "));
}

// "default, ci (full_proc, inotify)"
std::string ProfileList(const v1::GetServerInfoResponse& info) {
  std::vector<std::string> profiles;
  for (const v1::Profile& profile : info.profiles()) {
    std::vector<std::string> opened;
    for (int i = 0; i < profile.weakenings_size(); ++i) {
      const v1::Weakening token = profile.weakenings(i);
      opened.push_back(v1::Weakening_IsValid(token)
                           ? absl::AsciiStrToLower(absl::StripPrefix(
                                 v1::Weakening_Name(token), "WEAKENING_"))
                           : absl::StrCat(token));
    }
    profiles.push_back(opened.empty()
                           ? profile.name()
                           : absl::StrCat(profile.name(), " (",
                                          absl::StrJoin(opened, ", "), ")"));
  }
  return absl::Utf8SafeCHexEscape(absl::StrJoin(profiles, ", "));
}

std::string WorkerSummary(const v1::GetServerInfoResponse& info,
                          const std::vector<v1::Worker>& workers) {
  int64_t run = 0;
  int idle = 0, busy = 0;
  for (const v1::Worker& worker : workers) {
    run += worker.processes_run();
    idle += worker.state() == v1::WORKER_STATE_IDLE;
    busy += worker.state() == v1::WORKER_STATE_BUSY;
  }
  return absl::StrCat(info.worker_count(), ": ", idle, " idle, ", busy,
                      " busy, ", info.worker_count() - idle - busy,
                      " starting; ", run, " programs run by them");
}

std::string Summary(const std::string& server,
                    const v1::GetServerInfoResponse& info,
                    const std::vector<v1::Worker>& workers, absl::Time now) {
  const absl::Duration up =
      now - absl::FromUnixSeconds(info.start_time().seconds());
  const std::vector<Row> rows = {
      {"server", server},
      {"version", absl::Utf8SafeCHexEscape(info.version())},
      {"up", info.has_start_time()
                 ? absl::FormatDuration(absl::Trunc(up, absl::Seconds(1)))
                 : kNone},
      {"workers", WorkerSummary(info, workers)},
      {"images", ImageList(info)},
      {"profiles", ProfileList(info)},
      {"request",
       absl::StrCat("at most ", FormatBytes(info.max_request_bytes()))},
      {"response",
       absl::StrCat("at most ", FormatBytes(info.inline_budget_bytes()),
                    " of output")}};
  return FormatTable(rows);
}

}  // namespace

std::string FormatTable(const std::vector<Row>& rows) {
  std::vector<size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) {
        text.append(widths[i] - row[i].size() + 2, ' ');
      }
    }
    absl::StripTrailingAsciiWhitespace(&text);
    text += '\n';
  }
  return text;
}

ServerReport MakeServerReport(const std::string& server,
                              const v1::GetServerInfoResponse& info,
                              const std::vector<v1::Worker>& workers,
                              absl::Time now) {
  ServerReport report;
  const std::string limits = LimitTable(info, &report.weak);
  const std::string layers = LayerTable(info, &report.weak);
  report.text = absl::StrCat(Summary(server, info, workers, now), "\n", limits,
                             "\n", layers, "\n");
  if (report.weak.empty()) {
    report.text += "Every limit and layer is enforced.\n";
  } else {
    absl::StrAppend(&report.text,
                    "Not fully enforced: ", absl::StrJoin(report.weak, ", "),
                    ".\n");
  }
  return report;
}

}  // namespace paddock
