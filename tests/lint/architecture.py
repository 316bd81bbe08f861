"""Refuses what ties the product to one processor, outside of one table.

worker/policy/system_calls.cc, with its header, knows system calls and
architectures; all else asks it, or libc's SYS_ names, of which only those may
stand in the code that every architecture has: arm64 has no SYS_open.
"""

import re
import sys

import repository

TABLE = ("worker/policy/system_calls.cc", "worker/policy/system_calls.h")
FOLDERS = ("server/", "worker/", "client/")
_SOURCES = (".cc", ".h", "CMakeLists.txt")

# Calls that asm-generic/unistd.h has not: numbers of old architectures only.
_OLD_CALLS = """
    _llseek _newselect access alarm arch_prctl chmod chown creat dup2
    epoll_create epoll_wait eventfd fork futimesat getdents getpgrp
    inotify_init iopl ioperm lchown link lstat mkdir mknod mmap2 modify_ldt
    open pause pipe poll readlink rename rmdir select set_thread_area
    signalfd socketcall stat symlink sysfs time umount unlink uselib ustat
    utime utimes vfork waitpid
""".split()

_REFUSED = re.compile("|".join((
    # What a compiler defines for its target.
    r"\b__(x86_64|amd64|i[3-6]86|aarch64|arm|riscv|powerpc|ppc|s390|mips"
    r"|loongarch|ILP32|LP64)\w*",
    r"\b(AUDIT|SCMP)_ARCH_\w+",
    r"\bEM_(X86_64|386|AARCH64|ARM|RISCV|PPC64|S390)\b",
    # Numbers by hand.
    r"\b__NR_\w+",
    r"\b__X32_SYSCALL_BIT\b",
    r"\bsyscall\(\s*(-\s*)?\d",
    r"#\s*define\s+SYS_\w+",
    r"\bSYS_(" + "|".join(_OLD_CALLS) + r")\b",
    # Instructions, registers and headers of one.
    r"\b(asm|__asm|__asm__)\b",
    r"\buser_regs_struct\b",
    r"\bREG_(R[A-Z]{2}|E[A-Z]{2})\b",
    r"<(asm/|cpuid\.h|\w+intrin\.h|sys/io\.h|sys/reg\.h)",
    r"\"(x86_64|amd64|i386|aarch64|arm64)[\"-]",
    r"-m(arch|tune|cpu)=|\s-m(32|64|avx|sse)",
)))


def is_checked(path):
    return (path.startswith(FOLDERS) and path.endswith(_SOURCES)
            and path not in TABLE)


def _without_comment(path, line):
    # Also what follows a literal that has the sign: not looked at.
    sign = "#" if path.endswith(".txt") else "//"
    return line.split(sign)[0]


def check(path, text):
    """Returns a list of "path:line: what"."""
    errors = []
    for number, line in enumerate(text.splitlines(), 1):
        found = _REFUSED.search(_without_comment(path, line))
        if found:
            errors.append(f"{path}:{number}: of one architecture, outside of "
                          f"{TABLE[0]}: {found.group().strip()}")
    return errors


def main():
    errors = []
    count = 0
    for path in repository.files(*_SOURCES):
        if is_checked(path):
            errors += check(path, repository.read(path))
            count += 1
    # An exception that nothing needs any more must not stay.
    for path in TABLE:
        if not check(path, repository.read(path)):
            errors.append(f"{path}: knows of no architecture")
    return repository.report(count, errors)


if __name__ == "__main__":
    sys.exit(main())
