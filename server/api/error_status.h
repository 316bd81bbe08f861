#ifndef PADDOCK_SERVER_API_ERROR_STATUS_H_
#define PADDOCK_SERVER_API_ERROR_STATUS_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <string>
#include <vector>

#include "server/jobs/job_observer.h"
#include "worker/wire/process_check.h"

namespace paddock {

// Errors as clients get them: a grpc::Status whose details are a
// google.rpc.Status (grpc-status-details-bin) with an ErrorInfo of domain
// "paddock" and what else programs need. They stay within the 8 KiB of headers
// that clients accept.

// INVALID_ARGUMENT with a BadRequest. Of very many violations the first ones.
grpc::Status InvalidArgument(const std::vector<FieldViolation>& violations);

// UNIMPLEMENTED that names the fields, in a BadRequest too.
grpc::Status UnimplementedFields(const std::vector<Unimplemented>& fields);

// UNIMPLEMENTED that names the RPC, "paddock.v1.JobService.GetJob".
grpc::Status UnimplementedRpc(const std::string& rpc);

// FAILED_PRECONDITION with a PreconditionFailure: this host cannot enforce the
// limit that `field` asks for.
grpc::Status UnenforceableLimit(const std::string& field,
                                const std::string& description);

// A job that was not run, or not to its end, by no fault of the client's:
// UNAVAILABLE or RESOURCE_EXHAUSTED with RetryInfo, and in the trailing
// metadata of `context` grpc-retry-pushback-ms. `why` is none of the client's
// faults.
grpc::Status Rejected(Rejection why, grpc::CallbackServerContext* context);

}  // namespace paddock

#endif  // PADDOCK_SERVER_API_ERROR_STATUS_H_
