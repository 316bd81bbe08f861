#include "worker/sandbox/socket_watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>

namespace paddock {
namespace {

constexpr int64_t kHostBytes = int64_t{2} << 30;

int64_t Share(absl::string_view tcp_mem, int workers) {
  return ShareOfSocketMemory(tcp_mem, kHostBytes, workers);
}

TEST(ShareOfSocketMemoryTest, LeavesAPartForTheHost) {
  const int64_t page = sysconf(_SC_PAGESIZE);
  EXPECT_EQ(Share("20000\t30000\t40000\n", 1), 15000 * page);
  EXPECT_EQ(Share("20000\t30000\t40000\n", 2), 10000 * page);
}

TEST(ShareOfSocketMemoryTest, IsWhatTheKernelWouldGiveWhereItSaysNothing) {
  for (const char* text :
       {"", "x", "1 2", "1 x 3", "1 99999999999999999999 3"}) {
    EXPECT_EQ(Share(text, 1), kHostBytes / 16 / 2) << text;
  }
}

TEST(ShareOfSocketMemoryTest, IsOfMemoryThatThereIs) {
  EXPECT_EQ(Share("1 9223372036854775807 3", 3), kHostBytes / 4);
}

TEST(ShareOfConnectedTest, LeavesAPartForTheHost) {
  EXPECT_EQ(ShareOfConnected("8192\n", kHostBytes, 1), 4096);
  EXPECT_EQ(ShareOfConnected("8192\n", kHostBytes, 2), 2730);
  EXPECT_EQ(ShareOfConnected("0\n", kHostBytes, 2), 0);
}

TEST(ShareOfConnectedTest, IsWhatTheKernelWouldGiveWhereItSaysNothing) {
  for (const char* text : {"", "x", "99999999999999999999"}) {
    EXPECT_EQ(ShareOfConnected(text, kHostBytes, 1), 4096) << text;
  }
}

}  // namespace
}  // namespace paddock
