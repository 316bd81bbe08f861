#include "worker/init/plan_check.h"

#include <errno.h>
#include <string.h>

namespace paddock::init {
namespace {

bool IsInside(const ProgramPlan& plan, size_t offset) {
  return offset >= sizeof(ProgramPlan) && offset < plan.size;
}

// Fills `strings` with the `count` strings that begin at `offset`. The packet's
// last byte is NUL.
bool IndexStrings(char* packet, const ProgramPlan& plan, size_t offset,
                  uint32_t count, char** strings) {
  if (count > kMaxPlanStrings) return false;
  for (uint32_t i = 0; i < count; ++i) {
    if (!IsInside(plan, offset)) return false;
    strings[i] = packet + offset;
    offset += strlen(strings[i]) + 1;
  }
  strings[count] = nullptr;
  return true;
}

}  // namespace

bool CheckPlan(char* packet, ssize_t received, bool has_stdin,
               PlanStrings* strings) {
  errno = EPROTO;
  if (received <= static_cast<ssize_t>(sizeof(ProgramPlan))) return false;
  const auto& plan = *reinterpret_cast<const ProgramPlan*>(packet);
  return plan.magic == kPlanMagic && plan.size == received &&
         packet[received - 1] == '\0' && plan.argc > 0 &&
         plan.rlimit_count <= kMaxRlimits &&
         IsInside(plan, plan.directory_offset) &&
         IsInside(plan, plan.path_offset) &&
         ((plan.flags & kHasStdin) != 0) == has_stdin &&
         IndexStrings(packet, plan, plan.argv_offset, plan.argc,
                      strings->argv) &&
         IndexStrings(packet, plan, plan.env_offset, plan.envc, strings->env);
}

}  // namespace paddock::init
