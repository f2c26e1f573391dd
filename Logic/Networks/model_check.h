/* Internal: what a model must fulfil before it is written, after it is read, and when it is applied. */
#ifndef COUNTERWARP_NETWORKS_MODEL_CHECK_H
#define COUNTERWARP_NETWORKS_MODEL_CHECK_H

#include "counterwarp/model.h"

/* Number and shapes of inputs and outputs for the kind and the grid, and usable preprocessing.  Inputs and outputs are
 * known by their position; files give them the names of model.h. */
cw_status cw_model_check(cw_context *context, const cw_model *model);
/* Name of an output in files: "velocity" or "displacement", "logit". */
const char *cw_model_output_name(const cw_model *model, int index);

#endif
