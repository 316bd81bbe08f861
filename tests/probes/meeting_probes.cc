// Two programs that try to meet: `hold` makes something or uses something up,
// `seek` looks for it. "done" is the wall clock when that was, in nanoseconds.
// `seek` says ENOENT, or what the kernel says, where it finds nothing.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>

#include "tests/probes/burn.h"
#include "tests/probes/probe.h"
#include "tests/probes/send_descriptors.h"

namespace paddock_probe {
namespace {

constexpr char kName[] = "paddock-probe";
constexpr char kPath[] = "/tmp/paddock-probe";
constexpr key_t kKey = 0x0bad0b0e;
constexpr uint16_t kPort = 4711;

int ErrnoUnless(bool ok) { return ok ? 0 : errno; }

// ---- what can be found

int HoldFile() {
  return ErrnoUnless(open(kPath, O_CREAT | O_RDWR | O_CLOEXEC, 0666) >= 0);
}
int SeekFile() { return ErrnoUnless(open(kPath, O_RDONLY | O_CLOEXEC) >= 0); }

int HoldShm() {
  return ErrnoUnless(shm_open(kName, O_CREAT | O_RDWR, 0666) >= 0);
}
int SeekShm() { return ErrnoUnless(shm_open(kName, O_RDONLY, 0) >= 0); }

int UnixSocket(bool abstract, bool hold) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path + (abstract ? 1 : 0), kPath);
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (!hold) return ErrnoUnless(connect(fd, name, sizeof(address)) == 0);
  return ErrnoUnless(bind(fd, name, sizeof(address)) == 0 &&
                     listen(fd, 1) == 0);
}
int HoldSocket() { return UnixSocket(false, true); }
int SeekSocket() { return UnixSocket(false, false); }
int HoldAbstract() { return UnixSocket(true, true); }
int SeekAbstract() { return UnixSocket(true, false); }

int InternetSocket(int type, bool hold) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(kPort);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (!hold) {
    if (connect(fd, name, sizeof(address)) != 0) return errno;
    // Of a datagram the refusal comes with the next call.
    char byte = 0;
    send(fd, &byte, 1, MSG_NOSIGNAL);
    return ErrnoUnless(send(fd, &byte, 1, MSG_NOSIGNAL) == 1);
  }
  return ErrnoUnless(bind(fd, name, sizeof(address)) == 0 &&
                     (type != SOCK_STREAM || listen(fd, 1) == 0));
}
int HoldTcp() { return InternetSocket(SOCK_STREAM, true); }
int SeekTcp() { return InternetSocket(SOCK_STREAM, false); }
int HoldUdp() { return InternetSocket(SOCK_DGRAM, true); }
int SeekUdp() { return InternetSocket(SOCK_DGRAM, false); }

int HoldSegment() {
  return ErrnoUnless(shmget(kKey, 4096, IPC_CREAT | 0666) >= 0);
}
int SeekSegment() { return ErrnoUnless(shmget(kKey, 0, 0) >= 0); }
int HoldSemaphore() {
  return ErrnoUnless(semget(kKey, 1, IPC_CREAT | 0666) >= 0);
}
int SeekSemaphore() { return ErrnoUnless(semget(kKey, 0, 0) >= 0); }
int HoldQueue() { return ErrnoUnless(msgget(kKey, IPC_CREAT | 0666) >= 0); }
int SeekQueue() { return ErrnoUnless(msgget(kKey, 0) >= 0); }

int HoldProcess() { return ErrnoUnless(prctl(PR_SET_NAME, kName) == 0); }
int SeekProcess() {
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return errno;
  while (const dirent* entry = readdir(proc)) {
    const std::string path = std::string("/proc/") + entry->d_name + "/comm";
    char text[32] = {};
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    const ssize_t size = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (size > 0 && strncmp(text, kName, strlen(kName)) == 0) return 0;
  }
  return ENOENT;
}

// ---- what can be used up: seek finds that it is

// Soft limit fs.pipe-user-pages-soft: beyond it a new pipe is a small one.
bool IsSmall(int pipe) {
  constexpr int kWhole = 64 << 10;
  return fcntl(pipe, F_GETPIPE_SZ) < kWhole;
}
int HoldPipes() {
  for (int made = 0; made < 1000; ++made) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
    if (IsSmall(ends[0])) return 0;
    // Refused where that would be too much; as it is, one may still fit.
    fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
  }
  return EMFILE;
}
// Of several: who starts paddockd may have the same id, and close some of his.
int SeekPipes() {
  for (int made = 0; made < 8; ++made) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
    if (IsSmall(ends[0])) return 0;
  }
  return ENOENT;
}

int QueueOneSignal() {
  return sigqueue(getpid(), SIGRTMIN, {}) == 0 ? 0 : errno;
}
void BlockTheSignal() {
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &blocked, nullptr);
}
int HoldSignals() {
  BlockTheSignal();
  while (QueueOneSignal() == 0) {
  }
  return errno == EAGAIN ? 0 : errno;
}
int SeekSignals() {
  BlockTheSignal();
  return QueueOneSignal() == EAGAIN ? 0 : ENOENT;
}

int OneWatcher() { return inotify_init1(IN_CLOEXEC) >= 0 ? 0 : errno; }
int HoldWatchers() {
  int done = 0;
  while (OneWatcher() == 0) ++done;
  return done > 0 && errno == EMFILE ? 0 : errno;
}
int SeekWatchers() { return OneWatcher() == EMFILE ? 0 : ENOENT; }

// Descriptors in messages that nobody receives: unix(7), ETOOMANYREFS.
int Fly(int count, int messages) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return errno;
  }
  int error = 0;
  for (int i = 0; i < messages && error == 0; ++i) {
    error = SendDescriptors(ends[0], STDERR_FILENO, count);
  }
  return error;
}
int HoldFlight() {
  const int error = Fly(kMostDescriptors, 100);
  return error == ETOOMANYREFS ? 0 : error == 0 ? EMFILE : error;
}
int SeekFlight() { return Fly(1, 1) == ETOOMANYREFS ? 0 : ENOENT; }

// fs.epoll.max_user_watches: epoll(7).
int OneWatch(int epoll) {
  const int file = eventfd(0, EFD_CLOEXEC);
  epoll_event event = {};
  return ErrnoUnless(file >= 0 &&
                     epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event) == 0);
}
int HoldWatches() {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  int error = 0;
  while (error == 0) error = OneWatch(epoll);
  return error == ENOSPC ? 0 : error;
}
int SeekWatches() {
  return OneWatch(epoll_create1(EPOLL_CLOEXEC)) == ENOSPC ? 0 : ENOENT;
}

// Locked System V memory, which the kernel counts for the user: shmctl(2).
int LockOnePage() {
  const int segment = shmget(IPC_PRIVATE, 4096, 0600);
  return ErrnoUnless(segment >= 0 && shmctl(segment, SHM_LOCK, nullptr) == 0);
}
int HoldLocked() {
  int done = 0;
  int error = 0;
  for (; (error = LockOnePage()) == 0; ++done) {
  }
  return done > 0 && error == ENOMEM ? 0 : error;
}
int SeekLocked() { return LockOnePage() == ENOMEM ? 0 : ENOENT; }

struct Meeting {
  const char* kind;
  int (*hold)();
  int (*seek)();
};

constexpr Meeting kMeetings[] = {
    {"file", HoldFile, SeekFile},
    {"shm", HoldShm, SeekShm},
    {"socket", HoldSocket, SeekSocket},
    {"abstract", HoldAbstract, SeekAbstract},
    {"tcp", HoldTcp, SeekTcp},
    {"udp", HoldUdp, SeekUdp},
    {"segment", HoldSegment, SeekSegment},
    {"semaphore", HoldSemaphore, SeekSemaphore},
    {"queue", HoldQueue, SeekQueue},
    {"process", HoldProcess, SeekProcess},
    {"pipes", HoldPipes, SeekPipes},
    {"signals", HoldSignals, SeekSignals},
    {"watchers", HoldWatchers, SeekWatchers},
    {"flight", HoldFlight, SeekFlight},
    {"watches", HoldWatches, SeekWatches},
    {"locked", HoldLocked, SeekLocked},
};

const Meeting* Find(const char* kind) {
  for (const Meeting& meeting : kMeetings) {
    if (strcmp(meeting.kind, kind) == 0) return &meeting;
  }
  return nullptr;
}

int Hold(char** arguments) {
  const Meeting* meeting = Find(arguments[0]);
  if (meeting == nullptr) return Report(0, EINVAL);
  const int error = meeting->hold();
  const int status = Report(Nanos(CLOCK_REALTIME), error);
  SleepFor(ParseSeconds(arguments[1]));
  _exit(status);  // cleans nothing up
}

int Seek(char** arguments) {
  const Meeting* meeting = Find(arguments[0]);
  if (meeting == nullptr) return Report(0, EINVAL);
  const int error = meeting->seek();
  return Report(Nanos(CLOCK_REALTIME), error);
}

}  // namespace

const Probe kMeetingProbes[] = {
    {"hold", 2, "KIND SECONDS", Hold},
    {"seek", 1, "KIND", Seek},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
