#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* printf and strtod follow the host's locale; files do not. */
static size_t decimal_point(char point[16]) {
  snprintf(point, 16, "%.1f", 0.5);
  const size_t length = strlen(point) - 2;
  memmove(point, point + 1, length);
  point[length] = '\0';
  return length;
}

static bool is_number_character(char c) {
  return (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' || c == 'e' || c == 'E';
}

void cw_onnx_number_text(double number, int digits, char text[40]) {
  char point[16];
  const size_t length = decimal_point(point);
  snprintf(text, 40, "%.*g", digits, number);
  char *at = strstr(text, point);
  if (at) {
    *at = '.';
    memmove(at + 1, at + length, strlen(at + length) + 1);
  }
}

bool cw_onnx_number(const char **at, double *number) {
  char text[96], point[16];
  const size_t length = decimal_point(point);
  size_t used = 0;
  while (**at == ' ')
    ++*at;
  for (; is_number_character(**at); ++*at) {
    if (used + length >= sizeof text)
      return false;
    if (**at == '.') {
      memcpy(text + used, point, length);
      used += length;
    } else {
      text[used++] = **at;
    }
  }
  text[used] = '\0';
  char *end;
  *number = strtod(text, &end);
  return used && *end == '\0' && isfinite(*number);
}

const char *cw_onnx_label(const char *name, char label[72]) {
  size_t used = 0;
  for (; *name && used < 64; name++)
    label[used++] = *name >= ' ' && *name <= '~' ? *name : '?';
  if (*name)
    for (int i = 0; i < 3; i++)
      label[used++] = '.';
  label[used] = '\0';
  return label;
}

/* Length of the UTF-8 sequence at p, 0 if there is none. */
static size_t utf8_length(const unsigned char *p) {
  if (p[0] < 0x80)
    return 1;
  const size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
  if (p[0] < 0xc2 || p[0] > 0xf4)
    return 0;
  for (size_t i = 1; i < length; i++)
    if ((p[i] & 0xc0) != 0x80)
      return 0;
  const bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
  const bool outside = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
  return overlong || outside ? 0 : length;
}

bool cw_onnx_is_utf8(const char *text) {
  const unsigned char *p = (const unsigned char *)text;
  while (*p) {
    const size_t length = utf8_length(p);
    if (!length)
      return false;
    p += length;
  }
  return true;
}

/* Byte `index` of the little-endian representation of samples. */
static unsigned float_byte(const float *samples, size_t index) {
  uint32_t bits;
  memcpy(&bits, &samples[index / 4], 4);
  return bits >> (8 * (index % 4)) & 0xff;
}

char *cw_onnx_base64(cw_context *context, const float *samples, size_t count) {
  const size_t bytes = 4 * count, groups = (bytes + 2) / 3;
  char *text = cw_allocate(context, groups + 1, 4);
  if (!text)
    return NULL;
  for (size_t g = 0; g < groups; g++) {
    unsigned bits = 0;
    for (size_t k = 0; k < 3; k++)
      bits = bits << 8 | (3 * g + k < bytes ? float_byte(samples, 3 * g + k) : 0);
    for (size_t k = 0; k < 4; k++)
      text[4 * g + k] = 3 * g + k <= bytes ? base64_digits[bits >> (18 - 6 * k) & 63] : '=';
  }
  text[4 * groups] = '\0';
  return text;
}

static int base64_value(char c) {
  const char *at = c ? strchr(base64_digits, c) : NULL;
  return at ? (int)(at - base64_digits) : -1;
}

bool cw_onnx_base64_read(const char *text, float *samples, size_t count) {
  const size_t bytes = 4 * count, groups = (bytes + 2) / 3;
  if (strlen(text) != 4 * groups)
    return false;
  uint32_t word = 0;
  for (size_t g = 0; g < groups; g++) {
    unsigned bits = 0;
    for (size_t k = 0; k < 4; k++) {
      const bool padding = 3 * g + k > bytes;
      const int value = padding ? (text[4 * g + k] == '=' ? 0 : -1) : base64_value(text[4 * g + k]);
      if (value < 0)
        return false;
      bits = bits << 6 | (unsigned)value;
    }
    for (size_t k = 0; k < 3; k++) {
      const size_t index = 3 * g + k;
      const uint32_t byte = bits >> (16 - 8 * k) & 0xff;
      if (index >= bytes) {
        if (byte)
          return false;
        continue;
      }
      word |= byte << (8 * (index % 4));
      if (index % 4 == 3) {
        memcpy(&samples[index / 4], &word, 4);
        word = 0;
      }
    }
  }
  return true;
}

char *cw_onnx_list_text(cw_context *context, const cw_strings *strings) {
  size_t bytes = 1;
  for (int i = 0; i < strings->count; i++)
    bytes += 3 * strlen(strings->item[i]) + 1;
  char *text = cw_allocate(context, bytes, 1);
  if (!text)
    return NULL;
  char *out = text;
  for (int i = 0; i < strings->count; i++) {
    const unsigned char *p = (const unsigned char *)strings->item[i];
    while (*p) {
      const size_t length = utf8_length(p);
      if (!length || *p < 0x20 || *p == 0x7f || *p == '%') {
        out += sprintf(out, "%%%02X", *p++);
      } else {
        memcpy(out, p, length);
        out += length;
        p += length;
      }
    }
    *out++ = '\n';
  }
  *out = '\0';
  return text;
}

static int hex_value(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One line, `length` bytes of text, into item (which may be the text itself). */
static bool unescape(const char *text, size_t length, char *item) {
  for (size_t i = 0; i < length; i++) {
    if (text[i] != '%') {
      *item++ = text[i];
      continue;
    }
    if (i + 2 >= length)
      return false;
    const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
    if (high < 0 || low < 0 || high + low == 0)
      return false;
    *item++ = (char)(16 * high + low);
    i += 2;
  }
  *item = '\0';
  return true;
}

cw_status cw_onnx_list_read(cw_context *context, const char *key, const char *text, cw_strings *strings) {
  char *item = cw_allocate(context, strlen(text) + 1, 1);
  if (!item)
    return CW_ERROR_MEMORY;
  cw_status status = CW_OK;
  while (*text && status == CW_OK) {
    const char *end = strchr(text, '\n');
    if (!end || !unescape(text, (size_t)(end - text), item)) {
      status = cw_fail(context, CW_ERROR_FORMAT, "metadata '%s': expected one name a line, with %%XX escapes", key);
      break;
    }
    status = cw_strings_append(context, strings, item);
    text = end + 1;
  }
  cw_release(context, item);
  return status;
}
