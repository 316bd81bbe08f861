// What a job costs: /bin/true through Execute, against posix_spawn and wait of
// the same program in this process, one after the other in turn, so that both
// see the same machine. Prints ratios; asserts nothing.
#include <grpcpp/grpcpp.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "paddock/v1/execution_service.grpc.pb.h"

extern char** environ;

namespace {

using Clock = std::chrono::steady_clock;
using Stub = paddock::v1::ExecutionService::Stub;

constexpr int kRounds = 400;
constexpr auto kThroughputTime = std::chrono::seconds(3);

double Microseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

void SpawnTrue() {
  char name[] = "/bin/true";
  char* argv[] = {name, nullptr};
  pid_t pid;
  int status = 0;
  if (posix_spawn(&pid, name, nullptr, nullptr, argv, environ) != 0 ||
      waitpid(pid, &status, 0) != pid || status != 0) {
    perror("posix_spawn /bin/true");
    exit(1);
  }
}

void ExecuteTrue(Stub* stub) {
  grpc::ClientContext context;
  paddock::v1::ExecuteRequest request;
  request.mutable_job()->mutable_process()->add_argv("/bin/true");
  paddock::v1::ExecuteResponse response;
  const grpc::Status status = stub->Execute(&context, request, &response);
  if (!status.ok() ||
      response.result().outcome() != paddock::v1::OUTCOME_SUCCEEDED) {
    fprintf(stderr, "Execute: %s %s\n", status.error_message().c_str(),
            response.ShortDebugString().c_str());
    exit(1);
  }
}

double Quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(q * (values.size() - 1) + 0.5)];
}

void MeasureLatency(Stub* stub, std::chrono::milliseconds gap) {
  std::vector<double> spawn;
  std::vector<double> execute;
  for (int i = 0; i < kRounds; ++i) {
    std::this_thread::sleep_for(gap);
    const auto t0 = Clock::now();
    SpawnTrue();
    const auto t1 = Clock::now();
    std::this_thread::sleep_for(gap);
    const auto t2 = Clock::now();
    ExecuteTrue(stub);
    const auto t3 = Clock::now();
    spawn.push_back(Microseconds(t1 - t0));
    execute.push_back(Microseconds(t3 - t2));
  }
  printf(
      "%lld ms between calls   median %5.0f us = %.2f x posix_spawn   "
      "p99 %5.0f us = %.2f x\n",
      static_cast<long long>(gap.count()), Quantile(execute, 0.5),
      Quantile(execute, 0.5) / Quantile(spawn, 0.5), Quantile(execute, 0.99),
      Quantile(execute, 0.99) / Quantile(spawn, 0.99));
}

double CallsPerSecond(int callers, const std::function<void(int)>& call) {
  std::atomic<long> done = 0;
  const auto begin = Clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < callers; ++i) {
    threads.emplace_back([&, i] {
      while (Clock::now() - begin < kThroughputTime) {
        call(i);
        ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return done * 1e6 / Microseconds(Clock::now() - begin);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: latency SERVER   (tests/bench/run starts one)\n");
    return 2;
  }
  std::vector<std::unique_ptr<Stub>> stubs;
  for (int i = 0; i < 8; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt("paddock.caller", i);  // a connection of its own
    stubs.push_back(
        paddock::v1::ExecutionService::NewStub(grpc::CreateCustomChannel(
            argv[1], grpc::InsecureChannelCredentials(), arguments)));
    ExecuteTrue(stubs.back().get());
  }
  MeasureLatency(stubs[0].get(), std::chrono::milliseconds(4));
  MeasureLatency(stubs[0].get(), std::chrono::milliseconds(0));
  for (const int callers : {1, 2, 8}) {
    const double spawn = CallsPerSecond(callers, [](int) { SpawnTrue(); });
    const double jobs =
        CallsPerSecond(callers, [&](int i) { ExecuteTrue(stubs[i].get()); });
    printf("%d caller%s  %6.0f jobs/s = %.2f x posix_spawn's rate\n", callers,
           callers == 1 ? " " : "s", jobs, jobs / spawn);
  }
  return 0;
}
