/* The cohort table: tab-separated values in the manner of BIDS participants.tsv. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cohort_internal.h"

enum column { PARTICIPANT, SESSION, GROUP, IMAGE, TRANSFORM, LOGJAC, MASK, REGION, COLUMNS };

static const char *const column_names[COLUMNS] = {"participant_id", "session_id",   "group",      "image",
                                                  "transform",      "truth_logjac", "truth_mask", "truth_region"};
static const bool column_needed[COLUMNS] = {[PARTICIPANT] = true, [GROUP] = true, [IMAGE] = true};

typedef struct reader {
  cw_context *context;
  const char *path;
  char *next;         /* rest of the text; lines are cut in place */
  int line;           /* number of the line cut last, from 1 */
  int place[COLUMNS]; /* index of each known column, -1 where absent */
  int width;          /* fields in the header */
} reader;

static char *cut(char *text, char separator) {
  char *end = strchr(text, separator);
  if (!end)
    return NULL;
  *end = '\0';
  return end + 1;
}

/* The next line without its end (\n or \r\n), NULL after the last. */
static char *next_line(reader *r) {
  char *line = r->next;
  if (!line || !*line)
    return NULL;
  r->next = cut(line, '\n');
  r->line++;
  const size_t length = strlen(line);
  if (length && line[length - 1] == '\r')
    line[length - 1] = '\0';
  return line;
}

static cw_status read_header(reader *r) {
  char *line = next_line(r);
  if (!line || !*line)
    return cw_fail(r->context, CW_ERROR_FORMAT, "%s, line 1: a header line with column names is needed", r->path);
  for (int c = 0; c < COLUMNS; c++)
    r->place[c] = -1;
  for (char *name = line, *rest; name; name = rest, r->width++) {
    rest = cut(name, '\t');
    for (int c = 0; c < COLUMNS; c++)
      if (strcmp(name, column_names[c]) == 0) {
        if (r->place[c] >= 0)
          return cw_fail(r->context, CW_ERROR_FORMAT, "%s, line 1: column '%s' appears twice", r->path, name);
        r->place[c] = r->width;
      }
  }
  for (int c = 0; c < COLUMNS; c++)
    if (column_needed[c] && r->place[c] < 0)
      return cw_fail(r->context, CW_ERROR_FORMAT,
                     "%s, line 1: column '%s' is missing (columns are separated by tabs; participant_id, group and "
                     "image are needed)",
                     r->path, column_names[c]);
  return CW_OK;
}

/* The table's folder joined with a relative path. */
static char *join_path(cw_context *context, const char *table, const char *file) {
  const char *slash = strrchr(table, '/');
  const size_t folder = slash && file[0] != '/' ? (size_t)(slash - table) + 1 : 0, length = strlen(file);
  char *path = cw_allocate(context, folder + length + 1, 1);
  if (path) {
    memcpy(path, table, folder);
    memcpy(path + folder, file, length + 1);
  }
  return path;
}

/* Names become parts of file names. */
static bool is_name(const char *text) {
  for (; *text; text++)
    if ((unsigned char)*text < ' ' || *text == '/' || *text == '\\')
      return false;
  return true;
}

static cw_status read_fields(reader *r, char *line, const char *value[COLUMNS]) {
  int width = 0;
  for (int c = 0; c < COLUMNS; c++)
    value[c] = "";
  for (char *field = line, *rest; field; field = rest, width++) {
    rest = cut(field, '\t');
    for (int c = 0; c < COLUMNS; c++)
      if (r->place[c] == width)
        value[c] = strcmp(field, "n/a") == 0 ? "" : field;
  }
  if (width != r->width)
    return cw_fail(r->context, CW_ERROR_FORMAT, "%s, line %d: %d columns where the header has %d", r->path, r->line,
                   width, r->width);
  for (int c = 0; c < COLUMNS; c++) {
    if (column_needed[c] && !*value[c])
      return cw_fail(r->context, CW_ERROR_FORMAT, "%s, line %d, column '%s': a value is needed", r->path, r->line,
                     column_names[c]);
    if ((c == PARTICIPANT || c == SESSION) && !is_name(value[c]))
      return cw_fail(r->context, CW_ERROR_FORMAT,
                     "%s, line %d, column '%s': a name without slashes and control characters is needed", r->path,
                     r->line, column_names[c]);
  }
  return CW_OK;
}

static cw_status read_scan(reader *r, char *line, cw_scan *scan) {
  const char *value[COLUMNS];
  CW_TRY(read_fields(r, line, value));
  if (strcmp(value[GROUP], "patient") == 0)
    scan->group = CW_PATIENT;
  else if (strcmp(value[GROUP], "control") != 0)
    return cw_fail(r->context, CW_ERROR_FORMAT,
                   "%s, line %d, column 'group': '%.40s' where control or patient is needed", r->path, r->line,
                   value[GROUP]);
  char **const text[COLUMNS] = {
      [PARTICIPANT] = &scan->participant, [SESSION] = &scan->session,     [IMAGE] = &scan->image,
      [TRANSFORM] = &scan->transform,     [LOGJAC] = &scan->truth_logjac, [MASK] = &scan->truth_mask,
      [REGION] = &scan->truth_region};
  for (int c = 0; c < COLUMNS; c++)
    if (text[c]) {
      const bool is_path = c >= IMAGE && *value[c];
      *text[c] = is_path ? join_path(r->context, r->path, value[c]) : cw_copy_string(r->context, value[c]);
      if (!*text[c])
        return CW_ERROR_MEMORY;
    }
  return CW_OK;
}

static int compare_scans(const void *a, const void *b) {
  const cw_scan *x = *(cw_scan *const *)a, *y = *(cw_scan *const *)b;
  const int participant = strcmp(x->participant, y->participant);
  return participant ? participant : strcmp(x->session, y->session);
}

/* Two rows of one participant and session would write the same result files. */
static cw_status check_unique(reader *r, const cw_table *table) {
  const cw_scan **sorted = cw_allocate(r->context, (size_t)table->count, sizeof *sorted);
  if (!sorted)
    return CW_ERROR_MEMORY;
  for (int i = 0; i < table->count; i++)
    sorted[i] = &table->scans[i];
  qsort(sorted, (size_t)table->count, sizeof *sorted, compare_scans);
  cw_status status = CW_OK;
  for (int i = 1; i < table->count && status == CW_OK; i++)
    if (compare_scans(&sorted[i - 1], &sorted[i]) == 0)
      status = cw_fail(r->context, CW_ERROR_FORMAT,
                       "%s, column 'participant_id': '%.60s' has two rows with the same session_id ('%.40s')", r->path,
                       sorted[i]->participant, sorted[i]->session);
  cw_release(r->context, sorted);
  return status;
}

static cw_status read_rows(reader *r, cw_table *table) {
  CW_TRY(read_header(r));
  int capacity = 0;
  for (const char *c = r->next; c && *c; c++)
    capacity += *c == '\n';
  table->scans = cw_allocate_zero(r->context, (size_t)capacity + 1, sizeof *table->scans);
  if (!table->scans)
    return CW_ERROR_MEMORY;
  for (char *line; (line = next_line(r));)
    if (*line)
      CW_TRY(read_scan(r, line, &table->scans[table->count++]));
  if (!table->count)
    return cw_fail(r->context, CW_ERROR_FORMAT, "%s: no rows below the header", r->path);
  return check_unique(r, table);
}

void cw_table_free(cw_context *context, cw_table *table) {
  for (int i = 0; i < table->count; i++) {
    cw_scan *s = &table->scans[i];
    char *const text[] = {s->participant,  s->session,    s->image,       s->transform,
                          s->truth_logjac, s->truth_mask, s->truth_region};
    for (size_t t = 0; t < sizeof text / sizeof *text; t++)
      cw_release(context, text[t]);
  }
  cw_release(context, table->scans);
  memset(table, 0, sizeof *table);
}

cw_status cw_table_read(cw_context *context, const char *path, cw_table *table) {
  memset(table, 0, sizeof *table);
  char *text;
  size_t length;
  CW_TRY(cw_text_read(context, path, &text, &length));
  reader r = {.context = context, .path = path, .next = text};
  const cw_status status = read_rows(&r, table);
  cw_release(context, text);
  if (status != CW_OK)
    cw_table_free(context, table);
  return status;
}
