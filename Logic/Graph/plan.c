#include <string.h>

#include "Graph/plan_internal.h"
#include "Layers/layer.h"

/* ---- which nodes run, and which need a gradient ---- */

static void mark_needed(const cw_graph *graph, const bool *kept, bool *needed, bool *wanted) {
  memcpy(wanted, kept, (size_t)graph->value_count * sizeof *wanted);
  for (int i = graph->node_count - 1; i >= 0; i--) {
    const cw_node_record *node = &graph->nodes[i];
    needed[i] = wanted[node->output];
    for (int k = 0; needed[i] && k < node->input_count; k++)
      if (node->inputs[k] != CW_NONE)
        wanted[node->inputs[k]] = true;
  }
}

bool cw_step_takes_gradient(const cw_step *step, int input) {
  if (step->info == &cw_layer_loss_shift)
    return input == 0;
  if (step->info == &cw_layer_loss_bce)
    return input == 0;
  if (step->info == &cw_layer_batch_norm || step->info == &cw_layer_norm_act)
    return input < 3 || input == 5;
  return true;
}

static void mark_gradients(const cw_plan *plan, const cw_plan_options *options, bool *needs) {
  const cw_graph *graph = plan->graph;
  memset(needs, 0, (size_t)graph->value_count * sizeof *needs);
  if (plan->mode == CW_INFERENCE)
    return;
  for (int i = 0; i < graph->value_count; i++)
    needs[i] = plan->mode == CW_TRAINING && graph->values[i].kind == CW_VALUE_PARAMETER;
  if (options->gradients)
    for (int i = 0; i < options->gradient_count; i++)
      needs[options->gradients[i]] = true;
  else if (plan->mode == CW_INPUT_GRADIENT)
    for (int i = 0; i < graph->input_count; i++)
      needs[graph->inputs[i]] = true;
  for (int s = 0; s < plan->step_count; s++) {
    cw_step *step = &plan->steps[s];
    bool any = false;
    for (int k = 0; k < step->input_count; k++)
      any = any || (step->inputs[k] != CW_NONE && cw_step_takes_gradient(step, k) && needs[step->inputs[k]]);
    step->forward_only = !any;
    needs[step->output] = needs[step->output] || any;
  }
}

/* ---- calls ---- */

static void fill_call(const cw_plan *plan, const cw_step *step, cw_call *call) {
  const cw_graph *graph = plan->graph;
  call->attributes = &step->attributes;
  call->input_count = step->input_count;
  for (int k = 0; k < step->input_count; k++) {
    if (step->inputs[k] == CW_NONE)
      continue;
    call->in_shape[k] = graph->values[step->inputs[k]].shape;
    for (int i = 0; i < call->in_shape[k].rank; i++)
      if (call->in_shape[k].d[i] == CW_BATCH)
        call->in_shape[k].d[i] = plan->batch;
  }
  call->out_shape = graph->values[step->output].shape;
  for (int i = 0; i < call->out_shape.rank; i++)
    if (call->out_shape.d[i] == CW_BATCH)
      call->out_shape.d[i] = plan->batch;
  call->threads = plan->threads;
  call->training = plan->mode == CW_TRAINING && !step->attributes.frozen;
  call->gradients = !step->forward_only;
  call->seed = plan->seed;
  call->stream = (uint64_t)step->node;
  call->shift_margin[0] = call->shift_margin[1] = step->attributes.shift_margin;
}

static void connect(cw_plan *plan, cw_step *step) {
  const cw_graph *graph = plan->graph;
  cw_call *forward = &step->forward, *backward = &step->backward;
  const bool norm = step->info == &cw_layer_batch_norm || step->info == &cw_layer_norm_act;
  for (int k = 0; k < step->input_count; k++) {
    const cw_value in = step->inputs[k];
    if (in == CW_NONE)
      continue;
    float *data = graph->values[in].data;
    forward->in[k] = data ? data : cw_buffer_at(plan, plan->data_buffer[in]);
    if (norm && forward->training && (k == 3 || k == 4))
      forward->writable[k] = data;
    if (data || (step->info->keep_inputs >> k & 1))
      backward->in[k] = data ? data : cw_buffer_at(plan, plan->backward_buffer[in]);
  }
  forward->out = cw_buffer_at(plan, plan->data_buffer[step->output]);
  forward->saved = cw_buffer_at(plan, step->saved);
  forward->workspace = plan->workspace;
  if (step->forward_only)
    return;
  backward->out = step->info->keep_output ? forward->out : NULL;
  backward->saved = forward->saved;
  backward->workspace = plan->workspace;
  backward->grad_out = cw_buffer_at(plan, plan->gradient_buffer[step->output]);
  for (int k = 0; k < step->input_count; k++) {
    const cw_value in = step->inputs[k];
    if (in == CW_NONE || !cw_step_takes_gradient(step, k))
      continue;
    if (graph->values[in].data)
      backward->grad_in[k] = plan->parameter_gradient[in];
    else if (step->pass_gradient != k)
      backward->grad_in[k] = cw_buffer_at(plan, plan->gradient_buffer[in]);
  }
}

/* Sums of a parameter's uses: the first one to run backward overwrites. */
static void order_parameter_gradients(cw_plan *plan, bool *seen) {
  memset(seen, 0, (size_t)plan->graph->value_count * sizeof *seen);
  for (int s = plan->step_count - 1; s >= 0; s--) {
    cw_step *step = &plan->steps[s];
    for (int k = 0; k < step->input_count && !step->forward_only; k++) {
      const cw_value in = step->inputs[k];
      if (in == CW_NONE || !plan->parameter_gradient[in])
        continue;
      step->backward.accumulate[k] = seen[in];
      seen[in] = true;
    }
  }
}

static cw_status allocate_parameters(cw_context *context, cw_plan *plan, const bool *needs) {
  const cw_graph *graph = plan->graph;
  size_t total = 0;
  for (int pass = 0; pass < 2; pass++) {
    total = 0;
    for (int v = 0; v < graph->value_count; v++) {
      if (!graph->values[v].data || !needs[v])
        continue;
      if (pass)
        plan->parameter_gradient[v] = plan->parameter_block + total;
      total += ((size_t)cw_shape_elements(&graph->values[v].shape, 1) + 15) / 16 * 16;
    }
    if (!pass && total) {
      plan->parameter_block = cw_allocate_zero(context, total, sizeof(float));
      if (!plan->parameter_block)
        return CW_ERROR_MEMORY;
    }
  }
  plan->parameter_bytes = total * sizeof(float);
  return CW_OK;
}

/* Fresh memory costs a quarter of a second a gigabyte: shared among threads, and a host may stop it. */
static cw_status take_arena(cw_context *context, cw_plan *plan) {
  const size_t floats = plan->arena_bytes / sizeof(float) + 16, piece = (size_t)1 << 25;
  plan->arena = cw_allocate(context, floats, sizeof(float));
  if (!plan->arena)
    return CW_ERROR_MEMORY;
  float *to = (float *)plan->arena;
  for (size_t at = 0; at < floats; at += piece) {
    if (at)
      CW_TRY(cw_progress(context, "taking memory", 0));
    cw_clear((int64_t)(floats - at < piece ? floats - at : piece), to + at, plan->threads);
  }
  return CW_OK;
}

static cw_status build(cw_context *context, cw_plan *plan, const cw_plan_options *options, bool *needed, bool *marks,
                       cw_value_ends *ends) {
  const cw_graph *graph = plan->graph;
  const bool whole = options->keep_all || options->keep_values, keep = whole || options->repeat;
  mark_needed(graph, plan->kept, needed, marks);
  plan->step_count = cw_steps_build(graph, needed, plan->visible, !whole, marks, ends, plan->steps);
  mark_gradients(plan, options, marks);
  CW_TRY(allocate_parameters(context, plan, marks));
  for (int s = 0; s < plan->step_count; s++) {
    cw_step *step = &plan->steps[s];
    fill_call(plan, step, &step->forward);
    fill_call(plan, step, &step->backward);
    if (step->info->saved_bytes)
      step->saved_bytes = step->info->saved_bytes(&step->forward);
    const size_t workspace = step->info->workspace_bytes ? step->info->workspace_bytes(&step->forward) : 0;
    if (workspace > plan->workspace_bytes)
      plan->workspace_bytes = workspace;
  }
  cw_buffers_assign(plan, keep, options->keep_all, marks);
  int *order = cw_allocate(context, (size_t)plan->buffer_count + 1, sizeof *order);
  if (!order)
    return CW_ERROR_MEMORY;
  if (options->keep_all)
    for (int i = 0; i < plan->buffer_count; i++)
      plan->buffers[i].first = 0, plan->buffers[i].last = 2 * plan->step_count;
  plan->arena_bytes = cw_buffers_place(plan->buffers, plan->buffer_count, order);
  cw_release(context, order);
  CW_TRY(take_arena(context, plan));
  plan->workspace = plan->workspace_bytes ? cw_allocate_zero(context, plan->workspace_bytes, 1) : NULL;
  if (plan->workspace_bytes && !plan->workspace)
    return CW_ERROR_MEMORY;
  order_parameter_gradients(plan, marks);
  for (int s = 0; s < plan->step_count; s++)
    connect(plan, &plan->steps[s]);
  return CW_OK;
}

static cw_status check_options(cw_context *context, const cw_graph *graph, const cw_plan_options *options) {
  if (options->batch < 1)
    return cw_fail(context, CW_ERROR_ARGUMENT, "plan: the batch is %d, expected 1 or more", options->batch);
  const int outputs = options->outputs ? options->output_count : graph->output_count;
  if (outputs < 1)
    return cw_fail(context, CW_ERROR_ARGUMENT, "plan: the graph has no outputs");
  for (int i = 0; i < outputs; i++) {
    const cw_value v = options->outputs ? options->outputs[i] : graph->outputs[i];
    if (v < 0 || v >= graph->value_count)
      return cw_fail(context, CW_ERROR_ARGUMENT, "plan: output %d is not a value of the graph", i);
  }
  for (int i = 0; i < options->visible_count; i++)
    if (options->visible[i] < 0 || options->visible[i] >= graph->value_count)
      return cw_fail(context, CW_ERROR_ARGUMENT, "plan: visible value %d is not a value of the graph", i);
  for (int i = 0; options->gradients && i < options->gradient_count; i++)
    if (options->gradients[i] < 0 || options->gradients[i] >= graph->value_count)
      return cw_fail(context, CW_ERROR_ARGUMENT, "plan: gradient %d is not a value of the graph", i);
  for (int v = 0; v < graph->value_count; v++)
    if (!cw_shape_elements(&graph->values[v].shape, options->batch))
      return cw_fail(context, CW_ERROR_SHAPE, "plan: value '%s' is too large for a batch of %d", graph->values[v].name,
                     options->batch);
  return CW_OK;
}

cw_status cw_plan_create(cw_context *context, const cw_graph *graph, const cw_plan_options *options, cw_plan **result) {
  *result = NULL;
  CW_TRY(check_options(context, graph, options));
  const size_t values = (size_t)graph->value_count, nodes = (size_t)graph->node_count;
  cw_plan *plan = cw_allocate_zero(context, 1, sizeof *plan);
  if (!plan)
    return CW_ERROR_MEMORY;
  plan->graph = graph;
  plan->mode = options->mode;
  plan->batch = options->batch;
  plan->threads = options->threads > 0 ? options->threads : cw_context_threads(context);
  plan->seed = cw_context_seed(context);
  plan->keep_values = options->keep_values;
  plan->steps = cw_allocate_zero(context, nodes + 1, sizeof *plan->steps);
  plan->buffers = cw_allocate_zero(context, 2 * (values + nodes) + nodes + 1, sizeof *plan->buffers);
  plan->data_buffer = cw_allocate(context, values, sizeof(int));
  plan->gradient_buffer = cw_allocate(context, values, sizeof(int));
  plan->backward_buffer = cw_allocate(context, values, sizeof(int));
  plan->kept = cw_allocate_zero(context, values, sizeof(bool));
  plan->visible = cw_allocate_zero(context, values, sizeof(bool));
  plan->parameter_gradient = cw_allocate_zero(context, values, sizeof(float *));
  bool *needed = cw_allocate_zero(context, nodes + 1, sizeof(bool));
  bool *marks = cw_allocate_zero(context, values + nodes + 1, sizeof(bool));
  cw_value_ends *ends = cw_allocate(context, values + 1, sizeof *ends);
  cw_status status = CW_ERROR_MEMORY;
  if (plan->steps && plan->buffers && plan->data_buffer && plan->gradient_buffer && plan->backward_buffer &&
      plan->kept && plan->visible && plan->parameter_gradient && needed && marks && ends) {
    for (size_t v = 0; v < values; v++)
      plan->data_buffer[v] = plan->gradient_buffer[v] = plan->backward_buffer[v] = CW_NONE;
    const int outputs = options->outputs ? options->output_count : graph->output_count;
    for (int i = 0; i < outputs; i++)
      plan->kept[options->outputs ? options->outputs[i] : graph->outputs[i]] = true;
    memcpy(plan->visible, plan->kept, values * sizeof *plan->visible);
    for (int i = 0; i < options->visible_count; i++)
      plan->visible[options->visible[i]] = true;
    status = build(context, plan, options, needed, marks, ends);
    for (size_t v = 0; options->keep_all && v < values; v++)
      plan->kept[v] = plan->data_buffer[v] != CW_NONE;
  }
  cw_release(context, needed);
  cw_release(context, marks);
  cw_release(context, ends);
  if (status != CW_OK) {
    cw_plan_free(context, plan);
    return status;
  }
  *result = plan;
  return CW_OK;
}

void cw_plan_free(cw_context *context, cw_plan *plan) {
  if (!plan)
    return;
  cw_release(context, plan->steps);
  cw_release(context, plan->buffers);
  cw_release(context, plan->data_buffer);
  cw_release(context, plan->gradient_buffer);
  cw_release(context, plan->backward_buffer);
  cw_release(context, plan->kept);
  cw_release(context, plan->visible);
  cw_release(context, plan->parameter_gradient);
  cw_release(context, plan->parameter_block);
  cw_release(context, plan->arena);
  cw_release(context, plan->workspace);
  cw_release(context, plan);
}

size_t cw_plan_bytes(const cw_plan *plan) {
  return plan->arena_bytes + plan->workspace_bytes + plan->parameter_bytes;
}

float *cw_plan_data(const cw_plan *plan, cw_value value) {
  if (value < 0 || value >= plan->graph->value_count)
    return NULL;
  const bool readable = plan->kept[value] || plan->visible[value] || plan->keep_values ||
                        plan->graph->values[value].kind == CW_VALUE_INPUT;
  return readable ? cw_buffer_at(plan, plan->data_buffer[value]) : NULL;
}

float *cw_plan_gradient(const cw_plan *plan, cw_value value) {
  if (value < 0 || value >= plan->graph->value_count)
    return NULL;
  if (plan->graph->values[value].data)
    return plan->parameter_gradient[value];
  const bool readable = plan->kept[value] || plan->graph->values[value].kind == CW_VALUE_INPUT;
  return readable ? cw_buffer_at(plan, plan->gradient_buffer[value]) : NULL;
}

void cw_plan_set_step(cw_plan *plan, uint64_t step) {
  plan->step_number = step;
}

void cw_plan_set_margin(cw_plan *plan, cw_value loss, float inject, float remove) {
  for (int s = 0; s < plan->step_count; s++) {
    cw_step *step = &plan->steps[s];
    if (loss != CW_NONE && step->output != loss)
      continue;
    cw_call *const calls[2] = {&step->forward, &step->backward};
    for (int i = 0; i < 2; i++) {
      calls[i]->shift_margin[0] = inject;
      calls[i]->shift_margin[1] = remove;
    }
  }
}
