/* Internal: Jacobian determinant of a field whose components are in the units of a grid's matrix. */
#ifndef COUNTERWARP_WARP_JACOBIAN_H
#define COUNTERWARP_WARP_JACOBIAN_H

#include "counterwarp/view.h"
#include "Tensor/crew.h"

/* out = det(M + D) / det(M), D[r][c] = the derivative of field[r] along index axis c, on the box of the field that
 * starts at first and has out's size.  With M the linear part of index -> world and the field in world units, M + D =
 * (I + du/dx) M, so this is det(I + du/dx).  folded[slab]: samples with J <= 0, for each of the crew's slabs.
 * rows: cw_jacobian_room floats. */
cw_status cw_jacobian_run(const cw_crew *crew, const double matrix[3][3], const cw_view *field, const int first[3],
                          bool log_of, const cw_view *out, size_t *folded, float *rows);
/* Floats that cw_jacobian_run needs: 0 where field and out have neighbours along x side by side. */
size_t cw_jacobian_room(const cw_crew *crew, const cw_view *field, const cw_view *out);

#endif
