/* Internal: what the functions on views share. */
#ifndef COUNTERWARP_WARP_VIEW_INTERNAL_H
#define COUNTERWARP_WARP_VIEW_INTERNAL_H

#include "counterwarp/view.h"
#include "Tensor/crew.h"

/* CW_ERROR_ARGUMENT without samples, CW_ERROR_SHAPE unless there are `components` of them; the grid is checked. */
cw_status cw_view_check(cw_context *context, const char *what, const cw_view *view, int components);
/* CW_ERROR_SHAPE unless the sizes are the same. */
cw_status cw_view_check_size(cw_context *context, const char *what, const cw_view *view, const int size[3]);

#endif
