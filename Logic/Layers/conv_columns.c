/* Convolutions as matrix products: kernels of one tap, where the input is the matrix, and rows that are too short for
 * the engine's vectors, where it is gathered.  And the input gradient of strided convolutions, plane by plane. */
#include "Layers/conv_columns.h"

#include <string.h>

#include "Layers/conv_kernel.h"
#include "Tensor/sgemm.h"
#ifdef _OPENMP
#include <omp.h>
#endif

enum {
  VOXELS = 512,       /* of a task's product, */
  MOST_OUTPUTS = 256, /* and its output channels, fewer where that leaves few tasks */
  LEAST_OUTPUTS = 32,
  MANY_OUTPUTS = 128, /* that make up for the gathering of columns */
  TASKS = 16,
  MOST_ROW_CHANNELS = 128, /* of kernels of one tap, up to which the engine's long rows are faster */
  MOST_COLUMN_FLOATS = 1 << 24,
  GRADIENT_CHANNELS = 32
};

static int taps_of(const cw_conv_problem *p) {
  return p->kernel[0] * p->kernel[1] * p->kernel[2];
}

static size_t volume_of(const int size[3]) {
  return (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
}

/* The input itself is the matrix. */
static bool is_pointwise(const cw_conv_problem *p) {
  for (int i = 0; i < 3; i++)
    if (p->kernel[i] != 1 || p->stride[i] != 1 || p->insert[i] != 1 || p->pad[i] || p->in[i] != p->out[i])
      return false;
  return true;
}

static size_t column_floats(const cw_conv_problem *p) {
  return is_pointwise(p) ? 0 : (size_t)p->in_channels * (size_t)taps_of(p) * volume_of(p->out);
}

bool cw_conv_columns_suit(const cw_conv_problem *p) {
  const int lanes = cw_conv_kernels_select()->lanes;
  if (p->groups > 1)
    return false;
  if (is_pointwise(p))
    return p->out[2] < lanes || p->in_channels > MOST_ROW_CHANNELS;
  for (int i = 0; i < 3; i++)
    if (p->insert[i] != 1)
      return false;
  const bool few =
      cw_conv_strided(p) ? 2 * p->out[2] <= lanes : 2 * p->out[2] < lanes && p->out_channels >= MANY_OUTPUTS;
  return (few || taps_of(p) == 1) && column_floats(p) <= MOST_COLUMN_FLOATS;
}

bool cw_conv_columns_across(const cw_conv_problem *p) {
  return p->transposed && taps_of(p) == 1;
}

size_t cw_conv_columns_workspace(const cw_conv_problem *p) {
  return column_floats(p) * sizeof(float);
}

/* columns[c][tap][voxel] of one input channel. */
static void gather_channel(const cw_conv_problem *p, const float *x, float *columns) {
  for (int kz = 0; kz < p->kernel[0]; kz++)
    for (int ky = 0; ky < p->kernel[1]; ky++)
      for (int kx = 0; kx < p->kernel[2]; kx++)
        for (int z = 0; z < p->out[0]; z++)
          for (int y = 0; y < p->out[1]; y++) {
            const int iz = z * p->stride[0] - p->pad[0] + kz * p->dilation[0];
            const int iy = y * p->stride[1] - p->pad[1] + ky * p->dilation[1];
            const bool inside = iz >= 0 && iz < p->in[0] && iy >= 0 && iy < p->in[1];
            const float *row = inside ? x + ((size_t)iz * p->in[1] + iy) * p->in[2] : NULL;
            for (int i = 0; i < p->out[2]; i++) {
              const int ix = i * p->stride[2] - p->pad[2] + kx * p->dilation[2];
              *columns++ = row && ix >= 0 && ix < p->in[2] ? row[ix] : 0;
            }
          }
}

/* A block of output channels and voxels: y = kernels columns + bias. */
static void multiply(const cw_conv_problem *p, const float *kernels, const float *columns, const float *bias, int o0,
                     int n, size_t v0, float *y, bool accumulate) {
  const bool across = cw_conv_columns_across(p);
  const size_t volume = volume_of(p->out), v1 = v0 + VOXELS < volume ? v0 + VOXELS : volume;
  const int depth = p->in_channels * taps_of(p);
  y += (size_t)o0 * volume + v0;
  for (int o = 0; o < n && bias; o++)
    for (size_t v = 0; v < v1 - v0; v++)
      y[o * volume + v] = (accumulate ? y[o * volume + v] : 0) + bias[o0 + o];
  cw_sgemm(across, false, n, (int)(v1 - v0), depth, 1, kernels + (size_t)o0 * (across ? 1 : depth),
           across ? p->out_channels : depth, columns + v0, (int)volume, accumulate || bias ? 1 : 0, y, (int)volume);
}

static int outputs_of_task(const cw_conv_problem *p) {
  const long pieces = (long)((volume_of(p->out) + VOXELS - 1) / VOXELS);
  int block = MOST_OUTPUTS;
  while (block > LEAST_OUTPUTS && pieces * ((p->out_channels + block - 1) / block) < TASKS)
    block /= 2;
  return block;
}

void cw_conv_columns_run(const cw_conv_problem *p, const float *x, const float *packed, size_t packed_stride,
                         const float *bias, size_t bias_stride, float *y, bool accumulate, void *workspace,
                         int threads) {
  (void)threads;
  const int block = outputs_of_task(p), blocks = (p->out_channels + block - 1) / block;
  const size_t in_volume = volume_of(p->in), out_volume = volume_of(p->out), taps = (size_t)taps_of(p);
  const size_t pieces = (out_volume + VOXELS - 1) / VOXELS;
  const bool pointwise = is_pointwise(p);
  for (size_t n = 0; n < (size_t)p->batch; n++) {
    const float *from = x + n * p->in_channels * in_volume, *columns = pointwise ? from : workspace;
    if (!pointwise) {
#pragma omp parallel for num_threads(threads) schedule(static)
      for (int c = 0; c < p->in_channels; c++)
        gather_channel(p, from + c * in_volume, (float *)workspace + c * taps * out_volume);
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long task = 0; task < (long)(blocks * pieces); task++) {
      const int o0 = (int)(task % blocks) * block;
      multiply(p, packed + n * packed_stride, columns, bias ? bias + n * bias_stride : NULL, o0,
               p->out_channels - o0 < block ? p->out_channels - o0 : block, (size_t)(task / blocks) * VOXELS,
               y + n * p->out_channels * out_volume, accumulate);
    }
  }
}

/* ---- input gradient of a strided convolution ---- */

bool cw_conv_strided(const cw_conv_problem *p) {
  return p->stride[0] > 1 || p->stride[1] > 1 || p->stride[2] > 1;
}

static int block_channels(const cw_conv_problem *p) {
  return p->in_channels < GRADIENT_CHANNELS ? p->in_channels : GRADIENT_CHANNELS;
}

/* columns of one block of channels for one output plane */
static size_t plane_floats(const cw_conv_problem *p) {
  const size_t taps = (size_t)p->kernel[1] * p->kernel[2], area = (size_t)p->out[1] * p->out[2];
  return ((size_t)block_channels(p) * taps * area + 15) / 16 * 16;
}

size_t cw_conv_strided_workspace(const cw_conv_problem *p, int threads) {
  const size_t kernels = (cw_conv_packed_floats(p) + 15) / 16 * 16;
  return (kernels + plane_floats(p) * (size_t)threads) * sizeof(float);
}

/* w[co][ci][kz][taps] -> packed[group][kz][co][ci][taps]: each plane of the kernels is one matrix. */
static void pack_planes(const cw_conv_problem *p, const float *w, float *packed) {
  const size_t taps = (size_t)p->kernel[1] * p->kernel[2];
  for (int g = 0; g < p->groups; g++)
    for (int kz = 0; kz < p->kernel[0]; kz++)
      for (int o = 0; o < p->out_channels; o++)
        for (int c = 0; c < p->in_channels; c++, packed += taps)
          memcpy(packed, w + ((((size_t)g * p->out_channels + o) * p->in_channels + c) * p->kernel[0] + kz) * taps,
                 taps * sizeof *packed);
}

/* plane[y][x] += columns[tap][output y][output x] of one channel */
static void scatter_plane(const cw_conv_problem *p, const float *columns, float *plane) {
  for (int ky = 0; ky < p->kernel[1]; ky++)
    for (int kx = 0; kx < p->kernel[2]; kx++)
      for (int y = 0; y < p->out[1]; y++, columns += p->out[2]) {
        const int iy = y * p->stride[1] - p->pad[1] + ky * p->dilation[1];
        const int shift = kx * p->dilation[2] - p->pad[2], step = p->stride[2];
        if (iy < 0 || iy >= p->in[1])
          continue;
        int first = shift < 0 ? (-shift + step - 1) / step : 0, last = p->out[2];
        while (last > first && (last - 1) * step + shift >= p->in[2])
          last--;
        float *row = plane + (size_t)iy * p->in[2];
        for (int i = first; i < last; i++)
          row[i * step + shift] += columns[i];
      }
}

/* Everything that reaches input plane `iz` of channels c0 .. c0 + count - 1: each kernel plane comes from one output
 * plane at most. */
static void gradient_plane(const cw_conv_problem *p, const float *packed, const float *dy, int c0, int count, int iz,
                           float *columns, float *dx, bool accumulate) {
  const size_t taps = (size_t)p->kernel[1] * p->kernel[2], area = (size_t)p->out[1] * p->out[2];
  const size_t in_area = (size_t)p->in[1] * p->in[2], in_volume = in_area * p->in[0], row = p->in_channels * taps;
  for (int c = 0; c < count && !accumulate; c++)
    memset(dx + (c0 + c) * in_volume + iz * in_area, 0, in_area * sizeof *dx);
  for (int kz = 0; kz < p->kernel[0]; kz++) {
    const int at = iz + p->pad[0] - kz * p->dilation[0], z = at / p->stride[0];
    if (at < 0 || at % p->stride[0] || z >= p->out[0])
      continue;
    cw_sgemm(true, false, (int)(count * taps), (int)area, p->out_channels, 1,
             packed + (size_t)kz * p->out_channels * row + c0 * taps, (int)row, dy + z * area, (int)(area * p->out[0]),
             0, columns, (int)area);
    for (int c = 0; c < count; c++)
      scatter_plane(p, columns + c * taps * area, dx + (c0 + c) * in_volume + iz * in_area);
  }
}

void cw_conv_strided_gradient(const cw_conv_problem *p, const float *w, const float *dy, float *dx, bool accumulate,
                              void *workspace, int threads) {
  const int step = block_channels(p), parts = (p->in_channels + step - 1) / step;
  const size_t group_floats = cw_conv_packed_floats(p) / p->groups;
  float *packed = workspace, *scratch = packed + (cw_conv_packed_floats(p) + 15) / 16 * 16;
  const long tasks = (long)p->batch * p->groups * parts * p->in[0];
  pack_planes(p, w, packed);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (long task = 0; task < tasks; task++) {
#ifdef _OPENMP
    float *columns = scratch + plane_floats(p) * (size_t)omp_get_thread_num();
#else
    float *columns = scratch;
#endif
    const int iz = (int)(task % p->in[0]), c0 = (int)(task / p->in[0] % parts) * step;
    const size_t group = (size_t)(task / p->in[0] / parts); /* n * groups + group */
    gradient_plane(p, packed + group % p->groups * group_floats, dy + group * p->out_channels * volume_of(p->out), c0,
                   p->in_channels - c0 < step ? p->in_channels - c0 : step, iz, columns,
                   dx + group * p->in_channels * volume_of(p->in), accumulate);
  }
}
