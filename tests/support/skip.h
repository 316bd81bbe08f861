#ifndef PADDOCK_TESTS_SUPPORT_SKIP_H_
#define PADDOCK_TESTS_SUPPORT_SKIP_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"

namespace paddock {

// Whether a test may be skipped for want of `feature`. Where
// SANDBOX_TESTS_MUST_RUN is 1 only if SANDBOX_TESTS_LACK, a comma-separated
// list, names it: whoever runs the tests has said that this host cannot have
// it.
inline bool MayLack(const std::string& feature) {
  const char* must_run = std::getenv("SANDBOX_TESTS_MUST_RUN");
  if (must_run == nullptr || std::string(must_run) != "1") return true;
  const char* lacking = std::getenv("SANDBOX_TESTS_LACK");
  for (const std::string& name : std::vector<std::string>(
           absl::StrSplit(lacking == nullptr ? "" : lacking, ','))) {
    if (name == feature) return true;
  }
  return false;
}

}  // namespace paddock

// Ends a test whose host is without `feature`: as skipped, or as failed where
// it must run.
#define SKIP_WITHOUT(feature, present)                      \
  do {                                                      \
    if (!(present)) {                                       \
      if (!::paddock::MayLack(feature)) {                   \
        FAIL() << "this host is without " << (feature)      \
               << ", and SANDBOX_TESTS_MUST_RUN is set";    \
      }                                                     \
      GTEST_SKIP() << "this host is without " << (feature); \
    }                                                       \
  } while (false)

#endif  // PADDOCK_TESTS_SUPPORT_SKIP_H_
