"""Where the build put things. ctest sets the environment variables."""

import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
BUILD = os.environ.get("PADDOCK_BUILD", os.path.join(ROOT, "build", "dev"))
STUBS = os.path.join(BUILD, "tests", "e2e", "stubs")
PADDOCKD = os.path.join(BUILD, "bin", "paddockd")
PADDOCK = os.path.join(BUILD, "bin", "paddock")
PROBE = os.path.join(BUILD, "bin", "probe")
BUF = os.path.join(ROOT, "build", "tools", "node_modules", ".bin", "buf")
