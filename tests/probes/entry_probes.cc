// Ways into the kernel of a 32-bit program, which has other numbers.
#include <sys/mman.h>

#include <cerrno>

#include "tests/probes/probe.h"

namespace paddock_probe {
namespace {

[[maybe_unused]] int ReportResult(int32_t result) {
  const bool failed = result < 0 && result > -4096;
  return Report(result, failed ? -result : 0);
}

int EnterByInterrupt(char** arguments) {
#if defined(__x86_64__)
  int64_t result = ParseNumber(arguments[0]);
  const int64_t first = ParseNumber(arguments[1]);
  const int64_t second = ParseNumber(arguments[2]);
  const int64_t third = ParseNumber(arguments[3]);
  asm volatile("int $0x80"
               : "+a"(result)
               : "b"(first), "c"(second), "d"(third)
               : "memory", "r8", "r9", "r10", "r11");
  return ReportResult(static_cast<int32_t>(result));
#else
  (void)arguments;
  return Report(0, ENOSYS);
#endif
}

// From a 32-bit code segment, as a 32-bit program would be. The code lies below
// 4 GiB, as that of a static program does; so must the stack. 0x23 and 0x33 are
// Linux's selectors of 32-bit and 64-bit user code.
int EnterFromSegment(char** arguments) {
#if defined(__x86_64__)
  int64_t result = ParseNumber(arguments[0]);
  constexpr size_t kStackBytes = 64 << 10;
  char* const stack =
      static_cast<char*>(mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
  if (stack == MAP_FAILED) return Report(0, errno);
  static char* old_stack;
  static struct {
    uint32_t offset;
    uint16_t selector;
  } far = {0, 0x23};
  // A far jump, not a far return: QEMU's emulation gets that one wrong.
  asm volatile(
      "lea 1f(%%rip), %%rcx\n\t"
      "mov %%ecx, %[far]\n\t"
      "mov %%rsp, %[old_stack]\n\t"
      "mov %[top], %%rsp\n\t"
      "ljmpl *%[far]\n"
      "1:\n\t"
      ".code32\n\t"
      "int $0x80\n\t"
      "ljmp $0x33, $2f\n"
      "2:\n\t"
      ".code64\n\t"
      "mov %[old_stack], %%rsp\n\t"
      : "+a"(result), [old_stack] "+m"(old_stack), [far] "+m"(far)
      : [top] "d"(stack + kStackBytes - 256)
      : "memory", "rbx", "rcx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
        "r13", "r14", "r15", "cc");
  return ReportResult(static_cast<int32_t>(result));
#else
  (void)arguments;
  return Report(0, ENOSYS);
#endif
}

// getpid by the 32-bit entry, which no 64-bit program uses.
int CallForeignArchitecture(char** /*arguments*/) {
  char number[] = "20";
  char zero[] = "0";
  char* arguments[] = {number, zero, zero, zero};
  return EnterByInterrupt(arguments);
}

}  // namespace

const Probe kEntryProbes[] = {
    {"int80", 4, "NUMBER A B C of a 32-bit call", EnterByInterrupt},
    {"segment32", 1, "NUMBER of a 32-bit call", EnterFromSegment},
    {"foreign-call", 0, "", CallForeignArchitecture},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
