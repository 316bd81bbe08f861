#ifndef PADDOCK_TESTS_FUZZ_MESSAGE_MUTATOR_H_
#define PADDOCK_TESTS_FUZZ_MESSAGE_MUTATOR_H_

#include <cstddef>
#include <cstdint>

#include "google/protobuf/message.h"

namespace paddock::fuzz {

// For LLVMFuzzerCustomMutator: `data` holds an encoded message of the type of
// `message`. Changes, adds or removes a field of it or of a message in it, or,
// now and then or if it does not parse, bytes. Returns the new size.
size_t MutateMessage(uint8_t* data, size_t size, size_t max_size, unsigned seed,
                     google::protobuf::Message* message);

}  // namespace paddock::fuzz

#endif  // PADDOCK_TESTS_FUZZ_MESSAGE_MUTATOR_H_
