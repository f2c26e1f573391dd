/* Internal: Jacobian determinant of a field whose components are in the units of a grid's matrix. */
#ifndef COUNTERWARP_WARP_JACOBIAN_H
#define COUNTERWARP_WARP_JACOBIAN_H

#include <stdbool.h>
#include <stddef.h>

/* out = det(M + D) / det(M), D[r][c] = the derivative of field[r] along index axis c.  With M the linear part of
 * index -> world and the field in world units, M + D = (I + du/dx) M, so this is det(I + du/dx). */
size_t cw_jacobian_on_grid(const int size[3], const double matrix[3][3], const float *field, bool log_of, float *out,
                           int threads);

#endif
