// Names of an atlas's labels.
#include "cohort_fixture.h"

namespace cohort_test {
namespace {

class LabelNames : public ContextTest {
 protected:
  ~LabelNames() override { cw_label_names_free(context, &names); }
  cw_status Read(const std::string &text) {
    cw_label_names_free(context, &names);
    const TemporaryFile file(text);
    return cw_label_names_read(context, file.path.c_str(), &names);
  }
  std::string Name(int label) const {
    const char *name = cw_label_names_find(&names, label);
    return name ? name : "(none)";
  }
  cw_label_names names = {};
};

TEST_F(LabelNames, TablesOfAalFreeSurferAndBids) {
  ASSERT_OK(Read("1 Precentral_L 2001\r\n2 Precentral_R 2002\r\n"));
  EXPECT_EQ(names.count, 2);
  EXPECT_EQ(Name(2), "Precentral_R");
  ASSERT_OK(Read("# No. Label R G B A\n\n17  Left-Hippocampus  220 216 20 0\n  53  Right-Hippocampus 220 216 20 0"));
  EXPECT_EQ(Name(17), "Left-Hippocampus");
  EXPECT_EQ(Name(53), "Right-Hippocampus");
  ASSERT_OK(Read("index\tname\tabbreviation\n9\tthalamus\tTh\n3\tcortex\tCx\n"));
  EXPECT_EQ(names.item[0].label, 3);  // sorted
  EXPECT_EQ(Name(9), "thalamus");
  EXPECT_EQ(Name(4), "(none)");
  EXPECT_EQ(Name(0), "(none)");
}

TEST_F(LabelNames, OtherLinesArePassedOver) {
  ASSERT_OK(
      Read("0 background\n-3 below\n1000000 above\n99999999999999999999 far\n3.5 half\n7\n#8 comment\n8x no\n"
           "5 first\n5 second\n999999 last\n"));
  EXPECT_EQ(names.count, 2);
  EXPECT_EQ(Name(5), "first");
  EXPECT_EQ(Name(999999), "last");
}

TEST_F(LabelNames, WhatIsNoTableIsRefused) {
  EXPECT_EQ(Read("no number here\n"), CW_ERROR_FORMAT);
  Says({"LABEL NAME", "Precentral_L"});
  EXPECT_EQ(Read(""), CW_ERROR_FORMAT);
  EXPECT_EQ(Read(std::string("1 a\0b\n", 6)), CW_ERROR_FORMAT);
  EXPECT_EQ(cw_label_names_read(context, "/nowhere/table.txt", &names), CW_ERROR_FILE);
  EXPECT_EQ(Name(1), "(none)");
}

TEST_F(LabelNames, EveryAllocationMayFail) {
  int at = 0;
  for (cw_status status = CW_ERROR_MEMORY; status != CW_OK; at++) {
    context.reset(at);
    status = Read("1 a\n2 b\n");
    ASSERT_TRUE(status == CW_OK || status == CW_ERROR_MEMORY);
    cw_label_names_free(context, &names);
    ASSERT_EQ(context.leaked(), 0);
  }
  EXPECT_GE(at, 3);
}

}  // namespace
}  // namespace cohort_test
