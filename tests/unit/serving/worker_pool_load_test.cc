// Many threads submit and cancel while workers come and go.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "server/scheduling/worker_pool.h"
#include "tests/unit/serving/scripted_worker.h"

namespace paddock {
namespace {

constexpr int kWorkers = 3;
constexpr int kSubmitters = 4;
constexpr int kRunsEach = 250;
// A worker dies after so many runs, in the middle of the next.
constexpr int kRunsPerLife = 40;

// Serves runs until the pool hangs up; dies again and again.
void PlayWorker(ScriptedSupervisor* supervisor, std::mutex* mutex, int slot,
                const std::atomic<bool>* stop) {
  while (!*stop) {
    std::optional<ScriptedWorker> worker;
    {
      const std::lock_guard lock(*mutex);
      worker = supervisor->StartReadyWorker(slot);
    }
    // Of different lengths, so that two workers rarely die together.
    for (int served = 0; served < kRunsPerLife * (slot + 1) && !*stop;) {
      if (!worker->HasMessage(absl::Milliseconds(20))) continue;
      const auto message = worker->Receive();
      if (!message) break;
      if (!message->has_run()) continue;  // a cancellation that came too late
      worker->SendStarted(message->run().run_id());
      worker->SendFinished(message->run().run_id());
      ++served;
    }
    if (*stop) return;
    // Dies with a run in hand, if one comes.
    worker->HasMessage(absl::Milliseconds(5));
    worker->Die();
  }
}

TEST(WorkerPoolLoadTest, EveryRunIsReportedOnce) {
  ScriptedSupervisor supervisor;
  RecordingObserver observer;
  std::mutex supervisor_mutex;
  WorkerPool pool({.slots = kWorkers}, supervisor.server_end(), &observer);
  ASSERT_TRUE(pool.Start().ok());
  std::atomic<bool> stop = false;
  std::vector<std::thread> workers, submitters;
  for (int slot = 0; slot < kWorkers; ++slot) {
    workers.emplace_back(PlayWorker, &supervisor, &supervisor_mutex, slot,
                         &stop);
  }
  ASSERT_TRUE(observer.WaitAvailable(true));
  std::atomic<int> finished = 0, cancelled = 0, lost = 0;
  for (int i = 0; i < kSubmitters; ++i) {
    submitters.emplace_back([&, i] {
      for (int run = 0; run < kRunsEach; ++run) {
        PendingReport report;
        const auto submission = pool.Submit(MakeRun(), report.Taker());
        ASSERT_FALSE(submission.refusal);
        if ((run + i) % 10 == 0) pool.Cancel(submission.run_id);
        const RunEnd end = report.Wait().end;
        finished += end == RunEnd::kFinished;
        cancelled += end == RunEnd::kCancelled;
        lost += end == RunEnd::kLost;
        if (run % 50 == 0) pool.Snapshot();
      }
    });
  }
  for (std::thread& submitter : submitters) submitter.join();
  stop = true;
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(finished + cancelled + lost, kSubmitters * kRunsEach);
  EXPECT_GT(finished, kSubmitters * kRunsEach / 2);
  EXPECT_GT(observer.WaitLosses(1).size(), 0);
}

}  // namespace
}  // namespace paddock
