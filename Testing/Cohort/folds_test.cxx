// Folds: participants stay whole, groups are spread evenly, rows may come in any order.
#include <algorithm>
#include <map>
#include <set>

#include "cohort_fixture.h"

namespace cohort_test {
namespace {

class Folds : public ContextTest {
 protected:
  struct Row {
    std::string name;
    cw_group group;
  };
  cw_status Assign(const std::vector<Row> &rows, int folds, uint64_t seed) {
    std::vector<cw_scan> scans(rows.size());
    for (size_t i = 0; i < rows.size(); i++) {
      scans[i].participant = const_cast<char *>(rows[i].name.c_str());
      scans[i].group = rows[i].group;
    }
    const cw_table table = {int(rows.size()), scans.data()};
    fold.assign(rows.size(), -1);
    return cw_table_folds(context, &table, folds, seed, fold.data());
  }
  // 31 controls and 24 patients with one to three scans each.
  static std::vector<Row> Cohort() {
    std::vector<Row> rows;
    for (int p = 0; p < 55; p++)
      for (int scan = 0; scan <= p % 3; scan++)
        rows.push_back({"sub-" + std::to_string(p), p < 31 ? CW_CONTROL : CW_PATIENT});
    return rows;
  }
  std::vector<int> fold;
};

TEST_F(Folds, ParticipantsStayWholeAndGroupsAreSpread) {
  const auto rows = Cohort();
  ASSERT_OK(Assign(rows, 5, 7));
  std::map<std::string, std::set<int>> of;
  std::map<int, std::set<std::string>> members[3];
  for (size_t i = 0; i < rows.size(); i++) {
    ASSERT_GE(fold[i], 0);
    ASSERT_LT(fold[i], 5);
    of[rows[i].name].insert(fold[i]);
    members[rows[i].group][fold[i]].insert(rows[i].name);
    members[2][fold[i]].insert(rows[i].name);
  }
  for (const auto &p : of)
    EXPECT_EQ(p.second.size(), 1u) << p.first;
  for (auto &group : members) {
    size_t least = 1000, most = 0;
    for (int f = 0; f < 5; f++) {
      least = std::min(least, group[f].size());
      most = std::max(most, group[f].size());
    }
    EXPECT_LE(most - least, 1u);
  }
}

TEST_F(Folds, TheOrderOfRowsDoesNotMatter) {
  auto rows = Cohort();
  ASSERT_OK(Assign(rows, 5, 7));
  std::map<std::string, int> before;
  for (size_t i = 0; i < rows.size(); i++)
    before[rows[i].name] = fold[i];
  std::reverse(rows.begin(), rows.end());
  std::rotate(rows.begin(), rows.begin() + 17, rows.end());
  ASSERT_OK(Assign(rows, 5, 7));
  for (size_t i = 0; i < rows.size(); i++)
    EXPECT_EQ(fold[i], before[rows[i].name]);
}

TEST_F(Folds, SeedsDiffer) {
  const auto rows = Cohort();
  ASSERT_OK(Assign(rows, 5, 7));
  const auto first = fold;
  ASSERT_OK(Assign(rows, 5, 7));
  EXPECT_EQ(fold, first);
  ASSERT_OK(Assign(rows, 5, 8));
  EXPECT_NE(fold, first);
}

TEST_F(Folds, AParticipantWhoChangesGroupCountsAsFirstSeen) {
  // Were "b" counted as a patient, the controls would be too few.
  ASSERT_OK(
      Assign({{"a", CW_CONTROL}, {"b", CW_CONTROL}, {"b", CW_PATIENT}, {"c", CW_PATIENT}, {"d", CW_PATIENT}}, 2, 1));
  EXPECT_EQ(fold[1], fold[2]);
  EXPECT_NE(fold[0], fold[1]);
  EXPECT_NE(fold[3], fold[4]);
}

TEST_F(Folds, Refusals) {
  const std::vector<Row> rows = {{"a", CW_CONTROL}, {"a", CW_CONTROL}, {"b", CW_CONTROL}, {"c", CW_PATIENT}};
  EXPECT_EQ(Assign(rows, 2, 1), CW_ERROR_ARGUMENT);
  Says({"patient", "1", "2 folds"});
  EXPECT_EQ(Assign(rows, 1, 1), CW_ERROR_ARGUMENT);
  EXPECT_EQ(Assign({}, 2, 1), CW_ERROR_ARGUMENT);
  context.reset(0);
  EXPECT_EQ(Assign(rows, 2, 1), CW_ERROR_MEMORY);
}

}  // namespace
}  // namespace cohort_test
