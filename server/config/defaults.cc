#include "server/config/defaults.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "server/config/profiles.h"

namespace paddock {
namespace {

using google::protobuf::Duration;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kGiB = int64_t{1} << 30;
constexpr int kMostWorkers = 1024;

Duration Seconds(int64_t seconds) {
  Duration duration;
  duration.set_seconds(seconds);
  return duration;
}

// Room for the largest request that can be asked for, on every host.
int64_t QueueBytes(const HostFacts& host) {
  return std::clamp(host.memory_bytes / 16, 128 * kMiB, kGiB);
}

int64_t MemoryBudget(const HostFacts& host, int64_t queue_bytes) {
  // Of the server, the workers, and results on their way.
  const int64_t service = std::max(host.memory_bytes / 16, 256 * kMiB);
  // What the operator wrote is not checked yet.
  const int64_t queue = std::clamp(queue_bytes, int64_t{0}, host.memory_bytes);
  return std::max(host.memory_bytes - queue - service, host.memory_bytes / 2);
}

// Of memory_bytes and of workspace_bytes: two processes that set neither fit.
int64_t DefaultMemory(int64_t budget) {
  return std::min(256 * kMiB, budget / 4);
}

// So that no process alone can hold what all others wait for.
int64_t MostMemory(int64_t budget) {
  return std::max(DefaultMemory(budget), std::min(16 * kGiB, budget / 2));
}
int64_t MostWorkspace(int64_t budget) {
  return std::max(DefaultMemory(budget), std::min(16 * kGiB, budget / 4));
}

v1::Limits MaxLimits(const HostFacts& host, int64_t budget) {
  v1::Limits max;
  *max.mutable_cpu_time() = Seconds(3600);
  *max.mutable_wall_time() = Seconds(2 * 3600);
  *max.mutable_idle_time() = Seconds(2 * 3600);
  max.set_memory_bytes(MostMemory(budget));
  max.set_processes(4096);
  // Sockets in each other's messages are as many at most, and the kernel takes
  // them apart one by one, 8 ms each: half a minute then, not half an hour.
  max.set_open_files(
      static_cast<int32_t>(std::min<int64_t>(4096, host.open_files)));
  max.set_file_size_bytes(16 * kGiB);
  // A workspace lives in memory.
  max.set_workspace_bytes(MostWorkspace(budget));
  max.set_workspace_inodes(kMiB);
  max.set_stack_bytes(kGiB);
  max.set_output_bytes(64 * kMiB);
  max.set_cpus(host.cpus);
  return max;
}

// idle_time has no default: unset is no limit.
v1::Limits DefaultLimits(int64_t budget) {
  v1::Limits limits;
  *limits.mutable_cpu_time() = Seconds(10);
  *limits.mutable_wall_time() = Seconds(30);
  limits.set_memory_bytes(DefaultMemory(budget));
  limits.set_processes(64);
  limits.set_open_files(256);
  limits.set_file_size_bytes(256 * kMiB);
  limits.set_workspace_bytes(DefaultMemory(budget));
  limits.set_workspace_inodes(16384);
  limits.set_stack_bytes(64 * kMiB);
  limits.set_output_bytes(kMiB);
  limits.set_cpus(1);
  return limits;
}

bool Exceeds(const Message& a, const Message& b, const FieldDescriptor* field) {
  const auto* reflection = a.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection->GetInt32(a, field) > reflection->GetInt32(b, field);
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection->GetInt64(a, field) > reflection->GetInt64(b, field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection->GetDouble(a, field) > reflection->GetDouble(b, field);
    default: {
      Duration left, right;
      left.CopyFrom(reflection->GetMessage(a, field));
      right.CopyFrom(reflection->GetMessage(b, field));
      return left.seconds() != right.seconds()
                 ? left.seconds() > right.seconds()
                 : left.nanos() > right.nanos();
    }
  }
}

// Copies the fields of `from` that `to` lacks; those below their field of
// `least`, or above that of `most`, take its value instead.
void CopyMissing(const v1::Limits& from, const v1::Limits& least,
                 const v1::Limits& most, v1::Limits* to) {
  const auto* type = v1::Limits::descriptor();
  const auto* reflection = to->GetReflection();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (!reflection->HasField(from, field) ||
        reflection->HasField(*to, field)) {
      continue;
    }
    const bool below =
        reflection->HasField(least, field) && Exceeds(least, from, field);
    const bool above =
        reflection->HasField(most, field) && Exceeds(from, most, field);
    v1::Limits one = below ? least : above ? most : from;
    for (int j = 0; j < type->field_count(); ++j) {
      if (j != i) reflection->ClearField(&one, type->field(j));
    }
    to->MergeFrom(one);
  }
}

void FillSizes(const HostFacts& host, config::v1::Requests* requests) {
  if (!requests->has_queue_bytes()) {
    requests->set_queue_bytes(QueueBytes(host));
  }
  if (!requests->has_max_request_bytes()) {
    requests->set_max_request_bytes(
        std::min(64 * kMiB, requests->queue_bytes()));
  }
  if (!requests->has_memory_budget_bytes()) {
    requests->set_memory_budget_bytes(
        MemoryBudget(host, requests->queue_bytes()));
  }
}

}  // namespace

config::v1::Config DefaultConfig(const HostFacts& host) {
  config::v1::Config config;
  config.mutable_listen()->set_grpc_address("127.0.0.1:50051");
  // An ordinary user who has no directory for it gets no such socket.
  const std::string run = host.rootless ? host.runtime_directory : "/run";
  if (!run.empty()) {
    config.mutable_listen()->set_unix_socket(run + "/paddock/paddock.sock");
  }
  config.mutable_listen()->set_unix_socket_mode("0660");
  config.mutable_listen()->set_http_address("127.0.0.1:9464");
  config::v1::Sandbox* sandbox = config.mutable_sandbox();
  sandbox->set_host_id_base(kDefaultHostIdBase);
  sandbox->set_tmp_bytes(256 * kMiB);
  sandbox->set_tmp_inodes(16384);
  sandbox->set_shm_bytes(256 * kMiB);
  sandbox->set_shm_inodes(4096);
  config::v1::Image* image = sandbox->add_images();
  image->set_name("host");
  image->mutable_host();
  sandbox->set_default_image("host");
  // A host with more CPUs than slots that fit into the ids still starts.
  const int64_t fitting =
      (kLastHostId + 1 - sandbox->host_id_base()) / kIdsPerSlot;
  config.mutable_workers()->set_count(static_cast<int32_t>(std::clamp<int64_t>(
      host.cpus, 1, std::min<int64_t>(kMostWorkers, fitting))));
  config.mutable_workers()->set_warm_sandboxes(1);
  config.mutable_workers()->set_user(kDefaultServiceUser);
  config.mutable_requests()->set_inline_budget_bytes(3 * kMiB);
  config.mutable_requests()->set_queue_capacity(1024);
  config.mutable_log()->set_level("info");
  config.mutable_log()->set_format("text");
  *config.mutable_shutdown()->mutable_drain_delay() = Seconds(0);
  *config.mutable_shutdown()->mutable_grace() = Seconds(30);
  config.mutable_cgroup();
  return config;
}

void FillUnset(const HostFacts& host, config::v1::Config* config) {
  config::v1::Requests* requests = config->mutable_requests();
  FillSizes(host, requests);
  const int64_t budget = requests->memory_budget_bytes();
  v1::Limits wanted = requests->default_limits();
  // What the host has is no matter of wishes.
  wanted.clear_cpus();
  wanted.clear_open_files();
  if (wanted.memory_bytes() > budget) wanted.clear_memory_bytes();
  CopyMissing(MaxLimits(host, budget), /*least=*/wanted, /*most=*/{},
              requests->mutable_max_limits());
  CopyMissing(DefaultLimits(budget), /*least=*/{},
              /*most=*/requests->max_limits(),
              requests->mutable_default_limits());
  for (config::v1::Image& image :
       *config->mutable_sandbox()->mutable_images()) {
    if (!image.env().empty()) continue;
    (*image.mutable_env())["PATH"] =
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    (*image.mutable_env())["HOME"] = "/work";
    (*image.mutable_env())["LANG"] = "C.UTF-8";
  }
  FillProfiles(config->mutable_sandbox());
}

}  // namespace paddock
