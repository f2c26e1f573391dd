#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "Tensor/dispatch.h"
#include "Tensor/file.h"
#include "Training/training_internal.h"

static const char magic[16] = "counterwarp ck 3";

enum { LOOKED_AT = 4096 }; /* voxels of each scan that tell data sets apart, spread evenly */

typedef struct checkpoint {
  char magic[16];
  uint64_t fingerprint, values, curve_length;
  double best_loss, extra[16];
  int32_t step, best_step, stale, waited, begun, reserved;
} checkpoint;

uint64_t cw_fingerprint_graph(uint64_t hash, const cw_graph *graph) {
  for (int v = 0; v < cw_graph_value_count(graph); v++)
    if (cw_value_data(graph, v))
      hash = cw_fingerprint(hash, cw_value_data(graph, v),
                            (size_t)cw_shape_elements(cw_value_shape(graph, v), 1) * sizeof(float));
  return hash;
}

uint64_t cw_fingerprint_run(const cw_context *context, const cw_dataset *dataset, const cw_split *split,
                            const cw_training_options *options) {
  const double numbers[] = {(double)options->batch,
                            options->learning_rate,
                            options->weight_decay,
                            (double)options->steps,
                            (double)options->flip,
                            (double)options->evaluate_every,
                            (double)options->patience,
                            (double)options->seed,
                            options->erase,
                            (double)dataset->count,
                            (double)cw_context_seed(context),
                            (double)options->wait};
  uint64_t hash = cw_fingerprint(CW_FINGERPRINT_START, numbers, sizeof numbers);
  hash = cw_fingerprint(hash, split->train, (size_t)split->train_count * sizeof(int));
  hash = cw_fingerprint(hash, split->validation, (size_t)split->validation_count * sizeof(int));
  hash = cw_fingerprint(hash, dataset->label, (size_t)dataset->count * sizeof(int));
  const size_t samples = cw_grid_samples(&dataset->preprocessing.grid);
  for (int i = 0; i < dataset->count; i++)
    for (size_t k = 0; k < LOOKED_AT; k++)
      hash = cw_fingerprint(hash, dataset->samples + (size_t)i * samples + samples * k / LOOKED_AT, sizeof(float));
  return options->start ? cw_fingerprint_graph(hash, options->start) : hash;
}

/* Calls `visit` for the data of each parameter and buffer, in order. */
static size_t each_value(const cw_graph *graph, void (*visit)(void *user, float *data, size_t count), void *user) {
  size_t total = 0;
  for (int v = 0; v < cw_graph_value_count(graph); v++) {
    float *data = cw_value_data(graph, v);
    if (!data)
      continue;
    const size_t count = (size_t)cw_shape_elements(cw_value_shape(graph, v), 1);
    if (visit)
      visit(user, data, count);
    total += count;
  }
  return total;
}

static void gather(void *user, float *data, size_t count) {
  uint8_t **to = user;
  memcpy(*to, data, count * sizeof *data);
  *to += count * sizeof *data;
}

static void scatter(void *user, float *data, size_t count) {
  const uint8_t **from = user;
  memcpy(data, *from, count * sizeof *data);
  *from += count * sizeof *data;
}

cw_status cw_trainer_create(cw_context *context, cw_graph *graph, const cw_training_options *options,
                            uint64_t fingerprint, const char *curve_header, cw_trainer *t) {
  memset(t, 0, sizeof *t);
  t->options = options;
  t->graph = graph;
  t->fingerprint = fingerprint;
  t->best_loss = INFINITY;
  t->values = each_value(graph, NULL, NULL);
  t->first = cw_allocate_zero(context, t->values, sizeof(float));
  t->second = cw_allocate_zero(context, t->values, sizeof(float));
  t->best = cw_allocate_zero(context, t->values, sizeof(float));
  if (!t->first || !t->second || !t->best) {
    cw_trainer_free(context, t);
    return CW_ERROR_MEMORY;
  }
  return cw_trainer_log(context, t, "%s\n", curve_header);
}

void cw_trainer_free(cw_context *context, cw_trainer *t) {
  cw_release(context, t->first);
  cw_release(context, t->second);
  cw_release(context, t->best);
  cw_release(context, t->curve);
  memset(t, 0, sizeof *t);
}

CW_CLONES static void adam_part(size_t count, const float *g, float decay, float rate, float first_scale,
                                float second_scale, float *w, float *m, float *v) {
  for (size_t i = 0; i < count; i++) {
    const float d = g[i] + decay * w[i];
    m[i] = 0.9f * m[i] + 0.1f * d;
    v[i] = 0.999f * v[i] + 0.001f * d * d;
    w[i] -= rate * (m[i] * first_scale) / (sqrtf(v[i] * second_scale) + 1e-8f);
  }
}

void cw_trainer_adam(cw_trainer *t, const cw_plan *plan, const cw_value *map, double learning_rate, int threads) {
  const double count = t->step - t->begun + 1;
  const float first_scale = (float)(1 / (1 - pow(0.9, count))), second_scale = (float)(1 / (1 - pow(0.999, count)));
  size_t at = 0;
  for (int v = 0; v < cw_graph_value_count(t->graph); v++) {
    float *data = cw_value_data(t->graph, v);
    if (!data)
      continue;
    const size_t n = (size_t)cw_shape_elements(cw_value_shape(t->graph, v), 1);
    const cw_value in_plan = map ? map[v] : v;
    const float *g = in_plan == CW_NONE ? NULL : cw_plan_gradient(plan, in_plan);
    if (g && cw_value_kind_of(t->graph, v) == CW_VALUE_PARAMETER) {
      const size_t part = 65536;
      const long parts = (long)((n + part - 1) / part);
#pragma omp parallel for num_threads(threads) schedule(static) if (parts > 1)
      for (long p = 0; p < parts; p++) {
        const size_t from = (size_t)p * part, length = n - from < part ? n - from : part;
        adam_part(length, g + from, (float)t->options->weight_decay, (float)learning_rate, first_scale, second_scale,
                  data + from, t->first + at + from, t->second + at + from);
      }
    }
    at += n;
  }
}

cw_status cw_trainer_log(cw_context *context, cw_trainer *t, const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  const int wanted = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  const size_t length = wanted < 0 ? 0 : (size_t)wanted < sizeof line ? (size_t)wanted : sizeof line - 1;
  const size_t need = t->curve_length + length + 1;
  if (need > t->curve_room) {
    const size_t room = 2 * need + 1024;
    char *larger = cw_allocate(context, room, 1);
    if (!larger)
      return CW_ERROR_MEMORY;
    if (t->curve)
      memcpy(larger, t->curve, t->curve_length);
    cw_release(context, t->curve);
    t->curve = larger;
    t->curve_room = room;
  }
  memcpy(t->curve + t->curve_length, line, length);
  t->curve_length += length;
  return CW_OK;
}

void cw_trainer_evaluated(cw_trainer *t, double loss, bool *stop) {
  if (loss < t->best_loss) {
    uint8_t *to = (uint8_t *)t->best;
    each_value(t->graph, gather, &to);
    t->best_loss = loss;
    t->best_step = t->step;
    t->stale = 0;
  } else {
    t->stale++;
  }
  *stop = t->options->patience > 0 && t->stale >= t->options->patience;
}

void cw_trainer_restore_best(cw_trainer *t) {
  if (!isfinite(t->best_loss))
    return;
  const uint8_t *from = (const uint8_t *)t->best;
  each_value(t->graph, scatter, &from);
}

/* A checkpoint is, for the trainer and then its companion: the head; values, moments and best values; the curves. */
static size_t state_bytes(const cw_trainer *t) {
  return sizeof(checkpoint) + 4 * t->values * sizeof(float) + t->curve_length;
}

static void put_state(const cw_trainer *t, uint8_t *at) {
  const size_t block = t->values * sizeof(float);
  checkpoint head = {{0},     t->fingerprint, t->values, t->curve_length, t->best_loss, {0},
                     t->step, t->best_step,   t->stale,  t->waited,       t->begun,     0};
  memcpy(head.magic, magic, sizeof magic);
  memcpy(head.extra, t->extra, sizeof head.extra);
  memcpy(at, &head, sizeof head);
  at += sizeof head;
  uint8_t *values = at;
  each_value(t->graph, gather, &values);
  const float *blocks[] = {t->first, t->second, t->best};
  for (int i = 0; i < 3; i++)
    memcpy(at += block, blocks[i], block);
  memcpy(at + block, t->curve, t->curve_length);
}

cw_status cw_trainer_save(cw_context *context, const cw_trainer *t) {
  if (t->options->curve)
    CW_TRY(cw_file_write(context, t->options->curve, (const uint8_t *)t->curve, t->curve_length));
  if (!t->options->checkpoint)
    return CW_OK;
  const size_t own = state_bytes(t), total = own + (t->companion ? state_bytes(t->companion) : 0);
  uint8_t *bytes = cw_allocate(context, total, 1);
  if (!bytes)
    return CW_ERROR_MEMORY;
  put_state(t, bytes);
  if (t->companion)
    put_state(t->companion, bytes + own);
  const cw_status status = cw_file_write(context, t->options->checkpoint, bytes, total);
  cw_release(context, bytes);
  return status;
}

/* Takes one trainer's state from the front of bytes; *used receives its length. */
static cw_status take_state(cw_context *context, cw_trainer *t, const uint8_t *bytes, size_t count, size_t *used) {
  const char *path = t->options->checkpoint;
  checkpoint head;
  if (count < sizeof head)
    return cw_fail(context, CW_ERROR_FORMAT, "checkpoint '%s': %zu bytes are too few", path, count);
  memcpy(&head, bytes, sizeof head);
  if (memcmp(head.magic, magic, sizeof magic))
    return cw_fail(context, CW_ERROR_FORMAT, "checkpoint '%s': not a checkpoint of this program", path);
  if (head.fingerprint != t->fingerprint || head.values != t->values)
    return cw_fail(context, CW_ERROR_ARGUMENT,
                   "checkpoint '%s' belongs to a run with other options or data; give the same ones, or start without "
                   "resuming",
                   path);
  const size_t block = t->values * sizeof(float), fixed = sizeof head + 4 * block;
  if (count < fixed || head.curve_length > count - fixed || head.step < 0 || head.waited < 0 ||
      head.waited > head.step || head.begun < 0 || head.begun > head.step)
    return cw_fail(context, CW_ERROR_FORMAT, "checkpoint '%s': %zu bytes do not match its head", path, count);
  char *curve = cw_allocate(context, head.curve_length + 1, 1);
  if (!curve)
    return CW_ERROR_MEMORY;
  const uint8_t *at = bytes + sizeof head;
  const uint8_t *values = at;
  each_value(t->graph, scatter, &values);
  memcpy(t->first, at += block, block);
  memcpy(t->second, at += block, block);
  memcpy(t->best, at += block, block);
  memcpy(curve, at + block, head.curve_length);
  cw_release(context, t->curve);
  t->curve = curve;
  t->curve_length = head.curve_length;
  t->curve_room = head.curve_length + 1;
  t->best_loss = head.best_loss;
  t->step = head.step;
  t->best_step = head.best_step;
  t->stale = head.stale;
  t->waited = head.waited;
  t->begun = head.begun;
  memcpy(t->extra, head.extra, sizeof t->extra);
  *used = fixed + head.curve_length;
  return CW_OK;
}

static cw_status restore(cw_context *context, cw_trainer *t, const uint8_t *bytes, size_t count) {
  size_t used = 0, more = 0;
  CW_TRY(take_state(context, t, bytes, count, &used));
  if (t->companion)
    CW_TRY(take_state(context, t->companion, bytes + used, count - used, &more));
  if (used + more != count)
    return cw_fail(context, CW_ERROR_FORMAT, "checkpoint '%s': %zu bytes do not match its head", t->options->checkpoint,
                   count);
  return CW_OK;
}

cw_status cw_trainer_resume(cw_context *context, cw_trainer *t) {
  if (!t->options->resume || !t->options->checkpoint)
    return CW_OK;
  FILE *probe = fopen(t->options->checkpoint, "rb");
  if (!probe)
    return errno == ENOENT ? CW_OK
                           : cw_fail(context, CW_ERROR_FILE, "checkpoint '%s' cannot be opened: %s",
                                     t->options->checkpoint, strerror(errno));
  fclose(probe);
  uint8_t *bytes = NULL;
  size_t count = 0;
  CW_TRY(cw_file_read(context, t->options->checkpoint, &bytes, &count));
  const cw_status status = restore(context, t, bytes, count);
  cw_release(context, bytes);
  return status;
}

static const double RISE = 0.3; /* share of the steps */

int cw_one_cycle_top(int steps) {
  return (int)ceil(RISE * steps);
}

/* One cycle (Smith 2018): up to twice the rate over 30 % of the steps, then down to nearly nothing, along cosines. */
double cw_one_cycle(double rate, int step, int steps) {
  const double top = 2 * rate, low = top / 25, end = low / 1e4, rise = RISE * steps, pi = 3.14159265358979323846;
  if (step < rise)
    return low + (top - low) * 0.5 * (1 - cos(pi * step / rise));
  return end + (top - end) * 0.5 * (1 + cos(pi * (step - rise) / (steps - rise)));
}

double cw_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

cw_status cw_map_values(cw_context *context, const cw_graph *network, const cw_graph *graph, const char *prefix,
                        cw_value **map) {
  const int count = cw_graph_value_count(network);
  *map = cw_allocate(context, (size_t)count, sizeof **map);
  if (!*map)
    return CW_ERROR_MEMORY;
  char name[256];
  for (int v = 0; v < count; v++) {
    snprintf(name, sizeof name, "%s%s", prefix, cw_value_name(network, v));
    (*map)[v] = cw_graph_find(graph, name);
  }
  return CW_OK;
}

static cw_status cancelled(cw_context *context, const cw_trainer *t, const char *stage, cw_status status,
                           const char *saved) {
  return cw_fail(context, status, "%s: cancelled after %d of %d steps%s", stage, t->step - t->waited, t->options->steps,
                 t->options->checkpoint ? saved : "");
}

cw_status cw_trainer_progress(cw_context *context, const cw_trainer *t, const char *stage) {
  const cw_status go = cw_progress(context, stage, (double)(t->step - t->waited) / t->options->steps);
  if (go == CW_OK)
    return CW_OK;
  CW_TRY(cw_trainer_save(context, t));
  return cancelled(context, t, stage, go, "; the checkpoint is saved");
}

cw_status cw_trainer_alive(cw_context *context, const cw_trainer *t, const char *stage) {
  const cw_status go = cw_progress(context, stage, (double)(t->step - t->waited) / t->options->steps);
  return go == CW_OK ? CW_OK : cancelled(context, t, stage, go, "; the last checkpoint stands");
}
