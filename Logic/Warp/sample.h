/* Internal: samples of an image near a row of it. */
#ifndef COUNTERWARP_WARP_SAMPLE_H
#define COUNTERWARP_WARP_SAMPLE_H

#include <stddef.h>

/* out[channel * out_samples + i] = in[channel](first[0] + i + ux[i], first[1] + uy[i], first[2] + uz[i]) for i below n,
 * trilinear, zero outside; displacements in voxels.  first[] .. first[0] + n - 1 are samples of in. */
void cw_sample_row(const int size[3], int channels, const int first[3], int n, const float *in, const float *ux,
                   const float *uy, const float *uz, size_t out_samples, float *out);

#endif
