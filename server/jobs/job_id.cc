#include "server/jobs/job_id.h"

#include <cstdint>
#include <random>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace paddock {
namespace {

// Crockford's base 32: no i, l, o, u.
constexpr char kDigits[] = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr int kTimeDigits = 10;
constexpr int kRandomDigits = 16;

void AppendDigits(uint64_t value, int count, std::string* id) {
  for (int shift = 5 * (count - 1); shift >= 0; shift -= 5) {
    id->push_back(kDigits[(value >> shift) & 31]);
  }
}

}  // namespace

std::string NewJobId() {
  // Unique, not secret: a generator for each thread, seeded by the kernel.
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  std::string id;
  id.reserve(kTimeDigits + kRandomDigits);
  AppendDigits(absl::ToUnixMillis(absl::Now()), kTimeDigits, &id);
  AppendDigits(random(), kRandomDigits / 2, &id);
  AppendDigits(random(), kRandomDigits / 2, &id);
  return id;
}

}  // namespace paddock
