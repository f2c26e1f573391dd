/* Internal: slices of a volume shared among threads, with progress in between. */
#ifndef COUNTERWARP_TENSOR_CREW_H
#define COUNTERWARP_TENSOR_CREW_H

#include "counterwarp/context.h"

/* Threads, and whom to tell how far they are: the crew's work is the part [from, to] of a stage. */
typedef struct cw_crew {
  int threads;
  cw_context *context; /* NULL: nobody is told, and nothing can fail */
  const char *stage;
  double from, to;
} cw_crew;

/* A crew of the context's threads for a whole stage. */
static inline cw_crew cw_context_crew(cw_context *context, const char *stage) {
  const cw_crew crew = {cw_context_threads(context), context, stage, 0, 1};
  return crew;
}
/* The part [from, to] of a crew's own work. */
cw_crew cw_crew_part(const cw_crew *crew, double from, double to);
/* Reports that this fraction of the crew's work is done.  CW_ERROR_CANCELLED. */
cw_status cw_crew_tell(const cw_crew *crew, double fraction);
/* Progress of work that cannot fail: what the host answered stays in `status`, and the work ends early. */
typedef struct cw_report {
  cw_crew crew;
  cw_status status; /* CW_ERROR_CANCELLED: the results are not whole */
} cw_report;

/* Whether to go on; report NULL: always. */
static inline bool cw_report_tell(cw_report *report, double fraction) {
  if (report && report->status == CW_OK)
    report->status = cw_crew_tell(&report->crew, fraction);
  return !report || report->status == CW_OK;
}

/* Threads that cw_crew_run uses at most for `slices` slices: slabs are numbered below it. */
int cw_crew_slabs(const cw_crew *crew, int slices);

/* work(user, slab, begin, end) on slices [begin, end), on several threads at once.  Between every two million samples
 * (slice_samples each slice) progress is reported.  CW_ERROR_CANCELLED. */
typedef void cw_slab_work(void *user, int slab, int begin, int end);
cw_status cw_crew_run(const cw_crew *crew, int slices, size_t slice_samples, cw_slab_work *work, void *user);

#endif
