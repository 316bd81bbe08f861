#ifndef PADDOCK_SERVER_JOBS_PROCESS_DEFAULTS_H_
#define PADDOCK_SERVER_JOBS_PROCESS_DEFAULTS_H_

#include "absl/strings/string_view.h"
#include "paddock/config/v1/config.pb.h"
#include "paddock/v1/process.pb.h"

namespace paddock {

// The image that `name` means (empty: the default one); null if there is none.
const config::v1::Image* FindImage(const config::v1::Config& config,
                                   absl::string_view name);

// Makes a process that passed CheckProcess complete, as RunRequest.process
// asks:
//   image    the default one if it names none
//   profile  "default" if it names none
//   limits   field by field, Requests.default_limits where unset
//   env      the image's, then env, then secret_env (which is emptied): later
//            ones win
//   sources  text becomes data
// False if the image is unknown.
bool CompleteProcess(const config::v1::Config& config, v1::Process* process);

}  // namespace paddock

#endif  // PADDOCK_SERVER_JOBS_PROCESS_DEFAULTS_H_
