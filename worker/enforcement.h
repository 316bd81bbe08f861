#ifndef PADDOCK_WORKER_ENFORCEMENT_H_
#define PADDOCK_WORKER_ENFORCEMENT_H_

#include "paddock/internal/v1/channel.pb.h"
#include "worker/sandbox/sandbox.h"

namespace paddock {

// Fills the tables of what enforces each limit and layer on this host. To be
// called once a sandbox was built with all of them.
void FillEnforcement(const SandboxFactory& factory,
                     internal::v1::WorkerReady* ready);

}  // namespace paddock

#endif  // PADDOCK_WORKER_ENFORCEMENT_H_
