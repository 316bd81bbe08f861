# shellcheck shell=dash
# Stage 2 of the guest, pid 1 of the finished system: starts COMMAND in a cgroup
# of its own, waits for it, kills what it left running, and switches off.
v=/run/vm
b=$v/busybox

# COMMAND writes to pipes; these two put what comes out of them on the exchange.
# A 9p write returns when the host has the data: no output is lost at power-off.
$b mkfifo -m 666 $v/out $v/err
forward() {
  echo -1000 >/proc/self/oom_score_adj
  exec $b cat <"$v/$1" 1<>"$v/x/$1"
}
(forward out) &
out=$!
(forward err) &
err=$!

(
  for leaf in /sys/fs/cgroup/command /sys/fs/cgroup/*/command; do
    [ -d "$leaf" ] || continue
    [ ! -d "$leaf"/main ] || leaf=$leaf/main # where it is delegated
    echo 0 >"$leaf"/cgroup.procs
  done
  ulimit -Hn 524288
  ulimit -Sn 1024
  export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  export HOME=/root LANG=C.UTF-8 TERM=dumb
  unset v b leaf
  # Sets the environment, the folder and $@.
  # shellcheck source=/dev/null
  . /run/vm/x/command
  exec 2>/run/vm/err
  # A shell starts background commands deaf to SIGINT and SIGQUIT. And not
  # busybox's setsid: that would take sh, ls, ... for applets of its own.
  exec /usr/bin/env --default-signal=INT,QUIT /usr/bin/setsid "$@"
) </dev/null >$v/out &
command=$!
wait $command
status=$?

# Whatever COMMAND left running would keep the pipes open for ever.
while kill -0 $out || kill -0 $err; do
  for process in /proc/[0-9]*; do
    process=${process#/proc/}
    case $process in
      1 | "$out" | "$err") ;;
      *) kill -KILL "$process" ;;
    esac
  done
  $b sleep 0.02
done 2>/dev/null
$b sync
echo $status >$v/x/status
$b reboot -f
