#!/bin/bash
# Init runs between clone3(2) and execve(2) in a copy of the worker: it may call
# only what signal-safety(7) allows, thin wrappers of system calls, and itself.
# Lists the undefined symbols of its archive and fails on any other.
#
#   init_symbols_test.sh ARCHIVE [ALLOWED]
set -euo pipefail
archive=$1
allowed=${2:-$(dirname "$0")/init_symbols.txt}

undefined=$(nm -A --undefined-only --format=posix "$archive" |
  awk '{ print $2 }' | sort -u)
defined=$(nm --defined-only --format=posix "$archive" |
  awk 'NF > 2 { print $1 }' | sort -u)
if [ -z "$defined" ]; then
  echo "$archive defines nothing: is it the right archive?"
  exit 1
fi
strange=$(comm -23 <(echo "$undefined") <(echo "$defined") |
  comm -23 - <(sed 's/[[:space:]]*#.*//; /^$/d' "$allowed" | sort -u))
if [ -n "$strange" ]; then
  echo "Not async-signal-safe, or not on the list of $allowed:"
  echo "$strange" | c++filt | sed 's/^/  /'
  exit 1
fi
echo "$(echo "$defined" | wc -l) symbols defined, all calls allowed"
