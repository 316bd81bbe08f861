# shellcheck shell=bash
# The initramfs, the exchange folder and QEMU. Read by tests/vm/boot, which sets
# the options and find_kernel's results that are used here.
# shellcheck disable=SC2154

quote() {
  local word
  for word; do printf "'%s' " "${word//\'/\'\\\'\'}"; done
  echo
}

# Static busybox, the modules that the root needs with all they depend on, and
# the two stages.
make_initramfs() {
  local root=$work/initramfs module kind file name here
  here=$(dirname "${BASH_SOURCE[0]}")
  mkdir -p "$root"/{proc,lower,upper,newroot,plain,modules}
  cp -- "$busybox" "$root/busybox"
  for module in virtio_pci 9pnet_virtio 9p overlay ${disk:+virtio_blk} \
    "${extra_modules[@]}"; do
    modprobe -d "$modroot" -S "$version" --show-depends "$module" \
      >"$work/dependencies" || die "kernel $version has no module $module"
    # Lines: "insmod /path/to.ko [options]" in the order to load, "builtin X".
    while read -r kind file _; do
      [ "$kind" = insmod ] || continue
      name=${file##*/}
      name=${name%%.ko*}.ko
      [ ! -e "$root/modules/$name" ] || continue
      copy_module "$file" "$root/modules/$name"
      echo "$name" >>"$root/modules/order"
    done <"$work/dependencies"
  done
  { echo '#!/busybox sh'; cat "$here/stage1.sh"; } >"$root/init"
  cp "$here/stage2.sh" "$root/stage2"
  chmod 755 "$root/init"
  (cd "$root" && find . -print0 | cpio --quiet -0 -H newc -o) \
    >"$work/initramfs.cpio" || die 'cannot make the initramfs'
}

copy_module() { # FROM TO
  case $1 in
    *.ko) cp -- "$1" "$2" ;;
    *.xz) xz -dc "$1" >"$2" ;;
    *.zst) zstd -qdc "$1" >"$2" ;;
    *.gz) gzip -dc "$1" >"$2" ;;
    *) die "unknown compression: $1" ;;
  esac || die "cannot read $1"
}

# What the stages read: which folders to keep, and what to run how.
make_exchange() { # COMMAND [ARG...]
  local folder i=0 variable here
  here=$(pwd -P)
  mkdir -m 700 "$work/x"
  {
    for folder in "$here" "$root" "${shares[@]}" \
      "$modroot/lib/modules/$version"; do
      quote keep "$folder"
    done
    for folder in "${rwdirs[@]}"; do quote write_through "rw$((i++))" "$folder"; done
    quote modules "$modroot/lib/modules/$version" "$version"
    [ -z "$user" ] || quote delegate "$uid:$gid"
  } >"$work/x/mounts"
  {
    if [ -n "$user" ]; then
      quote export "HOME=$home" "XDG_RUNTIME_DIR=/run/user/$uid"
      set -- setpriv "--reuid=$uid" "--regid=$gid" "$groups" --inh-caps=-all \
        -- "$@"
    fi
    for variable in "${envs[@]}"; do quote export "$variable"; done
    printf 'cd %s 2>/dev/null || cd /\n' "$(quote "$here")"
    quote set -- "$@"
  } >"$work/x/command"
}

comma() { printf %s "${1//,/,,}"; } # how QEMU wants a comma in an option

share_9p() { # TAG FOLDER OPTIONS
  qemu_args+=(-fsdev "local,id=$1,path=$(comma "$2"),security_model=none$3"
    -device "virtio-9p-pci,fsdev=$1,mount_tag=$1")
}

# Sets qemu_args for accelerator $1 (kvm or tcg).
make_qemu_args() {
  local cpu image=$kernel i=0 folder scale=1 tuning=''
  case $1 in
    kvm) cpu=host ;;
    tcg)
      image=${elf:-$kernel} scale=$tcg_time_scale
      # QEMU translates code once for each address that it stands at: without
      # randomization starting a program takes half as long. These features of
      # a CPU cost time at each system call or page fault, and no test needs
      # them; with erms, memory is copied and cleared by an instruction that
      # QEMU emulates byte by byte.
      tuning=' norandmaps init_on_alloc=0'
      cpu=max,la57=off,pku=off,smap=off,smep=off,umip=off,erms=off
      ;;
  esac
  # What the kernel does not know itself, VM_ACCELERATOR and the scale, it puts
  # into init's environment, and so into COMMAND's.
  local line="console=ttyS0 quiet panic=-1 VM_CGROUPS=$cgroups"
  [ "$cgroups" = hybrid ] || line+=' cgroup_no_v1=all'
  # With expedited grace periods nothing waits for other CPUs' next tick when a
  # mount or a namespace goes.
  line+=" random.trust_cpu=on mitigations=off nokaslr$tuning"
  line+=" rcupdate.rcu_expedited=1"
  line+=" VM_ACCELERATOR=$1 PADDOCK_TEST_TIME_SCALE=$scale $append"
  qemu_args=(-accel "$1" -cpu "$cpu" -smp "$cpus" -m "$memory" -nodefaults
    -no-user-config -display none -nic none -no-reboot
    -serial "file:$work/console" -kernel "$image"
    -initrd "$work/initramfs.cpio" -append "$line")
  share_9p root / ,readonly=on,multidevs=remap
  share_9p exchange "$work/x" ''
  for folder in "${rwdirs[@]}"; do share_9p "rw$((i++))" "$folder" ,multidevs=remap; done
  if [ -n "$disk" ]; then
    truncate -s "${disk}M" "$work/disk"
    qemu_args+=(-drive "file=$(comma "$work/disk"),format=raw,if=virtio,cache=unsafe")
  fi
}

# start_machine kvm|tcg: boots. True when the guest ran (or might have run)
# COMMAND, false when it never came up, so that another accelerator may be tried.
# Sets timed_out if the time ran out.
start_machine() {
  local up=40 began=$EPOCHSECONDS ran qemu_args=()
  [ "$1" = kvm ] || up=$timeout
  : >"$work/x/out"
  : >"$work/x/err"
  rm -f "$work/x/alive" "$work/x/status"
  timed_out=
  make_qemu_args "$1"
  # Should this script be killed outright, the kernel ends the machine with it.
  setpriv --pdeathsig KILL -- qemu-system-x86_64 "${qemu_args[@]}" \
    </dev/null >"$work/qemu" 2>&1 &
  qemu=$!
  tail -q -s 0.05 -n +1 -f --pid="$qemu" "$work/x/out" &
  readers=($!)
  tail -q -s 0.05 -n +1 -f --pid="$qemu" "$work/x/err" >&2 &
  readers+=($!)
  while kill -0 "$qemu"; do
    ran=$((EPOCHSECONDS - began))
    if ((ran >= timeout)); then
      timed_out=1
      kill -KILL "$qemu"
      break
    fi
    if ((ran >= up)) && [ ! -e "$work/x/alive" ]; then
      kill -KILL "$qemu"
      break
    fi
    sleep 0.1
  done 2>/dev/null # bash would tell of a QEMU that ends on a signal
  wait "$qemu" 2>/dev/null
  qemu=
  wait "${readers[@]}" 2>/dev/null
  readers=()
  [ -e "$work/x/alive" ] || [ -n "$timed_out" ]
}
