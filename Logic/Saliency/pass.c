/* One pass from the output back, and what the methods take from it on its way. */
#include <math.h>
#include <string.h>

#include "Saliency/saliency_internal.h"

static bool all_zero(const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (x[i] != 0)
      return false;
  return true;
}

static bool all_finite(const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!isfinite(x[i]))
      return false;
  return true;
}

/* Notes the first value where what is propagated has vanished. */
static void look(cw_backward *pass, cw_value value, const cw_call *call) {
  if (pass->vanish != CW_NONE)
    return;
  const int64_t n = cw_shape_elements(&call->out_shape, 1);
  pass->not_finite = !all_finite(call->grad_out, n);
  if (pass->not_finite || all_zero(call->grad_out, n))
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
    else if ((request->method == CW_SALIENCY_GRADCAM || request->method == CW_SALIENCY_GRADCAM_PLUSPLUS) &&
             request->layer == value)
      cw_cam_map(s, request, call->out, call->grad_out, pass->maps[r]);
  }
}

bool cw_backward_node(void *user, int node, const cw_call *call) {
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
  else if (rule && cw_is_rectifier(view.op))
    cw_rule_rectifier(rule, cw_operator_table(view.op), call);
  else
    cw_operator_table(view.op)->backward(call);
  return true;
}
