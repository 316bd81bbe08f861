#include <alloca.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tests/probes/probe.h"

namespace paddock_probe {
namespace {

constexpr int64_t kPage = 4096;

// Maps and writes `bytes`; the errno of the map, or 0.
int Touch(int64_t bytes) {
  char* memory = static_cast<char*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (memory == MAP_FAILED) return errno;
  for (int64_t i = 0; i < bytes; i += kPage) memory[i] = 1;
  return 0;
}

int Eat(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  return Report(bytes, Touch(bytes));
}

// In a child, which may be the one the kernel kills; then goes on.
int EatInChild(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  const pid_t child = fork();
  if (child == 0) _exit(Touch(bytes) == 0 ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  return Report(status, 0);
}

int EatMemfd(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  const int fd = memfd_create("probe", MFD_CLOEXEC);
  if (fd < 0) return Report(0, errno);
  char block[kPage];
  memset(block, 1, sizeof(block));
  int64_t done = 0;
  while (done < bytes) {
    const ssize_t written = write(fd, block, sizeof(block));
    if (written < 0) return Report(done, errno);
    done += written;
  }
  return Report(done, 0);
}

__attribute__((noinline)) void UseStack(int64_t bytes) {
  volatile char* block = static_cast<volatile char*>(alloca(kPage));
  block[0] = 1;
  if (bytes > kPage) UseStack(bytes - kPage);
  block[kPage - 1] = 1;  // keeps the frame alive: no tail call
}

int Stack(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  UseStack(bytes);
  return Report(bytes, 0);
}

}  // namespace

const Probe kMemoryProbes[] = {
    {"eat", 1, "BYTES of memory", Eat},
    {"eat-child", 1, "BYTES in a child", EatInChild},
    {"eat-memfd", 1, "BYTES of a memfd", EatMemfd},
    {"stack", 1, "BYTES of stack", Stack},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
