#include "server/config/config_name.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace paddock {

bool IsName(const std::string& text, size_t most, const char* letters,
            const char* more) {
  return !text.empty() && text.size() <= most &&
         text.find_first_not_of(absl::StrCat(letters, more)) ==
             std::string::npos &&
         absl::StrContains(letters, text.substr(0, 1));
}

void CheckConfigName(const std::string& path, const std::string& name,
                     std::set<std::string>* names, Problems* problems) {
  constexpr size_t kMostBytes = 64;
  if (!IsName(name, kMostBytes, "abcdefghijklmnopqrstuvwxyz0123456789",
              "._-")) {
    problems->push_back(absl::StrCat(
        path, ": '", name,
        "' is not 1 to 64 characters of [a-z0-9._-], the first a letter or "
        "digit"));
  } else if (!names->insert(name).second) {
    problems->push_back(
        absl::StrCat(path, ": '", name, "' is a name above too"));
  }
}

}  // namespace paddock
