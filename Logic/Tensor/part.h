/* Internal: progress of a call inside a call. */
#ifndef COUNTERWARP_TENSOR_PART_H
#define COUNTERWARP_TENSOR_PART_H

#include "counterwarp/context.h"

typedef struct cw_part {
  const char *stage; /* NULL: the outermost call */
  double from, to;
} cw_part;

/* From here to cw_part_leave all progress counts as [from, to] of `stage` (of an outer part, where there is one), so
 * that the callback hears of one stage whose fraction never falls.  Returns what cw_part_leave puts back. */
cw_part cw_part_enter(cw_context *context, const char *stage, double from, double to);
void cw_part_leave(cw_context *context, cw_part outer);

/* Runs a call as [low, high] of a stage and passes its failure on. */
#define CW_TRY_PART(context, stage, low, high, call) \
  do { \
    const cw_part cw_try_outer = cw_part_enter(context, stage, low, high); \
    const cw_status cw_part_status = (call); \
    cw_part_leave(context, cw_try_outer); \
    if (cw_part_status != CW_OK) \
      return cw_part_status; \
  } while (0)

#endif
