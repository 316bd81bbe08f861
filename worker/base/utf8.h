#ifndef PADDOCK_WORKER_BASE_UTF8_H_
#define PADDOCK_WORKER_BASE_UTF8_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace paddock {

// Length of the longest prefix that is valid UTF-8: RFC 3629 (no overlong
// form, no surrogate, nothing above U+10FFFF). NUL is valid.
size_t ValidUtf8Prefix(absl::string_view bytes);

inline bool IsValidUtf8(absl::string_view bytes) {
  return ValidUtf8Prefix(bytes) == bytes.size();
}

}  // namespace paddock

#endif  // PADDOCK_WORKER_BASE_UTF8_H_
