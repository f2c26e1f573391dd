/* Internal: passes that tell how far they are, and a backward pass whose nodes follow another rule than the
 * gradient's. */
#ifndef COUNTERWARP_GRAPH_RULE_H
#define COUNTERWARP_GRAPH_RULE_H

#include "Graph/operator.h"
#include "Tensor/crew.h"

/* As cw_plan_forward and cw_plan_backward, with progress after each node.  CW_ERROR_CANCELLED: the plan's values are
 * then those of two inputs, until the next forward pass. */
cw_status cw_plan_forward_run(const cw_crew *crew, cw_plan *plan);
cw_status cw_plan_backward_run(const cw_crew *crew, cw_plan *plan);

/* Called for each node that leads from the inputs to the outputs, last node first; of nodes that run as one, for the
 * last of them.  call->grad_out is what the nodes after it have given to its output, complete; the rule fills
 * call->grad_in (adding where call->accumulate says so), with info->backward where the gradient is meant.  Inputs and
 * output can be read, but for an input that the output has overwritten.  False ends the pass. */
typedef bool (*cw_node_rule)(void *user, int node, const cw_operator_info *info, const cw_call *call);

/* Propagates the outputs' gradients (cw_plan_gradient, set before) by the rule.  For plans with keep_values or repeat:
 * as often as wanted after one forward.  CW_ERROR_CANCELLED. */
cw_status cw_plan_backward_by(const cw_crew *crew, cw_plan *plan, cw_node_rule rule, void *user);

#endif
