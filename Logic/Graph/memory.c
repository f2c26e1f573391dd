#include "Graph/plan_internal.h"
#include "Layers/layer.h"

enum { PAGE = 64 };

static bool overlap_in_time(const cw_buffer *a, const cw_buffer *b) {
  return a->first <= b->last && b->first <= a->last;
}

/* Largest first, each at the lowest offset that is free for its whole life: within a few per cent of the peak of live
 * memory for chains of layers with skips. */
size_t cw_buffers_place(cw_buffer *buffers, int count, int *order) {
  size_t total = 0;
  for (int i = 0; i < count; i++) {
    int at = i;
    while (at > 0 && buffers[order[at - 1]].bytes < buffers[i].bytes) {
      order[at] = order[at - 1];
      at--;
    }
    order[at] = i;
  }
  for (int i = 0; i < count; i++) {
    cw_buffer *buffer = &buffers[order[i]];
    buffer->bytes = (buffer->bytes + PAGE - 1) / PAGE * PAGE;
    size_t offset = 0;
    for (bool moved = true; moved;) {
      moved = false;
      for (int k = 0; k < i; k++) {
        const cw_buffer *other = &buffers[order[k]];
        if (overlap_in_time(buffer, other) && offset < other->offset + other->bytes &&
            other->offset < offset + buffer->bytes) {
          offset = other->offset + other->bytes;
          moved = true;
        }
      }
    }
    buffer->offset = offset;
    if (offset + buffer->bytes > total)
      total = offset + buffer->bytes;
  }
  return total;
}

/* ---- which buffers there are, and when each is in use ---- */

static size_t value_bytes(const cw_plan *plan, cw_value value) {
  return (size_t)cw_shape_elements(&plan->graph->values[value].shape, plan->batch) * sizeof(float);
}

static int new_buffer(cw_plan *plan, size_t bytes, int first, int last) {
  const cw_buffer buffer = {bytes, 0, first, last};
  plan->buffers[plan->buffer_count] = buffer;
  return plan->buffer_count++;
}

static void touch(cw_plan *plan, int buffer, int time) {
  if (buffer == CW_NONE)
    return;
  cw_buffer *b = &plan->buffers[buffer];
  if (time < b->first)
    b->first = time;
  if (time > b->last)
    b->last = time;
}

/* A convolution of one channel costs a few per cent of a step, but its output is as large as any. */
static bool worth_repeating(const cw_plan *plan, const cw_step *step) {
  const bool cond = step->info == &cw_layer_cond_conv;
  if (plan->mode != CW_TRAINING || step->forward_only || plan->visible[step->output] ||
      (!cond && step->info != &cw_layer_conv))
    return false;
  if (plan->graph->values[step->inputs[0]].shape.d[1] != 1)
    return false;
  for (int s = 0; s < plan->step_count; s++)
    if (plan->steps[s].in_place && plan->steps[s].inputs[0] == step->output)
      return false;
  return true;
}

static void assign_data(cw_plan *plan, bool keep) {
  const cw_graph *graph = plan->graph;
  const int steps = plan->step_count, end = 2 * steps;
  for (int i = 0; i < graph->input_count; i++)
    plan->data_buffer[graph->inputs[i]] = plan->backward_buffer[graph->inputs[i]] =
        new_buffer(plan, value_bytes(plan, graph->inputs[i]), 0, end);
  for (int s = 0; s < steps; s++) {
    cw_step *step = &plan->steps[s];
    const int back = end - 1 - s;
    const int buffer =
        step->in_place ? plan->data_buffer[step->inputs[0]] : new_buffer(plan, value_bytes(plan, step->output), s, s);
    plan->data_buffer[step->output] = plan->backward_buffer[step->output] = buffer;
    if (!keep && worth_repeating(plan, step))
      plan->backward_buffer[step->output] = step->again = new_buffer(plan, value_bytes(plan, step->output), end, s);
    for (int k = 0; k < step->input_count; k++) {
      if (step->inputs[k] == CW_NONE)
        continue;
      touch(plan, plan->data_buffer[step->inputs[k]], s);
      if (!step->forward_only && (step->info->keep_inputs >> k & 1))
        touch(plan, plan->backward_buffer[step->inputs[k]], back);
    }
    touch(plan, plan->data_buffer[step->output], s);
    if (!step->forward_only && step->info->keep_output)
      touch(plan, plan->data_buffer[step->output], back);
    if (keep || plan->visible[step->output])
      touch(plan, plan->data_buffer[step->output], end);
    if (step->saved_bytes)
      step->saved = new_buffer(plan, step->saved_bytes, s, keep ? end : step->forward_only ? s : back);
  }
  for (int s = 0; s < steps; s++) {
    cw_step *step = &plan->steps[s];
    if (step->again == CW_NONE)
      continue;
    cw_buffer *again = &plan->buffers[step->again];
    if (again->first > again->last) { /* no backward step reads it */
      again->bytes = 0;
      again->first = again->last;
      step->again = CW_NONE;
      continue;
    }
    for (int k = 0; k < step->input_count; k++)
      if (step->inputs[k] != CW_NONE)
        touch(plan, plan->data_buffer[step->inputs[k]], again->first);
  }
}

static void assign_gradients(cw_plan *plan, bool keep_all, const bool *needs) {
  const cw_graph *graph = plan->graph;
  const int steps = plan->step_count, end = 2 * steps;
  for (int v = 0; v < graph->value_count; v++)
    if (plan->kept[v] && needs[v] && graph->values[v].kind == CW_VALUE_ACTIVATION)
      plan->gradient_buffer[v] = new_buffer(plan, value_bytes(plan, v), 0, end);
  for (int s = steps - 1; s >= 0; s--) {
    cw_step *step = &plan->steps[s];
    const int back = end - 1 - s, out = plan->gradient_buffer[step->output];
    if (step->forward_only || out == CW_NONE) {
      step->forward_only = true;
      continue;
    }
    touch(plan, out, back);
    for (int k = 0; k < step->input_count; k++) {
      const cw_value in = step->inputs[k];
      if (in == CW_NONE || !needs[in] || !cw_step_takes_gradient(step, k) || graph->values[in].data)
        continue;
      int *buffer = &plan->gradient_buffer[in];
      if (*buffer == CW_NONE) {
        const bool share = !plan->kept[step->output] && graph->values[in].kind == CW_VALUE_ACTIVATION &&
                           (step->in_place ? k == 0 : step->pass_gradient == k);
        *buffer = share ? out : new_buffer(plan, value_bytes(plan, in), back, back);
        step->backward.accumulate[k] = false;
        if (!share && step->pass_gradient == k)
          step->pass_gradient = CW_NONE;
      } else {
        step->backward.accumulate[k] = true;
        if (step->pass_gradient == k)
          step->pass_gradient = CW_NONE;
      }
      touch(plan, *buffer, back);
      if (keep_all || graph->values[in].kind == CW_VALUE_INPUT)
        touch(plan, *buffer, end);
    }
  }
}

void cw_buffers_assign(cw_plan *plan, bool keep_values, bool keep_all, const bool *needs) {
  assign_data(plan, keep_values);
  assign_gradients(plan, keep_all, needs);
}
