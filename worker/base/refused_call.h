#ifndef PADDOCK_WORKER_BASE_REFUSED_CALL_H_
#define PADDOCK_WORKER_BASE_REFUSED_CALL_H_

namespace paddock {

// The ends of errors where a seccomp filter that paddockd was started under
// refuses a call that it needs: whose doing it is, and what to do.
inline constexpr char kRefusedByFilter[] =
    "paddockd runs under a seccomp filter, a container's or a service's, that "
    "refuses this call: ";
inline constexpr char kAllowCall[] =
    "allow it there (podman or docker --security-opt "
    "seccomp=deploy/docker/seccomp.json; linux.seccomp in config.json; "
    "SystemCallFilter= in a systemd unit)";

}  // namespace paddock

#endif  // PADDOCK_WORKER_BASE_REFUSED_CALL_H_
