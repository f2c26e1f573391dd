#include "Layers/conv_sparse.h"

#include <string.h>

#include "Layers/layer.h"
#ifdef _OPENMP
#include <omp.h>
#endif

enum {
  LEAST_CHANNELS = 8,
  CHUNK_PLANES = 8,
  ROWS = 2,          /* rows of dy whose targets, of all channels and kernel planes, stay in a core's L1 */
  MOST_WIDTH = 1024, /* of dy */
  MOST_DEPTH = 64    /* of the kernel */
};

static size_t round_up(size_t count) {
  return (count + 15) / 16 * 16;
}

bool cw_conv_sparse_suits(const cw_conv_problem *p) {
  for (int i = 0; i < 3; i++)
    if (p->stride[i] != 1 || p->dilation[i] != 1 || p->insert[i] != 1)
      return false;
  return p->groups == 1 && p->in_channels >= LEAST_CHANNELS && p->kernel[0] * p->kernel[1] * p->kernel[2] > 1 &&
         p->kernel[0] <= MOST_DEPTH && p->out[2] <= MOST_WIDTH;
}

CW_CLONES static int64_t count_nonzero(int64_t n, const float *x) {
  int32_t count = 0;
  for (int64_t i = 0; i < n; i++)
    count += x[i] != 0;
  return count;
}

bool cw_conv_is_sparse(const cw_conv_problem *p, const float *dy, int threads) {
  (void)threads; /* without OpenMP */
  const int64_t n = (int64_t)p->batch * p->out_channels * p->out[0] * p->out[1] * p->out[2], parts = cw_parts(n);
  int64_t count = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : count)
  for (int64_t i = 0; i < parts; i++)
    count += count_nonzero(cw_part_length(n, i), dy + i * CW_PART);
  return 4 * count <= n;
}

/* The input's channels stand together: [y][x][channel] of a plane with the kernel's margin, and one plane for each of
 * the kernel's. */
typedef struct layout {
  int channels; /* rounded up to whole vectors */
  int width, height;
  size_t row, plane, kernel; /* floats; kernel: of one output channel */
} layout;

static layout layout_of(const cw_conv_problem *p) {
  layout l;
  l.channels = (p->in_channels + 7) / 8 * 8;
  l.width = p->out[2] + p->kernel[2] - 1;
  l.height = p->out[1] + p->kernel[1] - 1;
  l.row = (size_t)l.width * (size_t)l.channels;
  l.plane = l.row * (size_t)l.height;
  l.kernel = (size_t)p->kernel[0] * (size_t)p->kernel[1] * (size_t)p->kernel[2] * (size_t)l.channels;
  return l;
}

size_t cw_conv_sparse_workspace(const cw_conv_problem *p, int threads) {
  const layout l = layout_of(p);
  const size_t planes = round_up(l.plane * (size_t)p->kernel[0]);
  return (round_up(l.kernel * (size_t)p->out_channels) + planes * (size_t)threads) * sizeof(float);
}

/* w[co][ci][tap] -> packed[co][tap][ci] */
static void pack(const cw_conv_problem *p, const layout *l, const float *w, float *packed, int threads) {
  (void)threads;
  const int taps = p->kernel[0] * p->kernel[1] * p->kernel[2];
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int o = 0; o < p->out_channels; o++)
    for (int t = 0; t < taps; t++)
      for (int c = 0; c < l->channels; c++)
        packed[(size_t)o * l->kernel + (size_t)t * (size_t)l->channels + (size_t)c] =
            c < p->in_channels ? w[((size_t)o * (size_t)p->in_channels + (size_t)c) * (size_t)taps + (size_t)t] : 0;
}

/* What one row of dy of one channel gives to the kernel planes first .. last. */
typedef struct spread {
  const float *dy, *kernel;
  int width, first, last, rows, run, channels;
  size_t row, tap_row; /* floats between rows of the targets, and of the kernel */
  float *const *to;    /* [kernel planes]: the target of the row's first number */
} spread;

CW_INLINE void add_run(int n, const float *restrict w, float g, float *restrict to) {
  for (int i = 0; i < n; i++)
    to[i] += g * w[i];
}

CW_INLINE void spread_each(const spread *s, int run) {
  int at[MOST_WIDTH], count = 0;
  for (int x = 0; x < s->width; x++) {
    at[count] = x;
    count += s->dy[x] != 0;
  }
  for (int i = 0; i < count; i++) {
    const float g = s->dy[at[i]];
    for (int kz = s->first; kz <= s->last; kz++) {
      float *to = s->to[kz] + (size_t)at[i] * (size_t)s->channels;
      const float *w = s->kernel + (size_t)kz * (size_t)s->rows * s->tap_row;
      for (int ky = 0; ky < s->rows; ky++)
        add_run(run, w + (size_t)ky * s->tap_row, g, to + (size_t)ky * s->row);
    }
  }
}

/* Lengths of the networks at hand as constants. */
CW_CLONES static void spread_row(const spread *s) {
  switch (s->run) {
    case 24:
      spread_each(s, 24);
      break;
    case 48:
      spread_each(s, 48);
      break;
    case 96:
      spread_each(s, 96);
      break;
    default:
      spread_each(s, s->run);
      break;
  }
}

typedef struct job {
  const cw_conv_problem *p;
  layout l;
  const float *packed, *dy;
  float *dx;
  bool accumulate;
} job;

/* Plane z of dy to planes q0 .. q1 - 1 of dx. */
static void spread_plane(const job *j, int z, int q0, int q1, float *planes) {
  const cw_conv_problem *p = j->p;
  const layout *l = &j->l;
  const size_t area = (size_t)p->out[1] * (size_t)p->out[2];
  const int base = z - p->pad[0], depth = p->kernel[0];
  spread s = {.width = p->out[2], .rows = p->kernel[1], .run = p->kernel[2] * l->channels, .channels = l->channels};
  s.first = q0 > base ? q0 - base : 0;
  s.last = q1 - 1 - base < depth - 1 ? q1 - 1 - base : depth - 1;
  s.row = l->row;
  s.tap_row = (size_t)s.run;
  float *to[MOST_DEPTH];
  s.to = to;
  for (int y0 = 0; y0 < p->out[1]; y0 += ROWS)
    for (int o = 0; o < p->out_channels; o++) {
      s.kernel = j->packed + (size_t)o * l->kernel;
      for (int y = y0; y < y0 + ROWS && y < p->out[1]; y++) {
        s.dy = j->dy + ((size_t)o * (size_t)p->out[0] + (size_t)z) * area + (size_t)y * (size_t)p->out[2];
        for (int kz = s.first; kz <= s.last; kz++)
          to[kz] = planes + (size_t)((base + kz) % depth) * l->plane + (size_t)y * l->row;
        spread_row(&s);
      }
    }
}

/* One finished plane to dx. */
CW_CLONES static void emit_channel(int n, int channels, const float *restrict from, bool add, float *restrict to) {
  for (int i = 0; i < n; i++)
    to[i] = add ? to[i] + from[(size_t)i * (size_t)channels] : from[(size_t)i * (size_t)channels];
}

static void emit_plane(const job *j, int q, const float *plane) {
  const cw_conv_problem *p = j->p;
  for (int y = 0; y < p->in[1]; y++) {
    const float *row = plane + (size_t)(y + p->pad[1]) * j->l.row + (size_t)p->pad[2] * (size_t)j->l.channels;
    for (int c = 0; c < p->in_channels; c++)
      emit_channel(
          p->in[2], j->l.channels, row + c, j->accumulate,
          j->dx + (((size_t)c * (size_t)p->in[0] + (size_t)q) * (size_t)p->in[1] + (size_t)y) * (size_t)p->in[2]);
  }
}

/* A plane of dx is whole once the plane of dy that starts on it has been spread.  The order of the sums does not depend
 * on q0 and q1. */
static void run_chunk(const job *j, int q0, int q1, float *planes) {
  const cw_conv_problem *p = j->p;
  memset(planes, 0, j->l.plane * (size_t)p->kernel[0] * sizeof *planes);
  for (int z = q0 + p->pad[0] - (p->kernel[0] - 1); z < q1 + p->pad[0]; z++) {
    if (z >= 0 && z < p->out[0])
      spread_plane(j, z, q0, q1, planes);
    const int q = z - p->pad[0];
    if (q < q0)
      continue;
    float *done = planes + (size_t)(q % p->kernel[0]) * j->l.plane;
    emit_plane(j, q, done);
    memset(done, 0, j->l.plane * sizeof *done);
  }
}

void cw_conv_sparse_gradient(const cw_conv_problem *p, const float *w, const float *dy, float *dx, bool accumulate,
                             void *workspace, int threads) {
  const layout l = layout_of(p);
  float *packed = workspace, *planes = packed + round_up(l.kernel * (size_t)p->out_channels);
  const size_t own = round_up(l.plane * (size_t)p->kernel[0]);
  const size_t in = (size_t)p->in_channels * (size_t)p->in[0] * (size_t)p->in[1] * (size_t)p->in[2];
  const size_t out = (size_t)p->out_channels * (size_t)p->out[0] * (size_t)p->out[1] * (size_t)p->out[2];
  int step = CHUNK_PLANES;
  while (step > 2 && (long)p->batch * ((p->in[0] + step - 1) / step) < 2L * threads)
    step /= 2;
  const int chunks = (p->in[0] + step - 1) / step;
  pack(p, &l, w, packed, threads);
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (long task = 0; task < (long)p->batch * chunks; task++) {
#ifdef _OPENMP
    float *mine = planes + own * (size_t)omp_get_thread_num();
#else
    float *mine = planes;
#endif
    const size_t n = (size_t)(task / chunks);
    const int q0 = (int)(task % chunks) * step, q1 = q0 + step < p->in[0] ? q0 + step : p->in[0];
    const job j = {p, l, packed, dy + n * out, dx + n * in, accumulate};
    run_chunk(&j, q0, q1, mine);
  }
}
