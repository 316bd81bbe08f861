#ifndef PADDOCK_SERVER_CONFIG_CONFIG_NAME_H_
#define PADDOCK_SERVER_CONFIG_CONFIG_NAME_H_

#include <set>
#include <string>

#include "server/config/yaml_message.h"

namespace paddock {

// Whether `text` is `most` characters of `letters` at most, and, but for its
// start, of `more`.
bool IsName(const std::string& text, size_t most, const char* letters,
            const char* more);

// The name of an image or a profile, which a request may use; `path` is its
// field, `names` those before it, to which it is added.
void CheckConfigName(const std::string& path, const std::string& name,
                     std::set<std::string>* names, Problems* problems);

}  // namespace paddock

#endif  // PADDOCK_SERVER_CONFIG_CONFIG_NAME_H_
