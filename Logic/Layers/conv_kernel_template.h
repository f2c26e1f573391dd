/* Body of the convolution kernels.  The including file defines CW_LANES (floats of a vector), CW_TABLE (name of the
 * table), CW_BLOCK, CW_PRODUCT_BLOCK (preferred blocks of output channels) and CW_VECTORS(block): blocks times vectors
 * of accumulators, plus the loaded rows, must fit the registers. */
#include <string.h>

#include "Layers/conv_kernel.h"

#if defined(__GNUC__) || defined(__clang__)
typedef float vec __attribute__((vector_size(CW_LANES * sizeof(float)), aligned(sizeof(float)), may_alias));
#define VEC_LOAD(p) (*(const vec *)(p))
#define VEC_STORE(p, v) (*(vec *)(p) = (v))
#define VEC_MULTIPLY_ADD(a, x, s) ((a) += (x) * (s))
#define VEC_PRODUCT_ADD(a, x, y) ((a) += (x) * (y))
#define UNROLL _Pragma("GCC unroll 16")
#else
typedef struct {
  float lane[CW_LANES];
} vec;
static vec vec_load(const float *p) {
  vec v;
  memcpy(&v, p, sizeof v);
  return v;
}
#define VEC_LOAD(p) vec_load(p)
#define VEC_STORE(p, v) memcpy((p), &(v), sizeof(vec))
#define VEC_MULTIPLY_ADD(a, x, s) \
  do { \
    for (int l = 0; l < CW_LANES; l++) \
      (a).lane[l] += (x).lane[l] * (s); \
  } while (0)
#define VEC_PRODUCT_ADD(a, x, y) \
  do { \
    for (int l = 0; l < CW_LANES; l++) \
      (a).lane[l] += (x).lane[l] * (y).lane[l]; \
  } while (0)
#define UNROLL
#endif

/* Sum of the lanes, by halves; whole registers where the compiler can name parts of a vector. */
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define HALVES 1
#endif
#endif
#ifdef HALVES
typedef float vec4 __attribute__((vector_size(16)));
typedef float vec8 __attribute__((vector_size(32)));
static inline vec4 quarter_sum(vec v) {
#if CW_LANES == 16
  const vec8 h = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                 __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  return __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
#elif CW_LANES == 8
  return __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
  return __builtin_shufflevector(v, v, 0, 1, 2, 3);
#endif
}
static inline float lane_sum(vec v) {
  const vec4 q = quarter_sum(v);
  const vec4 pair = q + __builtin_shufflevector(q, q, 2, 3, 0, 1);
  return pair[0] + pair[1];
}
#else
static inline float lane_sum(vec v) {
  float lane[CW_LANES];
  memcpy(lane, &v, sizeof lane);
  for (int half = CW_LANES / 2; half; half /= 2)
    for (int i = 0; i < half; i++)
      lane[i] += lane[i + half];
  return lane[0];
}
#endif

/* Keeps a value in a register: a compiler would rather load it again for every product. */
#if (defined(__GNUC__) || defined(__clang__)) && defined(__AVX512F__)
#define IN_REGISTER(v) __asm__("" : "+v"(v))
#elif (defined(__GNUC__) || defined(__clang__)) && defined(__AVX__)
#define IN_REGISTER(v) __asm__("" : "+x"(v))
#else
#define IN_REGISTER(v) (void)(v)
#endif

static inline void store_part(float *y, const vec *v, int valid, bool accumulate) {
  float lane[CW_LANES];
  memcpy(lane, v, sizeof lane);
  for (int i = 0; i < valid; i++)
    y[i] = accumulate ? y[i] + lane[i] : lane[i];
}

#define DEFINE_TILE(BLOCK, V) \
  static void tile_##BLOCK##_##V(const cw_conv_tile *t) { \
    vec acc[BLOCK][V]; \
    UNROLL for (int o = 0; o < BLOCK; o++) { \
      vec start; \
      for (int l = 0; l < CW_LANES; l++) \
        ((float *)&start)[l] = t->bias ? t->bias[o] : 0.0f; \
      UNROLL for (int j = 0; j < V; j++) acc[o][j] = start; \
    } \
    const float *w = t->w; \
    const int taps = t->taps; \
    for (int c = 0; c < t->channels; c++) { \
      const float *x = t->x + c * t->channel_stride; \
      const float *row[V]; \
      UNROLL for (int j = 0; j < V; j++) row[j] = x + t->base[j]; \
      for (int k = 0; k < taps; k++, w += BLOCK) { \
        const ptrdiff_t shift = t->tap[k]; \
        vec in[V]; \
        UNROLL for (int j = 0; j < V; j++) in[j] = VEC_LOAD(row[j] + shift); \
        UNROLL for (int o = 0; o < BLOCK; o++) { \
          UNROLL for (int j = 0; j < V; j++) VEC_MULTIPLY_ADD(acc[o][j], in[j], w[o]); \
        } \
      } \
    } \
    UNROLL for (int o = 0; o < BLOCK; o++) { \
      UNROLL for (int j = 0; j < V; j++) { \
        float *y = t->y[j] + o * t->y_channel_stride; \
        if (t->valid[j] < CW_LANES) { \
          store_part(y, &acc[o][j], t->valid[j], t->accumulate); \
        } else if (t->accumulate) { \
          vec sum = VEC_LOAD(y); \
          VEC_MULTIPLY_ADD(sum, acc[o][j], 1.0f); \
          VEC_STORE(y, sum); \
        } else { \
          VEC_STORE(y, acc[o][j]); \
        } \
      } \
    } \
  }

#define DEFINE_PRODUCT(BLOCK, TAPS) \
  static void product##TAPS##_##BLOCK(const cw_conv_product *p) { \
    vec acc[BLOCK][TAPS]; \
    memset(acc, 0, sizeof acc); \
    for (int r = 0; r < p->rows; r++) { \
      const float *dy = p->dy + r * p->dy_row_stride, *x = p->x + r * p->x_row_stride; \
      for (int i = 0; i < p->vectors; i++, dy += CW_LANES, x += CW_LANES) { \
        vec in[TAPS]; \
        UNROLL for (int k = 0; k < TAPS; k++) in[k] = VEC_LOAD(x + k * p->step); \
        UNROLL for (int o = 0; o < BLOCK; o++) { \
          vec g = VEC_LOAD(dy + o * p->dy_channel_stride); \
          IN_REGISTER(g); \
          UNROLL for (int k = 0; k < TAPS; k++) VEC_PRODUCT_ADD(acc[o][k], in[k], g); \
        } \
      } \
    } \
    UNROLL for (int o = 0; o < BLOCK; o++) { \
      UNROLL for (int k = 0; k < TAPS; k++) p->dw[o * p->dw_stride + k] += lane_sum(acc[o][k]); \
    } \
  }

#define DEFINE_BLOCK(BLOCK) \
  DEFINE_TILE(BLOCK, 1) \
  DEFINE_TILE(BLOCK, 2) \
  DEFINE_TILE(BLOCK, 3) \
  DEFINE_TILE(BLOCK, 4) \
  DEFINE_PRODUCT(BLOCK, 1) \
  DEFINE_PRODUCT(BLOCK, 3)

DEFINE_BLOCK(1)
DEFINE_BLOCK(2)
DEFINE_BLOCK(3)
DEFINE_BLOCK(4)
DEFINE_BLOCK(5)
DEFINE_BLOCK(6)
DEFINE_BLOCK(7)
DEFINE_BLOCK(8)

#define TILES(BLOCK) \
  { NULL, tile_##BLOCK##_1, tile_##BLOCK##_2, tile_##BLOCK##_3, tile_##BLOCK##_4 }

const cw_conv_kernels CW_TABLE = {
    .lanes = CW_LANES,
    .block = CW_BLOCK,
    .product_block = CW_PRODUCT_BLOCK,
    .vectors = {0, CW_VECTORS(1), CW_VECTORS(2), CW_VECTORS(3), CW_VECTORS(4), CW_VECTORS(5), CW_VECTORS(6),
                CW_VECTORS(7), CW_VECTORS(8)},
    .tile = {{NULL}, TILES(1), TILES(2), TILES(3), TILES(4), TILES(5), TILES(6), TILES(7), TILES(8)},
    .product1 = {NULL, product1_1, product1_2, product1_3, product1_4, product1_5, product1_6, product1_7, product1_8},
    .product3 = {NULL, product3_1, product3_2, product3_3, product3_4, product3_5, product3_6, product3_7, product3_8},
};
