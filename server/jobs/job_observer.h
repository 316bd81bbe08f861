#ifndef PADDOCK_SERVER_JOBS_JOB_OBSERVER_H_
#define PADDOCK_SERVER_JOBS_JOB_OBSERVER_H_

#include <functional>
#include <map>
#include <string>

#include "paddock/v1/result.pb.h"

namespace paddock {

// Through which RPC a job came. The label of a metric.
enum class JobSource { kExecute };

// Why a job was not run, or not to its end, and has no result. Likewise.
enum class Rejection {
  kInvalidArgument,
  kUnimplemented,
  kUnenforceable,  // a limit this host cannot hold a program to
  kQueueFull,
  kDraining,
  kNoWorkers,
  kOutOfResources,
};

// What is said of a job wherever it is named. Nothing of what it runs, reads
// or writes.
struct JobLabel {
  std::string id;
  std::string request_id;  // the client's, may be empty
  JobSource source = JobSource::kExecute;
  std::map<std::string, std::string> labels;
  std::string profile;  // of its process; empty until the request is checked
};

// Told of jobs, by any thread. Calls must not block.
class JobObserver {
 public:
  virtual ~JobObserver() = default;
  // Accepted: OnFinished or OnRejected follows. Before the client hears of it.
  virtual void OnStarted(const JobLabel& job) = 0;
  // The result is as the client will get it. What this returns is called once
  // the answer is on its way: for what the client need not wait for.
  virtual std::function<void()> OnFinished(const JobLabel& job,
                                           const v1::JobResult& result) = 0;
  virtual void OnRejected(const JobLabel& job, Rejection why) = 0;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_JOBS_JOB_OBSERVER_H_
