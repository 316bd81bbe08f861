#ifndef PADDOCK_TESTS_SUPPORT_CHECK_PROCESS_H_
#define PADDOCK_TESTS_SUPPORT_CHECK_PROCESS_H_

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "paddock/v1/process.pb.h"
#include "worker/wire/process_check.h"

namespace paddock {

struct Checked {
  std::vector<FieldViolation> violations;
  std::vector<Unimplemented> unimplemented;
};

inline Checked Check(const v1::Process& process, const v1::Limits& max = {}) {
  Checked checked;
  CheckProcess("job.process", process, max, &checked.violations,
               &checked.unimplemented);
  return checked;
}

// The least that keeps every rule.
inline v1::Process GoodProcess() {
  v1::Process process;
  process.add_argv("true");
  return process;
}

// Matches a Checked: nothing to say; exactly one violation, of this field, with
// this in its description; exactly one field that is not built.
MATCHER(IsFine, "") {
  for (const FieldViolation& violation : arg.violations) {
    *result_listener << violation.field << " " << violation.description << "; ";
  }
  for (const Unimplemented& field : arg.unimplemented) {
    *result_listener << field.field << " is not built; ";
  }
  return arg.violations.empty() && arg.unimplemented.empty();
}

inline auto Violates(
    const std::string& field,
    const ::testing::Matcher<std::string>& description = ::testing::_) {
  using ::testing::AllOf;
  using ::testing::ElementsAre;
  using ::testing::Field;
  return AllOf(
      Field(&Checked::violations,
            ElementsAre(AllOf(Field("field", &FieldViolation::field, field),
                              Field("description", &FieldViolation::description,
                                    description)))),
      Field(&Checked::unimplemented, ::testing::IsEmpty()));
}

inline auto IsNotBuilt(const std::string& field) {
  using ::testing::ElementsAre;
  using ::testing::Field;
  return ::testing::AllOf(
      Field(&Checked::violations, ::testing::IsEmpty()),
      Field(&Checked::unimplemented,
            ElementsAre(Field("field", &Unimplemented::field, field))));
}

// The fields of all violations, for requests with several.
inline std::vector<std::string> FieldsOf(const Checked& checked) {
  std::vector<std::string> fields;
  for (const FieldViolation& violation : checked.violations) {
    fields.push_back(violation.field);
  }
  return fields;
}

// So that a failing test says what was found.
inline void PrintTo(const Checked& checked, std::ostream* out) {
  for (const FieldViolation& violation : checked.violations) {
    *out << "\n  " << violation.field << ": " << violation.description;
  }
  for (const Unimplemented& field : checked.unimplemented) {
    *out << "\n  not built: " << field.field;
  }
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_CHECK_PROCESS_H_
