#ifndef PADDOCK_CLIENT_CLI_OPTIONS_H_
#define PADDOCK_CLIENT_CLI_OPTIONS_H_

#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"

namespace paddock {

// Where a server listens unless it is configured otherwise.
inline constexpr char kDefaultSocket[] = "/run/paddock/paddock.sock";
inline constexpr char kDefaultAddress[] = "127.0.0.1:50051";

// Adds --server, which falls back to $PADDOCK_SERVER, to `command`.
void AddServerOption(CLI::App* command, std::string* server);

// `server` if it is not empty, else the default socket if there is one, else
// the default TCP address.
std::string ResolveServer(const std::string& server);

// Adds an option of one value, given at most once. `parse` makes a StatusOr<T>
// of its text, `set` takes the T; an error is shown with the option's name.
template <typename Parse, typename Set>
CLI::Option* AddParsedOption(CLI::App* command, const std::string& name,
                             const char* value_name, const char* description,
                             Parse parse, Set set) {
  const auto take = [name, parse, set](const std::string& text) {
    auto value = parse(text);
    if (!value.ok()) {
      throw CLI::ValidationError(name, std::string(value.status().message()));
    }
    set(*std::move(value));
  };
  return command->add_option_function<std::string>(name, take, description)
      ->type_name(value_name);
}

// The same for an option that may be given several times, one value each time.
template <typename Parse, typename Set>
CLI::Option* AddRepeatedOption(CLI::App* command, const std::string& name,
                               const char* value_name, const char* description,
                               Parse parse, Set set) {
  const auto take = [name, parse, set](const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      auto value = parse(text);
      if (!value.ok()) {
        throw CLI::ValidationError(name, std::string(value.status().message()));
      }
      set(*std::move(value));
    }
  };
  return command
      ->add_option_function<std::vector<std::string>>(name, take, description)
      ->type_name(value_name)
      ->allow_extra_args(false);
}

}  // namespace paddock

#endif  // PADDOCK_CLIENT_CLI_OPTIONS_H_
