#include "server/api/unbuilt_services.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "paddock/v1/image_service.grpc.pb.h"
#include "paddock/v1/job_service.grpc.pb.h"
#include "server/api/error_status.h"

namespace paddock {
namespace {

using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

Reactor* Refuse(Context* context, const char* service, const char* rpc) {
  Reactor* reactor = context->DefaultReactor();
  reactor->Finish(
      UnimplementedRpc(absl::StrCat("paddock.v1.", service, ".", rpc)));
  return reactor;
}

class UnbuiltWatch final
    : public grpc::ServerWriteReactor<v1::WatchJobResponse> {
 public:
  UnbuiltWatch() { Finish(UnimplementedRpc("paddock.v1.JobService.WatchJob")); }
  void OnDone() override { delete this; }
};

class JobService final : public v1::JobService::CallbackService {
 public:
  Reactor* CreateJob(Context* context, const v1::CreateJobRequest*,
                     v1::CreateJobResponse*) override {
    return Refuse(context, "JobService", "CreateJob");
  }
  Reactor* GetJob(Context* context, const v1::GetJobRequest*,
                  v1::GetJobResponse*) override {
    return Refuse(context, "JobService", "GetJob");
  }
  Reactor* ListJobs(Context* context, const v1::ListJobsRequest*,
                    v1::ListJobsResponse*) override {
    return Refuse(context, "JobService", "ListJobs");
  }
  grpc::ServerWriteReactor<v1::WatchJobResponse>* WatchJob(
      Context*, const v1::WatchJobRequest*) override {
    return new UnbuiltWatch();
  }
  Reactor* CancelJob(Context* context, const v1::CancelJobRequest*,
                     v1::CancelJobResponse*) override {
    return Refuse(context, "JobService", "CancelJob");
  }
  Reactor* DeleteJob(Context* context, const v1::DeleteJobRequest*,
                     v1::DeleteJobResponse*) override {
    return Refuse(context, "JobService", "DeleteJob");
  }
};

class ImageService final : public v1::ImageService::CallbackService {
 public:
  Reactor* ListImages(Context* context, const v1::ListImagesRequest*,
                      v1::ListImagesResponse*) override {
    return Refuse(context, "ImageService", "ListImages");
  }
  Reactor* GetImage(Context* context, const v1::GetImageRequest*,
                    v1::GetImageResponse*) override {
    return Refuse(context, "ImageService", "GetImage");
  }
  Reactor* ImportImage(Context* context, const v1::ImportImageRequest*,
                       v1::ImportImageResponse*) override {
    return Refuse(context, "ImageService", "ImportImage");
  }
  Reactor* DeleteImage(Context* context, const v1::DeleteImageRequest*,
                       v1::DeleteImageResponse*) override {
    return Refuse(context, "ImageService", "DeleteImage");
  }
};

}  // namespace

std::vector<std::unique_ptr<grpc::Service>> MakeUnbuiltServices() {
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(std::make_unique<JobService>());
  services.push_back(std::make_unique<ImageService>());
  return services;
}

}  // namespace paddock
