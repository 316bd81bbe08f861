#include <pthread.h>
#include <stdio.h>

static int sums[4];

static void* Count(void* sum) {
  for (int i = 0; i < 10000; ++i) ++*(int*)sum;
  return NULL;
}

int main(void) {
  pthread_t threads[4];
  int total = 0;
  for (int i = 0; i < 4; ++i) {
    if (pthread_create(&threads[i], NULL, Count, &sums[i]) != 0) return 1;
  }
  for (int i = 0; i < 4; ++i) {
    pthread_join(threads[i], NULL);
    total += sums[i];
  }
  printf("%d\n", total);
  return 0;
}
