#ifndef PADDOCK_WORKER_LOG_H_
#define PADDOCK_WORKER_LOG_H_

#include "paddock/config/v1/config.pb.h"

namespace paddock {

// Has spdlog's default logger, on stderr, write in the configured level and
// format, as the server does: stderr is the same for both. `config` is checked.
void SetUpWorkerLog(const config::v1::Log& config);

}  // namespace paddock

#endif  // PADDOCK_WORKER_LOG_H_
