#ifndef PADDOCK_CLIENT_CLI_VERDICT_H_
#define PADDOCK_CLIENT_CLI_VERDICT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "paddock/v1/result.pb.h"

namespace paddock {

// One line, without a newline, that says how a job of one process ended:
//   CPU_TIME_LIMIT_EXCEEDED, signal 9 (KILL), cpu 1.003 s, wall 1.012 s,
//   memory 3.1 MiB, limits hit: CPU_TIME, stdout truncated (64.0 KiB of 2.0
//   MiB)
// Text of the server's or the program's has its control characters escaped.
std::string VerdictLine(const v1::JobResult& result);

// "NONZERO_EXIT" for OUTCOME_NONZERO_EXIT; "OUTCOME 27" for one not known here.
std::string OutcomeName(v1::Outcome outcome);
// "CPU_TIME" for LIMIT_KIND_CPU_TIME; "LIMIT 12" for one not known here.
std::string LimitName(v1::LimitKind limit);
// "NOT_FOUND: No such file or directory".
std::string FileErrorText(const v1::FileError& error);

// "1.003 s", "12.3 ms", "250 us": three or four digits that matter.
std::string FormatTime(absl::Duration duration);
// "64 B", "3.1 MiB": powers of 1024.
std::string FormatBytes(int64_t bytes);

}  // namespace paddock

#endif  // PADDOCK_CLIENT_CLI_VERDICT_H_
