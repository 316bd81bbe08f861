#ifndef PADDOCK_TESTS_SANDBOX_WORKER_TEST_H_
#define PADDOCK_TESTS_SANDBOX_WORKER_TEST_H_

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "tests/support/worker_process.h"

namespace paddock {

// Each test has a worker of its own.
class WorkerTest : public testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<WorkerProcess>> worker =
        WorkerProcess::Start();
    ASSERT_TRUE(worker.ok()) << worker.status();
    worker_ = *std::move(worker);
  }

  std::unique_ptr<WorkerProcess> worker_;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SANDBOX_WORKER_TEST_H_
