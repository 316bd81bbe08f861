#ifndef PADDOCK_TESTS_UNIT_SERVING_SCRIPTED_WORKER_H_
#define PADDOCK_TESTS_UNIT_SERVING_SCRIPTED_WORKER_H_

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "paddock/internal/v1/channel.pb.h"
#include "paddock/internal/v1/launch.pb.h"
#include "server/scheduling/pool_observer.h"
#include "server/scheduling/worker_pool.h"
#include "worker/base/socket.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// The worker's end of a real channel, played by a test. A receive that takes
// longer than a few seconds ends the test program.
class ScriptedWorker {
 public:
  ScriptedWorker(UniqueFd channel, int32_t slot, int64_t incarnation)
      : channel_(std::move(channel)), slot_(slot), incarnation_(incarnation) {}

  void SendReady();
  // The next message of the server; nothing if it closed the channel.
  std::optional<internal::v1::ServerMessage> Receive();
  // The id of the run that the server must have sent next.
  uint64_t ReceiveRun();
  uint64_t ReceiveCancel();
  void SendStarted(uint64_t run_id);
  void SendFinished(uint64_t run_id,
                    v1::Outcome outcome = v1::OUTCOME_SUCCEEDED,
                    const std::string& message = "");
  void Send(const internal::v1::WorkerMessage& message);
  void SendBytes(const std::string& bytes);
  bool HasMessage(absl::Duration patience);
  void Die() { channel_.Reset(); }

  int32_t slot() const { return slot_; }
  int64_t incarnation() const { return incarnation_; }

 private:
  UniqueFd channel_;
  int32_t slot_;
  int64_t incarnation_;
};

// The supervisor's end of the control socket.
class ScriptedSupervisor {
 public:
  ScriptedSupervisor();
  int server_end() const { return server_end_.get(); }
  ScriptedWorker StartWorker(int32_t slot);
  ScriptedWorker StartReadyWorker(int32_t slot);
  void TellExited(const ScriptedWorker& worker);
  internal::v1::ServerControl Receive();
  // The next ReplaceWorker of the server, past what it says of workers that
  // are up.
  internal::v1::ReplaceWorker ReceiveReplace();
  void Leave() { own_end_.Reset(); }

 private:
  UniqueFd own_end_;
  UniqueFd server_end_;
  int64_t next_incarnation_ = 1;
};

// Keeps what the pool tells. Thread-safe.
class RecordingObserver : public PoolObserver {
 public:
  void OnWorkerReady(const internal::v1::WorkerReady&) override;
  void OnWorkerStats(const internal::v1::WorkerStats&) override;
  void OnWorkerLost(int32_t slot, WorkerLoss loss,
                    const std::string& reason) override;
  void OnAvailable(bool available) override;
  void OnSupervisorGone(const std::string& reason) override;

  // Each waits a few seconds at most.
  bool WaitAvailable(bool available);
  bool WaitReady(int count);
  bool WaitSupervisorGone();
  bool WaitStats();
  std::vector<std::pair<int32_t, WorkerLoss>> WaitLosses(size_t count);

 private:
  template <typename Condition>
  bool WaitFor(Condition condition);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool available_ = false;
  int ready_ = 0;
  int stats_ = 0;
  bool gone_ = false;
  std::vector<std::pair<int32_t, WorkerLoss>> losses_;
};

// The report of one run, when it comes.
class PendingReport {
 public:
  std::function<void(RunReport)> Taker();
  bool IsThere();
  // Waits a few seconds at most; ends the test program beyond.
  RunReport Wait();

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<RunReport> report;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// A process whose argv[0] is `name`, with a wall time of a minute.
RunSpec MakeRun(const std::string& name = "x");

}  // namespace paddock

#endif  // PADDOCK_TESTS_UNIT_SERVING_SCRIPTED_WORKER_H_
