#include "server/config/yaml_message.h"

#include <yaml-cpp/yaml.h>

#include <map>
#include <set>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.h"
#include "server/config/yaml_document.h"
#include "server/config/yaml_scalar.h"

namespace paddock {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::string Join(const std::string& path, const std::string& name) {
  return path.empty() ? name : absl::StrCat(path, ".", name);
}

const char* KindOf(const YAML::Node& node) {
  if (node.IsMap()) return "a map";
  if (node.IsSequence()) return "a list";
  if (node.IsScalar()) return "a single value";
  return "nothing";
}

// Walks a YAML tree and a message together.
class Applier {
 public:
  void ApplyMap(const YAML::Node& node, const std::string& path,
                Message* message);
  void ApplyField(const YAML::Node& node, const std::string& path,
                  const FieldDescriptor* field, Message* message);
  void Add(const std::string& path, const std::string& what,
           const YAML::Node* node = nullptr);
  Problems Take() { return std::move(problems_); }

 private:
  void ApplyList(const YAML::Node& node, const std::string& path,
                 const FieldDescriptor* field, Message* message);
  void ApplyMapField(const YAML::Node& node, const std::string& path,
                     const FieldDescriptor* field, Message* message);
  bool Expect(bool right, const char* what, const YAML::Node& node,
              const std::string& path);

  Problems problems_;
};

void Applier::Add(const std::string& path, const std::string& what,
                  const YAML::Node* node) {
  std::string problem = path.empty() ? what : absl::StrCat(path, ": ", what);
  if (node != nullptr && node->Mark().line >= 0) {
    absl::StrAppend(&problem, " (line ", node->Mark().line + 1, ")");
  }
  problems_.push_back(std::move(problem));
}

bool Applier::Expect(bool right, const char* what, const YAML::Node& node,
                     const std::string& path) {
  if (!right) {
    Add(path, absl::StrCat("expected ", what, ", got ", KindOf(node)), &node);
  }
  return right;
}

void Applier::ApplyMap(const YAML::Node& node, const std::string& path,
                       Message* message) {
  if (node.IsNull()) return;  // a section whose every line is a comment
  if (!Expect(node.IsMap(), "a map", node, path)) return;
  std::set<std::string> seen;
  std::set<const google::protobuf::OneofDescriptor*> chosen;
  for (const auto& entry : node) {
    if (!Expect(entry.first.IsScalar(), "a field name", entry.first, path)) {
      continue;
    }
    const std::string name = entry.first.Scalar();
    const std::string field_path = Join(path, name);
    const FieldDescriptor* field =
        message->GetDescriptor()->FindFieldByName(name);
    if (field == nullptr) {
      Add(field_path, "no such field", &entry.first);
    } else if (!seen.insert(name).second) {
      Add(field_path, "given twice", &entry.first);
    } else if (field->real_containing_oneof() != nullptr &&
               !chosen.insert(field->real_containing_oneof()).second) {
      Add(field_path,
          absl::StrCat("only one ", field->real_containing_oneof()->name(),
                       " can be given"),
          &entry.first);
    } else {
      ApplyField(entry.second, field_path, field, message);
    }
  }
}

void Applier::ApplyField(const YAML::Node& node, const std::string& path,
                         const FieldDescriptor* field, Message* message) {
  const Reflection* reflection = message->GetReflection();
  if (field->is_map()) return ApplyMapField(node, path, field, message);
  if (field->is_repeated()) return ApplyList(node, path, field, message);
  if (IsPlainMessage(field)) {
    return ApplyMap(node, path, reflection->MutableMessage(message, field));
  }
  if (!Expect(node.IsScalar(), "a single value", node, path)) return;
  const absl::Status set = SetScalar(node.Scalar(), field, message);
  if (!set.ok()) Add(path, std::string(set.message()), &node);
}

void Applier::ApplyList(const YAML::Node& node, const std::string& path,
                        const FieldDescriptor* field, Message* message) {
  const Reflection* reflection = message->GetReflection();
  if (!Expect(node.IsSequence(), "a list", node, path)) return;
  reflection->ClearField(message, field);
  for (size_t i = 0; i < node.size(); ++i) {
    const std::string element = absl::StrCat(path, "[", i, "]");
    if (IsPlainMessage(field)) {
      ApplyMap(node[i], element, reflection->AddMessage(message, field));
    } else if (Expect(node[i].IsScalar(), "a single value", node[i], element)) {
      const absl::Status added = SetScalar(node[i].Scalar(), field, message);
      if (!added.ok()) Add(element, std::string(added.message()), &node);
    }
  }
}

void Applier::ApplyMapField(const YAML::Node& node, const std::string& path,
                            const FieldDescriptor* field, Message* message) {
  const Reflection* reflection = message->GetReflection();
  if (!Expect(node.IsMap(), "a map", node, path)) return;
  reflection->ClearField(message, field);
  std::set<std::string> seen;
  for (const auto& item : node) {
    if (!Expect(item.first.IsScalar(), "a name", item.first, path)) continue;
    const std::string key = item.first.Scalar();
    const std::string element = Join(path, key);
    if (!seen.insert(key).second) {
      Add(element, "given twice", &item.first);
      continue;
    }
    // A map field is a repeated message of its key and its value.
    Message* entry = reflection->AddMessage(message, field);
    const google::protobuf::Descriptor* type = entry->GetDescriptor();
    const absl::Status set = SetScalar(key, type->map_key(), entry);
    if (!set.ok()) Add(element, std::string(set.message()), &item.first);
    ApplyField(item.second, element, type->map_value(), entry);
  }
}

}  // namespace

Problems ApplyYaml(const std::string& yaml, Message* message) {
  Applier applier;
  const absl::StatusOr<YAML::Node> document = LoadYamlDocument(yaml);
  if (!document.ok()) {
    applier.Add("", std::string(document.status().message()));
  } else {
    applier.ApplyMap(*document, "", message);
  }
  return applier.Take();
}

Problems ApplyValue(const std::string& path, const std::string& value,
                    Message* message) {
  Applier applier;
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (size_t i = 0; i < names.size(); ++i) {
    const FieldDescriptor* field =
        message->GetDescriptor()->FindFieldByName(names[i]);
    const bool last = i + 1 == names.size();
    if (field == nullptr || (!last && !IsPlainMessage(field)) ||
        (!last && field->is_repeated())) {
      applier.Add(path, "no such field");
      break;
    }
    if (!last) {
      message = message->GetReflection()->MutableMessage(message, field);
    } else if (field->is_repeated() || IsPlainMessage(field)) {
      const absl::StatusOr<YAML::Node> node = LoadYamlDocument(value);
      if (node.ok()) {
        applier.ApplyField(*node, path, field, message);
      } else {
        applier.Add(path, std::string(node.status().message()));
      }
    } else {
      const absl::Status set = SetScalar(value, field, message);
      if (!set.ok()) applier.Add(path, std::string(set.message()));
    }
  }
  return applier.Take();
}

namespace {

void EmitMessage(const Message& message, YAML::Emitter* out);

// Quoted wherever yaml-cpp's own choice would not come back as it was: it
// writes a carriage return as it stands, and reads it as the end of the line.
void EmitScalar(const std::string& text, YAML::Emitter* out) {
  const bool plain = absl::c_all_of(text, absl::ascii_isprint);
  *out << (plain ? YAML::Auto : YAML::DoubleQuoted) << text;
}

// `index` is -1 for a field that is not repeated.
void EmitValue(const Message& message, const FieldDescriptor* field, int index,
               YAML::Emitter* out) {
  const Reflection* reflection = message.GetReflection();
  if (!IsPlainMessage(field)) {
    EmitScalar(GetScalar(message, field, index), out);
  } else if (index >= 0) {
    EmitMessage(reflection->GetRepeatedMessage(message, field, index), out);
  } else {
    EmitMessage(reflection->GetMessage(message, field), out);
  }
}

void EmitList(const Message& message, const FieldDescriptor* field,
              YAML::Emitter* out) {
  const int size = message.GetReflection()->FieldSize(message, field);
  if (size == 0) *out << YAML::Flow;  // []: a block cannot be empty
  *out << YAML::BeginSeq;
  for (int i = 0; i < size; ++i) EmitValue(message, field, i, out);
  *out << YAML::EndSeq;
}

// By key: a map's own order differs from run to run.
void EmitMap(const Message& message, const FieldDescriptor* field,
             YAML::Emitter* out) {
  const Reflection* reflection = message.GetReflection();
  const google::protobuf::Descriptor* type = field->message_type();
  std::map<std::string, const Message*> entries;
  for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
    const Message& entry = reflection->GetRepeatedMessage(message, field, i);
    entries[GetScalar(entry, type->map_key(), -1)] = &entry;
  }
  if (entries.empty()) *out << YAML::Flow;
  *out << YAML::BeginMap;
  for (const auto& [key, entry] : entries) {
    *out << YAML::Key;
    EmitScalar(key, out);
    *out << YAML::Value;
    EmitValue(*entry, type->map_value(), -1, out);
  }
  *out << YAML::EndMap;
}

void EmitMessage(const Message& message, YAML::Emitter* out) {
  const google::protobuf::Descriptor* type = message.GetDescriptor();
  const Reflection* reflection = message.GetReflection();
  if (type->field_count() == 0) *out << YAML::Flow;
  *out << YAML::BeginMap;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->has_presence() && !reflection->HasField(message, field)) {
      continue;
    }
    *out << YAML::Key << field->name() << YAML::Value;
    if (field->is_map()) {
      EmitMap(message, field, out);
    } else if (field->is_repeated()) {
      EmitList(message, field, out);
    } else {
      EmitValue(message, field, -1, out);
    }
  }
  *out << YAML::EndMap;
}

}  // namespace

std::string ToYaml(const Message& message) {
  YAML::Emitter out;
  EmitMessage(message, &out);
  return absl::StrCat(out.c_str(), "\n");
}

}  // namespace paddock
