#!/bin/bash
# Makes Python stubs of the public API: client/python/generate.sh DIRECTORY
#
# Needs protoc and grpc_python_plugin (packages protobuf-compiler and
# protobuf-compiler-grpc). Put DIRECTORY into PYTHONPATH to use them, with
# python3-grpcio and python3-protobuf.
set -euo pipefail

if [ $# -ne 1 ]; then
  sed -n '2,6p' "$0" | sed 's/^# \{0,1\}//' >&2
  exit 2
fi
mkdir -p "$1"
directory=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/../../proto"

# Only what is public: paddock/v1, and google/rpc for the details of errors.
protoc -I . --python_out="$directory" google/rpc/*.proto
protoc -I . --python_out="$directory" --grpc_out="$directory" \
  --plugin=protoc-gen-grpc="$(command -v grpc_python_plugin)" \
  paddock/v1/*.proto
