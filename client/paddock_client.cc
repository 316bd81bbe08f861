#include "client/paddock_client.h"

#include <chrono>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/error_text.h"
#include "client/utf8_check.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace paddock {
namespace {

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(PaddockClient::kMaxResponseBytes);
  // A proxy for the Internet is of no use on the way to a local service, and
  // refuses it in ways that are hard to understand.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const std::string target =
      absl::StartsWith(address, "/") ? absl::StrCat("unix:", address) : address;
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(),
                                   arguments);
}

absl::Status ToAbsl(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  // The codes of both are the same numbers.
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()),
                      ErrorText(status));
  if (!status.error_details().empty()) {
    result.SetPayload(PaddockClient::kStatusPayload,
                      absl::Cord(status.error_details()));
  }
  return result;
}

}  // namespace

void Canceller::Cancel() {
  const std::lock_guard<std::mutex> lock(mutex_);
  cancelled_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

void Canceller::Attach(grpc::ClientContext* context) {
  const std::lock_guard<std::mutex> lock(mutex_);
  context_ = context;
  if (cancelled_) context_->TryCancel();
}

void Canceller::Detach() {
  const std::lock_guard<std::mutex> lock(mutex_);
  context_ = nullptr;
}

PaddockClient::PaddockClient(const std::string& address)
    : channel_(MakeChannel(address)),
      execution_(v1::ExecutionService::NewStub(channel_)),
      admin_(v1::AdminService::NewStub(channel_)) {}

template <typename Call>
absl::Status PaddockClient::Run(const CallOptions& options, const Call& call) {
  grpc::ClientContext context;
  // More than a year would overflow the clock's nanoseconds, and is as good as
  // no deadline.
  if (options.timeout < absl::Hours(24 * 365)) {
    context.set_deadline(std::chrono::system_clock::now() +
                         absl::ToChronoNanoseconds(options.timeout));
  }
  if (options.canceller != nullptr) options.canceller->Attach(&context);
  const grpc::Status status = call(&context);
  if (options.canceller != nullptr) options.canceller->Detach();
  return ToAbsl(status);
}

absl::StatusOr<v1::ExecuteResponse> PaddockClient::Execute(
    const v1::ExecuteRequest& request, const CallOptions& options) {
  absl::Status status = CheckUtf8(request);
  if (!status.ok()) return status;
  v1::ExecuteResponse response;
  status = Run(options, [&](grpc::ClientContext* context) {
    return execution_->Execute(context, request, &response);
  });
  if (!status.ok()) return status;
  return response;
}

absl::StatusOr<v1::GetServerInfoResponse> PaddockClient::GetServerInfo(
    const CallOptions& options) {
  v1::GetServerInfoResponse response;
  const absl::Status status = Run(options, [&](grpc::ClientContext* context) {
    return admin_->GetServerInfo(context, {}, &response);
  });
  if (!status.ok()) return status;
  return response;
}

absl::StatusOr<std::vector<v1::Worker>> PaddockClient::ListWorkers(
    const CallOptions& options) {
  std::vector<v1::Worker> workers;
  v1::ListWorkersRequest request;
  do {
    v1::ListWorkersResponse response;
    const absl::Status status = Run(options, [&](grpc::ClientContext* context) {
      return admin_->ListWorkers(context, request, &response);
    });
    if (!status.ok()) return status;
    for (v1::Worker& worker : *response.mutable_workers()) {
      workers.push_back(std::move(worker));
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return workers;
}

}  // namespace paddock
