#ifndef PADDOCK_SERVER_API_PAGE_TOKEN_H_
#define PADDOCK_SERVER_API_PAGE_TOKEN_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace paddock {

// Names the page of ListWorkers that begins with worker `first`, above 0.
std::string PageToken(int first);

// The first worker of the page that a client asks for, of `workers` in all; an
// empty token means the first page. Nothing if no response of a server with so
// many ever had this token.
std::optional<int> FirstOfPage(absl::string_view token, int workers);

}  // namespace paddock

#endif  // PADDOCK_SERVER_API_PAGE_TOKEN_H_
