#include "client/cli/options.h"

#include <sys/stat.h>

#include "absl/strings/str_cat.h"

namespace paddock {

void AddServerOption(CLI::App* command, std::string* server) {
  command
      ->add_option("--server", *server,
                   absl::StrCat("host:port or unix:/path of the server\n"
                                "(default: unix:",
                                kDefaultSocket, " if it is there,\nelse ",
                                kDefaultAddress, ")"))
      ->type_name("ADDRESS")
      ->envname("PADDOCK_SERVER");
}

std::string ResolveServer(const std::string& server) {
  if (!server.empty()) return server;
  struct stat info;
  if (stat(kDefaultSocket, &info) == 0) {
    return absl::StrCat("unix:", kDefaultSocket);
  }
  return kDefaultAddress;
}

}  // namespace paddock
