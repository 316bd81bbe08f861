# shellcheck shell=bash
# The guest's kernel: Debian's, downloaded and unpacked, never installed. Read by
# tests/vm/boot, which gives say, die and the folder $cache and uses the results.
# shellcheck disable=SC2034,SC2154

# find_kernel RELEASE: sets kernel (the image to boot), elf (the same, unpacked,
# or nothing), version, and modroot (a folder with lib/modules/$version). Fetches
# it if $cache has none of this release.
find_kernel() {
  local folder=$cache/$1
  if ! newest_kernel "$folder"; then
    mkdir -p -- "$folder" || die "cannot make $folder"
    # One download at a time; a run beside this one waits, then finds it done.
    exec 9>"$folder/lock"
    flock 9
    newest_kernel "$folder" || fetch_kernel "$1" "$folder"
    exec 9>&-
    newest_kernel "$folder" || die "no kernel in $folder"
  fi
  version=${modroot##*/kernel-}
  kernel=$modroot/vmlinuz
  elf=$modroot/vmlinux
  [ -e "$elf" ] || elf=
}

newest_kernel() {
  modroot=$(printf '%s\n' "$1"/kernel-* | sort -V | tail -n 1)
  [ -d "$modroot" ] && modroot=$(realpath -- "$modroot")
}

# Drivers of hardware that no virtual machine has: most of the package.
readonly UNUSED=('*/drivers/gpu' '*/drivers/media' '*/drivers/staging'
  '*/drivers/infiniband' '*/drivers/net/wireless' '*/drivers/net/ethernet'
  '*/drivers/scsi' '*/drivers/usb' '*/drivers/iio' '*/drivers/hid'
  '*/drivers/input' '*/drivers/hwmon' '*/sound')

# fetch_kernel RELEASE FOLDER. The generic flavour, not the "cloud" one: that has
# no 9p.
fetch_kernel() {
  local release=$1 folder=$2 package fetch x apt=()
  command -v apt-get >/dev/null || die 'no apt-get here to fetch a kernel with'
  choose_lists "$release" "$folder"
  package=$(apt-cache "${apt[@]}" depends linux-image-amd64 2>/dev/null |
    sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
  [ -n "$package" ] || die "apt knows no linux-image-amd64 in $release"
  say "fetching $package of $release (once, into $folder)"
  fetch=$(mktemp -d "$folder/fetch.XXXXXX") || die "cannot write to $folder"
  x=$fetch/x
  mkdir "$x"
  if ! (cd "$fetch" && apt-get "${apt[@]}" -qq download "$package") >&2 ||
    ! unpack_package "$fetch"/*.deb "$x"; then
    rm -rf -- "$fetch"
    die "could not fetch and unpack $package"
  fi
  mv -T "$x" "$folder/kernel-$(ls "$x/lib/modules")"
  rm -rf -- "$fetch"
}

# Sets `apt`: options that make it see that release alone, by lists kept apart
# from the host's, from the mirror that the host itself uses.
choose_lists() {
  local release=$1 folder=$2 site
  # shellcheck disable=SC2016  # apt's variable, not ours
  site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' \
    2>/dev/null | head -n 1)
  [ -n "$site" ] || die "apt has no package lists: run 'apt-get update'"
  mkdir -p "$folder/apt/lists/partial"
  echo "deb $site $release main" >"$folder/apt/sources.list"
  apt=(-o "Dir::Etc::sourcelist=$folder/apt/sources.list"
    -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$folder/apt/lists"
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    -o APT::Sandbox::User=root)
  apt-get "${apt[@]}" -qq update >&2 ||
    die "cannot read the package lists of $release"
}

unpack_package() { # PACKAGE FOLDER
  local to=$2 version
  dpkg-deb --fsys-tarfile "$1" |
    tar -x -C "$to" --no-same-owner "${UNUSED[@]/#/--exclude=}" || return
  # Later packages have /usr/lib/modules.
  [ -d "$to/lib/modules" ] ||
    { mkdir -p "$to/lib" && mv "$to/usr/lib/modules" "$to/lib/modules"; } || return
  version=$(ls "$to/lib/modules")
  # What each module depends on: a package leaves that to its installation.
  depmod -b "$to" "$version" && mv "$to/boot/vmlinuz-$version" "$to/vmlinuz" ||
    return
  unpack_image "$to/vmlinuz" >"$to/vmlinux" || rm -f "$to/vmlinux"
}

# The kernel as an ELF file, taken out of the compressed image: QEMU starts it
# directly (PVH), which saves an emulated guest three seconds of unpacking. An
# image of another make than expected just boots as it is. The offsets are those
# of the kernel's Documentation/arch/x86/boot.rst: setup_sects, payload_offset
# and payload_length.
unpack_image() {
  local image=$1 setup offset length tool size_field=4
  setup=$(od -An -tu1 -j 497 -N 1 "$image")
  read -r offset length < <(od -An -tu4 -j 584 -N 8 "$image")
  offset=$(((setup + 1) * 512 + offset))
  case $(od -An -tx1 -j "$offset" -N 4 "$image") in
    ' fd 37 7a 58') tool=(xz -dc --single-stream) ;;
    ' 28 b5 2f fd') tool=(zstd -qdc) ;;
    ' 02 21 4c 18') tool=(lz4 -qdc) ;;
    ' 1f 8b '*) tool=(gzip -dc) size_field=0 ;;
    *) return 1 ;;
  esac
  command -v "${tool[0]}" >/dev/null &&
    head -c $((offset + length - size_field)) "$image" |
    tail -c "+$((offset + 1))" | "${tool[@]}"
}
