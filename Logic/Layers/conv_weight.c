#include <string.h>

#include "Layers/conv_engine.h"
#include "Layers/conv_kernel.h"
#ifdef _OPENMP
#include <omp.h>
#endif

enum {
  TILE_BYTES = 256 * 1024,
  GROUP_CHANNELS = 8, /* input channels of one task */
  TILE_ROWS = 16,
  SLACK = 64
};

static int task_channels(const cw_conv_problem *p) {
  return p->in_channels < GROUP_CHANNELS ? p->in_channels : GROUP_CHANNELS;
}

static int tile_rows(const cw_conv_problem *p) {
  int rows = p->out[1] < TILE_ROWS ? p->out[1] : TILE_ROWS;
  while (rows > 4) {
    const cw_conv_ring ring = cw_conv_ring_of(p, task_channels(p), rows);
    if (ring.plane * ring.slots * sizeof(float) <= TILE_BYTES)
      break;
    rows = (rows + 1) / 2;
  }
  return rows;
}

/* Width of a gradient row padded to whole vectors. */
static int padded_width(const cw_conv_problem *p) {
  const int lanes = cw_conv_kernels_select()->lanes;
  return (p->out[2] + lanes - 1) / lanes * lanes;
}

static size_t ring_floats(const cw_conv_problem *p) {
  const cw_conv_ring ring = cw_conv_ring_of(p, task_channels(p), tile_rows(p));
  return (ring.plane * ring.slots + SLACK + 15) / 16 * 16;
}

static size_t thread_floats(const cw_conv_problem *p) {
  return ring_floats(p) + ((size_t)p->out_channels * tile_rows(p) * padded_width(p) + 15) / 16 * 16;
}

size_t cw_conv_weight_workspace(const cw_conv_problem *p, int threads) {
  return thread_floats(p) * sizeof(float) * threads;
}

/* One task: `channels` input channels of one sample and group. */
typedef struct weight_job {
  const cw_conv_problem *p;
  const cw_conv_kernels *kernels;
  cw_conv_ring ring;
  int channels;
  const float *x;  /* first of the channels */
  const float *dy; /* of the group */
  float *dw;       /* [co][ci][taps], at the first of the channels */
} weight_job;

static void pack_gradient(const weight_job *job, int z, int y0, int rows, float *out) {
  const cw_conv_problem *p = job->p;
  const int width = p->out[2], padded = padded_width(p);
  const size_t area = (size_t)p->out[1] * width, volume = area * p->out[0];
  for (int o = 0; o < p->out_channels; o++)
    for (int r = 0; r < rows; r++, out += padded) {
      memcpy(out, job->dy + o * volume + z * area + (size_t)(y0 + r) * width, (size_t)width * sizeof *out);
      memset(out + width, 0, (size_t)(padded - width) * sizeof *out);
    }
}

/* Adds the products of one plane tile. */
static void plane_products(const weight_job *job, const float *planes, const float *dy, int z, int rows) {
  const cw_conv_problem *p = job->p;
  const cw_conv_kernels *kernels = job->kernels;
  const cw_conv_ring *ring = &job->ring;
  const int padded = padded_width(p), taps = p->kernel[0] * p->kernel[1] * p->kernel[2];
  const bool triples = p->kernel[2] == 3 && p->stride[2] == 1;
  const int step = triples ? 3 : 1;
  cw_conv_product product;
  product.dy_channel_stride = (ptrdiff_t)rows * padded;
  product.dy_row_stride = padded;
  product.x_row_stride = (ptrdiff_t)p->stride[1] * ring->pitch;
  product.step = p->dilation[2];
  product.rows = rows;
  product.vectors = padded / kernels->lanes;
  product.dw_stride = (ptrdiff_t)p->in_channels * taps;
  for (int o = 0; o < p->out_channels; o += kernels->product_block) {
    const int block = p->out_channels - o < kernels->product_block ? p->out_channels - o : kernels->product_block;
    product.dy = dy + o * product.dy_channel_stride;
    for (int c = 0; c < job->channels; c++)
      for (int kz = 0; kz < p->kernel[0]; kz++) {
        const int slot = (z * p->stride[0] + kz * p->dilation[0]) % ring->slots;
        const float *plane = planes + (size_t)slot * ring->plane + c * ring->channel;
        for (int ky = 0; ky < p->kernel[1]; ky++)
          for (int kx = 0; kx < p->kernel[2]; kx += step) {
            product.x = plane + cw_conv_ring_tap(p, ring, ky, kx);
            product.dw =
                job->dw + o * product.dw_stride + (ptrdiff_t)c * taps + (kz * p->kernel[1] + ky) * p->kernel[2] + kx;
            (triples ? kernels->product3 : kernels->product1)[block](&product);
          }
      }
  }
}

static void run_job(const weight_job *job, float *scratch) {
  const cw_conv_problem *p = job->p;
  const cw_conv_ring *ring = &job->ring;
  const int tile = tile_rows(p), taps = p->kernel[0] * p->kernel[1] * p->kernel[2];
  float *planes = scratch, *dy = scratch + ring_floats(p);
  memset(planes + ring->plane * ring->slots, 0, SLACK * sizeof(float));
  for (int o = 0; o < p->out_channels; o++)
    memset(job->dw + (size_t)o * p->in_channels * taps, 0, (size_t)job->channels * taps * sizeof(float));
  for (int y0 = 0; y0 < p->out[1]; y0 += tile) {
    const int rows = p->out[1] - y0 < tile ? p->out[1] - y0 : tile;
    int filled = 0;
    for (int z = 0; z < p->out[0]; z++) {
      const int first = z * p->stride[0];
      if (filled < first)
        filled = first;
      for (; filled < first + ring->slots; filled++)
        cw_conv_ring_fill(p, ring, job->x, job->channels, filled, y0 * p->stride[1],
                          planes + (size_t)(filled % ring->slots) * ring->plane);
      pack_gradient(job, z, y0, rows, dy);
      plane_products(job, planes, dy, z, rows);
    }
  }
}

void cw_conv_weight_gradient(const cw_conv_problem *p, const float *x, const float *dy, float *dw, void *workspace,
                             int threads) {
  const cw_conv_kernels *kernels = cw_conv_kernels_select();
  const int step = task_channels(p), parts = (p->in_channels + step - 1) / step;
  const int taps = p->kernel[0] * p->kernel[1] * p->kernel[2];
  const long tasks = (long)p->batch * p->groups * parts;
  const size_t in_volume = (size_t)p->in[0] * p->in[1] * p->in[2],
               out_volume = (size_t)p->out[0] * p->out[1] * p->out[2];
  const size_t floats = thread_floats(p);
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (long task = 0; task < tasks; task++) {
#ifdef _OPENMP
    float *scratch = (float *)workspace + floats * (size_t)omp_get_thread_num();
#else
    float *scratch = workspace;
#endif
    const int c0 = (int)(task % parts) * step;
    const size_t sample_group = (size_t)(task / parts); /* n * groups + group */
    weight_job job;
    job.p = p;
    job.kernels = kernels;
    job.channels = p->in_channels - c0 < step ? p->in_channels - c0 : step;
    job.ring = cw_conv_ring_of(p, job.channels, tile_rows(p));
    job.x = x + (sample_group * p->in_channels + c0) * in_volume;
    job.dy = dy + sample_group * p->out_channels * out_volume;
    job.dw = dw + (sample_group * p->out_channels * p->in_channels + c0) * taps;
    run_job(&job, scratch);
  }
}

void cw_conv_weight_gradient_sum(const cw_conv_problem *p, const float *x, const float *dy, float *dw, bool accumulate,
                                 void *workspace, int threads) {
  const size_t count = cw_conv_packed_floats(p), bytes = (count * sizeof(float) + 63) / 64 * 64;
  float *each = workspace;
  cw_conv_weight_gradient(p, x, dy, each, (char *)workspace + bytes * p->batch, threads);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (size_t i = 0; i < count; i++) {
    float sum = accumulate ? dw[i] : 0;
    for (int n = 0; n < p->batch; n++)
      sum += each[n * count + i];
    dw[i] = sum;
  }
}

double cw_conv_sum(const float *x, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i += 1024) {
    const size_t end = i + 1024 < count ? i + 1024 : count;
    float lane[16] = {0};
    size_t k = i;
    for (; k + 16 <= end; k += 16)
      for (int l = 0; l < 16; l++)
        lane[l] += x[k + l];
    for (; k < end; k++)
      lane[0] += x[k];
    for (int l = 0; l < 16; l++)
      sum += lane[l];
  }
  return sum;
}

void cw_conv_bias_gradient(const cw_shape *y, const float *dy, float *db, bool accumulate, int threads) {
  const int batch = (int)y->d[0], channels = (int)y->d[1];
  const size_t volume = (size_t)(cw_shape_elements(y, 1) / y->d[0] / y->d[1]);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int c = 0; c < channels; c++) {
    double sum = 0;
    for (int n = 0; n < batch; n++)
      sum += cw_conv_sum(dy + ((size_t)n * channels + c) * volume, volume);
    db[c] = (accumulate ? db[c] : 0) + (float)sum;
  }
}
