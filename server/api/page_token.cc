#include "server/api/page_token.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace paddock {
namespace {
constexpr char kPrefix[] = "worker-";
}  // namespace

std::string PageToken(int first) { return absl::StrCat(kPrefix, first); }

std::optional<int> FirstOfPage(absl::string_view token, int workers) {
  if (token.empty()) return 0;
  absl::string_view number = token;
  int first = 0;
  if (!absl::ConsumePrefix(&number, kPrefix) ||
      !absl::SimpleAtoi(number, &first) || PageToken(first) != token ||
      first <= 0 || first >= workers) {
    return std::nullopt;
  }
  return first;
}

}  // namespace paddock
