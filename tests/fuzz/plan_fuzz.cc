// The program plan, as the process that waits for it in the sandbox sees it.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>

#include "tests/fuzz/fuzz_check.h"
#include "worker/init/plan_check.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace paddock::init {
namespace {

constexpr std::align_val_t kAlignment{alignof(ProgramPlan)};

struct Free {
  void operator()(char* packet) const { operator delete[](packet, kAlignment); }
};

void ExpectInside(const char* packet, size_t size, const char* text) {
  FUZZ_CHECK(text >= packet + sizeof(ProgramPlan) && text < packet + size);
  FUZZ_CHECK(text + strlen(text) < packet + size);
}

void ExpectStrings(const char* packet, size_t size, char* const* strings,
                   uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) ExpectInside(packet, size, strings[i]);
  FUZZ_CHECK(strings[count] == nullptr);
}

// What no luck finds: the fields that must fit to the packet as a whole.
void Repair(ProgramPlan* plan, size_t size, unsigned seed) {
  plan->magic = kPlanMagic;
  plan->size = size;
  if (seed & 8) plan->argc %= 5;
  if (seed & 16) plan->envc %= 5;
  uint32_t* offsets[] = {&plan->argv_offset, &plan->env_offset,
                         &plan->directory_offset, &plan->path_offset};
  for (uint32_t* offset : offsets) {
    if (seed & 32) *offset = sizeof(ProgramPlan) + *offset % 64;
    seed = seed >> 1 | seed << 31;
  }
}

}  // namespace
}  // namespace paddock::init

using paddock::init::ProgramPlan;

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t max_size, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 == 0) return size;
  const size_t least = sizeof(ProgramPlan) + 1;
  if (max_size < least) return size;
  if (size < least) memset(data + size, 0, least - size);
  size = std::max(size, least);
  ProgramPlan header;
  memcpy(&header, data, sizeof(header));
  paddock::init::Repair(&header, size, seed);
  memcpy(data, &header, sizeof(header));
  data[size - 1] = 0;
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace paddock::init;
  if (size > kMaxPlanPacket) return 0;
  // As long as the packet, so that AddressSanitizer sees what reads beyond it.
  const std::unique_ptr<char[], Free> packet(
      new (kAlignment) char[std::max<size_t>(size, 1)]);
  if (size > 0) memcpy(packet.get(), data, size);
  static PlanStrings strings;
  const bool has_stdin = size > 4 && (data[4] & kHasStdin) != 0;
  if (!CheckPlan(packet.get(), size, has_stdin, &strings)) {
    FUZZ_CHECK(errno == EPROTO);
    return 0;
  }
  FUZZ_CHECK(memcmp(packet.get(), data, size) == 0);
  const auto& plan = *reinterpret_cast<const ProgramPlan*>(packet.get());
  FUZZ_CHECK(plan.argc > 0 && plan.rlimit_count <= kMaxRlimits);
  ExpectStrings(packet.get(), size, strings.argv, plan.argc);
  ExpectStrings(packet.get(), size, strings.env, plan.envc);
  ExpectInside(packet.get(), size, packet.get() + plan.directory_offset);
  ExpectInside(packet.get(), size, packet.get() + plan.path_offset);
  return 0;
}
