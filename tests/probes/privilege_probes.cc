// What a program is: for tests that give it a chance to become more.
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bitset>
#include <cerrno>

#include "tests/probes/probe.h"

namespace paddock_probe {
namespace {

int TellUser(char** /*arguments*/) { return Report(geteuid(), 0); }
int TellGroup(char** /*arguments*/) { return Report(getegid(), 0); }

int CountCapabilities(char** /*arguments*/) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, sets) != 0) return Report(0, errno);
  size_t count = 0;
  for (const __user_cap_data_struct& half : sets) {
    count += std::bitset<32>(half.effective | half.permitted).count();
  }
  return Report(static_cast<int64_t>(count), 0);
}

int TellSecureBits(char** /*arguments*/) {
  const int bits = prctl(PR_GET_SECUREBITS);
  return Report(bits, bits < 0 ? errno : 0);
}

}  // namespace

const Probe kPrivilegeProbes[] = {
    {"user", 0, ": the effective user", TellUser},
    {"group", 0, ": the effective group", TellGroup},
    {"capabilities", 0, ": how many it holds", CountCapabilities},
    {"secure-bits", 0, ": as prctl(2) tells them", TellSecureBits},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
