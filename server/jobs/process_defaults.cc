#include "server/jobs/process_defaults.h"

#include <string>
#include <utility>

#include "worker/wire/process_check.h"

namespace paddock {
namespace {

void TextToData(v1::Source* source) {
  if (!source->has_text()) return;
  std::string text = std::move(*source->mutable_text());
  source->set_data(std::move(text));
}

void CompleteEnvironment(const config::v1::Image& image, v1::Process* process) {
  auto& env = *process->mutable_env();
  for (const auto& [name, value] : image.env()) env.insert({name, value});
  for (const auto& [name, value] : process->secret_env()) env[name] = value;
  process->clear_secret_env();
}

void CompleteLimits(const v1::Limits& defaults, v1::Limits* limits) {
  v1::Limits complete = defaults;
  // MergeFrom would add the seconds of one duration to the nanos of another.
  if (limits->has_cpu_time()) complete.clear_cpu_time();
  if (limits->has_wall_time()) complete.clear_wall_time();
  if (limits->has_idle_time()) complete.clear_idle_time();
  complete.MergeFrom(*limits);
  *limits = std::move(complete);
}

}  // namespace

const config::v1::Image* FindImage(const config::v1::Config& config,
                                   absl::string_view name) {
  const absl::string_view wanted =
      name.empty() ? absl::string_view(config.sandbox().default_image()) : name;
  for (const config::v1::Image& image : config.sandbox().images()) {
    if (image.name() == wanted) return &image;
  }
  return nullptr;
}

bool CompleteProcess(const config::v1::Config& config, v1::Process* process) {
  const config::v1::Image* image = FindImage(config, process->image());
  if (image == nullptr) return false;
  process->set_image(image->name());
  if (process->profile().empty()) process->set_profile(kDefaultProfile);
  CompleteEnvironment(*image, process);
  CompleteLimits(config.requests().default_limits(), process->mutable_limits());
  if (process->has_stdin()) TextToData(process->mutable_stdin());
  for (v1::Input& input : *process->mutable_inputs()) {
    if (input.has_source()) TextToData(input.mutable_source());
  }
  return true;
}

}  // namespace paddock
