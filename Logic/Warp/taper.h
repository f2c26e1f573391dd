/* Internal: the taper with a choice of overwriting or adding. */
#ifndef COUNTERWARP_WARP_TAPER_H
#define COUNTERWARP_WARP_TAPER_H

#include <stdbool.h>

/* out = in * window, or out += in * window. */
void cw_taper_field(const int size[3], int margin, const float *in, bool add, float *out);

#endif
