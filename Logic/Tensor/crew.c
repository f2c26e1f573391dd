#include "Tensor/crew.h"

enum { SAMPLES_AT_ONCE = 2000000 };

cw_crew cw_crew_part(const cw_crew *crew, double from, double to) {
  cw_crew part = *crew;
  part.from = crew->from + from * (crew->to - crew->from);
  part.to = crew->from + to * (crew->to - crew->from);
  return part;
}

int cw_crew_slabs(const cw_crew *crew, int slices) {
  const int slabs = crew->threads < slices ? crew->threads : slices;
  return slabs < 1 ? 1 : slabs;
}

cw_status cw_crew_tell(const cw_crew *crew, double fraction) {
  return crew->context ? cw_progress(crew->context, crew->stage, crew->from + (crew->to - crew->from) * fraction)
                       : CW_OK;
}

cw_status cw_crew_run(const cw_crew *crew, int slices, size_t slice_samples, cw_slab_work *work, void *user) {
  const size_t fitting = SAMPLES_AT_ONCE / (slice_samples ? slice_samples : 1);
  const int least = crew->threads > 1 ? crew->threads : 1; /* no thread without a slice */
  int at_once = fitting < (size_t)slices ? (int)fitting : slices;
  at_once = at_once < least ? least : at_once;
  for (int first = 0; first < slices; first += at_once) {
    const int count = slices - first < at_once ? slices - first : at_once, slabs = cw_crew_slabs(crew, count);
#pragma omp parallel for schedule(static) num_threads(slabs)
    for (int slab = 0; slab < slabs; slab++)
      work(user, slab, first + (int)((long long)count * slab / slabs),
           first + (int)((long long)count * (slab + 1) / slabs));
    CW_TRY(cw_crew_tell(crew, (double)(first + count) / slices));
  }
  return CW_OK;
}
