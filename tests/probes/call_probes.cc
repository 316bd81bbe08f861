// Raw system calls, written down on the command line: an attack that needs no
// code of its own is one line of a test. `probe calls CALL...`, where a CALL is
// a name or number and up to six arguments between spaces:
//   12 -1 0x80    numbers, 64 bits
//   s:TEXT        the address of a string
//   z:            the address of zeros
//   i:1,2 w:1,2   the address of 32-bit or 64-bit numbers, zeros behind them
//   p:/bin/a,b    the address of string addresses, as argv
//   $0            what call 0 returned; also in i: and w:
//   @0            the address of the first block that was made (s: z: i: w: p:)
// Stops at the first call that fails: "done" is how many did not.
#include <seccomp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "tests/probes/probe.h"

namespace paddock_probe {
namespace {

// Zeros behind what is written: the kernel fills structures of many sizes.
constexpr size_t kBlockBytes = 64 << 10;

struct Calls {
  std::vector<long> results;
  std::vector<std::unique_ptr<char[]>> blocks;
};

[[noreturn]] void DieOf(const std::string& word) {
  fprintf(stderr, "probe: cannot read '%s'\n", word.c_str());
  exit(2);
}

char* NewBlock(Calls* calls) {
  calls->blocks.push_back(std::make_unique<char[]>(kBlockBytes));
  return calls->blocks.back().get();
}

long NumberOf(const Calls& calls, const std::string& word) {
  if (word[0] == '$') return calls.results.at(std::stoul(word.substr(1)));
  if (word[0] == '@') {
    return reinterpret_cast<long>(
        calls.blocks.at(std::stoul(word.substr(1))).get());
  }
  char* end = nullptr;
  // Of the whole 64 bits, as flags above 2^63 are asked for too.
  const unsigned long value = strtoul(word.c_str(), &end, 0);
  if (end == word.c_str() || *end != '\0') DieOf(word);
  return static_cast<long>(value);
}

template <typename T>
void FillNumbers(const Calls& calls, const std::string& list, char* block) {
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ','); block += sizeof(T)) {
    const T value = static_cast<T>(NumberOf(calls, word));
    memcpy(block, &value, sizeof(value));
  }
}

void FillStrings(Calls* calls, const std::string& list, char* block) {
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');
       block += sizeof(char*)) {
    char* const text = strcpy(NewBlock(calls), word.c_str());
    memcpy(block, &text, sizeof(text));
  }
}

long ArgumentOf(Calls* calls, const std::string& word) {
  if (word.size() < 2 || word[1] != ':') return NumberOf(*calls, word);
  char* const block = NewBlock(calls);
  const std::string rest = word.substr(2);
  switch (word[0]) {
    case 's':
      memcpy(block, rest.c_str(), rest.size() + 1);
      break;
    case 'z':
      break;
    case 'i':
      FillNumbers<uint32_t>(*calls, rest, block);
      break;
    case 'w':
      FillNumbers<uint64_t>(*calls, rest, block);
      break;
    case 'p':
      FillStrings(calls, rest, block);
      break;
    default:
      DieOf(word);
  }
  return reinterpret_cast<long>(block);
}

long CallNumber(const std::string& name) {
  if (name[0] >= '0' && name[0] <= '9') return strtol(name.c_str(), nullptr, 0);
  const int number = seccomp_syscall_resolve_name(name.c_str());
  if (number < 0) DieOf(name);
  return number;
}

bool MakesChildren(const std::string& name) {
  return name == "clone" || name == "clone3" || name == "fork";
}

// The result, or -1 with errno.
long MakeCall(Calls* calls, const char* text) {
  std::istringstream words(text);
  std::string name;
  words >> name;
  const long number = CallNumber(name);
  long arguments[6] = {};
  int count = 0;
  for (std::string word; words >> word;) {
    if (count == 6) DieOf(text);
    arguments[count++] = ArgumentOf(calls, word);
  }
  const long result = syscall(number, arguments[0], arguments[1], arguments[2],
                              arguments[3], arguments[4], arguments[5]);
  if (MakesChildren(name)) {
    if (result == 0) _exit(0);
    if (result > 0) waitpid(static_cast<pid_t>(result), nullptr, __WALL);
  }
  return result;
}

int MakeCalls(char** arguments) {
  Calls calls;
  for (; *arguments != nullptr; ++arguments) {
    const long result = MakeCall(&calls, *arguments);
    if (result == -1) {
      return Report(static_cast<int64_t>(calls.results.size()), errno);
    }
    calls.results.push_back(result);
  }
  return Report(static_cast<int64_t>(calls.results.size()), 0);
}

}  // namespace

const Probe kCallProbes[] = {
    {"calls", kAnyCount, "'NAME ARGUMENT...' ...", MakeCalls},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
