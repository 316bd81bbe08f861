#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>

#include "tests/probes/probe.h"

namespace paddock_probe {
namespace {

constexpr int64_t kBlock = 4096;

// Writes `bytes` to `fd`; returns how many went, errno in `error`.
int64_t WriteZeros(int fd, int64_t bytes, int* error) {
  static const char block[kBlock] = {};
  int64_t done = 0;
  while (done < bytes) {
    const int64_t want = bytes - done < kBlock ? bytes - done : kBlock;
    const ssize_t written = write(fd, block, want);
    if (written < 0) {
      *error = errno;
      return done;
    }
    done += written;
  }
  return done;
}

int WriteFile(char** arguments) {
  // SIGXFSZ would end the probe before it could tell of EFBIG.
  signal(SIGXFSZ, SIG_IGN);
  const int fd =
      open(arguments[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return Report(0, errno);
  int error = 0;
  const int64_t done = WriteZeros(fd, ParseNumber(arguments[1]), &error);
  return Report(done, error);
}

// As write-file, but what was written is removed before the end.
int WriteAndRemove(char** arguments) {
  const int status = WriteFile(arguments);
  unlink(arguments[0]);
  return status;
}

int MakeFiles(char** arguments) {
  const int64_t count = ParseNumber(arguments[1]);
  for (int64_t i = 0; i < count; ++i) {
    const std::string path =
        std::string(arguments[0]) + "/f" + std::to_string(i);
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return Report(i, errno);
    close(fd);
  }
  return Report(count, 0);
}

int Print(char** arguments) {
  int error = 0;
  const int fd = static_cast<int>(ParseNumber(arguments[0]));
  WriteZeros(fd, ParseNumber(arguments[1]), &error);
  return error == 0 ? 0 : 1;
}

// Opens until it may not, or `count` are open beside 0, 1 and 2.
int OpenFiles(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  for (int64_t i = 0; i < count; ++i) {
    if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) return Report(i, errno);
  }
  return Report(count, 0);
}

// How many are open, asked without /proc.
int CountDescriptors(char** /*arguments*/) {
  constexpr int kMost = 1 << 16;
  int64_t open = 0;
  for (int fd = 0; fd < kMost; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) ++open;
  }
  return Report(open, 0);
}

int ReadFile(char** arguments) {
  const int fd = open(arguments[0], O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Report(0, errno);
  char block[kBlock];
  int64_t done = 0;
  for (ssize_t got; (got = read(fd, block, sizeof(block))) != 0; done += got) {
    if (got < 0) return Report(done, errno);
  }
  return Report(done, 0);
}

// Looks for names that are not there, long ones that nobody looked for before:
// the kernel remembers each, at the expense of whoever asked.
int MissNames(char** arguments) {
  const std::string begin = std::string(arguments[0]) + "/" +
                            std::string(200, 'x') + std::to_string(clock()) +
                            "-" + std::to_string(time(nullptr)) + "-";
  const int64_t count = ParseNumber(arguments[1]);
  for (int64_t i = 0; i < count; ++i) {
    if (access((begin + std::to_string(i)).c_str(), F_OK) == 0 ||
        errno != ENOENT) {
      return Report(i, errno);
    }
  }
  return Report(count, 0);
}

}  // namespace

const Probe kFileProbes[] = {
    {"write-file", 2, "PATH BYTES", WriteFile},
    {"write-remove", 2, "PATH BYTES, then unlink", WriteAndRemove},
    {"make-files", 2, "DIRECTORY COUNT", MakeFiles},
    {"print", 2, "FD BYTES of zeros", Print},
    {"open-files", 1, "COUNT", OpenFiles},
    {"read-file", 1, "PATH", ReadFile},
    {"open-descriptors", 0, "", CountDescriptors},
    {"miss-names", 2, "DIRECTORY COUNT", MissNames},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
