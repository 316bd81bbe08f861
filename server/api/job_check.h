#ifndef PADDOCK_SERVER_API_JOB_CHECK_H_
#define PADDOCK_SERVER_API_JOB_CHECK_H_

#include <vector>

#include "paddock/config/v1/config.pb.h"
#include "paddock/v1/execution_service.pb.h"
#include "worker/wire/process_check.h"

namespace paddock {

// What is wrong with a request. Nothing in both: the job can run.
struct JobCheck {
  std::vector<FieldViolation> violations;
  std::vector<Unimplemented> unimplemented;
  bool ok() const { return violations.empty() && unimplemented.empty(); }
};

// Checks a request as the client sent it.
JobCheck CheckRequest(const config::v1::Config& config,
                      const v1::ExecuteRequest& request);

// Checks a process once more when it is complete: the image's environment
// counts too. A worker refuses whatever this refuses.
JobCheck CheckCompleteProcess(const config::v1::Config& config,
                              const v1::Process& process);

}  // namespace paddock

#endif  // PADDOCK_SERVER_API_JOB_CHECK_H_
