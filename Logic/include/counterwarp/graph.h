/* A network as data: values and nodes with ONNX's operators and attribute meanings (plus CondConv and Warp), shapes
 * inferred when a node is added; and plans, which run a graph for a batch and a mode without allocating.
 *
 * Tensors are float32, N C D H W, contiguous.  The batch is written CW_BATCH in a graph's shapes; it is axis 0 of
 * inputs and outputs, and may be another axis in between (one axis of a value at most). A graph is built once and then
 * only read; several plans may share it. */
#ifndef COUNTERWARP_GRAPH_H
#define COUNTERWARP_GRAPH_H

#include "counterwarp/context.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CW_BATCH (-1)
#define CW_MAX_RANK 8

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
  CW_OP_SOFTMAX,     /* over `axis` */
  CW_OP_LOG_SOFTMAX, /* over `axis` */
  CW_OP_MAX_POOL,
  CW_OP_AVERAGE_POOL, /* padding is not counted unless count_pads */
  CW_OP_GLOBAL_AVERAGE_POOL,
  CW_OP_RESIZE_NEAREST, /* integer factors `scale` */
  CW_OP_RESIZE_LINEAR,  /* integer factors `scale`, half-pixel centres, clamped */
  CW_OP_GEMM,           /* y = x W^T + b; x [N,in], W [out,in] */
  CW_OP_RESIZE,         /* to attributes.shape by `factor`, along D, H, W: any factor, every coordinate rule */
  CW_OP_DROPOUT,        /* ratio; identity outside training */
  /* Two operands, broadcast as in numpy: missing leading axes and axes of one sample repeat. */
  CW_OP_ADD,
  CW_OP_SUB,
  CW_OP_MUL,
  CW_OP_DIV,
  CW_OP_POW,
  CW_OP_MIN,
  CW_OP_MAX,
  CW_OP_PRELU,   /* x, slope; broadcast to x's shape */
  CW_OP_GREATER, /* 1 where a > b, else 0; no gradient */
  CW_OP_LESS,
  CW_OP_WHERE, /* condition (0 or not), a, b; broadcast */
  /* One operand, element by element. */
  CW_OP_ABS,
  CW_OP_NEG,
  CW_OP_RECIPROCAL,
  CW_OP_SQRT,
  CW_OP_EXP,
  CW_OP_LOG,
  CW_OP_TANH,
  CW_OP_ERF,
  CW_OP_SOFTPLUS,
  CW_OP_SOFTSIGN,
  CW_OP_ELU,          /* alpha */
  CW_OP_SELU,         /* alpha, beta: ONNX's gamma */
  CW_OP_HARD_SIGMOID, /* clip(alpha x + beta, 0, 1) */
  CW_OP_HARD_SWISH,   /* x clip(x / 6 + 1/2, 0, 1) */
  CW_OP_CLIP,         /* to [alpha, beta] */
  /* Over the axes in `axes`, which stay with one sample where keep_axes. */
  CW_OP_REDUCE_MEAN,
  CW_OP_REDUCE_SUM,
  CW_OP_REDUCE_MAX,
  CW_OP_MATMUL,         /* [.., m, k], [.., k, n] -> [.., m, n]; leading axes broadcast */
  CW_OP_LAYER_NORM,     /* x, scale, [bias]: over `axis` and later ones */
  CW_OP_INSTANCE_NORM,  /* x, scale[C], bias[C]: over the axes after 1 */
  CW_OP_CONV_TRANSPOSE, /* x, W[ci, co / groups, k, k, k], [b]; more[] adds to the end of each axis */
  CW_OP_CONCAT,         /* on `axis` */
  CW_OP_RESHAPE,        /* to attributes.shape; Flatten is the reshape to [N, rest] */
  CW_OP_TRANSPOSE,      /* axis i of the output is axis order[i] of x */
  CW_OP_SLICE,          /* shape.d[i] samples of axis i from begin[i] on, step[i] apart; the batch stays whole */
  CW_OP_PAD,            /* begin[i] and end[i] samples around axis i (negative: taken away), as `fill` says */
  CW_OP_GATHER,         /* x, indices [count] (whole numbers from 0): those samples of `axis` */
  CW_OP_EXPAND,         /* to attributes.shape, as operands are broadcast */
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

/* What Pad puts around: a number, the sample mirrored at the border (which is not repeated), the border. */
typedef enum cw_fill { CW_FILL_CONSTANT, CW_FILL_REFLECT, CW_FILL_EDGE } cw_fill;

/* Where output sample o of a resize lies in the input (ONNX's coordinate_transformation_mode). */
typedef enum cw_sampling {
  CW_SAMPLE_HALF_PIXEL, /* (o + 1/2) / factor - 1/2 */
  CW_SAMPLE_ASYMMETRIC, /* o / factor */
  CW_SAMPLE_CORNERS,    /* o (in - 1) / (out - 1) */
  CW_SAMPLE_TORCH_HALF  /* as half pixel; 0 where the output has one sample */
} cw_sampling;

/* Which neighbour the nearest is (nearest_mode). */
typedef enum cw_rounding { CW_ROUND_HALF_DOWN, CW_ROUND_HALF_UP, CW_ROUND_FLOOR, CW_ROUND_CEIL } cw_rounding;

/* Attributes of a node; unused ones are left as cw_attributes_default gives them. */
typedef struct cw_attributes {
  int kernel[3], stride[3], dilation[3]; /* D, H, W */
  int pads[6];                           /* D, H, W begin, then end, as in ONNX */
  int groups;
  float alpha;    /* LeakyReLU, ELU, ...; the value that Pad fills in */
  float beta;     /* see the operators */
  float epsilon;  /* norms, 1e-5; LOSS_SMOOTH with norm 0 */
  float momentum; /* batch norm: running = (1 - m) running + m batch, m = max(momentum, 1 / (step + 1)); 0.1 */
  bool frozen;    /* batch norm, dropout: behave as in inference in every mode */
  float ratio;    /* dropout; routing dropout of CondConv */
  int scale[3];   /* resize factors D, H, W */
  cw_shape shape; /* target of Reshape, Expand, Slice, Resize, with CW_BATCH */
  int axis;       /* softmax, concat, gather, layer norm: 1 */
  unsigned axes;  /* reductions: bit i for axis i */
  bool keep_axes;
  int order[CW_MAX_RANK];
  int begin[CW_MAX_RANK], end[CW_MAX_RANK], step[CW_MAX_RANK];
  cw_fill fill;
  bool ceil_mode;  /* pooling: a last window that reaches over the end counts, unless it starts in the padding */
  bool count_pads; /* average pooling */
  int more[3];     /* transposed convolution: output_padding */
  float factor[3]; /* resize */
  bool linear;     /* resize: else nearest */
  cw_sampling sampling;
  cw_rounding rounding;
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
/* As cw_graph_append, but only the nodes that the wanted values need: inputs[i] stands for given[i], any value of
 * `from`, and may have another shape.  CW_ERROR_ARGUMENT where they need an input that is not given. */
cw_status cw_graph_append_part(cw_context *context, cw_graph *graph, const cw_graph *from, const char *prefix,
                               bool frozen, const cw_value *given, const cw_value *inputs, int given_count,
                               const cw_value *wanted, int wanted_count, cw_value *outputs);

/* Gives a value another name, unique in the graph. */
cw_status cw_graph_rename(cw_context *context, cw_graph *graph, cw_value value, const char *name);

/* Drops the nodes that no output depends on, and the parameters and buffers that no other node reads.  Values get new
 * indices. */
cw_status cw_graph_trim(cw_context *context, cw_graph *graph);

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
  int threads;             /* 0: the context's */
  const cw_value *outputs; /* values to keep; NULL: the graph's outputs.  Nodes that no output needs are left out */
  int output_count;
  const cw_value *gradients; /* inputs whose gradient is wanted; INPUT_GRADIENT with NULL: all inputs */
  int gradient_count;
  const cw_value *visible; /* activations that can be read: nothing is fused over them */
  int visible_count;
  bool repeat;      /* the backward pass may run several times after one forward */
  bool keep_all;    /* every activation (and gradient) keeps its own memory, no fusion: for tests */
  bool keep_values; /* every activation keeps its own memory, no fusion, and the backward pass may run several times
                     * after one forward: for saliency maps.  Gradients share memory as usual */
} cw_plan_options;

/* Plans the memory.  The plan holds a reference to the graph, which must outlive it. */
cw_status cw_plan_create(cw_context *context, const cw_graph *graph, const cw_plan_options *options, cw_plan **plan);
void cw_plan_free(cw_context *context, cw_plan *plan);
/* Bytes of activations, gradients and workspace. */
size_t cw_plan_bytes(const cw_plan *plan);

/* Samples of an input, a kept output, a visible value, or (keep_all, keep_values) any activation: [batch][...].  NULL
 * if the plan does not keep it.
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
