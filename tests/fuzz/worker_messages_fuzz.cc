// What a captured worker sends, as the server takes it: the real pool with two
// jobs on one end of a channel, the input on the other. Metrics, log and the
// results that clients get are made of it.
#include <sys/socket.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"
#include "server/jobs/job_runner.h"
#include "server/observers.h"
#include "server/telemetry/log.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/message_mutator.h"
#include "tests/fuzz/packet.h"
#include "worker/base/socket.h"
#include "worker/wire/channel.h"

namespace paddock::fuzz {
namespace {

constexpr int kJobs = 2;
constexpr auto kPatience = std::chrono::seconds(5);

// Passes all on to the server's own observer, and tells when the worker is
// ready and when it has been given up.
class WatchingObserver : public PoolObserver {
 public:
  explicit WatchingObserver(PoolObserver* inner) : inner_(inner) {}

  void OnWorkerReady(const internal::v1::WorkerReady& ready) override {
    inner_->OnWorkerReady(ready);
  }
  void OnWorkerStats(const internal::v1::WorkerStats& stats) override {
    inner_->OnWorkerStats(stats);
  }
  void OnWorkerLost(int32_t slot, WorkerLoss loss,
                    const std::string& reason) override {
    inner_->OnWorkerLost(slot, loss, reason);
    Set(&lost_);
  }
  void OnAvailable(bool available) override {
    inner_->OnAvailable(available);
    Set(&available_);
  }
  void OnSupervisorGone(const std::string& reason) override {
    inner_->OnSupervisorGone(reason);
  }

  // False if the worker was given up instead.
  bool WaitAvailable() {
    return Wait([this] { return available_ || lost_; }) && available_ && !lost_;
  }
  void WaitLost() {
    FUZZ_CHECK(Wait([this] { return lost_; }));
  }

 private:
  void Set(bool* what) {
    const std::lock_guard lock(mutex_);
    *what = true;
    changed_.notify_all();
  }
  template <typename Condition>
  bool Wait(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, condition);
  }

  PoolObserver* const inner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool available_ = false;
  bool lost_ = false;
};

// Lives as long as the fuzzer, as it does in the server.
struct Telemetry {
  prometheus::Registry registry;
  Metrics metrics{&registry, ServerObserver::LabelSets({})};
  ServerObserver observer{&metrics,
                          {[](bool) {}, [](const std::string&) { abort(); }}};
  size_t series = 0;
};

Telemetry& SharedTelemetry() {
  static auto* const telemetry = [] {
    config::v1::Log log;
    log.set_level("off");
    log.set_format("json");
    SetUpLog(log);
    return new Telemetry;
  }();
  return *telemetry;
}

void CheckResult(const JobEnd& end, size_t budget) {
  if (end.rejection) return;
  const v1::ProcessResult& process = end.result.process();
  size_t bytes =
      process.stdout().data().size() + process.stdout().text().size() +
      process.stderr().data().size() + process.stderr().text().size();
  for (const v1::OutputResult& output : process.outputs()) {
    bytes += output.data().size();
  }
  FUZZ_CHECK(bytes <= budget);
  FUZZ_CHECK(process.name() == "job");
  FUZZ_CHECK(end.result.outcome() != v1::OUTCOME_UNSPECIFIED);
  // As a client that checks strings would: an invalid one fails the call.
  v1::JobResult copy;
  FUZZ_CHECK(copy.ParseFromString(end.result.SerializeAsString()));
}

// One pool with the worker's channel in hand.
class Session {
 public:
  explicit Session(const WorkerPackets& input) : input_(input) {}

  void Run() {
    absl::StatusOr<SocketPair> control = MakeSocketPair();
    absl::StatusOr<SocketPair> channel = MakeSocketPair();
    FUZZ_CHECK(control.ok() && channel.ok());
    ServerObserver* const inner = &SharedTelemetry().observer;
    WatchingObserver observer(inner);
    WorkerPool pool({}, control->second.get(), &observer);
    FUZZ_CHECK(pool.Start().ok());
    internal::v1::SupervisorMessage started;
    started.mutable_worker_started()->set_incarnation(1);
    FUZZ_CHECK(
        SendMessage(control->first.get(), started, {channel->second.get()})
            .ok());
    channel->second.Reset();
    {
      JobRunner runner(&pool, inner, budget());
      Play(channel->first.get(), &runner, &observer);
      channel->first.Reset();
      observer.WaitLost();
    }
    FUZZ_CHECK(ended_ == submitted_);
  }

 private:
  size_t budget() const { return input_.inline_budget_bytes() & 0xffff; }

  void Play(int channel, JobRunner* runner, WatchingObserver* observer) {
    for (int i = 0; i < input_.packets_size(); ++i) {
      const WorkerPacket& packet = input_.packets(i);
      if (!SendHostilePacket(channel, BodyOf(packet), packet.carrier(),
                             packet.more_descriptors())
               .ok()) {
        return;
      }
      if (i > 0 || !packet.message().has_ready()) continue;
      if (!observer->WaitAvailable()) return;
      while (submitted_ < kJobs) Submit(runner);
    }
  }

  void Submit(JobRunner* runner) {
    ++submitted_;
    v1::JobSpec spec;
    v1::Process* process = spec.mutable_process();
    process->set_name("job");
    process->add_argv("/bin/true");
    process->mutable_stdout()->set_prefer_text(input_.prefer_text());
    process->mutable_stderr()->set_prefer_text(input_.prefer_text());
    runner->Start({.id = "id"}, std::move(spec), [this](JobEnd end) {
      ++ended_;
      CheckResult(end, budget());
    });
  }

  const WorkerPackets& input_;
  int submitted_ = 0;
  std::atomic<int> ended_ = 0;
};

// Names that come from workers must not make metrics grow without end.
void ExpectBoundedMetrics() {
  Telemetry& telemetry = SharedTelemetry();
  size_t series = 0;
  for (const auto& family : telemetry.registry.Collect()) {
    series += family.metric.size();
  }
  constexpr size_t kMostSeries = 2000;
  FUZZ_CHECK(series < kMostSeries);
}

}  // namespace
}  // namespace paddock::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t max_size, unsigned seed) {
  paddock::fuzz::WorkerPackets packets;
  return paddock::fuzz::MutateMessage(data, size, max_size, seed, &packets);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  paddock::fuzz::WorkerPackets packets;
  if (!packets.ParseFromArray(data, size)) return 0;
  paddock::fuzz::Session(packets).Run();
  paddock::fuzz::ExpectBoundedMetrics();
  return 0;
}
