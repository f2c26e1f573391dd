/* Names of an atlas's labels. */
#include <stdlib.h>
#include <string.h>

#include "cohort_internal.h"

enum { MOST_LABEL = 999999 };

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* The next word of a line, ended in place; NULL at the line's end. */
static char *next_word(char **at) {
  char *word = *at;
  while (is_blank(*word))
    word++;
  char *end = word;
  while (*end && !is_blank(*end))
    end++;
  *at = *end ? end + 1 : end;
  *end = '\0';
  return end > word ? word : NULL;
}

/* A whole number from 1 to MOST_LABEL, or 0. */
static int label_of(const char *word) {
  int label = 0;
  for (; *word; word++) {
    if (*word < '0' || *word > '9' || label > MOST_LABEL / 10)
      return 0;
    label = 10 * label + (*word - '0');
  }
  return label;
}

/* By label, then in the order of the lines. */
static int compare(const void *a, const void *b) {
  const cw_label_name *x = a, *y = b;
  if (x->label != y->label)
    return x->label < y->label ? -1 : 1;
  return x->name < y->name ? -1 : x->name > y->name;
}

static void parse(char *text, cw_label_names *names) {
  for (char *line = text; line;) {
    char *end = strchr(line, '\n'), *at = line;
    if (end)
      *end = '\0';
    line = end ? end + 1 : NULL;
    const char *first = next_word(&at), *name = first ? next_word(&at) : NULL;
    const int label = name ? label_of(first) : 0;
    if (label)
      names->item[names->count++] = (cw_label_name){label, name};
  }
  if (names->count)
    qsort(names->item, (size_t)names->count, sizeof *names->item, compare);
  int kept = 0;
  for (int i = 0; i < names->count; i++)
    if (!i || names->item[i].label != names->item[kept - 1].label)
      names->item[kept++] = names->item[i];
  names->count = kept;
}

cw_status cw_label_names_read(cw_context *context, const char *path, cw_label_names *names) {
  memset(names, 0, sizeof *names);
  size_t length, lines = 1;
  CW_TRY(cw_text_read(context, path, &names->text, &length));
  for (size_t i = 0; i < length; i++)
    lines += names->text[i] == '\n';
  names->item = cw_allocate(context, lines, sizeof *names->item);
  if (names->item)
    parse(names->text, names);
  if (names->count)
    return CW_OK;
  const bool memory = !names->item;
  cw_label_names_free(context, names);
  return memory ? CW_ERROR_MEMORY
                : cw_fail(context, CW_ERROR_FORMAT,
                          "%s: holds no line of the form \"LABEL NAME\", such as \"1 Precentral_L\"", path);
}

void cw_label_names_free(cw_context *context, cw_label_names *names) {
  cw_release(context, names->item);
  cw_release(context, names->text);
  memset(names, 0, sizeof *names);
}

const char *cw_label_names_find(const cw_label_names *names, int label) {
  int low = 0, high = names->count;
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (names->item[middle].label < label)
      low = middle + 1;
    else
      high = middle;
  }
  return low < names->count && names->item[low].label == label ? names->item[low].name : NULL;
}
