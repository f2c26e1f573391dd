#include "pictures.h"

#include <algorithm>
#include <cmath>

namespace counterwarp {

namespace {

double clamp01(double value) {
  return std::min(1.0, std::max(0.0, value));
}

// Opacity of the overlay at |value| / scale.
double opacity(double value) {
  return std::min(0.88, 1.5 * std::pow(std::min(1.0, std::abs(value)), 0.8));
}

unsigned char byte(double value) {
  return static_cast<unsigned char>(std::lround(255 * clamp01(value)));
}

}  // namespace

// Straight lines in OKLab (Ottosson 2020) from near-white to blue and to vermilion, equally dark at both ends.
std::array<double, 3> diverging(double value) {
  const double t = std::min(1.0, std::abs(value)), hue = (value < 0 ? 258 : 32) * std::acos(-1.0) / 180;
  const double lightness = 0.97 - 0.42 * t, chroma = 0.19 * t;
  const double a = chroma * std::cos(hue), b = chroma * std::sin(hue);
  const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
  const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
  const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
  std::array<double, 3> rgb = {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
                               -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
                               -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
  for (double &c : rgb) {
    c = clamp01(c);
    c = c <= 0.0031308 ? 12.92 * c : 1.055 * std::pow(c, 1 / 2.4) - 0.055;
  }
  return rgb;
}

std::array<double, 4> overlay_colour(double value) {
  if (!(std::abs(value) > 0.03))  // below: the noise of resampling
    return {0, 0, 0, 0};
  const auto colour = diverging(std::copysign(0.35 + 0.65 * std::min(1.0, std::abs(value)), value));
  return {colour[0], colour[1], colour[2], opacity(value)};
}

double change_scale(const std::vector<float> &log_jacobian, double least) {
  const double percent = round_up(100 * std::expm1(absolute_quantile(log_jacobian, 0.999)));
  return std::max({least, std::log1p(0.1), std::log1p(std::min(400.0, percent) / 100)});
}

Picture legend_strip() {
  Picture strip(256, 1);
  std::vector<float> values;
  for (int i = 0; i < strip.width; i++)
    values.push_back(static_cast<float>(2.0 * i / (strip.width - 1) - 1));
  std::fill(strip.rgb.begin(), strip.rgb.end(), static_cast<unsigned char>(110));
  overlay(strip, values, 1);
  return strip;
}

PlaneWords words_of(Plane plane) {
  switch (plane) {
    case Plane::axial:
      return {"axial", "R", "L", "A", "P"};
    case Plane::coronal:
      return {"coronal", "R", "L", "S", "I"};
    default:
      return {"sagittal", "A", "P", "S", "I"};
  }
}

cw_grid slice_grid(const cw_grid &scan, Plane plane, const double center[3], int pixels) {
  double low[3], high[3];
  for (int corner = 0; corner < 8; corner++) {
    double index[3], world[3];
    for (int a = 0; a < 3; a++)
      index[a] = corner >> a & 1 ? scan.size[a] - 0.5 : -0.5;
    cw_affine_apply(&scan.to_world, index, world);
    for (int a = 0; a < 3; a++) {
      low[a] = corner ? std::min(low[a], world[a]) : world[a];
      high[a] = corner ? std::max(high[a], world[a]) : world[a];
    }
  }
  // Picture axes as world axes and signs: across, down, through.
  const int across = plane == Plane::sagittal ? 1 : 0;
  const int down = plane == Plane::axial ? 1 : 2, through = 3 - across - down;
  const double down_sign = plane == Plane::axial ? 1 : -1;
  const double step = std::max({high[0] - low[0], high[1] - low[1], high[2] - low[2]}) / pixels;
  cw_grid grid{};
  grid.size[0] = std::max(1, static_cast<int>(std::lround((high[across] - low[across]) / step)));
  grid.size[1] = std::max(1, static_cast<int>(std::lround((high[down] - low[down]) / step)));
  grid.size[2] = 1;
  auto &m = grid.to_world.m;
  m[across][0] = step;
  m[across][3] = low[across] + step / 2;
  m[down][1] = down_sign * step;
  m[down][3] = down_sign > 0 ? low[down] + step / 2 : high[down] - step / 2;
  m[through][2] = step;
  m[through][3] = center[through];
  return grid;
}

Picture grey(const cw_grid &slice, const std::vector<float> &samples, double white) {
  Picture picture(slice.size[0], slice.size[1]);
  for (size_t i = 0; i < samples.size(); i++)
    for (int c = 0; c < 3; c++)
      picture.rgb[3 * i + c] = byte(white > 0 ? samples[i] / white : 0);
  return picture;
}

void overlay(Picture &picture, const std::vector<float> &values, double scale) {
  for (size_t i = 0; i < values.size(); i++) {
    const auto colour = overlay_colour(scale > 0 ? values[i] / scale : 0);
    for (int c = 0; c < 3 && colour[3] > 0; c++)
      picture.rgb[3 * i + c] = byte((1 - colour[3]) * picture.rgb[3 * i + c] / 255 + colour[3] * colour[c]);
  }
}

void checkerboard(Picture &picture, const Picture &other, int squares) {
  const int side = std::max(1, std::max(picture.width, picture.height) / squares);
  for (int j = 0; j < picture.height; j++)
    for (int i = 0; i < picture.width; i++)
      if ((i / side + j / side) % 2)
        for (int c = 0; c < 3; c++) {
          const size_t at = 3 * (static_cast<size_t>(j) * picture.width + i) + c;
          picture.rgb[at] = other.rgb[at];
        }
}

std::vector<float> checkered(const cw_volume &volume, int cubes, float *least) {
  const int *size = volume.grid.size;
  const int side = std::max(1, std::max({size[0], size[1], size[2]}) / cubes);
  std::vector<float> left(volume.data, volume.data + cw_grid_samples(&volume.grid));
  const auto range = std::minmax_element(left.begin(), left.end());
  *least = *range.first;
  const float out = *least - (*range.second - *least) - 1;
  size_t at = 0;
  for (int k = 0; k < size[2]; k++)
    for (int j = 0; j < size[1]; j++)
      for (int i = 0; i < size[0]; i++, at++)
        if ((i / side + j / side + k / side) % 2)
          left[at] = out;
  return left;
}

double absolute_quantile(std::vector<float> samples, double share) {
  if (samples.empty())
    return 0;
  for (float &sample : samples)
    sample = std::isfinite(sample) ? std::abs(sample) : 0;
  const size_t at = std::min(samples.size() - 1, static_cast<size_t>(share * samples.size()));
  std::nth_element(samples.begin(), samples.begin() + at, samples.end());
  return samples[at];
}

double round_up(double value) {
  if (!(value > 0))
    return 1;
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (value <= factor * power * 1.0001)
      return factor * power;
  return 10 * power;
}

}  // namespace counterwarp
