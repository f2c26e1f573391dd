// The warp's kernels beside ITK's filters for the same work, in one run, on the same number of threads.
//   warp_itk [--threads N] [--table]
// Rows of ours are "name <tab> figure <tab> unit", ITK's have "ITK" in front (run.sh joins them); --table joins them
// here: name, ours, unit, peer, the peer's figure, ratio (above 1: ours is faster).  Figures are medians.  GB/s counts
// each input and output once (for the exponential, once a squaring).
#include <itkDisplacementFieldJacobianDeterminantFilter.h>
#include <itkExponentialDisplacementFieldImageFilter.h>
#include <itkImage.h>
#include <itkMultiThreaderBase.h>
#include <itkVector.h>
#include <itkWarpImageFilter.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "counterwarp/warp.h"

namespace {

using Scalar = itk::Image<float, 3>;
using Field = itk::Image<itk::Vector<float, 3>, 3>;
constexpr int kSquarings = 6;

struct Options {
  int threads = 2;
  bool table = false;
};

double seconds(const std::function<void()> &work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Medians of the two in turns, so that both see the same machine; one run of each to warm up.
std::pair<double, double> medians(int runs, const std::function<void()> &ours, const std::function<void()> &peer) {
  ours();
  peer();
  std::vector<double> a, b;
  for (int i = 0; i < runs; i++) {
    a.push_back(seconds(ours));
    b.push_back(seconds(peer));
  }
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  return {a[a.size() / 2], b[b.size() / 2]};
}

void print(const Options &options, const std::string &name, std::pair<double, double> taken, double bytes) {
  const double ours = taken.first * 1e3, peer = taken.second * 1e3, rate = bytes / taken.first * 1e-9;
  if (options.table)
    std::printf("%s\t%.4g\tms\tITK\t%.4g\t%.2f\n%s\t%.4g\tGB/s\t\t\t\n", name.c_str(), ours, peer, peer / ours,
                name.c_str(), rate);
  else
    std::printf("%s\t%.4g\tms\nITK\t%s\t%.4g\tms\n%s\t%.4g\tGB/s\n", name.c_str(), ours, name.c_str(), peer,
                name.c_str(), rate);
  std::fflush(stdout);
}

// A smooth velocity that vanishes on the faces: largest value about a thirtieth of the box, waves of a third of it.
std::vector<float> velocity(const int n[3]) {
  const size_t samples = size_t(n[0]) * n[1] * n[2];
  std::vector<float> v(3 * samples);
  for (int axis = 0; axis < 3; axis++)
    for (int k = 0; k < n[2]; k++)
      for (int j = 0; j < n[1]; j++)
        for (int i = 0; i < n[0]; i++) {
          const double x = double(i) / (n[0] - 1), y = double(j) / (n[1] - 1), z = double(k) / (n[2] - 1);
          const double window = std::sin(M_PI * x) * std::sin(M_PI * y) * std::sin(M_PI * z);
          const double wave = std::sin(2 * M_PI * (1.7 * x + (axis == 1 ? -2.1 : 1.9) * y + 1.6 * z) + 1.3 * axis);
          v[axis * samples + (size_t(k) * n[1] + j) * n[0] + i] = float(n[0] / 30.0 * window * wave);
        }
  return v;
}

template <class Image>
typename Image::Pointer image(const int n[3]) {
  auto result = Image::New();
  typename Image::SizeType size;
  for (unsigned axis = 0; axis < 3; axis++)
    size[axis] = itk::SizeValueType(n[axis]);
  result->SetRegions(size);
  result->Allocate();
  return result;
}

Field::Pointer interleaved(const int n[3], const std::vector<float> &u) {
  auto field = image<Field>(n);
  float *to = field->GetBufferPointer()->GetDataPointer();
  const size_t samples = u.size() / 3;
  for (size_t i = 0; i < samples; i++)
    for (size_t axis = 0; axis < 3; axis++)
      to[3 * i + axis] = u[axis * samples + i];
  return field;
}

// Both must have done the same work: the largest difference more than `border` voxels from the faces.
void agree(const char *what, const int n[3], int border, const float *ours, const float *peer, size_t stride,
           double tolerance) {
  double largest = 0;
  for (int k = border; k < n[2] - border; k++)
    for (int j = border; j < n[1] - border; j++)
      for (int i = border; i < n[0] - border; i++) {
        const size_t at = (size_t(k) * n[1] + j) * n[0] + i;
        largest = std::max(largest, double(std::abs(ours[at] - peer[at * stride])));
      }
  if (!(largest <= tolerance)) {
    std::fprintf(stderr, "warp_itk: %s differs from ITK's by %g\n", what, largest);
    std::exit(1);
  }
}

void measure(const Options &options, const int n[3]) {
  const size_t samples = size_t(n[0]) * n[1] * n[2];
  const bool cube = n[0] == n[1] && n[1] == n[2];
  const std::string size = cube ? std::to_string(n[0]) + "^3"
                                : std::to_string(n[0]) + "x" + std::to_string(n[1]) + "x" + std::to_string(n[2]);
  const int runs = samples > 4000000 ? 5 : 11, threads = options.threads;
  const auto v = velocity(n);
  std::vector<float> u(v.size()), step(v.size()), out(samples), scan(samples);
  for (size_t i = 0; i < samples; i++)
    scan[i] = 100 + 50 * v[i] + float(i * 2654435761u % 1024) / 64;
  cw_exponential_forward(n, v.data(), 1, kSquarings, false, step.data(), u.data(), threads);

  auto itk_scan = image<Scalar>(n);
  std::copy(scan.begin(), scan.end(), itk_scan->GetBufferPointer());
  const auto itk_velocity = interleaved(n, v), itk_field = interleaved(n, u);

  auto warp = itk::WarpImageFilter<Scalar, Scalar, Field>::New();
  warp->SetInput(itk_scan);
  warp->SetDisplacementField(itk_field);
  warp->SetOutputParametersFromImage(itk_scan);
  print(options, "warp " + size,
        medians(
            runs, [&] { cw_warp_forward(n, 1, scan.data(), u.data(), out.data(), threads); },
            [&] {
              warp->Modified();
              warp->Update();
            }),
        20.0 * double(samples));
  agree("the warped image", n, 1, out.data(), warp->GetOutput()->GetBufferPointer(), 1, 0.05);

  auto jacobian = itk::DisplacementFieldJacobianDeterminantFilter<Field, float, Scalar>::New();
  jacobian->SetInput(itk_field);
  print(options, "Jacobian " + size,
        medians(
            runs, [&] { cw_jacobian_determinant(n, u.data(), false, out.data(), threads); },
            [&] {
              jacobian->Modified();
              jacobian->Update();
            }),
        16.0 * double(samples));
  agree("the Jacobian", n, 1, out.data(), jacobian->GetOutput()->GetBufferPointer(), 1, 1e-3);

  auto exponential = itk::ExponentialDisplacementFieldImageFilter<Field, Field>::New();
  exponential->SetInput(itk_velocity);
  exponential->AutomaticNumberOfIterationsOff();
  exponential->SetMaximumNumberOfIterations(kSquarings);
  print(options, "exponential, 6 squarings " + size,
        medians(
            samples > 4000000 ? 3 : runs,
            [&] { cw_exponential_forward(n, v.data(), 1, kSquarings, false, step.data(), u.data(), threads); },
            [&] {
              exponential->Modified();
              exponential->Update();
            }),
        24.0 * kSquarings * double(samples));
  const float *peer = exponential->GetOutput()->GetBufferPointer()->GetDataPointer();
  agree("the exponential", n, 2, u.data(), peer, 3, 0.05);
}

}  // namespace

int main(int count, char **arguments) {
  Options options;
  for (int i = 1; i < count; i++) {
    if (!std::strcmp(arguments[i], "--table"))
      options.table = true;
    else if (!std::strcmp(arguments[i], "--threads") && i + 1 < count)
      options.threads = std::max(1, std::atoi(arguments[++i]));
    else {
      std::fprintf(stderr, "usage: warp_itk [--threads N] [--table]\n");
      return 2;
    }
  }
  itk::MultiThreaderBase::SetGlobalMaximumNumberOfThreads(itk::ThreadIdType(options.threads));
  itk::MultiThreaderBase::SetGlobalDefaultNumberOfThreads(itk::ThreadIdType(options.threads));
  if (options.table)
    std::printf("name\tours\tunit\tpeer\tpeer_figure\tratio\n");
  const int sizes[][3] = {{64, 64, 64}, {128, 128, 128}, {182, 218, 182}};
  for (const auto &n : sizes)
    measure(options, n);
  return 0;
}
