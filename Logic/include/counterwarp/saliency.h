/* Saliency maps of a classifier, and the checks that tell whether a map explains it.
 *
 * y is the chosen output: a logit or its negative.  Where the graph ends in Sigmoid, Softmax or LogSoftmax, y is what
 * goes into it.  Maps lie on the model's grid, [nz][ny][nx], one number a voxel of the (one channel) image. */
#ifndef COUNTERWARP_SALIENCY_H
#define COUNTERWARP_SALIENCY_H

#include "counterwarp/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- methods ---- */

typedef enum cw_saliency_method {
  CW_SALIENCY_GRADIENT,             /* dy/dx */
  CW_SALIENCY_GRADIENT_INPUT,       /* x dy/dx */
  CW_SALIENCY_SMOOTHGRAD,           /* mean of dy/dx over noisy copies of x (Smilkov et al. 2017) */
  CW_SALIENCY_INTEGRATED_GRADIENTS, /* x times the mean of dy/dx from 0 to x, midpoints (Sundararajan et al. 2017) */
  CW_SALIENCY_GRADCAM,              /* sum_k mean(dy/dA_k) A_k (Selvaraju et al. 2017) */
  CW_SALIENCY_GRADCAM_PLUSPLUS,     /* its weights: arXiv 1710.11063, equations 10 and 19 */
  CW_SALIENCY_FULLGRAD,             /* x dy/dx and the bias terms of every layer: arXiv 1905.00780 */
  CW_SALIENCY_GUIDED_BACKPROP,      /* a rectifier passes g where a > 0 and g > 0 (Springenberg et al. 2015) */
  CW_SALIENCY_RECTGRAD,             /* a rectifier passes g where a g exceeds a percentile: arXiv 1902.04893 */
  CW_SALIENCY_LRP,                  /* layer-wise relevance propagation (Bach et al. 2015) */
  CW_SALIENCY_OCCLUSION,            /* mean fall of y over the boxes that hide a voxel (Zeiler, Fergus 2014) */
  CW_SALIENCY_METHODS
} cw_saliency_method;

/* What happens to signs, at the place where arXiv 2012.00362 puts it:
 *                     signed                positive                 absolute
 * GradCAM             sum                   ReLU of the sum          |sum|
 * GradCAM++           g                     ReLU(g) in the weights,  |g|, and |sum|
 *                                           ReLU of the sum
 * FullGrad            terms summed          ReLU of each, rescaled   | | of each, rescaled (the original)
 * Guided Backprop     g where a > 0         and g > 0 (original)     |g| where a > 0
 * RectGrad            |a g| above its       a g above its            |g| where |a g| is above its percentile
 *                     percentile            percentile (original)
 * LRP                 epsilon               z+ (alpha 1, beta 0)     |x w| in place of x w
 * others              as it is              ReLU of the map          |map|
 * "rescaled": each layer's terms to 0..1 before they are summed; signed bias terms keep their sum instead. */
typedef enum cw_sign { CW_SIGNED, CW_POSITIVE, CW_ABSOLUTE } cw_sign;

/* How relevance R goes back through y_j = sum_i x_i w_ij + b_j. */
typedef enum cw_lrp_rule {
  CW_LRP_EPSILON,    /* x w / (y + epsilon sign(y)) */
  CW_LRP_ALPHA_BETA, /* alpha of the positive x w (and b) less alpha - 1 of the negative; alpha 1: z+ */
  CW_LRP_ABSOLUTE,   /* |x w| / (sum |x w| + |b|) */
  CW_LRP_BOX         /* zB (Montavon et al. 2017) between the image's least and largest value; no share for the bias */
} cw_lrp_rule;

/* One rule for fully connected layers and one for the others, and one for layers that read the image.  Batch norm is
 * folded where it directly follows a convolution, else a linear layer of its own.  Pooling by the maximum gives all to
 * the maximum; rectifiers pass R. */
typedef struct cw_lrp {
  cw_lrp_rule dense, other, input;
  double alpha, epsilon;
} cw_lrp;

typedef struct cw_saliency_request {
  cw_saliency_method method;
  cw_sign sign;
  cw_value layer;    /* GradCAM, GradCAM++: value whose channels are summed; CW_NONE: the last rectifier's */
  int samples;       /* SmoothGrad's copies, the steps of Integrated Gradients */
  double noise;      /* SmoothGrad: sd as a share of the image's range */
  uint64_t seed;     /* SmoothGrad */
  double percentile; /* RectGrad, 0..100 */
  bool times_input;  /* RectGrad: times x at the end */
  cw_lrp lrp;
  int window, stride; /* Occlusion, voxels; 0: an eighth of the longest side */
  float fill;         /* Occlusion: what a box is filled with */
} cw_saliency_request;

/* A method's usual settings: 16 samples (32 steps), noise 0.03, the 90th percentile, epsilon 1e-6. */
cw_saliency_request cw_saliency_default(cw_saliency_method method, cw_sign sign);
/* Reads a name as users write it: METHOD[.signed|.positive|.absolute], METHOD one of gradient, gradient-x-input,
 * smoothgrad, integrated-gradients, gradcam, gradcam-plusplus, fullgrad, guided-backprop, rectgrad, rectgrad-x-input,
 * lrp, lrp-epsilon, lrp-zplus, lrp-absolute, lrp-alpha2-beta1, lrp-composite (dense epsilon, convolutions z+, image
 * zB), occlusion.  Without an ending the original form: positive for gradcam, gradcam-plusplus, guided-backprop,
 * rectgrad and lrp, absolute for fullgrad, else signed.  CW_ERROR_ARGUMENT for any other name. */
cw_status cw_saliency_parse(cw_context *context, const char *name, cw_saliency_request *request);
/* The name in full, which fits for files: "gradcam.signed", "lrp-zplus". */
void cw_saliency_name(const cw_saliency_request *request, char name[64]);

/* ---- maps of a scan ---- */

typedef struct cw_saliency cw_saliency;

/* Plans for all requests at once: they share one forward pass and its memory.  graph: first input the image
 * [N,1,D,H,W], first output the logits [N,C]; it must outlive the result, and its parameters may change between calls.
 * CW_ERROR_ARGUMENT for settings out of range, CW_ERROR_SHAPE for another image, CW_ERROR_UNSUPPORTED where a method
 * has no rule for a node, whose name and operator the message gives. */
cw_status cw_saliency_create(cw_context *context, const cw_graph *graph, const cw_saliency_request *requests, int count,
                             cw_saliency **saliency);
void cw_saliency_free(cw_context *context, cw_saliency *saliency);
/* Bytes of plans and scratch. */
size_t cw_saliency_bytes(const cw_saliency *saliency);
/* Number of logits. */
int cw_saliency_outputs(const cw_saliency *saliency);

/* y: logit `index`, or its negative. */
typedef struct cw_saliency_output {
  int index;
  bool negative;
} cw_saliency_output;

/* What goes with a map. */
typedef struct cw_saliency_note {
  double y; /* the output explained */
  /* What the method promises less what the map holds, NaN where it promises nothing.  FullGrad: y - (x dy/dx and all
   * bias terms), 0 on piecewise linear networks; Integrated Gradients: y(x) - y(0) - sum of the map. */
  double gap;
  bool empty;  /* zero everywhere */
  bool finite; /* no NaN or Inf */
  /* Of an empty or not finite map: one sentence with its reason, else "". */
  char reason[256];
} cw_saliency_note;

/* maps[r]: [nz][ny][nx], caller's, for request r; notes: [count].  Warns (cw_warn) of every map that is empty or not
 * finite.  Errors: CW_ERROR_NUMERIC (image or logits with NaN or Inf), CW_ERROR_ARGUMENT (no such output),
 * CW_ERROR_CANCELLED. */
cw_status cw_saliency_maps(cw_context *context, cw_saliency *saliency, const float *image, cw_saliency_output output,
                           float *const *maps, cw_saliency_note *notes);

#ifdef __cplusplus
}
#endif
#endif
