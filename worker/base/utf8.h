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

// Bytes of the control character that `text`, valid UTF-8, begins with; 0 if it
// begins with none. Those of ASCII and of U+0080 to U+009F, which terminals
// obey, and those that end lines or turn the direction of text (U+2028 to
// U+202E, U+2066 to U+2069): what stands beside them would not be what it
// seems.
size_t ControlPrefix(absl::string_view text);

// Whether there is one anywhere in `text`, valid UTF-8.
bool HasControls(absl::string_view text);

}  // namespace paddock

#endif  // PADDOCK_WORKER_BASE_UTF8_H_
