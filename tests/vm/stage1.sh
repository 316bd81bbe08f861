# shellcheck shell=dash
# Stage 1 of the guest, pid 1 in the initramfs: loads the modules, puts the root
# together, mounts what every booted system has, and makes pure cgroup v2 or a hybrid.
#
# Run by the static busybox alone, never by the host's shell and tools: emulated,
# the start of one dynamically linked program takes 40 ms or more. What it
# writes goes to the console, never into COMMAND's output.
b=/busybox
fail() { echo "vm stage 1: $*"; $b reboot -f; }
p9() {
  $b mount -t 9p -o "trans=virtio,version=9p2000.L,msize=500000,$1" "$2" "$3" ||
    fail "mount 9p $2"
}
mnt() {
  $b mkdir -p "/newroot$3"
  $b mount -t "$1" -o "$2" "$1" "/newroot$3" || fail "mount $3"
}
$b mount -t proc proc /proc
while read -r module; do
  $b insmod "/modules/$module" || fail "insmod $module"
done </modules/order

# The root: the host's /, below RAM.
p9 ro,cache=loose root /lower
$b mount -t tmpfs -o mode=755 upper /upper
$b mkdir /upper/up /upper/work
# Every worker copies /etc, and 9p asks the host for each link's target and each
# open file: half a second. What is not readable stays as it is below.
$b cp -a /lower/etc /upper/up/ 2>/dev/null
$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/up,workdir=/upper/work \
  root /newroot || fail overlay
$b mount --bind /newroot /plain # the same, without the mounts that follow

# What every booted system has. /tmp and /var/tmp are tmpfs of their own:
# overlayfs refuses an upper folder on the root, which is an overlay itself.
mnt proc nosuid,nodev,noexec /proc
mnt sysfs nosuid,nodev,noexec /sys
mnt devtmpfs nosuid,mode=755 /dev
mnt devpts nosuid,noexec,gid=5,mode=620,ptmxmode=666 /dev/pts
mnt tmpfs nosuid,nodev,mode=1777 /dev/shm
mnt mqueue nosuid,nodev,noexec /dev/mqueue
mnt tmpfs nosuid,nodev,mode=755 /run
$b ln -sfn /proc/self/fd /newroot/dev/fd
for pair in 0:stdin 1:stdout 2:stderr; do
  $b ln -sfn "/proc/self/fd/${pair%:*}" "/newroot/dev/${pair#*:}"
done
for folder in /tmp /var/tmp; do
  [ -L "/newroot$folder" ] || mnt tmpfs nosuid,nodev,mode=1777 $folder
done

# cgroups as systemd mounts them, with a group for COMMAND in each hierarchy.
cg=/newroot/sys/fs/cgroup
v2() {
  mnt cgroup2 nosuid,nodev,noexec,nsdelegate,memory_recursiveprot "$1"
}
if [ "$VM_CGROUPS" = hybrid ]; then
  mnt tmpfs nosuid,nodev,noexec,mode=755 /sys/fs/cgroup
  for group in blkio cpu,cpuacct cpuset devices freezer hugetlb memory \
    net_cls,net_prio pids; do
    mnt cgroup "nosuid,nodev,noexec,$group" "/sys/fs/cgroup/$group"
    $b mkdir "$cg/$group/command"
  done
  for file in cpuset.cpus cpuset.mems; do
    $b cat $cg/cpuset/$file >$cg/cpuset/command/$file
  done
  v2 /sys/fs/cgroup/unified
  $b mkdir $cg/unified/command
else
  v2 /sys/fs/cgroup
  $b mkdir $cg/init $cg/command
  echo 0 >$cg/init/cgroup.procs # 0: the writer, that is pid 1
  read -r controllers <$cg/cgroup.controllers
  for controller in $controllers; do
    echo "+$controller" >$cg/cgroup.subtree_control
  done
fi

# The exchange with the host. Its file `mounts` calls the functions below.
$b mkdir /newroot/run/vm /newroot/run/vm/x
p9 cache=none exchange /newroot/run/vm/x
: >/newroot/run/vm/x/alive # tells the host: this accelerator works

# A folder of the host's that one of the mounts above hides.
keep() {
  case $1/ in
    /tmp/?* | /var/tmp/?* | /run/?*)
      $b mkdir -p "/newroot$1"
      $b mount --bind "/plain$1" "/newroot$1" || fail "keep $1"
      ;;
  esac
}
write_through() { # TAG FOLDER
  $b mkdir -p "/newroot$2"
  p9 cache=mmap "$1" "/newroot$2"
}
# So that modprobe works in the guest. A link, because with a mount below it an
# unprivileged user could neither bind nor overlay /usr.
modules() { # FOLDER VERSION
  [ -e "/newroot/lib/modules/$2" ] && return
  $b mkdir -p /newroot/lib/modules
  $b ln -s "$1" "/newroot/lib/modules/$2"
}
# Delegation is owning a folder and these files, no more: cgroups(7).
delegate() { # UID:GID
  for folder in $cg/command $cg/command/main; do
    $b mkdir -p "$folder"
    for file in . cgroup.procs cgroup.subtree_control cgroup.threads; do
      $b chown "$1" "$folder/$file"
    done
  done
  folder=/newroot/run/user/${1%:*}
  $b mkdir -p "$folder"
  $b chown "$1" "$folder"
  $b chmod 700 "$folder"
}
# shellcheck source=/dev/null
. /newroot/run/vm/x/mounts
$b ip link set lo up
echo vm >/proc/sys/kernel/hostname
$b cp /busybox /stage2 /newroot/run/vm/
$b umount /proc
exec $b switch_root /newroot /run/vm/busybox sh /run/vm/stage2
