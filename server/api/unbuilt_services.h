#ifndef PADDOCK_SERVER_API_UNBUILT_SERVICES_H_
#define PADDOCK_SERVER_API_UNBUILT_SERVICES_H_

#include <grpcpp/impl/codegen/service_type.h>

#include <memory>
#include <vector>

namespace paddock {

// JobService and ImageService: every RPC is there, and answers UNIMPLEMENTED
// with its name.
std::vector<std::unique_ptr<grpc::Service>> MakeUnbuiltServices();

}  // namespace paddock

#endif  // PADDOCK_SERVER_API_UNBUILT_SERVICES_H_
