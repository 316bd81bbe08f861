#ifndef PADDOCK_SERVER_SUPERVISOR_READY_REPORT_H_
#define PADDOCK_SERVER_SUPERVISOR_READY_REPORT_H_

#include <string>

#include "paddock/config/v1/config.pb.h"
#include "paddock/internal/v1/launch.pb.h"

namespace paddock {

// Where the service can be reached, for people: one line without its end.
std::string ReadyLine(const config::v1::Listen& listen,
                      const internal::v1::ServerReady& ready);

// The same for programs: {"grpc_port":1,"http_port":2,"unix_socket":"/x"}; a
// port is 0 and the path empty where there is none.
std::string ReadyJson(const config::v1::Listen& listen,
                      const internal::v1::ServerReady& ready);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_READY_REPORT_H_
