#include "worker/policy/rules.h"

namespace paddock {
namespace {

// Weakenings that are not of the filter (full_proc) have no row.
constexpr WeakeningRule kWeakeningRules[] = {
    {Weakening::kInotify, "watchers of build tools cannot do without",
     "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch"},
    {Weakening::kPtrace,
     "debuggers and leak checks; the kernel lets them at processes of the same "
     "user namespace only, so not at init",
     "ptrace process_vm_readv process_vm_writev"},
};

}  // namespace

absl::Span<const WeakeningRule> WeakeningRules() { return kWeakeningRules; }

}  // namespace paddock
