#include "worker/base/utf8.h"

#include <gtest/gtest.h>

namespace paddock {
namespace {

TEST(Utf8Test, Valid) {
  const std::string nul("a\0b", 3);
  for (const std::string& text :
       {std::string(), std::string("ascii"), nul, std::string("\xC3\xBC"),
        std::string("\xE2\x82\xAC"), std::string("\xF0\x9F\x98\x80"),
        std::string("\xED\x9F\xBF"), std::string("\xEE\x80\x80"),
        std::string("\xF4\x8F\xBF\xBF")}) {
    EXPECT_TRUE(IsValidUtf8(text)) << text;
  }
}

TEST(Utf8Test, Invalid) {
  for (const char* text : {
           "\x80",              // a second byte first
           "\xC3",              // cut off
           "\xE2\x82",          // cut off
           "\xF0\x9F\x98",      // cut off
           "\xC0\x80",          // overlong
           "\xC1\xBF",          // overlong
           "\xE0\x9F\xBF",      // overlong
           "\xF0\x8F\xBF\xBF",  // overlong
           "\xED\xA0\x80",      // surrogate
           "\xF4\x90\x80\x80",  // above U+10FFFF
           "\xF5\x80\x80\x80",  // above U+10FFFF
           "\xFF",
           "\xE2\x28\xA1",  // second byte is none
           "\xE2\x82\x28",  // third byte is none
       }) {
    EXPECT_FALSE(IsValidUtf8(text)) << text;
  }
}

TEST(Utf8Test, PrefixEndsBetweenCharacters) {
  EXPECT_EQ(ValidUtf8Prefix("ab\xC3\xBC\xE2\x82"), 4);
  EXPECT_EQ(ValidUtf8Prefix("\xFFzzz"), 0);
}

}  // namespace
}  // namespace paddock
