// Reads n and n numbers; prints their sum and the largest.
#include <algorithm>
#include <iostream>

int main() {
  long long count = 0, sum = 0, largest = 0;
  std::cin >> count;
  for (long long i = 0, number = 0; i < count && std::cin >> number; ++i) {
    sum += number;
    largest = i == 0 ? number : std::max(largest, number);
  }
  std::cout << sum << ' ' << largest << '\n';
}
