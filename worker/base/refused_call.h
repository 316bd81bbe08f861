#ifndef PADDOCK_WORKER_BASE_REFUSED_CALL_H_
#define PADDOCK_WORKER_BASE_REFUSED_CALL_H_

namespace paddock {

// What to do where a seccomp filter that paddockd was started under refuses a
// call that it needs: the end of each error that says so.
inline constexpr char kAllowCall[] =
    "allow it there (podman or docker --security-opt "
    "seccomp=deploy/docker/seccomp.json; linux.seccomp in config.json; "
    "SystemCallFilter= in a systemd unit)";

}  // namespace paddock

#endif  // PADDOCK_WORKER_BASE_REFUSED_CALL_H_
