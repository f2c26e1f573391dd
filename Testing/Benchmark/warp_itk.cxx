// The warp's kernels, and the filters around them, beside ITK's filters for the same work, in one run, on the same
// number of threads.  "report" rows: the longest that a filter works before it hears that it was aborted.
//   warp_itk [--threads N] [--table] [--model SIMULATOR] [--classifier CLASSIFIER]
// With models also the filters that ask them, on a scan of 1 mm voxels around the model's grid.
// Rows of ours are "name <tab> figure <tab> unit", ITK's have "ITK" in front (run.sh joins them); --table joins them
// here: name, ours, unit, peer, the peer's figure, ratio (above 1: ours is faster).  Figures are medians.  GB/s counts
// each input and output once (for the exponential, once a squaring).
#include <itkDisplacementFieldJacobianDeterminantFilter.h>
#include <itkExponentialDisplacementFieldImageFilter.h>
#include <itkInvertDisplacementFieldImageFilter.h>
#include <itkMultiThreaderBase.h>
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
#include "itk_inputs.h"
#include "itkCounterwarpAlignToModelFilter.h"
#include "itkCounterwarpClassifyImageFilter.h"
#include "itkCounterwarpExponentialFieldFilter.h"
#include "itkCounterwarpInvertFieldFilter.h"
#include "itkCounterwarpJacobianDeterminantFilter.h"
#include "itkCounterwarpSaliencyImageFilter.h"
#include "itkCounterwarpSimulateImageFilter.h"
#include "itkCounterwarpWarpImageFilter.h"

namespace {

using namespace itk_inputs;
constexpr int kSquarings = 6;

struct Options {
  int threads = 2;
  bool table = false;
  const char *model = nullptr, *classifier = nullptr;
};

double seconds(const std::function<void()> &work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Medians of the three in turns, so that all see the same machine; one run of each to warm up.
struct Taken {
  double kernel, filter, peer;
};

Taken medians(int runs, const std::function<void()> &kernel, itk::ProcessObject *filter, itk::ProcessObject *peer) {
  const std::function<void()> works[] = {kernel,
                                         [=] {
                                           filter->Modified();
                                           filter->Update();
                                         },
                                         [=] {
                                           peer->Modified();
                                           peer->Update();
                                         }};
  std::vector<double> taken[3];
  for (int i = -1; i < runs; i++)
    for (int w = 0; w < 3; w++) {
      const double t = seconds(works[w]);
      if (i >= 0)
        taken[w].push_back(t);
    }
  for (auto &list : taken)
    std::sort(list.begin(), list.end());
  const size_t middle = taken[0].size() / 2;
  return {taken[0][middle], taken[1][middle], taken[2][middle]};
}

// Longest time between two events of a filter's progress, or its start or end.
double longest_wait(itk::ProcessObject *filter) {
  using Clock = std::chrono::steady_clock;
  double longest = 0;
  auto last = Clock::now();
  const auto look = [&] {
    const auto now = Clock::now();
    longest = std::max(longest, std::chrono::duration<double>(now - last).count());
    last = now;
  };
  const auto observer = filter->AddObserver(itk::ProgressEvent(), [&](const itk::EventObject &) { look(); });
  filter->Modified();
  last = Clock::now();
  filter->Update();
  look();
  filter->RemoveObserver(observer);
  return longest;
}

void print_row(const Options &options, const std::string &name, double ours, double peer) {
  if (options.table)
    std::printf("%s\t%.4g\tms\tITK\t%.4g\t%.2f\n", name.c_str(), ours * 1e3, peer * 1e3, peer / ours);
  else
    std::printf("%s\t%.4g\tms\nITK\t%s\t%.4g\tms\n", name.c_str(), ours * 1e3, name.c_str(), peer * 1e3);
}

void print(const Options &options, const std::string &work, const std::string &size, const Taken &taken, double bytes,
           double wait) {
  const char *end = options.table ? "\t\t\t\n" : "\n";
  print_row(options, work + " " + size, taken.kernel, taken.peer);
  print_row(options, work + " filter " + size, taken.filter, taken.peer);
  std::printf("%s %s\t%.4g\tGB/s%s", work.c_str(), size.c_str(), bytes / taken.kernel * 1e-9, end);
  std::printf("%s filter's report %s\t%.4g\tms%s", work.c_str(), size.c_str(), wait * 1e3, end);
  std::fflush(stdout);
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
  auto warp_filter = itk::CounterwarpWarpImageFilter<Scalar>::New();
  warp_filter->SetInput(itk_scan);
  warp_filter->SetDisplacementField(itk_field);
  const auto warp_kernel = [&] { cw_warp_forward(n, 1, scan.data(), u.data(), out.data(), threads); };
  print(options, "warp", size, medians(runs, warp_kernel, warp_filter, warp), 20.0 * double(samples),
        longest_wait(warp_filter));
  agree("the warped image", n, 1, out.data(), warp->GetOutput()->GetBufferPointer(), 1, 0.05);
  agree("the filter's image", n, 1, out.data(), warp_filter->GetOutput()->GetBufferPointer(), 1, 1e-3);

  auto jacobian = itk::DisplacementFieldJacobianDeterminantFilter<Field, float, Scalar>::New();
  jacobian->SetInput(itk_field);
  auto jacobian_filter = itk::CounterwarpJacobianDeterminantFilter<Field>::New();
  jacobian_filter->SetInput(itk_field);
  const auto jacobian_kernel = [&] { cw_jacobian_determinant(n, u.data(), false, out.data(), threads); };
  print(options, "Jacobian", size, medians(runs, jacobian_kernel, jacobian_filter, jacobian), 16.0 * double(samples),
        longest_wait(jacobian_filter));
  agree("the Jacobian", n, 1, out.data(), jacobian->GetOutput()->GetBufferPointer(), 1, 1e-3);
  agree("the filter's Jacobian", n, 1, out.data(), jacobian_filter->GetOutput()->GetBufferPointer(), 1, 1e-5);

  auto exponential = itk::ExponentialDisplacementFieldImageFilter<Field, Field>::New();
  exponential->SetInput(itk_velocity);
  exponential->AutomaticNumberOfIterationsOff();
  exponential->SetMaximumNumberOfIterations(kSquarings);
  auto exponential_filter = itk::CounterwarpExponentialFieldFilter<Field>::New();
  exponential_filter->SetInput(itk_velocity);
  exponential_filter->AutomaticNumberOfIterationsOff();
  exponential_filter->SetMaximumNumberOfIterations(kSquarings);
  const auto exponential_kernel = [&] {
    cw_exponential_forward(n, v.data(), 1, kSquarings, false, step.data(), u.data(), threads);
  };
  print(options, "exponential, 6 squarings", size,
        medians(samples > 4000000 ? 3 : runs, exponential_kernel, exponential_filter, exponential),
        24.0 * kSquarings * double(samples), longest_wait(exponential_filter));
  const float *peer = exponential->GetOutput()->GetBufferPointer()->GetDataPointer();
  agree("the exponential", n, 2, u.data(), peer, 3, 0.05);
  agree("the filter's exponential", n, 0, u.data(),
        exponential_filter->GetOutput()->GetBufferPointer()->GetDataPointer(), 3, 1e-4);

  // Both end by the largest residual; ITK's would end by the mean's threshold alone.
  auto invert = itk::InvertDisplacementFieldImageFilter<Field, Field>::New();
  invert->SetDisplacementField(itk_field);
  invert->SetMaximumNumberOfIterations(20);
  invert->SetMaxErrorToleranceThreshold(0.05);
  invert->SetMeanErrorToleranceThreshold(0);
  auto invert_filter = itk::CounterwarpInvertFieldFilter<Field>::New();
  invert_filter->SetDisplacementField(itk_field);
  invert_filter->SetMaxErrorToleranceThreshold(0.05);
  std::vector<float> inverse(u.size());
  const cw_volume field{itk::CounterwarpSamples::Grid(itk_field, itk_field->GetBufferedRegion()), 3, u.data()};
  cw_volume inverted{field.grid, 3, inverse.data()};
  const cw_view from = cw_volume_view(&field), to = cw_volume_view(&inverted);
  cw_context_options core{};
  core.threads = threads;
  cw_context *context = nullptr;
  if (cw_context_create(&core, &context) != CW_OK)
    std::exit(1);
  const auto invert_kernel = [&] { cw_view_invert(context, &from, 20, 0.05, &to, nullptr); };
  print(options, "inverse", size, medians(samples > 4000000 ? 1 : 3, invert_kernel, invert_filter, invert),
        24.0 * double(samples), longest_wait(invert_filter));
  cw_context_free(context);
  peer = invert->GetOutput()->GetBufferPointer()->GetDataPointer();
  agree("the inverse", n, 2, inverse.data(), peer, 3, 0.15);
  agree("the filter's inverse", n, 0, inverse.data(), invert_filter->GetOutput()->GetBufferPointer()->GetDataPointer(),
        3, 1e-4);
}

// Time of a whole run, and the longest time between two reports.
void run_and_wait(const Options &options, const char *name, itk::ProcessObject *filter) {
  const char *end = options.table ? "\t\t\t\n" : "\n";
  filter->Update();
  std::printf("%s filter 182x218x182\t%.4g\tms%s", name, seconds([&] {
                                                           filter->Modified();
                                                           filter->Update();
                                                         }) * 1e3,
              end);
  std::printf("%s filter's report 182x218x182\t%.4g\tms%s", name, longest_wait(filter) * 1e3, end);
  std::fflush(stdout);
}

void ask(const Options &options) {
  auto model = itk::CounterwarpModel::New();
  model->ReadFile(options.model);
  const auto scan = scan_for(model);
  itk::Object::GlobalWarningDisplayOff();
  auto classify = itk::CounterwarpClassifyImageFilter<Short>::New();
  classify->SetInput(scan);
  classify->SetModel(model);
  run_and_wait(options, "classification", classify);
  if (model->GetTemplate()) {
    auto align = itk::CounterwarpAlignToModelFilter<Short>::New();
    align->SetInput(scan);
    align->SetModel(model);
    run_and_wait(options, "alignment", align);
  }
  if (!model->IsSimulator())
    return;
  auto simulate = itk::CounterwarpSimulateImageFilter<Short>::New();
  simulate->SetInput(scan);
  simulate->SetModel(model);
  scan->Modified();
  run_and_wait(options, "another strength", simulate);
  // What it does for a new scan: another time stamp.
  std::vector<double> whole;
  for (int i = 0; i < 3; i++) {
    scan->Modified();
    whole.push_back(seconds([&] { simulate->Update(); }));
  }
  std::sort(whole.begin(), whole.end());
  scan->Modified();
  const char *end = options.table ? "\t\t\t\n" : "\n";
  std::printf("simulation filter 182x218x182\t%.4g\tms%s", whole[1] * 1e3, end);
  std::printf("simulation filter's report 182x218x182\t%.4g\tms%s", longest_wait(simulate) * 1e3, end);
}

void explain(const Options &options) {
  auto model = itk::CounterwarpModel::New();
  model->ReadFile(options.classifier);
  itk::Object::GlobalWarningDisplayOff();
  auto saliency = itk::CounterwarpSaliencyImageFilter<Short>::New();
  saliency->SetInput(scan_for(model));
  saliency->SetModel(model);
  run_and_wait(options, "saliency (gradient)", saliency);
}

}  // namespace

int main(int count, char **arguments) {
  Options options;
  for (int i = 1; i < count; i++) {
    if (!std::strcmp(arguments[i], "--table"))
      options.table = true;
    else if (!std::strcmp(arguments[i], "--threads") && i + 1 < count)
      options.threads = std::max(1, std::atoi(arguments[++i]));
    else if (!std::strcmp(arguments[i], "--model") && i + 1 < count)
      options.model = arguments[++i];
    else if (!std::strcmp(arguments[i], "--classifier") && i + 1 < count)
      options.classifier = arguments[++i];
    else {
      std::fprintf(stderr, "usage: warp_itk [--threads N] [--table] [--model SIMULATOR] [--classifier CLASSIFIER]\n");
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
  if (options.model)
    ask(options);
  if (options.classifier)
    explain(options);
  return 0;
}
