/* Affine transforms from text files: ITK's "Insight Transform File" and plain matrices. */
#include <math.h>
#include <string.h>

#include "cohort_internal.h"

enum { MOST_NUMBERS = 16 };

typedef struct numbers {
  int count; /* MOST_NUMBERS + 1: more than fit */
  double value[MOST_NUMBERS];
} numbers;

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == ',' || c == ';' || c == '[' || c == ']';
}

/* Appends the numbers of one line. */
static cw_status add_numbers(cw_context *context, const char *path, int line, const char *text, size_t length,
                             numbers *out) {
  for (size_t i = 0; i < length;) {
    if (is_space(text[i])) {
      i++;
      continue;
    }
    size_t end = i;
    while (end < length && !is_space(text[end]))
      end++;
    double value;
    if (!cw_text_number(text + i, end - i, &value) || !isfinite(value))
      return cw_fail(context, CW_ERROR_FORMAT, "%s, line %d: '%.*s' where a finite number is needed", path, line,
                     (int)(end - i < 40 ? end - i : 40), text + i);
    if (out->count == MOST_NUMBERS)
      return cw_fail(context, CW_ERROR_FORMAT, "%s, line %d: more numbers than a 4x4 matrix has", path, line);
    out->value[out->count++] = value;
    i = end;
  }
  return CW_OK;
}

/* y = M (x - center) + center + translation */
static void about_center(const double m[3][3], const double translation[3], const double center[3], cw_affine *out) {
  for (int r = 0; r < 3; r++) {
    out->m[r][3] = translation[r] + center[r];
    for (int c = 0; c < 3; c++) {
      out->m[r][c] = m[r][c];
      out->m[r][3] -= m[r][c] * center[c];
    }
  }
}

static void multiply(const double a[3][3], const double b[3][3], double out[3][3]) {
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 3; c++)
      out[r][c] = a[r][0] * b[0][c] + a[r][1] * b[1][c] + a[r][2] * b[2][c];
}

/* ITK's Euler3DTransform: Rz Rx Ry, or Rz Ry Rx with its ComputeZYX flag. */
static void euler_matrix(const double angle[3], bool zyx, double out[3][3]) {
  const double cx = cos(angle[0]), sx = sin(angle[0]), cy = cos(angle[1]), sy = sin(angle[1]), cz = cos(angle[2]),
               sz = sin(angle[2]);
  const double x[3][3] = {{1, 0, 0}, {0, cx, -sx}, {0, sx, cx}};
  const double y[3][3] = {{cy, 0, sy}, {0, 1, 0}, {-sy, 0, cy}};
  const double z[3][3] = {{cz, -sz, 0}, {sz, cz, 0}, {0, 0, 1}};
  double both[3][3];
  multiply(zyx ? y : x, zyx ? x : y, both);
  multiply(z, both, out);
}

static bool is_type(const char *type, size_t length, const char *name) {
  return length > strlen(name) && strncmp(type, name, strlen(name)) == 0 && type[strlen(name)] == '_';
}

static cw_status convert_itk(cw_context *context, const char *path, const char *type, size_t length,
                             const numbers *parameters, const numbers *fixed, cw_affine *affine) {
  const double none[3] = {0, 0, 0}, *center = fixed->count >= 3 ? fixed->value : none;
  if (length < 4 || strncmp(type + length - 4, "_3_3", 4) != 0)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "%s: transform '%.*s' where one of 3-D points (_3_3) is needed", path,
                   (int)(length < 60 ? length : 60), type);
  double m[3][3];
  if (is_type(type, length, "AffineTransform") || is_type(type, length, "MatrixOffsetTransformBase")) {
    if (parameters->count != 12)
      return cw_fail(context, CW_ERROR_FORMAT, "%s: %d parameters where an affine transform has 12", path,
                     parameters->count);
    memcpy(m, parameters->value, sizeof m);
    about_center(m, parameters->value + 9, center, affine);
    return CW_OK;
  }
  if (is_type(type, length, "Euler3DTransform")) {
    if (parameters->count != 6)
      return cw_fail(context, CW_ERROR_FORMAT, "%s: %d parameters where an Euler3DTransform has 6", path,
                     parameters->count);
    euler_matrix(parameters->value, fixed->count >= 4 && fixed->value[3] != 0, m);
    about_center(m, parameters->value + 3, center, affine);
    return CW_OK;
  }
  return cw_fail(context, CW_ERROR_UNSUPPORTED,
                 "%s: transform '%.*s' where AffineTransform, MatrixOffsetTransformBase or Euler3DTransform is needed",
                 path, (int)(length < 60 ? length : 60), type);
}

static const char *after(const char *line, size_t length, const char *key) {
  const size_t n = strlen(key);
  return length >= n && strncmp(line, key, n) == 0 ? line + n : NULL;
}

static cw_status parse_itk(cw_context *context, const char *path, const char *text, cw_affine *affine) {
  numbers parameters = {0}, fixed = {0};
  const char *type = NULL;
  size_t type_length = 0;
  int number = 1;
  for (const char *line = text; *line; number++) {
    const size_t length = strcspn(line, "\n");
    const char *rest;
    if ((rest = after(line, length, "Transform:"))) {
      if (type)
        return cw_fail(context, CW_ERROR_UNSUPPORTED, "%s, line %d: more than one transform in the file", path, number);
      size_t left = length - (size_t)(rest - line);
      while (left && is_space(*rest))
        rest++, left--;
      while (left && is_space(rest[left - 1]))
        left--;
      type = rest;
      type_length = left;
    } else if ((rest = after(line, length, "Parameters:"))) {
      CW_TRY(add_numbers(context, path, number, rest, length - (size_t)(rest - line), &parameters));
    } else if ((rest = after(line, length, "FixedParameters:"))) {
      CW_TRY(add_numbers(context, path, number, rest, length - (size_t)(rest - line), &fixed));
    }
    line += length + (line[length] == '\n');
  }
  if (!type)
    return cw_fail(context, CW_ERROR_FORMAT, "%s: no 'Transform:' line", path);
  return convert_itk(context, path, type, type_length, &parameters, &fixed, affine);
}

static cw_status parse_matrix(cw_context *context, const char *path, const char *text, cw_affine *affine) {
  numbers n = {0};
  int number = 1;
  for (const char *line = text; *line; number++) {
    const size_t length = strcspn(line, "\n");
    CW_TRY(add_numbers(context, path, number, line, strcspn(line, "#\n"), &n));
    line += length + (line[length] == '\n');
  }
  const int columns = n.count == 9 ? 3 : 4;
  if (n.count != 9 && n.count != 12 && n.count != 16)
    return cw_fail(context, CW_ERROR_FORMAT, "%s: %d numbers where a 4x4, 3x4 or 3x3 matrix is needed", path, n.count);
  const double *last = n.value + 12;
  if (n.count == 16 && !(last[0] == 0 && last[1] == 0 && last[2] == 0 && last[3] == 1))
    return cw_fail(context, CW_ERROR_FORMAT, "%s: the last row of an affine matrix is 0 0 0 1", path);
  *affine = cw_affine_identity();
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < columns; c++)
      affine->m[r][c] = n.value[r * columns + c];
  return CW_OK;
}

cw_status cw_affine_read(cw_context *context, const char *path, cw_affine *affine) {
  static const char itk[] = "#Insight Transform File";
  char *text;
  size_t length;
  CW_TRY(cw_text_read(context, path, &text, &length));
  cw_affine result;
  const cw_status status = strncmp(text, itk, strlen(itk)) == 0 ? parse_itk(context, path, text, &result)
                                                                : parse_matrix(context, path, text, &result);
  cw_release(context, text);
  if (status != CW_OK)
    return status;
  const double determinant = cw_affine_determinant(&result);
  if (!(fabs(determinant) > 1e-6) || !isfinite(determinant))
    return cw_fail(context, CW_ERROR_NUMERIC, "%s: the matrix is singular (determinant %g)", path, determinant);
  *affine = result;
  return CW_OK;
}
