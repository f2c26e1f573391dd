/* Saliency maps of a classifier, and the checks that tell whether a map explains it.
 *
 * y is the chosen output: a logit or its negative.  Where the graph ends in Sigmoid, Softmax or LogSoftmax, y is what
 * goes into it.  Maps lie on the model's grid, [nz][ny][nx], one number a voxel of the (one channel) image. */
#ifndef COUNTERWARP_SALIENCY_H
#define COUNTERWARP_SALIENCY_H

#include "counterwarp/results.h"

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

/* Rectifiers, to Guided Backprop and RectGrad: ReLU, LeakyReLU, PRelu, ELU, SELU, HardSwish, Clip from 0.  What the
 * gate lets through goes on by the operator's own slope; all other operators pass the gradient.
 *
 * What happens to signs, at the place where arXiv 2012.00362 puts it:
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

/* One rule for fully connected layers (Gemm, MatMul by a stored matrix, with the Add of its bias) and one for the
 * others, and one for layers that read the image.  Batch norm is folded where it directly follows a convolution, else a
 * linear layer of its own; so are instance and layer norm, with the sample's statistics as constants.  Means and
 * interpolation share by x, Add and Sub by their terms (a stored one is a bias).  Activations through 0 (ReLU,
 * LeakyReLU, PRelu, ELU, SELU, HardSwish, Tanh, Erf, Softsign, Clip) and products with a stored number pass R; maxima,
 * Pad, Slice, Concat, Gather, Transpose, Expand and Where give it to where the value came from.  In a product of a
 * signal and a gate (Sigmoid, HardSigmoid, Softmax, 1 + Erf, 1 + Tanh: squeeze and excitation, SiLU, GELU) the signal
 * takes all (Arras et al. 2017).  Other nodes, such as products of two signals (attention), have no rule. */
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
  int window, stride; /* Occlusion, voxels; 0: an eighth of the longest side; the stride is at most the window */
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
/* The methods that are offered where none is asked for, in the original and the signed form; NULL past the last. */
const char *cw_saliency_usual(int index);

/* ---- maps of a scan ---- */

typedef struct cw_saliency cw_saliency;

/* Plans for all requests at once: they share one forward pass and its memory.  graph: its input is the image
 * [N,1,D,H,W], its first output the logits [N,C]; it must outlive the result, and its parameters may change between
 * calls. CW_ERROR_ARGUMENT for settings out of range, CW_ERROR_SHAPE for another image, CW_ERROR_UNSUPPORTED where a
 * method has no rule for a node, whose name and operator the message gives. */
cw_status cw_saliency_create(cw_context *context, const cw_graph *graph, const cw_saliency_request *requests, int count,
                             cw_saliency **saliency);
void cw_saliency_free(cw_context *context, cw_saliency *saliency);
/* The checks of cw_saliency_create alone, for one request. */
cw_status cw_saliency_check(cw_context *context, const cw_graph *graph, const cw_saliency_request *request);
/* Bytes of plans and scratch. */
size_t cw_saliency_bytes(const cw_saliency *saliency);

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

/* ---- similarity of maps ---- */

/* Over the samples where region != 0 (NULL: all).  An empty or constant map correlates 0 with any other. */
typedef struct cw_similarity {
  double signed_rank;   /* Spearman's rank correlation, ties averaged */
  double absolute_rank; /* of the magnitudes */
  double ssim;          /* mean structural similarity (Wang et al. 2004) of the magnitudes, each divided by its own
                         * 99.9th percentile and cut at 1: 7^3 uniform windows, those inside the volume whose centre is
                         * in the region */
} cw_similarity;
/* size: nx, ny, nz.  CW_ERROR_NUMERIC for NaN or Inf, CW_ERROR_ARGUMENT for an empty region. */
cw_status cw_map_similarity(cw_context *context, const float *a, const float *b, const float *region, const int size[3],
                            cw_similarity *similarity);

/* ---- randomised weights ---- */

/* The parts that are re-drawn together: a layer with weights (Conv, CondConv, ConvTranspose, Gemm, or MatMul by a
 * stored matrix) and the normalisations that follow it before the next one; first layer first. */
typedef struct cw_random_layers {
  int count;
  int *node;       /* index of each part's layer with weights in the graph */
  int *part;       /* [nodes of the graph]: part of a node with parameters, or -1 */
  int first_dense; /* the first part of the head: from it on all parts are fully connected, and count - first_dense of
                    * them make at least a third of all parts (further ones are taken in until they do) */
} cw_random_layers;
cw_status cw_random_layers_of(cw_context *context, const cw_graph *graph, cw_random_layers *layers);
void cw_random_layers_free(cw_context *context, cw_random_layers *layers);
/* Re-draws one part's parameters in `graph` from the initial distribution of the reference networks: Xavier uniform
 * kernels, other weights and biases uniform within 1 / sqrt(inputs); normalisations to scale 1, bias 0, mean 0,
 * variance 1.
 * A function of seed and part alone. */
void cw_random_layer_draw(const cw_graph *graph, const cw_random_layers *layers, int part, uint64_t seed);

/* ---- sanity checks ---- */

/* Three similarities over scans, and how many of the maps were empty or not finite (they correlate 0 with all). */
typedef struct cw_sanity_figures {
  cw_summary signed_rank, absolute_rank, ssim;
  int empty;
} cw_sanity_figures;

/* Depends, where the similarity's 95 % interval lies below that of unrelated maps; does not, where it lies above;
 * undecided, where the two overlap (or there are under two scans). */
typedef enum cw_verdict { CW_UNDECIDED, CW_DEPENDS, CW_DOES_NOT_DEPEND } cw_verdict;

/* What one method's maps do.  cascade and independent: [layers], as cw_random_layers counts them; valid until the next
 * call. */
typedef struct cw_sanity_method {
  /* Maps of y and of -y; with several logits: of the largest and the second largest. */
  cw_sanity_figures output;
  /* Maps of one scan and of the one added before it, by the trained classifier: unrelated (Arun et al. 2021). */
  cw_sanity_figures unrelated;
  /* Maps before and after the weights of this layer and all later ones, or of this layer alone, were re-drawn. */
  const cw_sanity_figures *cascade, *independent;
  cw_verdict on_output;  /* by signed_rank of output */
  cw_verdict on_weights; /* by absolute_rank of cascade[first_dense]: the head re-drawn */
  /* Outcomes that hold whatever the classifier is, "" if none: they are no findings; and whether on_output is one. */
  char by_construction[320];
  bool output_by_construction;
} cw_sanity_method;

typedef struct cw_sanity cw_sanity;

/* Room for `scans` scans.  Scan number s is re-drawn with seed + s, so that intervals cover the draw too.  graph must
 * outlive the result; it is copied, not changed.  Errors as cw_saliency_create, and CW_ERROR_ARGUMENT without layers
 * with weights. */
cw_status cw_sanity_create(cw_context *context, const cw_graph *graph, const cw_saliency_request *requests, int count,
                           int scans, uint64_t seed, cw_sanity **sanity);
void cw_sanity_free(cw_context *context, cw_sanity *sanity);
const cw_random_layers *cw_sanity_layers(const cw_sanity *sanity);
/* All checks of one more scan.  region: voxels that are compared, NULL for all.  CW_ERROR_ARGUMENT if there is no room,
 * and as cw_saliency_maps. */
cw_status cw_sanity_add(cw_context *context, cw_sanity *sanity, const float *image, const float *region);
/* The figures of the scans so far for request `index`. */
cw_status cw_sanity_result(cw_context *context, cw_sanity *sanity, int index, cw_sanity_method *result);

/* ---- faithfulness ---- */

#define CW_FAITHFUL_POINTS 17

/* y along the share (k / 16)^2 of the image's voxels that is replaced, in the map's order (magnitude of the map where
 * `magnitudes`, else the largest value first): deletion puts the baseline in place of the image, insertion the image in
 * place of the baseline (Petsiuk et al. 2018).  Equal values are taken in the order of the samples. */
typedef struct cw_faithfulness {
  double share[CW_FAITHFUL_POINTS], deletion[CW_FAITHFUL_POINTS], insertion[CW_FAITHFUL_POINTS];
  /* Area under the curves (trapezoids over the share), as the part of the way from y(baseline) to y(image): deletion is
   * better the lower, insertion the higher.  NaN where the two differ by less than 1e-6. */
  double deletion_area, insertion_area;
} cw_faithfulness;
/* One plan for many maps of a graph. */
typedef struct cw_faithful cw_faithful;
cw_status cw_faithful_create(cw_context *context, const cw_graph *graph, cw_faithful **faithful);
void cw_faithful_free(cw_context *context, cw_faithful *faithful);
/* baseline: [nz][ny][nx], NULL for zeros.  region: voxels that take part (NULL: all).  CW_ERROR_NUMERIC for NaN or Inf,
 * CW_ERROR_ARGUMENT for an empty region or no such output. */
cw_status cw_faithful_curves(cw_context *context, cw_faithful *faithful, const float *image, const float *baseline,
                             const float *region, const float *map, bool magnitudes, cw_saliency_output output,
                             cw_faithfulness *result);

/* ---- baselines ---- */

/* What any method has to beat, [nz][ny][nx] of size nx, ny, nz: uniform random numbers; the length of the image's
 * gradient after smoothing with sigma 1 voxel. */
void cw_baseline_random(uint64_t seed, uint64_t stream, const int size[3], float *map);
cw_status cw_baseline_edges(cw_context *context, const float *image, const int size[3], float *map);
/* Welch's t of patients' less controls' images at each voxel, 0 where neither group varies.  label: [count], 0 or 1.
 * CW_ERROR_ARGUMENT unless each group has two images. */
cw_status cw_baseline_group(cw_context *context, const float *images, const int *label, int count, size_t samples,
                            float *map);

#ifdef __cplusplus
}
#endif
#endif
