#ifndef PADDOCK_WORKER_INIT_PROC_MASK_H_
#define PADDOCK_WORKER_INIT_PROC_MASK_H_

namespace paddock::init {

// For sandboxes whose /proc is the full one: covers every entry of ./proc that
// is not known to be harmless, files by /dev/null, directories by an empty one,
// and makes proc/sys read-only. Entries of processes stay as they are.
// Process: init, with its working directory at the new root, as root of the
// host's user namespace. Needs ./dev/null, and ./work while it is empty.
// False with errno, at the first entry that cannot be covered.
bool MaskProc();

}  // namespace paddock::init

#endif  // PADDOCK_WORKER_INIT_PROC_MASK_H_
