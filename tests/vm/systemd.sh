#!/bin/bash
# In a machine of boot: starts systemd, as init of a namespace of its own, with
# the units of deploy/systemd for the binaries of BIN, runs SCRIPT as a service
# of it, and prints what that prints.
#
#   tests/vm/systemd.sh BIN SCRIPT
set -euo pipefail
bin=$1 script=$2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
run=/run/systemd

for kind in system user; do
  mkdir -p "$run/$kind/paddock.service.d"
  cp "$root/deploy/systemd/$kind/paddock.service" "$run/$kind/"
  printf '[Service]\nExecStart=\nExecStart=%s/paddockd\n' "$bin" \
    >"$run/$kind/paddock.service.d/binary.conf"
done
echo "$script" >/run/check
cat >"$run/system/check.service" <<EOF
[Unit]
DefaultDependencies=no
After=sysinit.target
Wants=dbus.socket
[Service]
Type=oneshot
ExecStart=/bin/bash /run/check
Environment=BIN=$bin
StandardOutput=file:/run/check.out
StandardError=inherit
ExecStopPost=/bin/systemctl exit --no-block
EOF
# What the machine has no use for, and what would take its time.
for unit in systemd-{udevd,udev-trigger,timesyncd,hwdb-update,sysusers}.service \
  systemd-{journal-flush,journald,tmpfiles-setup}.service apparmor.service \
  systemd-journald{,-dev-log,-audit}.socket ldconfig.service; do
  ln -s /dev/null "$run/system/$unit"
done

# Its root cgroup must have no process but systemd: the kernel enables no
# controller for the children of one that has (cgroups(7)).
mkdir /sys/fs/cgroup/systemd
# shellcheck disable=SC2016  # PATH is for the inner shell, and the same
unshare --pid --fork --mount --kill-child --mount-proc bash -c '
  echo 0 >/sys/fs/cgroup/systemd/cgroup.procs
  exec unshare --cgroup bash -c "
    umount /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    exec env -i container=vm PATH=$PATH /lib/systemd/systemd --system \
      --unit=check.service --log-target=console --show-status=no"' \
  >/run/systemd.log 2>&1 || { cat /run/systemd.log >&2; exit 1; }
cat /run/check.out
