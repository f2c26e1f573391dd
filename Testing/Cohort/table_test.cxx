// The cohort table: what is read, and that every refusal names the line and the column.
#include "cohort_fixture.h"

namespace cohort_test {
namespace {

class Table : public ContextTest {
 protected:
  ~Table() override { cw_table_free(context, &table); }
  cw_status Read(const std::string &text) {
    cw_table_free(context, &table);
    file = std::make_unique<TemporaryFile>(text, ".tsv");
    return cw_table_read(context, file->path.c_str(), &table);
  }
  std::unique_ptr<TemporaryFile> file;
  cw_table table = {};
};

TEST_F(Table, ReadsEveryColumnInAnyOrder) {
  ASSERT_OK(
      Read("age\timage\ttruth_mask\tgroup\tparticipant_id\tsession_id\ttransform\ttruth_logjac\ttruth_region\n"
           "71\tone.nii\tm.nii\tpatient\tsub-1\tses-a\tt.tfm\tj.nii\tr.nii\n"
           "n/a\t/abs/two.nii\tn/a\tcontrol\tsub-2\tn/a\t\tn/a\tn/a\n"));
  ASSERT_EQ(table.count, 2);
  const cw_scan &a = table.scans[0], &b = table.scans[1];
  const std::string folder = file->folder();
  EXPECT_STREQ(a.participant, "sub-1");
  EXPECT_STREQ(a.session, "ses-a");
  EXPECT_EQ(a.group, CW_PATIENT);
  EXPECT_EQ(a.image, folder + "one.nii");
  EXPECT_EQ(a.transform, folder + "t.tfm");
  EXPECT_EQ(a.truth_logjac, folder + "j.nii");
  EXPECT_EQ(a.truth_mask, folder + "m.nii");
  EXPECT_EQ(a.truth_region, folder + "r.nii");
  EXPECT_EQ(b.group, CW_CONTROL);
  EXPECT_STREQ(b.image, "/abs/two.nii");
  for (const char *text : {b.session, b.transform, b.truth_logjac, b.truth_mask, b.truth_region})
    EXPECT_STREQ(text, "");
}

TEST_F(Table, MarkCarriageReturnsQuotesAndBlankLines) {
  ASSERT_OK(
      Read("\xEF\xBB\xBFparticipant_id\tgroup\timage\r\n\"sub\" 1\tcontrol\ta b.nii\r\n\r\nsub-2\tpatient\tb.nii"));
  ASSERT_EQ(table.count, 2);
  EXPECT_STREQ(table.scans[0].participant, "\"sub\" 1");  // quotes mean nothing in BIDS tables
  EXPECT_EQ(table.scans[0].image, file->folder() + "a b.nii");
  EXPECT_EQ(table.scans[1].image, file->folder() + "b.nii");
}

TEST_F(Table, RefusalsNameLineAndColumn) {
  const std::string header = "participant_id\tgroup\timage\n", good = "s1\tcontrol\ta\n";
  const struct {
    std::string text;
    std::vector<std::string> says;
  } cases[] = {
      {"", {"line 1"}},
      {"\n", {"line 1"}},
      {header, {"no rows"}},
      {"group\timage\ns\tcontrol\n", {"line 1", "participant_id", "missing"}},
      {"participant_id\timage\ns\ta\n", {"line 1", "group", "missing"}},
      {"participant_id\tgroup\ns\tcontrol\n", {"line 1", "image", "missing"}},
      {"participant_id,group,image\ns,control,a\n", {"line 1", "participant_id", "tabs"}},
      {"participant_id\tgroup\timage\tgroup\ns\tcontrol\ta\tpatient\n", {"line 1", "group", "twice"}},
      {header + good + "s2\tcontrol\n", {"line 3", "2 columns", "3"}},
      {header + good + "s2\tcontrol\ta\tb\n", {"line 3", "4 columns"}},
      {header + good + "\ns2\tsick\ta\n", {"line 4", "'group'", "sick"}},
      {header + "s2\tn/a\ta\n", {"line 2", "'group'"}},
      {header + "n/a\tcontrol\ta\n", {"line 2", "'participant_id'"}},
      {header + "s2\tcontrol\tn/a\n", {"line 2", "'image'"}},
      {header + "../s2\tcontrol\ta\n", {"line 2", "'participant_id'", "slashes"}},
      {header + good + "s2\tpatient\tb\n" + good, {"participant_id", "s1", "session_id"}},
      {header + std::string("s\0x\tcontrol\ta\n", 14), {"zero bytes"}},
  };
  for (const auto &c : cases) {
    EXPECT_EQ(Read(c.text), CW_ERROR_FORMAT) << c.text;
    Says({file->path});
    for (const std::string &part : c.says)
      Says({part});
    EXPECT_EQ(table.count, 0);
    EXPECT_EQ(table.scans, nullptr);
  }
}

TEST_F(Table, FilesThatAreNotThere) {
  EXPECT_EQ(cw_table_read(context, "/no/such/table.tsv", &table), CW_ERROR_FILE);
  Says({"/no/such/table.tsv"});
  EXPECT_EQ(cw_table_read(context, ::testing::TempDir().c_str(), &table), CW_ERROR_FILE);  // a folder
}

TEST_F(Table, HugeLinesAndManyRows) {
  const std::string name(3 << 20, 'x');
  std::string text = "participant_id\tgroup\timage\n";
  text += "s\tcontrol\t" + name + "\n";
  for (int i = 0; i < 5000; i++)
    text += "t" + std::to_string(i) + "\tpatient\ti\n";
  ASSERT_OK(Read(text));
  EXPECT_EQ(table.count, 5001);
  EXPECT_EQ(table.scans[0].image, file->folder() + name);
  EXPECT_EQ(Read("participant_id\tgroup\timage\ns\t" + name + "\ta\n"), CW_ERROR_FORMAT);
}

TEST_F(Table, EveryAllocationMayFail) {
  const TemporaryFile small("participant_id\tgroup\timage\ttransform\ns1\tcontrol\ta\tt\ns2\tpatient\tb\tn/a\n");
  const TemporaryFile large("participant_id\tgroup\timage\ns1\tcontrol\t" + std::string(100000, 'y') + "\n");
  for (const TemporaryFile *f : {&small, &large}) {
    int at = 0;
    for (cw_status status = CW_ERROR_MEMORY; status != CW_OK; at++) {
      context.reset(at);
      status = cw_table_read(context, f->path.c_str(), &table);
      if (status != CW_OK) {
        ASSERT_EQ(status, CW_ERROR_MEMORY);
        ASSERT_EQ(context.leaked(), 0) << "allocation " << at;
      }
    }
    EXPECT_GT(at, 5);
    cw_table_free(context, &table);
    EXPECT_EQ(context.leaked(), 0);
  }
}

}  // namespace
}  // namespace cohort_test
