#ifndef PADDOCK_WORKER_WIRE_CHECK_REPORT_H_
#define PADDOCK_WORKER_WIRE_CHECK_REPORT_H_

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "worker/wire/process_check.h"

namespace paddock {

// Where the parts of one check write what they find: the two lists of
// CheckProcess, with the path of the message that is being looked at.
// Field names given to it stand below that path. Owns nothing but the path.
class CheckReport {
 public:
  CheckReport(absl::string_view path, std::vector<FieldViolation>* violations,
              std::vector<Unimplemented>* unimplemented)
      : path_(path), violations_(violations), unimplemented_(unimplemented) {}

  void Violation(absl::string_view field, absl::string_view description) const {
    violations_->push_back({FieldPath(field), std::string(description)});
  }
  void NotBuilt(absl::string_view field) const {
    unimplemented_->push_back({FieldPath(field)});
  }
  // For the message in `field`. "inputs[1]" is a field, too.
  CheckReport Below(absl::string_view field) const {
    return CheckReport(FieldPath(field), violations_, unimplemented_);
  }

 private:
  std::string FieldPath(absl::string_view field) const {
    return absl::StrCat(path_, ".", field);
  }

  std::string path_;
  std::vector<FieldViolation>* violations_;
  std::vector<Unimplemented>* unimplemented_;
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_WIRE_CHECK_REPORT_H_
