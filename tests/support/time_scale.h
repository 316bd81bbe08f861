#ifndef PADDOCK_TESTS_SUPPORT_TIME_SCALE_H_
#define PADDOCK_TESTS_SUPPORT_TIME_SCALE_H_

#include <cstdlib>

#include "absl/time/time.h"

namespace paddock {

// How long a test waits at most, stretched where programs start many times
// slower: tests/vm sets PADDOCK_TEST_TIME_SCALE.
inline absl::Duration Scaled(absl::Duration patience) {
  const char* scale = std::getenv("PADDOCK_TEST_TIME_SCALE");
  return patience * (scale == nullptr ? 1.0 : std::strtod(scale, nullptr));
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_TIME_SCALE_H_
