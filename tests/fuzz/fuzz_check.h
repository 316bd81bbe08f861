#ifndef PADDOCK_TESTS_FUZZ_FUZZ_CHECK_H_
#define PADDOCK_TESTS_FUZZ_FUZZ_CHECK_H_

#include <cstdio>
#include <cstdlib>

// Ends the fuzzer, which then keeps the input: for what must hold whatever the
// input is.
#define FUZZ_CHECK(condition)                                                 \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                \
    }                                                                         \
  } while (false)

#endif  // PADDOCK_TESTS_FUZZ_FUZZ_CHECK_H_
