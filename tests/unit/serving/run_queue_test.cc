#include "server/scheduling/run_queue.h"

#include <gtest/gtest.h>

namespace paddock {
namespace {

std::shared_ptr<Run> MakeQueued(uint64_t id,
                                v1::Priority priority = v1::PRIORITY_NORMAL,
                                size_t bytes = 1) {
  auto run = std::make_shared<Run>();
  run->id = id;
  run->priority = priority;
  run->message.bytes = bytes;
  run->queue_deadline = SteadyTime::max();
  return run;
}

TEST(RunQueueTest, HigherPrioritiesFirstThenFirstInFirstOut) {
  RunQueue queue({.capacity = 10, .max_bytes = 100});
  queue.PushBack(MakeQueued(1, v1::PRIORITY_LOW));
  queue.PushBack(MakeQueued(2));
  queue.PushBack(MakeQueued(3, v1::PRIORITY_HIGH));
  queue.PushBack(MakeQueued(4, v1::PRIORITY_UNSPECIFIED));
  queue.PushBack(MakeQueued(5, v1::PRIORITY_HIGH));
  for (const uint64_t id : {3, 5, 2, 4, 1})
    EXPECT_EQ(queue.PopFitting(0, SteadyTime())->id, id);
  EXPECT_EQ(queue.PopFitting(0, SteadyTime()), nullptr);
}

TEST(RunQueueTest, ARunThatLostItsWorkerGoesFirst) {
  RunQueue queue({.capacity = 1, .max_bytes = 100});
  queue.PushBack(MakeQueued(1));
  queue.PushFront(MakeQueued(2));  // also beyond the capacity
  EXPECT_EQ(queue.size(), 2);
  EXPECT_EQ(queue.PopFitting(0, SteadyTime())->id, 2);
}

TEST(RunQueueTest, RoomIsCountedInRunsAndBytes) {
  RunQueue queue({.capacity = 2, .max_bytes = 10});
  EXPECT_TRUE(queue.HasRoomFor(*MakeQueued(1, v1::PRIORITY_LOW, 10)));
  EXPECT_FALSE(queue.HasRoomFor(*MakeQueued(1, v1::PRIORITY_LOW, 11)));
  queue.PushBack(MakeQueued(1, v1::PRIORITY_LOW, 4));
  EXPECT_FALSE(queue.HasRoomFor(*MakeQueued(2, v1::PRIORITY_HIGH, 7)));
  EXPECT_TRUE(queue.HasRoomFor(*MakeQueued(2, v1::PRIORITY_HIGH, 6)));
  queue.PushBack(MakeQueued(2, v1::PRIORITY_HIGH, 1));
  EXPECT_FALSE(queue.HasRoomFor(*MakeQueued(3)));
  queue.PopFitting(0, SteadyTime());
  EXPECT_TRUE(queue.HasRoomFor(*MakeQueued(3)));
}

TEST(RunQueueTest, RemovesOneAndWhatIsOverdue) {
  RunQueue queue({.capacity = 10, .max_bytes = 100});
  const SteadyTime now = std::chrono::steady_clock::now();
  const auto kept = MakeQueued(1);
  const auto overdue = MakeQueued(2);
  const auto unwanted = MakeQueued(3);
  overdue->queue_deadline = now;
  for (const auto& run : {kept, overdue, unwanted}) queue.PushBack(run);
  EXPECT_EQ(queue.NextDeadline(), now);
  EXPECT_TRUE(queue.Remove(unwanted.get()));
  EXPECT_FALSE(queue.Remove(unwanted.get()));
  const auto expired = queue.RemoveExpired(now);
  ASSERT_EQ(expired.size(), 1);
  EXPECT_EQ(expired[0]->id, 2);
  EXPECT_EQ(queue.NextDeadline(), SteadyTime::max());
  EXPECT_EQ(queue.RemoveAll().size(), 1);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace paddock
