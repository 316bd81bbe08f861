using System;
using System.Threading;

class Program {
  static int total = 0;

  static void Count() {
    for (int i = 0; i < 10000; ++i) {
      Interlocked.Increment(ref total);
    }
  }

  static void Main() {
    Thread[] threads = new Thread[4];
    for (int i = 0; i < 4; ++i) {
      threads[i] = new Thread(Count);
      threads[i].Start();
    }
    foreach (Thread thread in threads) {
      thread.Join();
    }
    Console.WriteLine(total);
  }
}
