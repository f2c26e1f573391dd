/* Classifiers from elsewhere: what an ONNX file contains, and how it becomes a model.
 *
 * A file that others have exported holds a network, but not what its input is: grid, orientation, intensities, and
 * which output says "patient".  cw_model_import takes that from the caller; cw_model_write then stores both together,
 * and cw_model_read needs nothing else.  A file may also carry the same metadata itself ("counterwarp.*", see
 * Resources/Scripts/export_classifier.py); then cw_model_read takes it as it is. */
#ifndef COUNTERWARP_ONNX_H
#define COUNTERWARP_ONNX_H

#include "counterwarp/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which number is the logit.  z are the network's last values before a final sigmoid, softmax or log-softmax, which is
 * taken off.  Where the output is the probability of one class alone, softmax(z)[:, 1], that class is `positive`.
 *   one value:                 z
 *   alone:                     z[positive]; so it is, too, where a sigmoid is taken off and no `negative` is given
 *   negative >= 0:             z[positive] - z[negative]
 *   else:                      z[positive] - log(sum over the others of exp(z)), the log odds of `positive`; with two
 *                              classes the difference of both */
typedef struct cw_output_choice {
  const char *name; /* of the graph's output; NULL: the first */
  int positive;     /* class, from 0; -1: 1 of two classes, otherwise it must be given */
  int negative;     /* -1: all others */
  bool alone;       /* asked for: an output that a sigmoid or softmax still bounds is taken as it is, else refused */
} cw_output_choice;

/* { NULL, -1, -1, false } */
cw_output_choice cw_output_choice_default(void);

/* "1", "1 against 0" or "3 alone", as the metadata key counterwarp.output holds it. */
cw_status cw_output_choice_read(cw_context *context, const char *text, cw_output_choice *choice);

/* Reads a classifier of any origin: one input [N,1,D,H,W] or [N,1,?,?,?] (sizes are the grid's), the chosen output as
 * logit [N,1].  preprocessing->grid.size is (W, H, D).  Operator sets 9 to 22; an operator that is not supported is
 * named with its node.  Weights of other float types are converted; weights in other files are read from the model's
 * folder only.  model has no participants, no template and no provenance. */
cw_status cw_model_import(cw_context *context, const char *path, const cw_preprocessing *preprocessing,
                          const cw_output_choice *choice, cw_model *model);

/* What a file says about itself; nothing in it has to be supported. */
typedef struct cw_model_description {
  int64_t ir_version, opset, parameters; /* parameters: numbers in weights */
  char *producer;
  cw_strings inputs, outputs; /* "name: float32 N x 1 x 96 x 96 x 96" */
  int64_t input_size[3];      /* D, H, W of the first input; 0 where the file leaves it open */
  int64_t classes;            /* numbers of the first output for each image; 0 where the file leaves it open */
  cw_strings operators;       /* "Conv 53" */
  cw_strings unsupported;     /* one sentence a node whose operator, inputs or attributes are not known */
  cw_strings files;           /* that hold weights */
  cw_strings keys, values;    /* metadata */
} cw_model_description;

cw_status cw_model_describe(cw_context *context, const char *path, cw_model_description *description);
void cw_model_description_free(cw_context *context, cw_model_description *description);

/* One sentence for each node that adds to, or puts beside, the image's values a stored tensor of several channels and
 * voxels.  Exporters keep such a tensor where code takes values out of the graph (MONAI's shortcut A, by `.data`): the
 * file then answers with the values of the image that it was exported with.  A learned position embedding of that form
 * looks the same, so this is for a warning.  sentences is appended to. */
cw_status cw_graph_stored_activations(cw_context *context, const cw_graph *graph, cw_strings *sentences);

#ifdef __cplusplus
}
#endif
#endif
