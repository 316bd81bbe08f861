#ifndef PADDOCK_WORKER_POLICY_WEAKENING_H_
#define PADDOCK_WORKER_POLICY_WEAKENING_H_

#include <cstdint>
#include <initializer_list>

namespace paddock {

// The only ways in which a sandbox can be less than the default one;
// paddock.v1.Weakening says what each opens. They come from the operator's
// configuration, never from a request.
enum class Weakening : uint32_t {
  kFullProc,
  kInotify,
  kPtrace,
};
inline constexpr Weakening kEveryWeakening[] = {
    Weakening::kFullProc, Weakening::kInotify, Weakening::kPtrace};

// A set of them. Empty: the default sandbox.
class Weakenings {
 public:
  constexpr Weakenings() = default;
  constexpr Weakenings(std::initializer_list<Weakening> tokens) {
    for (const Weakening token : tokens) Weaken(token);
  }

  constexpr void Weaken(Weakening token) { bits_ |= Bit(token); }
  constexpr void Weaken(Weakenings tokens) { bits_ |= tokens.bits_; }
  constexpr bool Has(Weakening token) const {
    return (bits_ & Bit(token)) != 0;
  }
  bool operator==(const Weakenings&) const = default;

 private:
  static constexpr uint32_t Bit(Weakening token) {
    return uint32_t{1} << static_cast<uint32_t>(token);
  }
  uint32_t bits_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_POLICY_WEAKENING_H_
