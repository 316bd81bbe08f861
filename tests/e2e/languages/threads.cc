#include <atomic>
#include <iostream>
#include <thread>
#include <vector>

int main() {
  std::atomic<int> total{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 10000; ++j) ++total;
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::cout << total << std::endl;
}
