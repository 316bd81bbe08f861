#!/bin/sh
# Runs buf (lint, curl, breaking) with the arguments given, as in
#   proto/buf.sh lint proto
#   proto/buf.sh curl --protocol grpc --http2-prior-knowledge ...
# The first call installs the pinned version from npm into $PADDOCK_TOOLS_DIR,
# by default build/tools of this clone; later ones need no network.
set -eu
version=1.62.0
root=$(cd "$(dirname "$0")/.." && pwd)
directory=${PADDOCK_TOOLS_DIR:-$root/build/tools}/buf-$version
buf=$directory/node_modules/.bin/buf

if [ ! -x "$buf" ]; then
  # In a directory of its own, renamed when complete: several tests may be the
  # first at the same time, and an install that broke off must not be found.
  mkdir -p "$(dirname "$directory")"
  fresh=$(mktemp -d "$directory.XXXXXX")
  trap 'rm -rf "$fresh"' EXIT
  # The package brings its binary; its install script only checks for it.
  if ! npm install --prefix "$fresh" --ignore-scripts --no-audit --no-fund \
    --loglevel=error "@bufbuild/buf@$version" >&2; then
    echo "buf.sh: cannot install @bufbuild/buf $version with npm" >&2
    exit 1
  fi
  chmod 755 "$fresh"
  mv -T "$fresh" "$directory" 2>/dev/null || [ -x "$buf" ]
  rm -rf "$fresh"
  trap - EXIT
fi
exec "$buf" "$@"
