#include "worker/init/report.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace paddock::init {
namespace {
constexpr int kMaxReportDescriptors = 4;
}  // namespace

bool SendReport(int socket, const Report& report, const int* descriptors,
                int descriptor_count) {
  iovec iov = {const_cast<Report*>(&report), sizeof(report)};
  msghdr message = {};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  alignas(
      cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxReportDescriptors)];
  if (descriptor_count > 0) {
    const size_t bytes = sizeof(int) * descriptor_count;
    memset(control, 0, sizeof(control));
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(header), descriptors, bytes);
  }
  return sendmsg(socket, &message, MSG_NOSIGNAL) == sizeof(report);
}

void StepReporter::Fail(SetupStep step) const {
  Report report = {};
  report.kind = ReportKind::kSetupFailure;
  report.step = step;
  report.error = errno > 0 ? errno : EIO;  // a short write(2) has none
  SendReport(socket_, report);
  _exit(1);
}

bool CloseAllBut(int* keep, int count) {
  for (int i = 1; i < count; ++i) {  // insertion sort: a dozen entries
    const int fd = keep[i];
    int j = i;
    for (; j > 0 && keep[j - 1] > fd; --j) keep[j] = keep[j - 1];
    keep[j] = fd;
  }
  int lowest = 3;
  for (int i = 0; i < count; ++i) {
    if (keep[i] < lowest) continue;
    if (keep[i] > lowest && close_range(lowest, keep[i] - 1, 0) != 0) {
      return false;
    }
    lowest = keep[i] + 1;
  }
  return close_range(lowest, ~0U, 0) == 0;
}

bool EmptyBoundingSet() {
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0;
       ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability) != 0) return false;
  }
  return true;
}

bool EmptyCapabilitySets() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capset, &header, none) != 0) return false;
  return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0;
}

}  // namespace paddock::init
