/* A network as data: values and nodes with ONNX's operators and attribute meanings (plus CondConv and Warp), shapes
 * inferred when a node is added; and plans, which run a graph for a batch and a mode without allocating.
 *
 * Tensors are float32, N C D H W, contiguous.  Axis 0 is the batch and is written CW_BATCH in a graph's shapes.
 * A graph is built once and then only read; several plans may share it. */
#ifndef COUNTERWARP_GRAPH_H
#define COUNTERWARP_GRAPH_H

#include "counterwarp/context.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CW_BATCH (-1)
#define CW_MAX_RANK 6

typedef struct cw_shape {
  int rank;
  int64_t d[CW_MAX_RANK];
} cw_shape;

cw_shape cw_shape_of(int rank, const int64_t *d);
/* Shape from a list of sizes: CW_SHAPE(CW_BATCH, 16, 32, 32, 32). */
#ifndef __cplusplus
#define CW_SHAPE(...) \
  cw_shape_of((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__})
#endif
/* Number of elements, with CW_BATCH taken as `batch`; 0 on overflow of int64. */
int64_t cw_shape_elements(const cw_shape *shape, int64_t batch);
bool cw_shape_equal(const cw_shape *a, const cw_shape *b);
/* "N x 16 x 32 x 32 x 32" into text. */
void cw_shape_text(const cw_shape *shape, char text[96]);

typedef int cw_value; /* index of a value in its graph; CW_NONE marks an absent optional input */
#define CW_NONE (-1)

typedef enum cw_value_kind {
  CW_VALUE_INPUT,     /* set by the caller */
  CW_VALUE_PARAMETER, /* trained */
  CW_VALUE_BUFFER,    /* stored but not trained: batch norm's running statistics, constants */
  CW_VALUE_ACTIVATION /* computed by a node */
} cw_value_kind;

typedef enum cw_operator {
  CW_OP_CONV,       /* x, W, [b] */
  CW_OP_COND_CONV,  /* x, o, W[E,co,ci,k,k,k], b, routing W[E,ci+1 or 1], routing b[E] */
  CW_OP_BATCH_NORM, /* x, scale, shift, mean, variance */
  CW_OP_RELU,
  CW_OP_LEAKY_RELU, /* alpha */
  CW_OP_SIGMOID,
  CW_OP_SOFTMAX,     /* over axis 1 */
  CW_OP_LOG_SOFTMAX, /* over axis 1 */
  CW_OP_MAX_POOL,
  CW_OP_AVERAGE_POOL, /* padding is not counted */
  CW_OP_GLOBAL_AVERAGE_POOL,
  CW_OP_RESIZE_NEAREST, /* integer factors `scale` */
  CW_OP_RESIZE_LINEAR,  /* integer factors `scale`, half-pixel centres, clamped */
  CW_OP_GEMM,           /* y = x W^T + b; x [N,in], W [out,in] */
  CW_OP_DROPOUT,        /* ratio; identity outside training */
  CW_OP_ADD,            /* same shapes */
  CW_OP_CONCAT,         /* axis 1 */
  CW_OP_RESHAPE,        /* to attributes.shape; Flatten is the reshape to [N, rest] */
  CW_OP_WARP,           /* image [N,C,D,H,W], u [N,3,D,H,W] in voxels */
  CW_OP_EXPONENTIAL,    /* v -> exp(v), attributes.squarings */
  CW_OP_TAPER,          /* v times a window that vanishes on the faces, attributes.margin */
  CW_OP_LOSS_BCE,       /* logit [N,1], target [N,1] -> [N]; no gradient to the target */
  CW_OP_LOSS_SHIFT,     /* y', y, o -> relu(margin - o (y' - y)) per sample [N]; no gradient to y and o */
  CW_OP_LOSS_MSE,       /* a, b -> mean squared difference per sample [N] */
  CW_OP_LOSS_SMOOTH,    /* field -> mean |forward difference|^norm summed over axes (norm 1, 2), or mean over voxels of
                         * sqrt(|Du|^2 + epsilon^2) - epsilon (norm 0), [N] */
  CW_OP_LOSS_MAGNITUDE, /* field -> mean square per sample [N] */
  CW_OP_COUNT
} cw_operator;

/* Attributes of a node; unused ones are left as cw_attributes_default gives them. */
typedef struct cw_attributes {
  int kernel[3], stride[3], dilation[3]; /* D, H, W */
  int pads[6];                           /* D, H, W begin, then end, as in ONNX */
  int groups;
  float alpha;    /* LeakyReLU */
  float epsilon;  /* batch norm, 1e-5; LOSS_SMOOTH with norm 0 */
  float momentum; /* batch norm: running = (1 - m) running + m batch, m = max(momentum, 1 / (step + 1)); 0.1 */
  bool frozen;    /* batch norm, dropout: behave as in inference in every mode */
  float ratio;    /* dropout; routing dropout of CondConv */
  int scale[3];   /* resize factors D, H, W */
  cw_shape shape; /* reshape target, with CW_BATCH */
  int squarings, margin, norm;
  float shift_margin; /* LOSS_SHIFT's initial b; see cw_plan_set_margin */
} cw_attributes;

cw_attributes cw_attributes_default(void);
/* ONNX's name of an operator, or ours ("CondConv", "Warp", ...). */
const char *cw_operator_name(cw_operator op);

typedef struct cw_graph cw_graph;

cw_status cw_graph_create(cw_context *context, cw_graph **graph);
void cw_graph_free(cw_context *context, cw_graph *graph);

/* Values.  name is copied and must be unique in the graph.  A parameter's data are copied from `data`, or zero if NULL.
 */
cw_status cw_graph_input(cw_context *context, cw_graph *graph, const char *name, cw_shape shape, cw_value *value);
cw_status cw_graph_parameter(cw_context *context, cw_graph *graph, const char *name, cw_shape shape, bool trained,
                             const float *data, cw_value *value);

/* Adds a node with one output, named `name`, whose shape is inferred.  CW_ERROR_SHAPE names node, operator and shapes.
 */
cw_status cw_graph_node(cw_context *context, cw_graph *graph, cw_operator op, const char *name,
                        const cw_attributes *attributes, const cw_value *inputs, int input_count, cw_value *output);

/* Copies the nodes of `from` into `graph`.  inputs[i] (a value of `graph`) stands for from's i-th input; parameters are
 * shared, not copied (`from` must outlive `graph`), and a second append of the same graph shares the same parameters
 * and their gradients.  frozen: parameters get no gradient, batch norm and dropout act as in inference.
 * outputs[i] receives the value for from's value wanted[i].  Names get `prefix`. */
cw_status cw_graph_append(cw_context *context, cw_graph *graph, const cw_graph *from, const char *prefix, bool frozen,
                          const cw_value *inputs, const cw_value *wanted, int wanted_count, cw_value *outputs);
/* The same with copied parameters: `graph` does not depend on `from` afterwards. */
cw_status cw_graph_append_copy(cw_context *context, cw_graph *graph, const cw_graph *from, const char *prefix,
                               const cw_value *inputs, const cw_value *wanted, int wanted_count, cw_value *outputs);

/* Gives a value another name, unique in the graph. */
cw_status cw_graph_rename(cw_context *context, cw_graph *graph, cw_value value, const char *name);

/* Marks a graph's outputs, in order. */
cw_status cw_graph_output(cw_context *context, cw_graph *graph, cw_value value);

/* Reading a graph. */
int cw_graph_value_count(const cw_graph *graph);
int cw_graph_node_count(const cw_graph *graph);
int cw_graph_input_count(const cw_graph *graph);
cw_value cw_graph_input_at(const cw_graph *graph, int index);
int cw_graph_output_count(const cw_graph *graph);
cw_value cw_graph_output_at(const cw_graph *graph, int index);
/* CW_NONE if there is no value of this name. */
cw_value cw_graph_find(const cw_graph *graph, const char *name);
const char *cw_value_name(const cw_graph *graph, cw_value value);
cw_value_kind cw_value_kind_of(const cw_graph *graph, cw_value value);
const cw_shape *cw_value_shape(const cw_graph *graph, cw_value value);
/* Data of a parameter or buffer (owned by the graph, or by the graph that it was appended from), else NULL. */
float *cw_value_data(const cw_graph *graph, cw_value value);

typedef struct cw_node_view {
  cw_operator op;
  const char *name;
  const cw_attributes *attributes;
  const cw_value *inputs;
  int input_count;
  cw_value output;
} cw_node_view;
/* The node at `index`; nodes stand in an order in which they can run. */
cw_node_view cw_graph_node_at(const cw_graph *graph, int index);

/* ---- plans ---- */

typedef enum cw_mode {
  CW_INFERENCE,      /* forward only */
  CW_INPUT_GRADIENT, /* forward as in inference; backward to the inputs */
  CW_TRAINING        /* batch statistics and dropout; backward to parameters (and to inputs that ask for it) */
} cw_mode;

typedef struct cw_plan cw_plan;

typedef struct cw_plan_options {
  cw_mode mode;
  int batch;
  const cw_value *outputs; /* values to keep; NULL: the graph's outputs.  Nodes that no output needs are left out */
  int output_count;
  const cw_value *gradients; /* inputs whose gradient is wanted; INPUT_GRADIENT with NULL: all inputs */
  int gradient_count;
  bool keep_all; /* every activation (and gradient) keeps its own memory, no fusion: for maps and tests */
} cw_plan_options;

/* Plans the memory.  The plan holds a reference to the graph, which must outlive it; the context's threads are used. */
cw_status cw_plan_create(cw_context *context, const cw_graph *graph, const cw_plan_options *options, cw_plan **plan);
void cw_plan_free(cw_context *context, cw_plan *plan);
/* Bytes of activations, gradients and workspace. */
size_t cw_plan_bytes(const cw_plan *plan);

/* Samples of an input, a kept output, or (keep_all) any activation: [batch][...].  NULL if the plan does not keep it.
 */
float *cw_plan_data(const cw_plan *plan, cw_value value);
/* Gradient: of an output (set by the caller before backward), of a wanted input, of a parameter (summed over the batch
 * and over all its uses), or (keep_all) of any activation.  NULL if the plan has none. */
float *cw_plan_gradient(const cw_plan *plan, cw_value value);
/* Step number: keys dropout's random numbers. */
void cw_plan_set_step(cw_plan *plan, uint64_t step);
/* Margin b of the LOSS_SHIFT node that gives `loss` (CW_NONE: of all): inject for o > 0, remove for o < 0. */
void cw_plan_set_margin(cw_plan *plan, cw_value loss, float inject, float remove);

/* Runs the nodes.  Inputs are read from cw_plan_data. */
void cw_plan_forward(cw_plan *plan);
/* After forward: propagates the outputs' gradients.  Parameter gradients are overwritten, not accumulated. */
void cw_plan_backward(cw_plan *plan);

#ifdef __cplusplus
}
#include <initializer_list>
inline cw_shape cw_shape_list(std::initializer_list<int64_t> d) {
  return cw_shape_of(static_cast<int>(d.size()), d.begin());
}
#define CW_SHAPE(...) cw_shape_list({__VA_ARGS__})
#endif
#endif
