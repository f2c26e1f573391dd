/* Folds by participant, stratified by group.  A participant's place depends on the seed and its name only: rows may be
 * shuffled or scans added without moving anybody. */
#include <stdlib.h>
#include <string.h>

#include "cohort_internal.h"

typedef struct member {
  const char *name;
  uint64_t key; /* hash of seed and name */
  int row, fold;
  cw_group group;
} member;

/* FNV-1a over the name, finished with the mixer of SplitMix64. */
static uint64_t hash(uint64_t seed, const char *name) {
  uint64_t h = 0xcbf29ce484222325u ^ seed * 0x9e3779b97f4a7c15u;
  for (; *name; name++)
    h = (h ^ (unsigned char)*name) * 0x100000001b3u;
  h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
  h = (h ^ h >> 27) * 0x94d049bb133111ebu;
  return h ^ h >> 31;
}

static int by_name(const void *a, const void *b) {
  const member *x = a, *y = b;
  const int name = strcmp(x->name, y->name);
  return name ? name : (x->row > y->row) - (x->row < y->row);
}

static int by_key(const void *a, const void *b) {
  const member *x = a, *y = b;
  if (x->group != y->group)
    return x->group < y->group ? -1 : 1;
  if (x->key != y->key)
    return x->key < y->key ? -1 : 1;
  return strcmp(x->name, y->name);
}

/* One member a participant, its first row standing for all; returns how many. */
static int unite(member *members, int rows) {
  int count = 0;
  qsort(members, (size_t)rows, sizeof *members, by_name);
  for (int i = 0; i < rows; i++)
    if (!count || strcmp(members[count - 1].name, members[i].name) != 0)
      members[count++] = members[i];
  return count;
}

static cw_status assign(cw_context *context, const cw_table *table, int folds, uint64_t seed, member *members,
                        int *fold) {
  int in_group[2] = {0, 0};
  for (int i = 0; i < table->count; i++) {
    const cw_scan *scan = &table->scans[i];
    members[i] = (member){scan->participant, hash(seed, scan->participant), i, 0, scan->group};
  }
  const int count = unite(members, table->count);
  for (int i = 0; i < count; i++)
    in_group[members[i].group]++;
  for (int g = 0; g < 2; g++)
    if (in_group[g] < folds)
      return cw_fail(context, CW_ERROR_ARGUMENT, "folds: the %s group has %d participants, fewer than the %d folds",
                     g == CW_PATIENT ? "patient" : "control", in_group[g], folds);
  qsort(members, (size_t)count, sizeof *members, by_key);
  /* The second group goes on where the first stopped, so that fold sizes differ by one at most. */
  for (int i = 0; i < count; i++)
    members[i].fold = i % folds;
  qsort(members, (size_t)count, sizeof *members, by_name);
  for (int i = 0; i < table->count; i++) {
    int low = 0, high = count - 1;
    while (low < high) {
      const int middle = (low + high) / 2;
      if (strcmp(members[middle].name, table->scans[i].participant) < 0)
        low = middle + 1;
      else
        high = middle;
    }
    fold[i] = members[low].fold;
  }
  return CW_OK;
}

cw_status cw_table_folds(cw_context *context, const cw_table *table, int folds, uint64_t seed, int *fold) {
  if (folds < 2)
    return cw_fail(context, CW_ERROR_ARGUMENT, "folds: %d where at least 2 are needed", folds);
  if (table->count < 1)
    return cw_fail(context, CW_ERROR_ARGUMENT, "folds: the table has no rows");
  member *members = cw_allocate(context, (size_t)table->count, sizeof *members);
  if (!members)
    return CW_ERROR_MEMORY;
  const cw_status status = assign(context, table, folds, seed, members, fold);
  cw_release(context, members);
  return status;
}
