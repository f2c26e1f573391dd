/* One pass from the output back, and what the methods take from it on its way. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "Saliency/saliency_internal.h"

enum { PART = 4096 }; /* looked at together: as vectors, and not much longer than need be */

bool cw_is_zero(const float *x, size_t n) {
  for (size_t from = 0; from < n; from += PART) {
    int other = 0;
    for (size_t i = from; i < (n - from < PART ? n : from + PART); i++)
      other |= x[i] != 0;
    if (other)
      return false;
  }
  return true;
}

bool cw_is_finite(const float *x, size_t n) {
  for (size_t from = 0; from < n; from += PART) {
    int bad = 0;
    for (size_t i = from; i < (n - from < PART ? n : from + PART); i++)
      bad |= !(fabsf(x[i]) <= FLT_MAX);
    if (bad)
      return false;
  }
  return true;
}

bool cw_is_cam(const cw_saliency_request *request) {
  return request->method == CW_SALIENCY_GRADCAM || request->method == CW_SALIENCY_GRADCAM_PLUSPLUS;
}

/* Notes the first value where what is propagated has vanished. */
static void look(cw_backward *pass, cw_value value, const cw_call *call) {
  if (pass->vanish != CW_NONE)
    return;
  const size_t n = (size_t)cw_shape_elements(&call->out_shape, 1);
  pass->not_finite = !cw_is_finite(call->grad_out, n);
  if (pass->not_finite || cw_is_zero(call->grad_out, n))
    pass->vanish = value;
}

/* What the requests want of the gradient at a node's output. */
static void take(cw_backward *pass, int node, cw_value value, const cw_call *call) {
  cw_saliency *s = pass->saliency;
  for (int r = 0; r < s->count; r++) {
    const cw_saliency_request *request = &s->requests[r];
    if (!pass->wanted || !pass->wanted[r])
      continue;
    if (request->method == CW_SALIENCY_FULLGRAD)
      cw_fullgrad_node(s, request, node, call->grad_out, pass->maps[r], &pass->totals[r]);
    else if (cw_is_cam(request) && request->layer == value)
      cw_cam_map(s, request, call->out, call->grad_out, pass->maps[r]);
  }
}

bool cw_backward_node(void *user, int node, const cw_operator_info *info, const cw_call *call) {
  cw_backward *pass = user;
  cw_saliency *s = pass->saliency;
  const cw_node_view view = cw_graph_node_at(s->graph, node);
  if (pass->probe)
    look(pass, view.output, call);
  else
    take(pass, node, view.output, call);
  if (node <= pass->last && node > 0)
    return false;
  const cw_saliency_request *rule = pass->rule;
  if (rule && rule->method == CW_SALIENCY_LRP)
    cw_rule_lrp(s, &rule->lrp, pass->negative, node, call);
  else if (rule && cw_is_rectifier(&view))
    cw_rule_rectifier(rule, info, call);
  else
    info->backward(call);
  return true;
}
