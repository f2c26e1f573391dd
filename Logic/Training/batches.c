#include <string.h>

#include "Training/training_internal.h"

enum { NOISE_BANK = 1 << 20 };

cw_status cw_training_check(cw_context *context, const cw_dataset *dataset, const cw_split *split,
                            const cw_training_options *options) {
  if (options->steps < 1 || options->batch < 2 || options->batch > 1024 || options->evaluate_every < 1 ||
      options->patience < 0)
    return cw_fail(
        context, CW_ERROR_ARGUMENT,
        "training: expected steps >= 1, batch 2..1024, evaluation every >= 1 steps, patience >= 0; got %d, %d, "
        "%d, %d",
        options->steps, options->batch, options->evaluate_every, options->patience);
  if (!(options->erase >= 0 && options->erase <= 1))
    return cw_fail(context, CW_ERROR_ARGUMENT, "training: %g of the scans to erase a box of; expected 0 to 1",
                   options->erase);
  if (!(options->learning_rate > 0) || !(options->weight_decay >= 0))
    return cw_fail(context, CW_ERROR_ARGUMENT, "training: learning rate %g and weight decay %g; expected > 0 and >= 0",
                   options->learning_rate, options->weight_decay);
  const int *lists[] = {split->train, split->validation};
  const int counts[] = {split->train_count, split->validation_count};
  for (int l = 0; l < 2; l++)
    for (int i = 0; i < counts[l]; i++)
      if (lists[l][i] < 0 || lists[l][i] >= dataset->count)
        return cw_fail(context, CW_ERROR_ARGUMENT, "training: scan %d of the split is not in the data set of %d",
                       lists[l][i], dataset->count);
  if (split->validation_count < 1)
    return cw_fail(context, CW_ERROR_ARGUMENT, "training: no scans to decide when to stop");
  return CW_OK;
}

cw_status cw_batches_create(cw_context *context, const cw_dataset *dataset, const cw_split *split,
                            const cw_training_options *options, cw_batches *b) {
  memset(b, 0, sizeof *b);
  b->dataset = dataset;
  b->split = split;
  b->seed = options->seed;
  b->batch = options->batch;
  b->flip = options->flip;
  b->erase = options->erase;
  b->samples = cw_grid_samples(&dataset->preprocessing.grid);
  const size_t count = (size_t)split->train_count + 1;
  b->control = cw_allocate(context, count, sizeof(int));
  b->patient = cw_allocate(context, count, sizeof(int));
  b->scratch = cw_allocate(context, count, sizeof(int));
  b->noise = cw_allocate(context, NOISE_BANK, sizeof(float));
  if (!b->control || !b->patient || !b->scratch || !b->noise) {
    cw_batches_free(context, b);
    return CW_ERROR_MEMORY;
  }
  for (int i = 0; i < split->train_count; i++) {
    if (dataset->label[split->train[i]])
      b->patient[b->patient_count++] = split->train[i];
    else
      b->control[b->control_count++] = split->train[i];
  }
  if (!b->control_count || !b->patient_count) {
    const int controls = b->control_count, patients = b->patient_count;
    cw_batches_free(context, b);
    return cw_fail(context, CW_ERROR_ARGUMENT,
                   "training: %d controls and %d patients to train on; expected some of each", controls, patients);
  }
  cw_random random = cw_random_stream(options->seed, CW_STREAM_NOISE);
  for (int i = 0; i < NOISE_BANK; i++)
    b->noise[i] = (float)cw_random_normal(&random);
  return CW_OK;
}

void cw_batches_free(cw_context *context, cw_batches *b) {
  cw_release(context, b->control);
  cw_release(context, b->patient);
  cw_release(context, b->scratch);
  cw_release(context, b->noise);
  memset(b, 0, sizeof *b);
}

/* `want` scans of a group: without repetition while there are enough. */
static void pick(const cw_batches *b, cw_random *random, const int *from, int count, int want, int *chosen) {
  int left = 0;
  for (int i = 0; i < want; i++) {
    if (left == 0) {
      memcpy(b->scratch, from, (size_t)count * sizeof *from);
      left = count;
    }
    const int k = (int)cw_random_below(random, (uint32_t)left);
    chosen[i] = b->scratch[k];
    b->scratch[k] = b->scratch[--left];
  }
}

/* Random shift, flip, gain and noise of one scan. */
static void augment(const cw_batches *b, cw_random *random, const float *in, float *out) {
  const int *size = b->dataset->preprocessing.grid.size;
  int shift[3];
  for (int a = 0; a < 3; a++)
    shift[a] = (int)cw_random_below(random, 3) - 1;
  const bool flip = b->flip && cw_random_unit(random) < 0.5;
  const float gain = (float)cw_random_uniform(random, 0.9, 1.1);
  size_t noise = cw_random_below(random, NOISE_BANK);
  const float level = 0.02f;
  for (int k = 0; k < size[2]; k++)
    for (int j = 0; j < size[1]; j++) {
      const int from_k = (k + shift[2] + size[2]) % size[2], from_j = (j + shift[1] + size[1]) % size[1];
      const float *row = in + ((size_t)from_k * size[1] + from_j) * size[0];
      for (int i = 0; i < size[0]; i++, out++) {
        const int at = flip ? size[0] - 1 - i : i;
        *out = gain * row[(at + shift[0] + size[0]) % size[0]] + level * b->noise[noise++ % NOISE_BANK];
      }
    }
}

/* Sets a random box, a quarter to a half of the grid a side, to the scan's mean. */
static void erase_box(const cw_batches *b, cw_random *random, float *scan) {
  const int *size = b->dataset->preprocessing.grid.size;
  int from[3], to[3];
  double mean = 0;
  for (size_t i = 0; i < b->samples; i++)
    mean += scan[i];
  mean /= (double)b->samples;
  for (int a = 0; a < 3; a++) {
    const int side = size[a] / 4 + (int)cw_random_below(random, (uint32_t)(size[a] / 4 + 1));
    from[a] = (int)cw_random_below(random, (uint32_t)(size[a] - side + 1));
    to[a] = from[a] + side;
  }
  for (int k = from[2]; k < to[2]; k++)
    for (int j = from[1]; j < to[1]; j++)
      for (int i = from[0]; i < to[0]; i++)
        scan[((size_t)k * size[1] + j) * size[0] + i] = (float)mean;
}

void cw_batches_draw(const cw_batches *b, uint64_t step, cw_draw draw, float *images, float *labels) {
  int chosen[1024];
  const int batch = b->batch < 1024 ? b->batch : 1024, controls = batch / 2;
  cw_random random = cw_random_stream(b->seed ^ (step << 8), CW_STREAM_PICK);
  pick(b, &random, b->control, b->control_count, controls, chosen);
  pick(b, &random, b->patient, b->patient_count, batch - controls, chosen + controls);
  for (int n = 0; n < batch; n++) {
    const float *scan = b->dataset->samples + (size_t)chosen[n] * b->samples;
    cw_random own = cw_random_stream(b->seed ^ (step << 8) ^ (uint64_t)n << 40, CW_STREAM_AUGMENT);
    if (draw != CW_DRAW_PLAIN) {
      augment(b, &own, scan, images + (size_t)n * b->samples);
      if (draw == CW_DRAW_ERASED && cw_random_unit(&own) < b->erase)
        erase_box(b, &own, images + (size_t)n * b->samples);
    } else {
      memcpy(images + (size_t)n * b->samples, scan, b->samples * sizeof *images);
    }
    labels[n] = (float)b->dataset->label[chosen[n]];
  }
}
