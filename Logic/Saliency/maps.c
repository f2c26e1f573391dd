/* Maps of a scan: one forward pass, then one pass back for each rule that the requests ask for.  Methods that look at
 * more than one input use a plan that keeps nothing. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "counterwarp/random.h"
#include "Layers/layer.h"
#include "Saliency/saliency_internal.h"

/* One call of cw_saliency_maps. */
typedef struct run {
  cw_context *context;
  cw_saliency *s;
  const float *image;
  cw_saliency_output output;
  float *const *maps;
  cw_saliency_note *notes;
} run;

bool cw_is_sampled(const cw_saliency_request *request) {
  return request->method == CW_SALIENCY_SMOOTHGRAD || request->method == CW_SALIENCY_INTEGRATED_GRADIENTS;
}

/* The request whose rule a pass follows; NULL for the gradient. */
static const cw_saliency_request *rule_of(const cw_saliency_request *request) {
  const bool rule = request->method == CW_SALIENCY_GUIDED_BACKPROP || request->method == CW_SALIENCY_RECTGRAD ||
                    request->method == CW_SALIENCY_LRP;
  return rule ? request : NULL;
}

static bool same_rule(const cw_saliency_request *a, const cw_saliency_request *b) {
  if (!rule_of(a) || !rule_of(b))
    return !rule_of(a) && !rule_of(b);
  if (a->method != b->method)
    return false;
  const cw_lrp *p = &a->lrp, *q = &b->lrp;
  if (a->method == CW_SALIENCY_LRP)
    return p->dense == q->dense && p->other == q->other && p->input == q->input && p->alpha == q->alpha &&
           p->epsilon == q->epsilon;
  return a->sign == b->sign && (a->method == CW_SALIENCY_GUIDED_BACKPROP || a->percentile == b->percentile);
}

/* The input's samples, and y. */
static cw_status forward(const run *r, const cw_crew *crew, const float *image, double *y) {
  cw_saliency *s = r->s;
  memcpy(cw_plan_data(s->plan, s->image), image, s->samples * sizeof *image);
  CW_TRY(cw_plan_forward_run(crew, s->plan));
  const float logit = cw_plan_data(s->plan, s->logits)[r->output.index];
  *y = r->output.negative ? -logit : logit;
  return CW_OK;
}

/* Starts at y: with 1, or with its relevance y itself. */
static cw_status backward(const run *r, const cw_crew *crew, cw_backward *pass) {
  cw_saliency *s = r->s;
  float *start = cw_plan_gradient(s->plan, s->logits);
  const float sign = r->output.negative ? -1.0f : 1.0f;
  const bool relevance = pass->rule && pass->rule->method == CW_SALIENCY_LRP;
  memset(start, 0, (size_t)s->outputs * sizeof *start);
  start[r->output.index] = relevance ? sign * cw_plan_data(s->plan, s->logits)[r->output.index] : sign;
  pass->saliency = s;
  pass->negative = r->output.negative;
  pass->vanish = CW_NONE;
  return cw_plan_backward_by(crew, s->plan, cw_backward_node, pass);
}

/* ---- what a map of nothing means ---- */

/* Reason of an empty or not finite map, with the plan at the image. */
static cw_status explain(const run *r, const cw_crew *crew, int index) {
  cw_saliency *s = r->s;
  const cw_saliency_request *request = &s->requests[index];
  cw_saliency_note *note = &r->notes[index];
  char name[64];
  cw_saliency_name(request, name);
  cw_backward probe = {0};
  probe.rule = rule_of(request);
  probe.probe = true;
  CW_TRY(backward(r, crew, &probe));
  const float *gradient = cw_plan_gradient(s->plan, s->image);
  const char *what = probe.rule && request->method == CW_SALIENCY_LRP ? "the relevance" : "the gradient";
  const char *kind = note->empty ? "zero everywhere" : "not finite";
  if (note->y == 0 && request->method == CW_SALIENCY_LRP)
    snprintf(note->reason, sizeof note->reason, "the map of %s is zero everywhere: the output is exactly 0", name);
  else if (probe.vanish != CW_NONE)
    snprintf(note->reason, sizeof note->reason, "the map of %s is %s: %s is %s from '%s' on towards the image (%s)",
             name, kind, what, probe.not_finite ? "not finite" : "zero", cw_value_name(s->graph, probe.vanish),
             probe.not_finite ? "values out of range" : "the layers after it are dead or saturated");
  else if (cw_is_zero(gradient, s->samples))
    snprintf(note->reason, sizeof note->reason, "the map of %s is %s: %s is zero at the image (a dead first layer)",
             name, kind, what);
  else
    snprintf(note->reason, sizeof note->reason, "the map of %s is %s: %s is not zero, but nothing of it %s", name, kind,
             what, request->sign == CW_POSITIVE ? "is positive where the method aggregates" : "is left");
  return CW_OK;
}

/* Notes on a finished map. */
static cw_status finish(const run *r, const cw_crew *crew, int index, double y) {
  cw_saliency *s = r->s;
  cw_saliency_note *note = &r->notes[index];
  note->y = y;
  note->finite = cw_is_finite(r->maps[index], s->samples);
  note->empty = cw_is_zero(r->maps[index], s->samples);
  if (s->quiet || (note->finite && !note->empty))
    return CW_OK;
  const cw_crew end = cw_crew_part(crew, 1, 1); /* of the request's progress */
  CW_TRY(explain(r, &end, index));
  cw_warn(r->context, "saliency: %s.", note->reason);
  return CW_OK;
}

static void apply_sign(cw_sign sign, size_t n, float *map) {
  for (size_t i = 0; i < n && sign != CW_SIGNED; i++)
    map[i] = sign == CW_POSITIVE ? fmaxf(map[i], 0) : fabsf(map[i]);
}

/* ---- methods of one forward pass ---- */

/* The map from the input's gradient (or relevance) of the pass. */
static void from_input(const run *r, int index, const float *gradient, double y) {
  cw_saliency *s = r->s;
  const cw_saliency_request *request = &s->requests[index];
  float *map = r->maps[index];
  const bool times = request->method == CW_SALIENCY_GRADIENT_INPUT ||
                     (request->method == CW_SALIENCY_RECTGRAD && request->times_input);
  switch (request->method) {
    case CW_SALIENCY_GRADCAM:
    case CW_SALIENCY_GRADCAM_PLUSPLUS:
      break;
    case CW_SALIENCY_FULLGRAD:
      cw_fullgrad_input(s, request, gradient, map, &s->totals[index]);
      r->notes[index].gap = y - s->totals[index];
      break;
    default:
      for (size_t i = 0; i < s->samples; i++)
        map[i] = times ? gradient[i] * r->image[i] : gradient[i];
      if (!rule_of(request))
        apply_sign(request->sign, s->samples, map);
      break;
  }
}

/* All requests that share the rule of request `first`. */
static cw_status one_pass(const run *r, const cw_crew *crew, int first, double y) {
  cw_saliency *s = r->s;
  cw_backward pass = {0};
  pass.rule = rule_of(&s->requests[first]);
  pass.wanted = s->wanted;
  pass.maps = r->maps;
  pass.totals = s->totals;
  pass.last = cw_graph_node_count(s->graph);
  for (int i = 0; i < s->count; i++) {
    const cw_saliency_request *request = &s->requests[i];
    s->wanted[i] = !s->done[i] && request->method != CW_SALIENCY_OCCLUSION && !cw_is_sampled(request) &&
                   same_rule(request, &s->requests[first]);
    if (!s->wanted[i])
      continue;
    const int last = cw_is_cam(request) ? s->producer[request->layer] : 0;
    pass.last = last < pass.last ? last : pass.last;
    s->totals[i] = 0;
    memset(r->maps[i], 0, s->samples * sizeof(float));
  }
  CW_TRY(backward(r, crew, &pass));
  const float *gradient = cw_plan_gradient(s->plan, s->image);
  for (int i = 0; i < s->count; i++)
    if (s->wanted[i])
      from_input(r, i, gradient, y);
  for (int i = 0; i < s->count; i++)
    if (s->wanted[i]) {
      CW_TRY(finish(r, crew, i, y));
      s->done[i] = true;
    }
  return CW_OK;
}

/* ---- methods of several ---- */

/* y of the sampler's input. */
static double sample_forward(const run *r, cw_plan *sampler) {
  cw_plan_forward(sampler);
  const float y = cw_plan_data(sampler, r->s->logits)[r->output.index];
  return r->output.negative ? -y : y;
}

static void sample_gradient(const run *r, cw_plan *sampler) {
  sample_forward(r, sampler);
  float *start = cw_plan_gradient(sampler, r->s->logits);
  memset(start, 0, (size_t)r->s->outputs * sizeof *start);
  start[r->output.index] = r->output.negative ? -1.0f : 1.0f;
  cw_plan_backward(sampler);
}

/* The image with noise of this sd: each slice its own stream, so that slices can be drawn side by side. */
static void noisy_copy(const run *r, const cw_saliency_request *request, int sample, float sd, int threads, float *to) {
  const size_t plane = (size_t)r->s->size[0] * (size_t)r->s->size[1];
  const int slices = r->s->size[2];
  (void)threads; /* without OpenMP */
  CW_PARALLEL(slices, threads)
  for (int k = 0; k < slices; k++) {
    const size_t at = (size_t)k * plane;
    cw_random_normals(request->seed, (uint64_t)sample * (uint64_t)slices + (uint64_t)k, plane, to + at);
    for (size_t i = at; i < at + plane; i++)
      to[i] = r->image[i] + sd * to[i];
  }
}

/* Midpoint of step `sample` on the way from 0 to the image. */
static void share_of_image(const run *r, const cw_saliency_request *request, int sample, float *to) {
  const float share = ((float)sample + 0.5f) / (float)request->samples;
  for (size_t i = 0; i < r->s->samples; i++)
    to[i] = share * r->image[i];
}

/* map = sum of dy/dx over the samples, in their order.  sd: of SmoothGrad's noise. */
static cw_status sum_gradients(const run *r, int index, const cw_crew *crew, float sd, float *map) {
  cw_saliency *s = r->s;
  const cw_saliency_request *request = &s->requests[index];
  const int at_once = s->sampler_count;
  memset(map, 0, s->samples * sizeof *map);
  for (int first = 0; first < request->samples; first += at_once) {
    const int now = request->samples - first < at_once ? request->samples - first : at_once;
    CW_PARALLEL(now, now)
    for (int i = 0; i < now; i++) {
      float *in = cw_plan_data(s->samplers[i], s->image);
      if (request->method == CW_SALIENCY_SMOOTHGRAD)
        noisy_copy(r, request, first + i, sd, s->threads / at_once, in);
      else
        share_of_image(r, request, first + i, in);
      sample_gradient(r, s->samplers[i]);
    }
    for (int i = 0; i < now; i++)
      cw_pass((int64_t)s->samples, cw_plan_gradient(s->samplers[i], s->image), true, map, s->threads);
    CW_TRY(cw_crew_tell(crew, (double)(first + now) / request->samples));
  }
  return CW_OK;
}

static cw_status smoothgrad(const run *r, const cw_crew *crew, int index) {
  cw_saliency *s = r->s;
  const cw_saliency_request *request = &s->requests[index];
  float *map = r->maps[index], low = r->image[0], high = r->image[0];
  for (size_t i = 0; i < s->samples; i++) {
    low = fminf(low, r->image[i]);
    high = fmaxf(high, r->image[i]);
  }
  CW_TRY(sum_gradients(r, index, crew, (float)request->noise * (high - low), map));
  for (size_t i = 0; i < s->samples; i++)
    map[i] /= (float)request->samples;
  apply_sign(request->sign, s->samples, map);
  return CW_OK;
}

static cw_status integrated(const run *r, const cw_crew *crew, int index, double y) {
  cw_saliency *s = r->s;
  const cw_saliency_request *request = &s->requests[index];
  float *map = r->maps[index];
  CW_TRY(sum_gradients(r, index, crew, 0, map));
  for (size_t i = 0; i < s->samples; i++)
    map[i] *= r->image[i] / (float)request->samples;
  memset(cw_plan_data(s->samplers[0], s->image), 0, s->samples * sizeof(float));
  r->notes[index].gap = y - sample_forward(r, s->samplers[0]) - cw_sum((int64_t)s->samples, map);
  apply_sign(request->sign, s->samples, map);
  return CW_OK;
}

/* ---- the call ---- */

static cw_status check(const run *r) {
  if (r->output.index < 0 || r->output.index >= r->s->outputs)
    return cw_fail(r->context, CW_ERROR_ARGUMENT, "saliency: output %d, the classifier has %d", r->output.index,
                   r->s->outputs);
  if (!cw_is_finite(r->image, r->s->samples))
    return cw_fail(r->context, CW_ERROR_NUMERIC, "saliency: the image holds NaN or Inf");
  return CW_OK;
}

/* Progress of one request after another: the forward pass has had the first tenth. */
static cw_crew next_part(const run *r, const cw_crew *crew, int *turn) {
  const int index = (*turn)++;
  return cw_crew_part(crew, 0.1 + 0.9 * index / r->s->count, 0.1 + 0.9 * (index + 1) / r->s->count);
}

static cw_status occlusion(const run *r, const cw_crew *crew, int index, double y) {
  cw_saliency *s = r->s;
  CW_TRY(cw_occlusion_map(crew, s, index, r->image, r->output, r->maps[index]));
  apply_sign(s->requests[index].sign, s->samples, r->maps[index]);
  return finish(r, crew, index, y);
}

static cw_status sampled(const run *r, const cw_crew *crew, int index, double y) {
  const bool smooth = r->s->requests[index].method == CW_SALIENCY_SMOOTHGRAD;
  CW_TRY(smooth ? smoothgrad(r, crew, index) : integrated(r, crew, index, y));
  return finish(r, crew, index, y);
}

cw_status cw_saliency_maps(cw_context *context, cw_saliency *s, const float *image, cw_saliency_output output,
                           float *const *maps, cw_saliency_note *notes) {
  const run r = {context, s, image, output, maps, notes};
  CW_TRY(check(&r));
  const cw_crew crew = cw_context_crew(context, "saliency"), first = cw_crew_part(&crew, 0, 0.1);
  double y;
  CW_TRY(forward(&r, &first, image, &y));
  if (!isfinite(y) && !s->quiet)
    return cw_fail(context, CW_ERROR_NUMERIC, "saliency: the classifier's output is not finite");
  memset(notes, 0, (size_t)s->count * sizeof *notes);
  for (int i = 0; i < s->count; i++) {
    notes[i].gap = NAN;
    s->done[i] = false;
  }
  int turn = 0;
  for (int i = 0; i < s->count; i++) {
    if (cw_is_sampled(&s->requests[i]))
      continue;
    const cw_crew part = next_part(&r, &crew, &turn);
    if (s->requests[i].method == CW_SALIENCY_OCCLUSION)
      CW_TRY(occlusion(&r, &part, i, y));
    else if (!s->done[i])
      CW_TRY(one_pass(&r, &part, i, y));
  }
  for (int i = 0; i < s->count; i++) {
    if (!cw_is_sampled(&s->requests[i]))
      continue;
    const cw_crew part = next_part(&r, &crew, &turn);
    CW_TRY(sampled(&r, &part, i, y));
  }
  return CW_OK;
}
