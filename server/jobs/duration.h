#ifndef PADDOCK_SERVER_JOBS_DURATION_H_
#define PADDOCK_SERVER_JOBS_DURATION_H_

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace paddock {

// Never fails: a duration that is no valid google.protobuf.Duration gives some
// value, so check first what comes from outside.
absl::Duration FromProto(const google::protobuf::Duration& duration);

google::protobuf::Duration ToProto(absl::Duration duration);
google::protobuf::Timestamp ToProto(absl::Time time);

// As the comments of google/protobuf/duration.proto say.
bool IsValid(const google::protobuf::Duration& duration);

}  // namespace paddock

#endif  // PADDOCK_SERVER_JOBS_DURATION_H_
