#include "client/utf8_check.h"

#include <gtest/gtest.h>

#include <string>

#include "paddock/v1/execution_service.pb.h"

namespace paddock {
namespace {

TEST(IsUtf8Test, TakesEveryLength) {
  for (const char* text :
       {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "aäb€c😀d"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
  }
  EXPECT_TRUE(IsUtf8(std::string(3, '\0')));
}

TEST(IsUtf8Test, RefusesTheRest) {
  for (const char* text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2 ", "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xe2\x82", "\xe2\x28\xa1", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "ok\xff",
        "\xf0\x9f\x98"}) {
    EXPECT_FALSE(IsUtf8(text)) << text;
  }
}

TEST(CheckUtf8Test, NamesTheField) {
  v1::ExecuteRequest request;
  v1::Process* process = request.mutable_job()->mutable_process();
  process->add_argv("ok");
  // Bytes are bytes.
  process->mutable_stdin()->set_data("\xff");
  EXPECT_TRUE(CheckUtf8(request).ok());
  process->add_argv("\xff");
  EXPECT_EQ(CheckUtf8(request).message(), "job.process.argv[1]: is not UTF-8");
  process->set_argv(1, "ok");
  process->add_inputs()->set_path("\xc0");
  EXPECT_EQ(CheckUtf8(request).message(),
            "job.process.inputs[0].path: is not UTF-8");
  process->mutable_inputs(0)->set_path("ok");
  (*process->mutable_env())["A"] = "\xff";
  EXPECT_EQ(CheckUtf8(request).message(),
            "job.process.env[0].value: is not UTF-8");
}

}  // namespace
}  // namespace paddock
