// Ways to hold BYTES of memory. Those that hold them in the kernel's objects
// count what they put in: the objects themselves come on top.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "tests/probes/burn.h"
#include "tests/probes/probe.h"

namespace paddock_probe {
namespace {

constexpr int64_t kPage = 4096;
constexpr int64_t kChildBytes = 4 << 20;

char* Map(int64_t bytes, int flags) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_ANONYMOUS | flags, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

void TouchAll(char* memory, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += kPage) memory[i] = 1;
}

int HogHeap(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  for (int64_t done = 0; done < bytes; done += 64 << 10) {
    char* block = static_cast<char*>(malloc(64 << 10));
    if (block == nullptr) return Report(done, errno);
    memset(block, 1, 64 << 10);
  }
  return Report(bytes, 0);
}

int HogPopulate(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  return Report(bytes, Map(bytes, MAP_PRIVATE | MAP_POPULATE) ? 0 : errno);
}

int HogShared(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  char* memory = Map(bytes, MAP_SHARED);
  if (memory == nullptr) return Report(0, errno);
  TouchAll(memory, bytes);
  return Report(bytes, 0);
}

// Given back before the end.
int HogSpike(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  char* memory = Map(bytes, MAP_PRIVATE);
  if (memory == nullptr) return Report(0, errno);
  TouchAll(memory, bytes);
  munmap(memory, bytes);
  SleepFor(0.05);
  return Report(bytes, 0);
}

// Children of 4 MiB each, all at a time, none of them large.
int HogChildren(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  Shared* shared = MakeShared();
  int64_t count = 0;
  for (; count * kChildBytes < bytes; ++count) {
    const pid_t child = fork();
    if (child < 0) return Report(count * kChildBytes, errno);
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      char* memory = Map(kChildBytes, MAP_PRIVATE);
      if (memory == nullptr) _exit(1);
      TouchAll(memory, kChildBytes);
      ++shared->count;
      pause();
      _exit(0);
    }
  }
  WaitForCount(shared, count);
  return Report(count * kChildBytes, 0);
}

int HogGrandchild(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  Shared* shared = MakeShared();
  if (fork() == 0) {
    if (fork() == 0) {
      char* memory = Map(bytes, MAP_PRIVATE);
      if (memory != nullptr) TouchAll(memory, bytes);
      ++shared->count;
    }
    _exit(0);
  }
  wait(nullptr);
  WaitForCount(shared, 1);
  return Report(bytes, 0);
}

// Outside a sandbox the segment would stay.
int HogSysV(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  const int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
  if (id < 0) return Report(0, errno);
  void* memory = shmat(id, nullptr, 0);
  if (memory == reinterpret_cast<void*>(-1)) return Report(0, errno);
  TouchAll(static_cast<char*>(memory), bytes);
  return Report(bytes, 0);
}

// Fills what `fd` leads to; how many bytes that took.
int64_t Fill(int fd) {
  static char block[64 << 10];
  int64_t done = 0;
  for (ssize_t n; (n = write(fd, block, sizeof(block))) > 0;) done += n;
  return done;
}

int HogPipes(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  int64_t done = 0;
  while (done < bytes) {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return Report(done, errno);
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);  // refused where it is too much
    done += Fill(ends[1]);
  }
  return Report(done, 0);
}

int HogSockets(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  int64_t done = 0;
  while (done < bytes) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   ends) != 0) {
      return Report(done, errno);
    }
    done += Fill(ends[0]) + Fill(ends[1]);
  }
  return Report(done, 0);
}

// One read in each 2 MiB: a page of the page table for the page of zeros.
int HogPageTables(char** arguments) {
  constexpr int64_t kStride = 2 << 20;
  const int64_t bytes = ParseNumber(arguments[0]);
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  const int64_t span = bytes / kPage * kStride;
  const volatile char* memory = Map(span, MAP_PRIVATE | MAP_NORESERVE);
  if (memory == nullptr) return Report(0, errno);
  for (int64_t i = 0; i < span; i += kStride) (void)memory[i];
  return Report(bytes, 0);
}

// Outside a sandbox the queues would stay.
int HogQueues(char** arguments) {
  static struct {
    long type;
    char text[4 << 10];
  } message = {1, {}};
  const int64_t bytes = ParseNumber(arguments[0]);
  int64_t done = 0;
  while (done < bytes) {
    const int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    if (id < 0) return Report(done, errno);
    while (msgsnd(id, &message, sizeof(message.text), IPC_NOWAIT) == 0) {
      done += sizeof(message.text);
    }
    if (errno != EAGAIN) return Report(done, errno);
  }
  return Report(done, 0);
}

// Every page of a file, read or (WRITE 1) written to a private copy.
int MapFile(char** arguments) {
  const bool write = ParseNumber(arguments[1]) != 0;
  const int fd = open(arguments[0], O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0) return Report(0, errno);
  void* memory = mmap(nullptr, st.st_size, PROT_READ | (write ? PROT_WRITE : 0),
                      MAP_PRIVATE, fd, 0);
  if (memory == MAP_FAILED) return Report(0, errno);
  volatile char* bytes = static_cast<volatile char*>(memory);
  for (int64_t i = 0; i < st.st_size; i += kPage) {
    if (write) {
      bytes[i] = 1;
    } else {
      (void)bytes[i];
    }
  }
  return Report(st.st_size, 0);
}

}  // namespace

const Probe kHogProbes[] = {
    {"hog-heap", 1, "BYTES", HogHeap},
    {"hog-populate", 1, "BYTES", HogPopulate},
    {"hog-shared", 1, "BYTES", HogShared},
    {"hog-spike", 1, "BYTES, then given back", HogSpike},
    {"hog-children", 1, "BYTES in children of 4 MiB", HogChildren},
    {"hog-grandchild", 1, "BYTES", HogGrandchild},
    {"hog-sysv", 1, "BYTES", HogSysV},
    {"hog-pipes", 1, "BYTES", HogPipes},
    {"hog-sockets", 1, "BYTES", HogSockets},
    {"hog-page-tables", 1, "BYTES", HogPageTables},
    {"hog-queues", 1, "BYTES", HogQueues},
    {"map-file", 2, "PATH WRITE", MapFile},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
