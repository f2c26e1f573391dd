#include "Layers/conv_engine.h"

#include <string.h>

#include "Layers/conv_columns.h"
#include "Layers/conv_kernel.h"
#include "Tensor/dispatch.h"
#ifdef _OPENMP
#include <omp.h>
#endif

enum {
  TILE_BYTES = 320 * 1024, /* ring of a tile: stays in a core's L2 */
  CHUNK_PLANES = 32,       /* a task marches over at most this many output planes */
  LEAST_PLANES = 4,        /* and at least this many: each task fetches the planes around its own */
  TASKS_PER_THREAD = 4,
  LEAST_PRODUCTS = 96, /* of an output, for which a way through a buffer pays */
  SLACK = 64           /* floats behind a ring, for vectors that run over the end of a row */
};

const cw_conv_kernels *cw_conv_kernels_select(void) {
#if defined(CW_HAVE_X86_KERNELS) && (defined(__GNUC__) || defined(__clang__))
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    return &cw_conv_kernels_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return &cw_conv_kernels_avx2;
#endif
  return &cw_conv_kernels_generic;
}

cw_conv_problem cw_conv_forward_problem(const cw_shape *x, const cw_shape *y, const cw_attributes *a) {
  cw_conv_problem p;
  p.batch = (int)x->d[0];
  p.groups = a->groups;
  p.in_channels = (int)x->d[1] / a->groups;
  p.out_channels = (int)y->d[1] / a->groups;
  for (int i = 0; i < 3; i++) {
    p.in[i] = (int)x->d[2 + i];
    p.out[i] = (int)y->d[2 + i];
    p.kernel[i] = a->kernel[i];
    p.stride[i] = a->stride[i];
    p.dilation[i] = a->dilation[i];
    p.pad[i] = a->pads[i];
    p.insert[i] = 1;
  }
  p.transposed = false;
  return p;
}

cw_conv_problem cw_conv_gradient_problem(const cw_conv_problem *forward) {
  cw_conv_problem p = *forward;
  p.in_channels = forward->out_channels;
  p.out_channels = forward->in_channels;
  p.transposed = !forward->transposed;
  for (int i = 0; i < 3; i++) {
    p.in[i] = forward->out[i];
    p.out[i] = forward->in[i];
    p.insert[i] = forward->stride[i];
    p.stride[i] = 1;
    p.pad[i] = forward->dilation[i] * (forward->kernel[i] - 1) - forward->pad[i];
  }
  return p;
}

static int taps_of(const cw_conv_problem *p) {
  return p->kernel[0] * p->kernel[1] * p->kernel[2];
}

size_t cw_conv_packed_floats(const cw_conv_problem *p) {
  return (size_t)p->groups * p->out_channels * p->in_channels * taps_of(p);
}

int cw_conv_pack_blocks(const cw_conv_problem *p) {
  const int block = cw_conv_kernels_select()->block;
  return p->groups * ((p->out_channels + block - 1) / block);
}

/* Floats from a packed kernel to that of the next output channel, input channel and tap; n: channels of the block. */
typedef struct packed_steps {
  size_t out, in, tap;
} packed_steps;

static packed_steps packed_steps_of(const cw_conv_problem *p, int n) {
  const size_t taps = (size_t)taps_of(p);
  packed_steps steps = {1, taps * n, (size_t)n};
  if (cw_conv_columns_suit(p) && cw_conv_columns_across(p)) {
    steps.in = (size_t)p->out_channels;
  } else if (cw_conv_columns_suit(p)) {
    steps.out = taps * p->in_channels;
    steps.in = taps;
    steps.tap = 1;
  }
  return steps;
}

void cw_conv_pack(const cw_conv_problem *p, const float *w, const cw_conv_mix *mix, int index, float *packed) {
  const int block = cw_conv_kernels_select()->block, blocks = (p->out_channels + block - 1) / block;
  const int taps = taps_of(p), ci = p->in_channels, co = p->out_channels;
  const int group = index / blocks, o0 = index % blocks * block, n = co - o0 < block ? co - o0 : block;
  const packed_steps steps = packed_steps_of(p, n);
  const bool across = cw_conv_columns_suit(p) && cw_conv_columns_across(p);
  packed += (size_t)group * co * ci * taps + (across ? (size_t)o0 : (size_t)o0 * ci * taps);
  for (int o = 0; o < n; o++)
    for (int c = 0; c < ci; c++) {
      const size_t in = (size_t)group * ci + c, out = (size_t)group * co + o0 + o;
      const float *from = w + (p->transposed ? in * co + o0 + o : out * ci + c) * taps;
      float *to = packed + o * steps.out + c * steps.in;
      for (int t = 0; t < taps; t++) {
        const int at = p->transposed ? taps - 1 - t : t;
        float sum = mix ? mix->share[0] * from[at] : from[at];
        for (int e = 1; mix && e < mix->experts; e++)
          sum += mix->share[e] * from[e * mix->stride + at];
        to[t * steps.tap] = sum;
      }
    }
}

const float *cw_conv_prepare(const cw_conv_problem *p, const float *w, float *packed, int threads) {
  (void)threads; /* without OpenMP */
  if (cw_conv_columns_suit(p) && p->transposed == cw_conv_columns_across(p))
    return w;
  const int blocks = cw_conv_pack_blocks(p);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int i = 0; i < blocks; i++)
    cw_conv_pack(p, w, NULL, i, packed);
  return packed;
}

/* ---- the ring of input planes ---- */

cw_conv_ring cw_conv_ring_of(const cw_conv_problem *p, int channels, int out_rows) {
  cw_conv_ring ring;
  ring.slots = (p->kernel[0] - 1) * p->dilation[0] + 1;
  ring.rows = (out_rows - 1) * p->stride[1] + (p->kernel[1] - 1) * p->dilation[1] + 1;
  const int width = (p->out[2] - 1) * p->stride[2] + (p->kernel[2] - 1) * p->dilation[2] + 1;
  ring.phase = (width + p->stride[2] - 1) / p->stride[2];
  ring.pitch = ring.phase * p->stride[2];
  ring.channel = (ptrdiff_t)ring.rows * ring.pitch;
  ring.plane = (size_t)ring.channel * channels;
  return ring;
}

/* Paddings are mostly of one sample, not worth a call. */
static inline void clear_few(float *to, int count) {
  if (count == 1)
    *to = 0;
  else if (count > 1)
    memset(to, 0, (size_t)count * sizeof *to);
}

/* row[q] = x[q * stride + shift], zero outside */
CW_CLONES static void fill_phase(int count, int stride, int shift, const float *x, int width, float *restrict row) {
  int first = shift < 0 ? (-shift + stride - 1) / stride : 0,
      last = shift < width ? (width - 1 - shift) / stride + 1 : 0;
  first = first < count ? first : count;
  last = last < first ? first : last < count ? last : count;
  clear_few(row, first);
  if (stride == 2)
    for (int q = first; q < last; q++)
      row[q] = x[q * 2 + shift];
  else
    for (int q = first; q < last; q++)
      row[q] = x[q * stride + shift];
  clear_few(row + last, count - last);
}

static void fill_row(const cw_conv_problem *p, const cw_conv_ring *ring, const float *x, float *row) {
  const int pad = p->pad[2], width = p->in[2];
  if (p->stride[2] == 1 && p->insert[2] == 1) {
    const int left = pad < 0 ? 0 : pad < ring->pitch ? pad : ring->pitch, from = pad < 0 ? -pad : 0;
    int count = width - from;
    count = count < 0 ? 0 : count > ring->pitch - left ? ring->pitch - left : count;
    clear_few(row, left);
    memcpy(row + left, x + from, (size_t)count * sizeof *row);
    clear_few(row + left + count, ring->pitch - left - count);
    return;
  }
  if (p->insert[2] == 1) {
    for (int f = 0; f < p->stride[2]; f++, row += ring->phase)
      fill_phase(ring->phase, p->stride[2], f - pad, x, width, row);
    return;
  }
  for (int q = 0; q < ring->pitch; q++) {
    const int at = q - pad, i = at / p->insert[2];
    const bool inside = at >= 0 && at % p->insert[2] == 0 && i < width;
    row[q % p->stride[2] * ring->phase + q / p->stride[2]] = inside ? x[i] : 0;
  }
}

/* Index into the stored input of a coordinate of the padded, interleaved one; -1 where that is zero. */
static int stored_index(const cw_conv_problem *p, int axis, int padded) {
  const int at = padded - p->pad[axis];
  return at >= 0 && at % p->insert[axis] == 0 && at / p->insert[axis] < p->in[axis] ? at / p->insert[axis] : -1;
}

void cw_conv_ring_fill(const cw_conv_problem *p, const cw_conv_ring *ring, const float *x, int channels, int z,
                       int row0, float *plane) {
  const int zi = stored_index(p, 0, z);
  const size_t area = (size_t)p->in[1] * p->in[2], volume = area * p->in[0];
  const bool whole = zi >= 0 && ring->pitch == p->in[2] && p->stride[2] == 1 && p->insert[1] * p->insert[2] == 1 &&
                     !p->pad[2] && row0 >= p->pad[1] && row0 - p->pad[1] + ring->rows <= p->in[1];
  for (int c = 0; c < channels && whole; c++)
    memcpy(plane + c * ring->channel, x + c * volume + zi * area + (size_t)(row0 - p->pad[1]) * p->in[2],
           (size_t)ring->channel * sizeof *plane);
  for (int c = 0; c < channels && !whole; c++)
    for (int r = 0; r < ring->rows; r++) {
      float *row = plane + c * ring->channel + (size_t)r * ring->pitch;
      const int yi = zi < 0 ? -1 : stored_index(p, 1, row0 + r);
      if (yi < 0)
        memset(row, 0, (size_t)ring->pitch * sizeof *row);
      else
        fill_row(p, ring, x + c * volume + zi * area + (size_t)yi * p->in[2], row);
    }
}

ptrdiff_t cw_conv_ring_tap(const cw_conv_problem *p, const cw_conv_ring *ring, int ky, int kx) {
  const int shift = kx * p->dilation[2];
  return (ptrdiff_t)ky * p->dilation[1] * ring->pitch + shift % p->stride[2] * ring->phase + shift / p->stride[2];
}

/* ---- one tile: some rows of a chunk of planes of one sample and group ---- */

static int tile_rows(const cw_conv_problem *p) {
  int rows = p->out[1];
  while (rows > 4) {
    const cw_conv_ring ring = cw_conv_ring_of(p, p->in_channels, rows);
    if (ring.plane * ring.slots * sizeof(float) <= TILE_BYTES)
      break;
    rows = (rows + 1) / 2;
  }
  return rows;
}

/* Planes that a task marches over: fewer where few tasks would leave threads idle.  No output depends on it. */
static int chunk_planes(const cw_conv_problem *p, int row_tiles, int threads) {
  int planes = CHUNK_PLANES;
  const long others = (long)p->batch * p->groups * row_tiles;
  while (planes > LEAST_PLANES && others * ((p->out[0] + planes - 1) / planes) < (long)TASKS_PER_THREAD * threads)
    planes /= 2;
  return planes;
}

/* Vectors that cover `rows` rows of outputs: each row by its own, or, where that takes fewer, over rows and the margins
 * between them alike; such sums go through a buffer and the margins' are dropped.  The sums are the same ones. */
static bool rows_flat(const cw_conv_problem *p, const cw_conv_ring *ring, int rows, int *vectors) {
  const int lanes = cw_conv_kernels_select()->lanes;
  const int64_t each = rows * (((int64_t)p->out[2] + lanes - 1) / lanes);
  const int64_t flat = ((rows - 1) * (int64_t)ring->pitch + p->out[2] + lanes - 1) / lanes;
  const bool saves =
      p->stride[1] == 1 && p->stride[2] == 1 && flat < each && (int64_t)p->in_channels * taps_of(p) >= LEAST_PRODUCTS;
  *vectors = (int)(saves ? flat : each);
  return saves;
}

/* The buffer of one block. */
static size_t flat_floats(const cw_conv_problem *p, const cw_conv_ring *ring) {
  const cw_conv_kernels *kernels = cw_conv_kernels_select();
  int vectors;
  return rows_flat(p, ring, tile_rows(p), &vectors) ? (size_t)kernels->block * kernels->lanes * vectors : 0;
}

static size_t thread_floats(const cw_conv_problem *p) {
  const cw_conv_ring ring = cw_conv_ring_of(p, p->in_channels, tile_rows(p));
  const size_t taps = ((size_t)taps_of(p) * sizeof(ptrdiff_t) + sizeof(float) - 1) / sizeof(float);
  return (taps + ring.plane * ring.slots + SLACK + flat_floats(p, &ring) + 15) / 16 * 16;
}

size_t cw_conv_run_workspace(const cw_conv_problem *p, int threads) {
  if (cw_conv_columns_suit(p))
    return cw_conv_columns_workspace(p);
  return thread_floats(p) * sizeof(float) * threads;
}

typedef struct tile_job {
  const cw_conv_problem *p;
  const cw_conv_kernels *kernels;
  cw_conv_ring ring;
  const float *x, *packed, *bias; /* of the sample and group */
  float *y;
  bool accumulate;
} tile_job;

/* Rows of a block from the buffer, `pitch` and `channel` floats apart, to y. */
static void store_rows(const tile_job *job, const float *from, size_t channel, int block, int rows, float *y) {
  const size_t width = (size_t)job->p->out[2], volume = width * job->p->out[1] * job->p->out[0];
  for (int o = 0; o < block; o++)
    for (int r = 0; r < rows; r++) {
      const float *row = from + o * channel + (size_t)r * job->ring.pitch;
      float *to = y + o * volume + r * width;
      for (size_t i = 0; i < width; i++)
        to[i] = job->accumulate ? to[i] + row[i] : row[i];
    }
}

/* All output channels of one plane tile. */
static void tile_plane(const tile_job *job, const float *planes, const ptrdiff_t *taps, int z, int y0, int rows,
                       float *buffer) {
  const cw_conv_problem *p = job->p;
  const cw_conv_kernels *kernels = job->kernels;
  int total;
  const bool flat = rows_flat(p, &job->ring, rows, &total);
  const int lanes = kernels->lanes, per_row = (p->out[2] + lanes - 1) / lanes;
  const size_t area = (size_t)p->out[1] * p->out[2], volume = area * p->out[0];
  cw_conv_tile tile;
  tile.x = planes;
  tile.channel_stride = job->ring.channel;
  tile.channels = p->in_channels;
  tile.taps = taps_of(p);
  tile.tap = taps;
  tile.y_channel_stride = flat ? (ptrdiff_t)total * lanes : (ptrdiff_t)volume;
  tile.accumulate = job->accumulate && !flat;
  for (int o = 0; o < p->out_channels; o += kernels->block) {
    const int block = p->out_channels - o < kernels->block ? p->out_channels - o : kernels->block;
    float *y = job->y + o * volume + z * area + (size_t)y0 * p->out[2];
    tile.w = job->packed + (size_t)o * p->in_channels * tile.taps;
    tile.bias = job->bias ? job->bias + o : NULL;
    for (int q = 0, vectors; q < total; q += vectors) {
      vectors = total - q < kernels->vectors[block] ? total - q : kernels->vectors[block];
      for (int j = 0; j < vectors; j++) {
        const int row = (q + j) / per_row, column = (q + j) % per_row * lanes, left = p->out[2] - column;
        tile.base[j] = flat ? (ptrdiff_t)(q + j) * lanes : (ptrdiff_t)row * p->stride[1] * job->ring.pitch + column;
        tile.y[j] = flat ? buffer + (size_t)(q + j) * lanes : y + (size_t)row * p->out[2] + column;
        tile.valid[j] = flat || left > lanes ? lanes : left;
      }
      kernels->tile[block][vectors](&tile);
    }
    if (flat)
      store_rows(job, buffer, (size_t)total * lanes, block, rows, y);
  }
}

static void run_tile(const tile_job *job, int z0, int z1, int y0, int rows, float *scratch) {
  const cw_conv_problem *p = job->p;
  const cw_conv_ring *ring = &job->ring;
  ptrdiff_t *taps = (ptrdiff_t *)scratch;
  float *planes = scratch + ((size_t)taps_of(p) * sizeof(ptrdiff_t) + sizeof(float) - 1) / sizeof(float);
  float *buffer = planes + ring->plane * ring->slots + SLACK;
  memset(planes + ring->plane * ring->slots, 0, SLACK * sizeof(float));
  int filled = z0 * p->stride[0]; /* next plane of the padded input to fetch */
  for (int z = z0; z < z1; z++) {
    const int first = z * p->stride[0];
    if (filled < first)
      filled = first;
    for (; filled < first + ring->slots; filled++)
      cw_conv_ring_fill(p, ring, job->x, p->in_channels, filled, y0 * p->stride[1],
                        planes + (size_t)(filled % ring->slots) * ring->plane);
    int t = 0;
    for (int kz = 0; kz < p->kernel[0]; kz++)
      for (int ky = 0; ky < p->kernel[1]; ky++)
        for (int kx = 0; kx < p->kernel[2]; kx++)
          taps[t++] = (ptrdiff_t)((first + kz * p->dilation[0]) % ring->slots) * (ptrdiff_t)ring->plane +
                      cw_conv_ring_tap(p, ring, ky, kx);
    tile_plane(job, planes, taps, z, y0, rows, buffer);
  }
}

/* Tasks between two reports: a tenth of a second on a slow core. */
static long tasks_at_once(const cw_conv_problem *p, long tasks) {
  const double most = 2e9, work = (double)p->batch * p->groups * p->out_channels * p->in_channels * taps_of(p) *
                                  p->out[0] * p->out[1] * p->out[2];
  return work > most ? (long)(tasks * most / work) + 1 : tasks;
}

/* A run, cut into tasks: a chunk of planes and a tile of rows of one sample and group each. */
typedef struct conv_work {
  tile_job job; /* of the first sample and group */
  int rows, row_tiles, planes, chunks;
  size_t in_channels, out_channels; /* floats of a group's channels, in and out */
  size_t packed, packed_stride, bias_stride;
} conv_work;

static void run_task(const conv_work *work, long task, float *scratch) {
  const cw_conv_problem *p = work->job.p;
  const int tile = (int)(task % work->row_tiles), chunk = (int)(task / work->row_tiles % work->chunks);
  const size_t block = (size_t)(task / work->row_tiles / work->chunks); /* sample and group */
  const size_t group = block % (size_t)p->groups, n = block / (size_t)p->groups;
  tile_job job = work->job;
  job.x += block * work->in_channels;
  job.y += block * work->out_channels;
  job.packed += n * work->packed_stride + group * work->packed;
  if (job.bias)
    job.bias += n * work->bias_stride + group * p->out_channels;
  const int y0 = tile * work->rows, z0 = chunk * work->planes;
  const int z1 = z0 + work->planes < p->out[0] ? z0 + work->planes : p->out[0];
  run_tile(&job, z0, z1, y0, p->out[1] - y0 < work->rows ? p->out[1] - y0 : work->rows, scratch);
}

void cw_conv_run(const cw_conv_problem *p, const float *x, const float *packed, size_t packed_stride, const float *bias,
                 size_t bias_stride, float *y, bool accumulate, void *workspace, int threads, cw_report *report) {
  if (cw_conv_columns_suit(p)) {
    cw_conv_columns_run(p, x, packed, packed_stride, bias, bias_stride, y, accumulate, workspace, threads);
    return;
  }
  const int rows = tile_rows(p), row_tiles = (p->out[1] + rows - 1) / rows;
  const int planes = chunk_planes(p, row_tiles, threads), chunks = (p->out[0] + planes - 1) / planes;
  const conv_work work = {
      {p, cw_conv_kernels_select(), cw_conv_ring_of(p, p->in_channels, rows), x, packed, bias, y, accumulate},
      rows,
      row_tiles,
      planes,
      chunks,
      (size_t)p->in_channels * p->in[0] * p->in[1] * p->in[2],
      (size_t)p->out_channels * p->out[0] * p->out[1] * p->out[2],
      cw_conv_packed_floats(p) / p->groups,
      packed_stride,
      bias_stride};
  const long tasks = (long)p->batch * p->groups * chunks * row_tiles, at_once = tasks_at_once(p, tasks);
  const size_t floats = thread_floats(p);
  for (long first = 0; first < tasks; first += at_once) {
    const long end = tasks - first < at_once ? tasks : first + at_once;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (long task = first; task < end; task++) {
#ifdef _OPENMP
      run_task(&work, task, (float *)workspace + floats * (size_t)omp_get_thread_num());
#else
      run_task(&work, task, workspace);
#endif
    }
    if (!cw_report_tell(report, (double)end / tasks))
      return;
  }
}
