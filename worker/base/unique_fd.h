#ifndef PADDOCK_WORKER_BASE_UNIQUE_FD_H_
#define PADDOCK_WORKER_BASE_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace paddock {

// Owns a file descriptor. A raw `int` anywhere in this project is borrowed.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd < 0 ? -1 : fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    Reset(other.Release());
    return *this;
  }
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  [[nodiscard]] int Release() noexcept { return std::exchange(fd_, -1); }
  void Reset(int fd = -1) noexcept {
    const int old = std::exchange(fd_, fd);
    if (old >= 0) close(old);  // no retry: EINTR frees it too, close(2)
  }

 private:
  int fd_ = -1;
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_BASE_UNIQUE_FD_H_
