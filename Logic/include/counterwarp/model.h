/* Models: a graph with all that is needed to apply it to a scan, stored as one ONNX file. */
#ifndef COUNTERWARP_MODEL_H
#define COUNTERWARP_MODEL_H

#include "counterwarp/cohort.h"
#include "counterwarp/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cw_model_kind { CW_MODEL_CLASSIFIER, CW_MODEL_SIMULATOR } cw_model_kind;
typedef enum cw_field_model { CW_FIELD_VELOCITY, CW_FIELD_DISPLACEMENT } cw_field_model;

typedef struct cw_strings {
  int count;
  char **item;
} cw_strings;

/* A classifier's graph has the input "image" [N,1,D,H,W] and the output "logit" [N,1].  A simulator's has the inputs
 * "image" and "direction" [N,1] (+1 inject, -1 remove) and two outputs: "velocity" or "displacement" [N,3,D,H,W] in
 * voxels (taper included for a velocity) and "logit", that of the classifier it was trained for, on "image".  In memory
 * inputs and outputs are known by their position; files give them these names. */
typedef struct cw_model {
  cw_model_kind kind;
  cw_graph *graph;
  cw_preprocessing preprocessing;
  cw_field_model field;
  float *template_samples; /* mean training scan as network input, [nz][ny][nx]; NULL if unknown */
  cw_strings trained_on;   /* participants used for training or for choosing when to stop */
  cw_strings held_out;     /* participants known and not used */
  bool image_output;       /* simulators: files also give the warped image, see cw_model_write */
  char *provenance;        /* JSON text: cohort, seeds, options, version, figures; "" if none */
  char *classes; /* what the logit tells apart, in one line; NULL: "logit below 0: control, above 0: patient" */
} cw_model;

void cw_model_free(cw_context *context, cw_model *model);
/* True if the participant is in the list. */
bool cw_strings_contain(const cw_strings *strings, const char *text);
cw_status cw_strings_append(cw_context *context, cw_strings *strings, const char *text);
void cw_strings_free(cw_context *context, cw_strings *strings);

/* Writes an ONNX file (ir_version 8, opset 17; CondConv as standard operators), whole or not at all.  Metadata keys
 * start with "counterwarp.".  With image_output a simulator's file has a third output, "warped" [N,1,D,H,W]:
 * out(p) = in(p + u(p)) with u of strength 1 as cw_model_displacement gives it, 0 outside the image.  That takes
 * GridSample of volumes (ir_version 9, opset 20; onnxruntime has it from 1.18 on); reading leaves it out. */
cw_status cw_model_write(cw_context *context, const char *path, const cw_model *model);
/* Reads a file written by cw_model_write, or any ONNX file within the library's operators that has the metadata.
 * Everything is checked before use; parameters with NaN or Inf are refused. */
cw_status cw_model_read(cw_context *context, const char *path, cw_model *model);

/* ---- applying a model ---- */

/* Logits of `count` inputs [count][nz][ny][nx] by the model's classifier. */
cw_status cw_model_logits(cw_context *context, const cw_model *model, const float *inputs, int count, float *logits);

/* Network output (velocity or displacement in voxels, [count][3][nz][ny][nx]) for direction +1 or -1. */
cw_status cw_model_fields(cw_context *context, const cw_model *model, const float *inputs, int count, float direction,
                          float *fields);
/* The displacement in voxels at a strength: exp(strength * v), or strength * u.  A negative strength of a velocity is
 * the inverse of the positive one. */
cw_status cw_model_displacement(cw_context *context, const cw_model *model, const float *field, float strength,
                                float *displacement);

/* The classifier that a model holds (of a simulator trained for several: their mean logit), as a graph with the input
 * "image" and one output, the logit [N,1].  It shares the model's parameters: the model must outlive it.  The caller
 * frees it with cw_graph_free. */
cw_status cw_model_classifier(cw_context *context, const cw_model *model, cw_graph **classifier);
/* Tells networks apart: FNV-1a over the shapes and bytes of all stored numbers, in the order in which the nodes read
 * them, as 16 hexadecimal digits.  The same for a classifier's file and for the classifier of a simulator trained for
 * it. */
void cw_graph_fingerprint(const cw_graph *graph, char text[17]);

#ifdef __cplusplus
}
#endif
#endif
