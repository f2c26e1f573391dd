/* Context: allocator, threads, seed, last error, warnings and progress.
 *
 * Every call of the library that can fail takes a cw_context first and returns a cw_status.  The library keeps no
 * global state, never prints, exits or aborts.  One context serves one thread at a time; several contexts may work
 * side by side. */
#ifndef COUNTERWARP_CONTEXT_H
#define COUNTERWARP_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define CW_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define CW_PRINTF(text, first)
#endif

typedef enum cw_status {
  CW_OK = 0,
  CW_ERROR_ARGUMENT,    /* a parameter is out of its range */
  CW_ERROR_SHAPE,       /* ranks or sizes do not fit together */
  CW_ERROR_MEMORY,      /* an allocation failed */
  CW_ERROR_FILE,        /* a file cannot be opened, read or written */
  CW_ERROR_FORMAT,      /* a file's content is malformed */
  CW_ERROR_UNSUPPORTED, /* well-formed, but not something this library handles */
  CW_ERROR_NUMERIC,     /* NaN or Inf where finite numbers are needed */
  CW_ERROR_CANCELLED    /* the progress callback asked to stop */
} cw_status;

typedef struct cw_context cw_context;

typedef struct cw_context_options {
  /* NULL for malloc and free.  allocate returns memory aligned for any type, or NULL. */
  void *(*allocate)(void *user, size_t bytes);
  void (*release)(void *user, void *memory);
  /* Called from the calling thread during long work; fraction is in [0, 1].  False cancels. */
  bool (*progress)(void *user, const char *stage, double fraction);
  /* Receives one sentence about input that is usable but suspicious. */
  void (*warn)(void *user, const char *sentence);
  void *user;
  int threads; /* 0: all processors */
  uint64_t seed;
} cw_context_options;

/* Creates a context.  options may be NULL for defaults.  Only CW_ERROR_MEMORY can occur. */
cw_status cw_context_create(const cw_context_options *options, cw_context **context);
void cw_context_free(cw_context *context);

/* One sentence about the last error, "" if there was none.  Valid until the next failing call. */
const char *cw_context_message(const cw_context *context);
int cw_context_threads(const cw_context *context);
uint64_t cw_context_seed(const cw_context *context);

/* Sets the message (one sentence: what, where, what was expected) and returns status, for `return cw_fail(...)`. */
cw_status cw_fail(cw_context *context, cw_status status, const char *format, ...) CW_PRINTF(3, 4);
/* Passes one sentence to the warn callback. */
void cw_warn(cw_context *context, const char *format, ...) CW_PRINTF(2, 3);
/* Reports progress; CW_ERROR_CANCELLED (with the message set) if the callback asks to stop. */
cw_status cw_progress(cw_context *context, const char *stage, double fraction);

/* Memory of the context's allocator, 64-byte aligned.  cw_allocate sets CW_ERROR_MEMORY's message and returns NULL on
 * failure; count * size is checked for overflow.  cw_allocate_zero clears it.  cw_release accepts NULL. */
void *cw_allocate(cw_context *context, size_t count, size_t size);
void *cw_allocate_zero(cw_context *context, size_t count, size_t size);
void cw_release(cw_context *context, void *memory);
/* Copy of a string in the context's memory, NULL on failure. */
char *cw_copy_string(cw_context *context, const char *text);

/* "x.y.z" of the library. */
const char *cw_version(void);
/* Name of a status, such as "CW_ERROR_SHAPE". */
const char *cw_status_name(cw_status status);

/* Passes a failure on. */
#define CW_TRY(call) \
  do { \
    const cw_status cw_try_status = (call); \
    if (cw_try_status != CW_OK) \
      return cw_try_status; \
  } while (0)

#ifdef __cplusplus
}
#endif
#endif
