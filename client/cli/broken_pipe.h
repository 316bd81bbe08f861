#ifndef PADDOCK_CLIENT_CLI_BROKEN_PIPE_H_
#define PADDOCK_CLIENT_CLI_BROKEN_PIPE_H_

namespace paddock {

// Once made, SIGPIPE is held back from the calling thread: a write whose reader
// has gone fails with EPIPE, and what else is to be done can be done. Does
// nothing where the signal is ignored already.
class BrokenPipe {
 public:
  BrokenPipe();
  BrokenPipe(const BrokenPipe&) = delete;
  BrokenPipe& operator=(const BrokenPipe&) = delete;

  // True if the signal came.
  bool happened() const;
  // Ends the process by the signal if it came, as without this object. Call it
  // at most once.
  void Deliver();

 private:
  bool held_ = false;
};

}  // namespace paddock

#endif  // PADDOCK_CLIENT_CLI_BROKEN_PIPE_H_
