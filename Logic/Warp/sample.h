/* Internal: one row of a warped image. */
#ifndef COUNTERWARP_WARP_SAMPLE_H
#define COUNTERWARP_WARP_SAMPLE_H

/* out[channel][i] = in[channel](i + ux[i], j + uy[i], k + uz[i]), trilinear, zero outside; channels of in and out lie a
 * volume apart, the displacements (voxels) are those of the row alone. */
void cw_sample_row(const int size[3], int channels, int j, int k, const float *in, const float *ux, const float *uy,
                   const float *uz, float *out);

#endif
