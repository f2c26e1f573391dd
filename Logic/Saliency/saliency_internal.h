/* Internal: what the files of Saliency share. */
#ifndef COUNTERWARP_SALIENCY_INTERNAL_H
#define COUNTERWARP_SALIENCY_INTERNAL_H

#include "counterwarp/saliency.h"
#include "Graph/rule.h"

/* Where the relevance of a node's output went (LRP): received = passed + bias + stabiliser, up to rounding and to what
 * the alpha-beta rule leaves where a sum has no negative part. */
typedef struct cw_ledger {
  double received, passed, bias, stabiliser;
} cw_ledger;

/* Memory of the LRP rules, each part as large as any node asks for. */
typedef struct cw_lrp_scratch {
  float *out[2], *in[2], *weight[2], *bias[2];
} cw_lrp_scratch;

struct cw_saliency {
  const cw_graph *graph;
  cw_value image, logits;
  int outputs, size[3]; /* nx, ny, nz */
  size_t samples;
  int threads;
  cw_saliency_request *requests;
  int count;
  cw_plan *plan; /* of one scan: the backward pass runs once for each rule */
  /* For gradients of many inputs: fused, keep nothing; one for each thread, or one for all. */
  cw_plan **samplers;
  int sampler_count;
  bool *live;       /* [nodes]: leads to the logits */
  int *producer;    /* [values]: the node that gives it, or -1 */
  bool *idle;       /* [nodes]: only sets gates of products, and so gets no relevance */
  int *fold;        /* [nodes]: the batch norm that a convolution is folded with, or the Add that is a MatMul's bias,
                     * and the other way round; or -1 */
  int negated;      /* node that takes the sign of a negative output: the last one that is not merely passed through */
  float *copy;      /* [samples] */
  float *layer_map; /* on a layer's own grid: as many samples as the largest of them has, the image's at least */
  size_t layer_samples; /* of layer_map */
  bool *wanted, *done;  /* [count] */
  double *totals;       /* [count] */
  cw_lrp_scratch scratch;
  float *scratch_block;
  size_t scratch_bytes;
  struct cw_occluder **occluders; /* [count]: of the Occlusion requests; those with the same boxes share the first's */
  bool quiet;                     /* no warnings about empty maps: of randomised networks they are expected */
  cw_ledger *ledger;              /* [nodes], where a test asks for it */
};

/* Zero everywhere; no NaN or Inf. */
bool cw_is_zero(const float *x, size_t n);
bool cw_is_finite(const float *x, size_t n);
/* SmoothGrad and Integrated Gradients. */
bool cw_is_sampled(const cw_saliency_request *request);
/* GradCAM and GradCAM++. */
bool cw_is_cam(const cw_saliency_request *request);

/* One pass from the output back. */
typedef struct cw_backward {
  cw_saliency *saliency;
  const cw_saliency_request *rule; /* of the methods that propagate by a rule; NULL: the gradient */
  bool negative;
  const bool *wanted; /* [count]: requests that look at this pass, NULL: none */
  float *const *maps;
  double *totals;  /* [count]: FullGrad's sum of bias terms */
  int last;        /* no request needs the nodes before this one */
  bool probe;      /* look for where the propagated values vanish */
  cw_value vanish; /* first value, from the output, where they are all zero or not finite; or CW_NONE */
  bool not_finite;
} cw_backward;

/* cw_node_rule of a pass. */
bool cw_backward_node(void *user, int node, const cw_operator_info *info, const cw_call *call);

/* The rules.  CW_ERROR_UNSUPPORTED for a node that a method has no rule for. */
cw_status cw_rules_check(cw_context *context, const cw_saliency *saliency, const cw_saliency_request *request);
void cw_rule_rectifier(const cw_saliency_request *request, const cw_operator_info *info, const cw_call *call);
bool cw_is_rectifier(const cw_node_view *node);
/* Value at rank k = ceil(share n) of a[i] g[i], or of its magnitude; k at least 1. */
float cw_product_percentile(const float *a, const float *g, int64_t n, double share, bool magnitudes, int threads);

/* What LRP does at a node. */
typedef enum cw_lrp_kind {
  CW_LRP_UNKNOWN,
  CW_LRP_LINEAR,   /* shares by x w, or by x: weights, means, interpolation */
  CW_LRP_LINE,     /* batch norm: shares of factor x and offset */
  CW_LRP_OWN_LINE, /* instance and layer norm: the same, with the sample's statistics as constants */
  CW_LRP_SUM,      /* shares of two terms */
  CW_LRP_SIGNAL,   /* a product of a signal and a gate: all to the signal (Arras et al. 2017) */
  CW_LRP_PASS,     /* as it is */
  CW_LRP_MOVE      /* to where the value came from: the operator's own backward pass */
} cw_lrp_kind;
cw_lrp_kind cw_lrp_kind_of(const cw_saliency *saliency, int node);
/* Which operand of a product is the signal; -1 for other nodes. */
int cw_lrp_signal(const cw_saliency *saliency, int node);
/* Fills idle: nodes of which every reader is idle or takes the output for a gate.  signal: scratch, [values]. */
void cw_lrp_find_idle(cw_saliency *saliency, bool *signal);
/* LRP-epsilon is x dy/dx, but for epsilon: all nodes are linear piece by piece and pass through 0. */
bool cw_lrp_is_gradient_input(const cw_saliency *saliency);
cw_status cw_lrp_check(cw_context *context, const cw_saliency *saliency, const cw_saliency_request *request);
/* Pairs of convolution and batch norm (readers: scratch, [values]), and the memory that the rules (and FullGrad's
 * biases) need. */
void cw_lrp_fold(cw_saliency *saliency, int *readers);
cw_status cw_lrp_allocate(cw_context *context, cw_saliency *saliency);
void cw_rule_lrp(cw_saliency *saliency, const cw_lrp *lrp, bool negative, int node, const cw_call *call);
/* Sums of two terms; see lrp_share.c. */
void cw_lrp_line(cw_saliency *saliency, const cw_lrp *lrp, cw_lrp_rule rule, bool negate, int node,
                 const cw_call *call);
void cw_lrp_own_line(cw_saliency *saliency, const cw_lrp *lrp, cw_lrp_rule rule, bool negate, int node,
                     const cw_call *call);
void cw_lrp_sum(cw_saliency *saliency, const cw_lrp *lrp, cw_lrp_rule rule, bool negate, int node, const cw_call *call);
/* Conv, Gemm and the poolings and resizes that are linear; see lrp_linear.c. */
void cw_lrp_linear(cw_saliency *saliency, const cw_lrp *lrp, cw_lrp_rule rule, bool negate, int node,
                   const cw_call *call);
/* Floats of the scratch that one linear node needs: outputs, inputs, weights, biases. */
void cw_lrp_linear_sizes(const cw_saliency *saliency, int node, size_t sizes[4]);
/* Scale and offset of channel c of a batch norm node in inference. */
void cw_norm_line(const cw_graph *graph, int node, int c, float *factor, float *offset);

/* map = the class activation map of `request` from A and dy/dA. */
void cw_cam_map(cw_saliency *saliency, const cw_saliency_request *request, const float *a, const float *gradient,
                float *map);
/* Adds the bias terms of a node to map, and their plain sum to *total. */
void cw_fullgrad_node(cw_saliency *saliency, const cw_saliency_request *request, int node, const float *gradient,
                      float *map, double *total);
/* Adds x dy/dx. */
void cw_fullgrad_input(cw_saliency *saliency, const cw_saliency_request *request, const float *gradient, float *map,
                       double *total);

/* map += share * (from, linearly interpolated; half-pixel centres, clamped).  Sizes nx, ny, nz. */
void cw_upsample_add(const float *from, const int from_size[3], float share, const int size[3], float *map,
                     int threads);

/* Occlusion: plans of its own, for several boxes at once.  index: of the request. */
cw_status cw_occlusion_allocate(cw_context *context, cw_saliency *saliency);
void cw_occlusion_free(cw_context *context, cw_saliency *saliency);
size_t cw_occlusion_bytes(const cw_saliency *saliency);
cw_status cw_occlusion_map(const cw_crew *crew, cw_saliency *saliency, int index, const float *image,
                           cw_saliency_output output, float *map);

/* The logits: the first output, or what goes into the Sigmoid or Softmax that it is. */
cw_value cw_logits_of(const cw_graph *graph);
/* Index of the node that gives `value`, or -1. */
int cw_producer(const cw_graph *graph, cw_value value);
/* Checks image and logits of a graph; fills size (nx, ny, nz) and the number of logits. */
cw_status cw_classifier_check(cw_context *context, const cw_graph *graph, int size[3], int *outputs);

#endif
