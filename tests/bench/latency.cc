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

#include "absl/strings/numbers.h"
#include "paddock/v1/execution_service.grpc.pb.h"

extern char** environ;

namespace {

using Clock = std::chrono::steady_clock;
using Stub = paddock::v1::ExecutionService::Stub;

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

double Microseconds(const google::protobuf::Duration& duration) {
  return duration.seconds() * 1e6 + duration.nanos() / 1e3;
}

// Where the time of one call went: Phases, what else passed in the server and
// on the channel, and gRPC's share.
struct Breakdown {
  void Add(const paddock::v1::JobResult& result, double call) {
    const paddock::v1::Phases& phases = result.process().phases();
    queue.push_back(Microseconds(phases.queue()));
    prepare.push_back(Microseconds(phases.prepare()));
    run.push_back(Microseconds(phases.run()));
    collect.push_back(Microseconds(phases.collect()));
    const double total = Microseconds(result.total_duration());
    server.push_back(total - queue.back() - prepare.back() - run.back() -
                     collect.back());
    grpc.push_back(call - total);
  }
  std::vector<double> queue, prepare, run, collect, server, grpc;
};

// One call. `duration` is of the call alone, as posix_spawn's is without the
// making of its arguments; may be null.
paddock::v1::JobResult ExecuteTrue(Stub* stub, Clock::duration* duration) {
  grpc::ClientContext context;
  paddock::v1::ExecuteRequest request;
  request.mutable_job()->mutable_process()->add_argv("/bin/true");
  paddock::v1::ExecuteResponse response;
  const auto begin = Clock::now();
  const grpc::Status status = stub->Execute(&context, request, &response);
  if (duration != nullptr) *duration = Clock::now() - begin;
  if (!status.ok() ||
      response.result().outcome() != paddock::v1::OUTCOME_SUCCEEDED) {
    fprintf(stderr, "Execute: %s %s\n", status.error_message().c_str(),
            response.ShortDebugString().c_str());
    exit(1);
  }
  return response.result();
}

double Quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(q * (values.size() - 1) + 0.5)];
}

void MeasureLatency(Stub* stub, int rounds, std::chrono::milliseconds gap) {
  std::vector<double> spawn;
  std::vector<double> execute;
  Breakdown parts;
  for (int i = 0; i < rounds; ++i) {
    std::this_thread::sleep_for(gap);
    const auto t0 = Clock::now();
    SpawnTrue();
    const auto t1 = Clock::now();
    std::this_thread::sleep_for(gap);
    Clock::duration call;
    const paddock::v1::JobResult result = ExecuteTrue(stub, &call);
    parts.Add(result, Microseconds(call));
    spawn.push_back(Microseconds(t1 - t0));
    execute.push_back(Microseconds(call));
  }
  printf(
      "%lld ms between calls   median %5.0f us = %.2f x posix_spawn   "
      "p99 %5.0f us = %.2f x\n",
      static_cast<long long>(gap.count()), Quantile(execute, 0.5),
      Quantile(execute, 0.5) / Quantile(spawn, 0.5), Quantile(execute, 0.99),
      Quantile(execute, 0.99) / Quantile(spawn, 0.99));
  printf(
      "    medians, us: posix_spawn %.0f; queue %.0f, prepare %.0f, run %.0f, "
      "collect %.0f, server and channel %.0f, gRPC %.0f\n",
      Quantile(spawn, 0.5), Quantile(parts.queue, 0.5),
      Quantile(parts.prepare, 0.5), Quantile(parts.run, 0.5),
      Quantile(parts.collect, 0.5), Quantile(parts.server, 0.5),
      Quantile(parts.grpc, 0.5));
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
  int rounds = 0;
  if (argc != 3 || !absl::SimpleAtoi(argv[2], &rounds) || rounds < 1) {
    fprintf(stderr,
            "usage: latency SERVER CALLS   (tests/bench/latency starts one)\n");
    return 2;
  }
  std::vector<std::unique_ptr<Stub>> stubs;
  for (int i = 0; i < 8; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt("paddock.caller", i);  // a connection of its own
    stubs.push_back(
        paddock::v1::ExecutionService::NewStub(grpc::CreateCustomChannel(
            argv[1], grpc::InsecureChannelCredentials(), arguments)));
    ExecuteTrue(stubs.back().get(), nullptr);
  }
  MeasureLatency(stubs[0].get(), rounds, std::chrono::milliseconds(4));
  MeasureLatency(stubs[0].get(), rounds, std::chrono::milliseconds(0));
  for (const int callers : {1, 2, 8}) {
    const double spawn = CallsPerSecond(callers, [](int) { SpawnTrue(); });
    const double jobs = CallsPerSecond(
        callers, [&](int i) { ExecuteTrue(stubs[i].get(), nullptr); });
    printf("%d caller%s  %6.0f jobs/s = %.2f x posix_spawn's rate\n", callers,
           callers == 1 ? " " : "s", jobs, jobs / spawn);
  }
  return 0;
}
