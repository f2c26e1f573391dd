// How long a filter works on after AbortGenerateData was set, at full size (182x218x182).
//   abort_itk [--threads N] [--moments N] [--model SIMULATOR] [--classifier CLASSIFIER] [--methods A,B...]
// Another thread sets it at several moments of the run, evenly spread; a row is "name <tab> longest latency <tab> ms
// <tab> moments that fell into the run <tab> the whole run <tab> ms".  Without models the filters on fields, with them
// those that ask a model, on a scan of short pixels around its grid.  Ends with 1 where a latency is above 200 ms.
#include <itkMultiThreaderBase.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <sstream>
#include <string>
#include <thread>

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
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr int kSize[3] = {182, 218, 182};
constexpr double kPromise = 0.2;  // seconds

struct Options {
  int threads = 2, moments = 12;
  const char *model = nullptr, *classifier = nullptr;
  std::string methods = "gradient,smoothgrad,lrp-zplus,occlusion";
};

// Seconds from the abort to the end of the run; below 0 where the run was over by then.
double latency(itk::ProcessObject *filter, const std::function<void()> &renew, double moment) {
  renew();
  bool aborted = false;
  Clock::time_point end;
  std::thread run([&] {
    try {
      filter->Update();
    } catch (const itk::ProcessAborted &) {
      aborted = true;
    }
    end = Clock::now();
  });
  std::this_thread::sleep_for(Seconds(moment));
  const auto start = Clock::now();
  filter->AbortGenerateDataOn();
  run.join();
  return aborted ? Seconds(end - start).count() : -1;
}

// renew: what makes the filter work anew.  Returns whether the promise was kept.
bool measure(const Options &options, const std::string &name, itk::ProcessObject *filter,
             const std::function<void()> &renew) {
  double whole = 0;
  for (int i = 0; i < 2; i++) {  // the first one warms up
    renew();
    const auto start = Clock::now();
    filter->Update();
    whole = Seconds(Clock::now() - start).count();
  }
  double longest = 0;
  int heard = 0;
  for (int i = 0; i < options.moments; i++) {
    const double taken = latency(filter, renew, whole * (i + 0.5) / options.moments);
    heard += taken >= 0;
    longest = std::max(longest, taken);
  }
  std::printf("%s\t%.4g\tms\t%d\t%.4g\tms\n", name.c_str(), longest * 1e3, heard, whole * 1e3);
  std::fflush(stdout);
  return longest <= kPromise;
}

bool measure(const Options &options, const std::string &name, itk::ProcessObject *filter) {
  return measure(options, name, filter, [filter] { filter->Modified(); });
}

bool on_fields(const Options &options) {
  const auto velocity_field = interleaved(kSize, velocity(kSize));
  auto scan = image<Short>(kSize);
  scan->FillBuffer(100);
  auto exponential = itk::CounterwarpExponentialFieldFilter<Field>::New();
  exponential->SetInput(velocity_field);
  exponential->Update();
  const Field::Pointer field = exponential->GetOutput();
  field->DisconnectPipeline();
  auto warp = itk::CounterwarpWarpImageFilter<Short>::New();
  warp->SetInput(scan);
  warp->SetDisplacementField(field);
  auto jacobian = itk::CounterwarpJacobianDeterminantFilter<Field>::New();
  jacobian->SetInput(field);
  auto invert = itk::CounterwarpInvertFieldFilter<Field>::New();
  invert->SetInput(field);
  invert->SetMaxErrorToleranceThreshold(1e-3);
  bool kept = measure(options, "warp", warp);
  kept = measure(options, "Jacobian", jacobian) && kept;
  kept = measure(options, "exponential", exponential) && kept;
  return measure(options, "inverse", invert) && kept;
}

bool on_scans(const Options &options) {
  auto model = itk::CounterwarpModel::New();
  model->ReadFile(options.model);
  const auto scan = scan_for(model);
  auto classify = itk::CounterwarpClassifyImageFilter<Short>::New();
  classify->SetInput(scan);
  classify->SetModel(model);
  bool kept = measure(options, "classification", classify);
  if (model->IsSimulator()) {
    auto simulate = itk::CounterwarpSimulateImageFilter<Short>::New();
    simulate->SetInput(scan);
    simulate->SetModel(model);
    kept = measure(options, "simulation", simulate, [&] { scan->Modified(); }) && kept;
    kept = measure(options, "another strength", simulate) && kept;
  }
  if (model->GetTemplate()) {
    auto align = itk::CounterwarpAlignToModelFilter<Short>::New();
    align->SetInput(scan);
    align->SetModel(model);
    kept = measure(options, "alignment", align) && kept;
  }
  return kept;
}

bool of_maps(const Options &options) {
  auto model = itk::CounterwarpModel::New();
  model->ReadFile(options.classifier);
  const auto scan = scan_for(model);
  auto classify = itk::CounterwarpClassifyImageFilter<Short>::New();
  classify->SetInput(scan);
  classify->SetModel(model);
  bool kept = measure(options, "classification by the classifier", classify);
  auto saliency = itk::CounterwarpSaliencyImageFilter<Short>::New();
  saliency->SetInput(scan);
  saliency->SetModel(model);
  std::istringstream methods(options.methods);
  for (std::string method; std::getline(methods, method, ',');) {
    saliency->SetMethod(method);
    kept = measure(options, "saliency (" + method + ")", saliency) && kept;
  }
  return kept;
}

}  // namespace

int main(int count, char **arguments) {
  Options options;
  for (int i = 1; i < count; i++) {
    const char *const next = i + 1 < count ? arguments[i + 1] : nullptr;
    if (next && !std::strcmp(arguments[i], "--threads"))
      options.threads = std::max(1, std::atoi(next));
    else if (next && !std::strcmp(arguments[i], "--moments"))
      options.moments = std::max(1, std::atoi(next));
    else if (next && !std::strcmp(arguments[i], "--model"))
      options.model = next;
    else if (next && !std::strcmp(arguments[i], "--classifier"))
      options.classifier = next;
    else if (next && !std::strcmp(arguments[i], "--methods"))
      options.methods = next;
    else {
      std::fprintf(stderr,
                   "usage: abort_itk [--threads N] [--moments N] [--model SIMULATOR] [--classifier CLASSIFIER] "
                   "[--methods A,B]\n");
      return 2;
    }
    i++;
  }
  itk::MultiThreaderBase::SetGlobalMaximumNumberOfThreads(itk::ThreadIdType(options.threads));
  itk::MultiThreaderBase::SetGlobalDefaultNumberOfThreads(itk::ThreadIdType(options.threads));
  itk::Object::GlobalWarningDisplayOff();
  try {
    bool kept = options.model || options.classifier || on_fields(options);
    if (options.model)
      kept = on_scans(options) && kept;
    if (options.classifier)
      kept = of_maps(options) && kept;
    return kept ? 0 : 1;
  } catch (const std::exception &e) {
    std::fprintf(stderr, "abort_itk: %s\n", e.what());
    return 2;
  }
}
