/* Internal: what a model must fulfil before it is written, after it is read, and when it is applied. */
#ifndef COUNTERWARP_NETWORKS_MODEL_CHECK_H
#define COUNTERWARP_NETWORKS_MODEL_CHECK_H

#include "counterwarp/model.h"

/* Names and shapes of inputs and outputs for the kind and the grid, and usable preprocessing. */
cw_status cw_model_check(cw_context *context, const cw_model *model);
/* Name of a simulator's field: "velocity" or "displacement". */
const char *cw_model_field_name(const cw_model *model);

#endif
