#ifndef PADDOCK_CLIENT_CLI_DOCTOR_TABLE_H_
#define PADDOCK_CLIENT_CLI_DOCTOR_TABLE_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "paddock/v1/admin_service.pb.h"

namespace paddock {

// What `paddock doctor` prints of a server that answers.
struct ServerReport {
  std::string text;
  // Names of limits and layers that are not ENFORCED, with their state; also
  // limits the server says nothing about. Empty: all is well.
  std::vector<std::string> weak;
};

// `now` is for the time the server is up.
ServerReport MakeServerReport(const std::string& server,
                              const v1::GetServerInfoResponse& info,
                              const std::vector<v1::Worker>& workers,
                              absl::Time now);

// Rows of cells in columns two spaces apart; the last column is not padded.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace paddock

#endif  // PADDOCK_CLIENT_CLI_DOCTOR_TABLE_H_
