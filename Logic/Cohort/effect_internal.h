/* Between region.c, ring.c and effect.c: labels found in an atlas, and the velocity of one of them. */
#ifndef COUNTERWARP_EFFECT_INTERNAL_H
#define COUNTERWARP_EFFECT_INTERNAL_H

#include "cohort_internal.h"

/* The voxels of a volume that hold one value (all above 0 for value 0). */
typedef struct cw_region {
  const cw_volume *volume;
  float value;
  double ras_low[3], ras_high[3]; /* bounding box, mm */
} cw_region;

/* region.c */
cw_status cw_region_find(cw_context *context, const cw_volume *atlas, const cw_volume *ventricles, int label,
                         cw_region *region);
/* The ventricles of a T1 image as a volume of zeros and ones (created). */
cw_status cw_region_ventricles(cw_context *context, const cw_volume *brain, const cw_volume *atlas, cw_volume *out);
bool cw_region_wants_ventricles(const cw_effect *effects, int count);

/* A box of the lattice around one structure; lattice point g lies at centre + g spacing (RAS mm). */
typedef struct cw_patch {
  int offset[3]; /* lattice index of the first point */
  int size[3];
  size_t samples;
  float *weight;   /* share of the structure in each voxel */
  float *velocity; /* [3][..] voxels: divergence 1 in the structure on average, its volume taken up by a ring */
} cw_patch;

/* ring.c.  The box is large enough that the velocity is negligible at its border.  Free with cw_patch_free. */
cw_status cw_patch_create(cw_context *context, const cw_region *region, double spacing, const double centre[3],
                          cw_patch *patch);
void cw_patch_free(cw_context *context, cw_patch *patch);

#endif
