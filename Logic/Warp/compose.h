/* Internal: the work of composition, exponential and inverse by a crew. */
#ifndef COUNTERWARP_WARP_COMPOSE_H
#define COUNTERWARP_WARP_COMPOSE_H

#include "Tensor/crew.h"

/* As cw_compose_forward. */
cw_status cw_compose_run(const cw_crew *crew, const int size[3], const float *a, const float *b, float *w);
/* Squares the map of *now `squarings` times.  *now and *next take turns; *now is the result. */
cw_status cw_square_run(const cw_crew *crew, const int size[3], int squarings, float **now, float **next);
/* As cw_invert_field, for the largest residual; *now, -u at first, and *next take turns; *now is the result.
 * largest: a number for each of the crew's slabs. */
cw_status cw_invert_run(const cw_crew *crew, const int size[3], const float *u, int iterations, double tolerance,
                        float **now, float **next, double *largest, double *residual);
/* As cw_exponential_squarings; squarings beyond its limit of 12 are not counted. */
int cw_squarings_run(const int size[3], const float *v, float scale, int threads);

#endif
