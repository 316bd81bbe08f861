#ifndef PADDOCK_SERVER_JOBS_JOB_ID_H_
#define PADDOCK_SERVER_JOBS_JOB_ID_H_

#include <string>

namespace paddock {

// A new identifier: 26 characters of [0-9a-z], the time in milliseconds and
// then 80 random bits, so that identifiers sort by time. Thread-safe.
std::string NewJobId();

}  // namespace paddock

#endif  // PADDOCK_SERVER_JOBS_JOB_ID_H_
