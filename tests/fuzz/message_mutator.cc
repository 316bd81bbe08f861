#include "tests/fuzz/message_mutator.h"

#include <random>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"

// Of libFuzzer: one of its own mutations, guided by what it saw compared.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace paddock::fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Random = std::minstd_rand;

constexpr size_t kMostTextGrowth = 64;
constexpr int kMostDepth = 8;

bool OneIn(Random* random, unsigned n) { return (*random)() / 8 % n == 0; }

template <typename T>
T MutateValue(T value) {
  LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(&value), sizeof(value),
                   sizeof(value));
  return value;
}

bool MutateBool(bool value) { return !value; }

// The bytes of a string field need not be UTF-8 here: what does not parse is
// what a hostile sender sends.
std::string MutateText(std::string text) {
  const size_t size = text.size();
  text.resize(size + kMostTextGrowth);
  text.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(text.data()), size,
                               text.size()));
  return text;
}

// One line for each type of a single value: read, mutate, set or add.
#define MUTATE(Cpp, Name, Mutate)                                    \
  case FieldDescriptor::CPPTYPE_##Cpp:                               \
    if (!field->is_repeated()) {                                     \
      return all.Set##Name(message, field,                           \
                           Mutate(all.Get##Name(*message, field)));  \
    }                                                                \
    if (index < 0) return all.Add##Name(message, field, Mutate({})); \
    return all.SetRepeated##Name(                                    \
        message, field, index,                                       \
        Mutate(all.GetRepeated##Name(*message, field, index)));

// Changes a value; `index` below 0 adds one to a repeated field.
void MutateField(Message* message, const FieldDescriptor* field, int index) {
  const Reflection& all = *message->GetReflection();
  switch (field->cpp_type()) {
    MUTATE(INT32, Int32, MutateValue<int32_t>)
    MUTATE(INT64, Int64, MutateValue<int64_t>)
    MUTATE(UINT32, UInt32, MutateValue<uint32_t>)
    MUTATE(UINT64, UInt64, MutateValue<uint64_t>)
    MUTATE(FLOAT, Float, MutateValue<float>)
    MUTATE(DOUBLE, Double, MutateValue<double>)
    MUTATE(BOOL, Bool, MutateBool)
    MUTATE(ENUM, EnumValue, MutateValue<int>)
    MUTATE(STRING, String, MutateText)
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (field->is_repeated()) {
        all.AddMessage(message, field);
      } else {
        all.MutableMessage(message, field);
      }
  }
}

#undef MUTATE

// A message inside `field`; null if there is none.
Message* Inside(Message* message, const FieldDescriptor* field,
                Random* random) {
  const Reflection& all = *message->GetReflection();
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return nullptr;
  if (!field->is_repeated()) {
    if (!all.HasField(*message, field)) return nullptr;
    return all.MutableMessage(message, field);
  }
  const int size = all.FieldSize(*message, field);
  if (size == 0) return nullptr;
  return all.MutableRepeatedMessage(message, field, (*random)() / 8 % size);
}

void MutateRepeated(Message* message, const FieldDescriptor* field,
                    Random* random) {
  const Reflection& all = *message->GetReflection();
  const int size = all.FieldSize(*message, field);
  if (size == 0 || OneIn(random, 3)) return MutateField(message, field, -1);
  const int index = (*random)() / 8 % size;
  if (OneIn(random, 3)) {
    all.SwapElements(message, field, index, size - 1);
    return all.RemoveLast(message, field);
  }
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return MutateField(message, field, index);
  }
  // Twice the same: what a list must not have.
  Message* copy = all.AddMessage(message, field);
  copy->CopyFrom(all.GetRepeatedMessage(*message, field, index));
}

void MutateOne(Message* message, Random* random, int depth) {
  const auto* type = message->GetDescriptor();
  if (type->field_count() == 0) return;
  const FieldDescriptor* field =
      type->field((*random)() / 8 % type->field_count());
  const Reflection& all = *message->GetReflection();
  Message* inside = Inside(message, field, random);
  if (inside != nullptr && depth < kMostDepth && !OneIn(random, 6)) {
    return MutateOne(inside, random, depth + 1);
  }
  if (field->is_repeated()) return MutateRepeated(message, field, random);
  if (all.HasField(*message, field) && OneIn(random, 6)) {
    return all.ClearField(message, field);
  }
  MutateField(message, field, -1);
}

}  // namespace

size_t MutateMessage(uint8_t* data, size_t size, size_t max_size, unsigned seed,
                     Message* message) {
  Random random(seed);
  if (OneIn(&random, 8) || !message->ParseFromArray(data, size)) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  const int changes = 1 + random() / 8 % 3;
  for (int i = 0; i < changes; ++i) MutateOne(message, &random, 0);
  const std::string mutated = message->SerializePartialAsString();
  if (mutated.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  memcpy(data, mutated.data(), mutated.size());
  return mutated.size();
}

}  // namespace paddock::fuzz
