// The queue, the end, and tasks that throw.
#include "manage/task_thread.h"

#include <gtest/gtest.h>

#include <future>
#include <new>

namespace pensieve::manage {
namespace {

TEST(TaskThread, GoesOnAfterATaskThatThrows) {
  util::Log silent(util::LogLevel::off);
  TaskThread thread(&silent);
  thread.post([](bool) { throw std::bad_alloc(); });
  std::promise<bool> answered;
  thread.post([&](bool abandoned) { answered.set_value(!abandoned); });
  EXPECT_TRUE(answered.get_future().get());
}

TEST(TaskThread, CountsWhatWaits) {
  std::promise<void> gate, running;
  int done = 0;
  {
    TaskThread thread;
    thread.post([&](bool) {
      running.set_value();
      gate.get_future().wait();
    });
    running.get_future().wait();
    thread.post([&done](bool) { ++done; });
    thread.post([&done](bool) { ++done; });
    EXPECT_EQ(thread.backlog(), 2U);
    gate.set_value();
  }
  EXPECT_EQ(done, 2);  // at the end they run too, knowing that they are abandoned
}

}  // namespace
}  // namespace pensieve::manage
