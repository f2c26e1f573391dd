#include "picture.h"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace program {

namespace {

std::string base64(const std::vector<unsigned char> &bytes) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    unsigned word = 0;
    for (size_t k = 0; k < 3; k++)
      word = word << 8 | (k < n ? bytes[i + k] : 0u);
    for (size_t k = 0; k < 4; k++)
      text += k <= n ? digits[word >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

}  // namespace

std::string data_uri(const Picture &picture) {
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  bool coloured = false;
  for (size_t i = 0; i < picture.rgb.size() && !coloured; i += 3)
    coloured = picture.rgb[i] != picture.rgb[i + 1] || picture.rgb[i] != picture.rgb[i + 2];
  std::vector<unsigned char> pixels = picture.rgb;
  image.format = PNG_FORMAT_RGB;
  if (!coloured) {
    image.format = PNG_FORMAT_GRAY;
    for (size_t i = 0; 3 * i < picture.rgb.size(); i++)
      pixels[i] = picture.rgb[3 * i];
  }
  png_alloc_size_t bytes = 0;
  std::vector<unsigned char> file;
  if (png_image_write_to_memory(&image, nullptr, &bytes, 0, pixels.data(), 0, nullptr)) {
    file.resize(bytes);
    if (png_image_write_to_memory(&image, file.data(), &bytes, 0, pixels.data(), 0, nullptr)) {
      file.resize(bytes);
      return "data:image/png;base64," + base64(file);
    }
  }
  const std::string reason = image.message;
  png_image_free(&image);
  throw Failure("A picture could not be written: " + reason + ".");
}

std::vector<float> slice_of(Context &context, const cw_volume &volume, const cw_grid &slice, const cw_affine *between) {
  Volume out(context);
  context.check(cw_volume_create(context, &slice, 1, out.get()));
  context.check(cw_volume_resample(context, &volume, between, out.get()));
  return std::vector<float>(out->data, out->data + cw_grid_samples(&slice));
}

std::array<double, 3> peak_of(Context &context, const cw_volume &volume) {
  Volume smooth(context);
  context.check(cw_volume_copy(context, &volume, smooth.get()));
  context.check(cw_volume_smooth(context, smooth.get(), 1));
  const int *size = volume.grid.size;
  const size_t samples = cw_grid_samples(&volume.grid);
  const float *at = std::max_element(smooth->data, smooth->data + samples,
                                     [](float a, float b) { return std::abs(a) < std::abs(b); });
  const size_t i = static_cast<size_t>(at - smooth->data);
  const double index[3] = {double(i % size[0]), double(i / size[0] % size[1]), double(i / size[0] / size[1])};
  std::array<double, 3> world;
  cw_affine_apply(&volume.grid.to_world, index, world.data());
  return world;
}

}  // namespace program
