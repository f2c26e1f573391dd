// How the filters behave in a pipeline: progress, abort, observers that throw, work units, neighbours in other threads.
#include <gtest/gtest.h>
#include <itkCommand.h>

#include <filesystem>
#include <memory>
#include <sstream>
#include <thread>

#include "itk_images.h"
#include "itkCounterwarpClassifyImageFilter.h"
#include "itkCounterwarpExponentialFieldFilter.h"
#include "itkCounterwarpInvertFieldFilter.h"
#include "itkCounterwarpJacobianDeterminantFilter.h"
#include "itkCounterwarpSimulateImageFilter.h"
#include "itkCounterwarpWarpImageFilter.h"
#include "model_file.h"

namespace itk_test {
namespace {

// One filter of each kind with inputs of its own, and what it makes as plain numbers.
struct Work {
  itk::ProcessObject::Pointer filter;
  std::function<std::vector<float>()> result;
};

template <class TImage>
std::vector<float> numbers(const TImage *image) {
  const auto *first = reinterpret_cast<const float *>(image->GetBufferPointer());
  return {first,
          first + image->GetBufferedRegion().GetNumberOfPixels() * sizeof(typename TImage::PixelType) / sizeof(float)};
}

template <class TFilter>
Work field_work() {
  auto field = image<Field>(Kind::Oblique, 40, 36, 30);
  make_smooth(field.GetPointer(), 3, 0, true);
  auto filter = TFilter::New();
  filter->SetInput(field);
  return {filter.GetPointer(), [filter] { return numbers(filter->GetOutput()); }};
}

Scalar::Pointer scan_at(const results_test::FakeModel &) {
  auto scan = image<Scalar>(Kind::LeftHanded, 55, 70, 33);
  const double there[3] = {1, 2, -3};
  scan->SetOrigin(scan->GetOrigin() + (Point(there) - middle(scan.GetPointer())));
  make_image(scan.GetPointer());
  return scan;
}

const results_test::FakeModel &fake() {
  static const results_test::FakeModel made = [] {
    results_test::FakeModel fake;
    fake.Wave(fake.V, 0.9, 0.4);
    fake.w.assign(fake.Samples(), 0.01f);
    return fake;
  }();
  return made;
}

const char *const names[] = {"Warp", "Jacobian", "Exponential", "Invert", "Classify", "Simulate"};

Work work(const std::string &name, const itk::CounterwarpModel *model) {
  if (name == "Warp") {
    auto in = image<Scalar>(Kind::Oblique, 40, 36, 30);
    make_image(in.GetPointer());
    auto field = image<Field>(Kind::Oblique, 40, 36, 30);
    make_smooth(field.GetPointer(), 3);
    auto filter = itk::CounterwarpWarpImageFilter<Scalar>::New();
    filter->SetInput(in);
    filter->SetDisplacementField(field);
    return {filter.GetPointer(), [filter] { return numbers(filter->GetOutput()); }};
  }
  if (name == "Jacobian")
    return field_work<itk::CounterwarpJacobianDeterminantFilter<Field>>();
  if (name == "Exponential")
    return field_work<itk::CounterwarpExponentialFieldFilter<Field>>();
  if (name == "Invert")
    return field_work<itk::CounterwarpInvertFieldFilter<Field>>();
  if (name == "Classify") {
    auto filter = itk::CounterwarpClassifyImageFilter<Scalar>::New();
    filter->SetInput(scan_at(fake()));
    filter->SetModel(model);
    return {filter.GetPointer(), [filter] { return std::vector<float>{float(filter->GetLogit())}; }};
  }
  auto filter = itk::CounterwarpSimulateImageFilter<Scalar>::New();
  filter->SetInput(scan_at(fake()));
  filter->SetModel(model);
  return {filter.GetPointer(), [filter] {
            std::vector<float> all = numbers(filter->GetOutput());
            for (const auto &more : {numbers(filter->GetDisplacementField()), numbers(filter->GetLogJacobian()),
                                     std::vector<float>{float(filter->GetLogitAfter())}})
              all.insert(all.end(), more.begin(), more.end());
            return all;
          }};
}

bool same(const std::vector<float> &a, const std::vector<float> &b) {
  return a.size() == b.size() && !a.empty() && !std::memcmp(a.data(), b.data(), a.size() * sizeof(float));
}

class ItkManners : public testing::TestWithParam<const char *> {
 protected:
  void SetUp() override {
    model = read_model(fake());
    made = work(GetParam(), model);
  }
  // Calls visit at each ProgressEvent.
  unsigned long Observe(std::function<void()> visit) {
    return made.filter->AddObserver(itk::ProgressEvent(), [visit](const itk::EventObject &) { visit(); });
  }
  itk::CounterwarpModel::Pointer model;
  Work made;
};

TEST_P(ItkManners, ProgressRisesToOne) {
  std::vector<float> seen;
  Observe([&] { seen.push_back(made.filter->GetProgress()); });
  made.filter->Update();
  ASSERT_GE(seen.size(), 2u);
  EXPECT_EQ(seen.front(), 0);
  EXPECT_EQ(seen.back(), 1);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

// Abort at each of the reports: the filter stops there, and works again as if nothing had been.
TEST_P(ItkManners, AbortStopsAndLeavesItReusable) {
  made.filter->Update();
  const std::vector<float> expected = made.result();
  size_t reports = 0;
  const auto counter = Observe([&] { reports++; });
  made.filter->Modified();
  made.filter->Update();
  made.filter->RemoveObserver(counter);
  size_t stopped = 0;
  for (size_t at = 1; at < reports; at++) {
    size_t heard = 0;
    bool aborted = false;
    const auto observer = Observe([&] {
      if (++heard == at)
        made.filter->AbortGenerateDataOn();
    });
    const auto end =
        made.filter->AddObserver(itk::AbortEvent(), [&aborted](const itk::EventObject &) { aborted = true; });
    made.filter->Modified();
    try {
      made.filter->Update();
      ADD_FAILURE() << "report " << at;
    } catch (const itk::ProcessAborted &e) {
      stopped++;
      EXPECT_TRUE(aborted) << "AbortEvent";
      EXPECT_LE(heard, at + 1) << "it went on";
    }
    made.filter->RemoveObserver(observer);
    made.filter->RemoveObserver(end);
    made.filter->Modified();
    made.filter->Update();
    EXPECT_TRUE(same(made.result(), expected)) << "report " << at;
  }
  EXPECT_GT(stopped, 0u);
}

// What an observer throws passes through the core, unharmed.
TEST_P(ItkManners, ObserversMayThrow) {
  struct Mine {};
  const auto observer = Observe([&] {
    if (made.filter->GetProgress() > 0)
      throw Mine();
  });
  EXPECT_THROW(made.filter->Update(), Mine);
  made.filter->RemoveObserver(observer);
  EXPECT_NO_THROW(made.filter->Update());
}

// Work on a large image is cut into pieces, so that it can be stopped in the middle.
TEST(ItkLarge, StopsInTheMiddle) {
  auto field = image<Field>(Kind::Oblique, 180, 180, 100);
  field->FillBuffer(Field::PixelType(1.0f));
  auto in = image<Scalar>(Kind::Oblique, 180, 180, 100);
  in->FillBuffer(5);
  auto warp = itk::CounterwarpWarpImageFilter<Scalar>::New();
  warp->SetInput(in);
  warp->SetDisplacementField(field);
  auto jacobian = itk::CounterwarpJacobianDeterminantFilter<Field>::New();
  jacobian->SetInput(field);
  auto exponential = itk::CounterwarpExponentialFieldFilter<Field>::New();
  exponential->SetInput(field);
  auto invert = itk::CounterwarpInvertFieldFilter<Field>::New();
  invert->SetInput(field);
  for (itk::ProcessObject *filter : std::initializer_list<itk::ProcessObject *>{warp, jacobian, exponential, invert}) {
    std::vector<float> seen;
    filter->AddObserver(itk::ProgressEvent(), [&seen, filter](const itk::EventObject &) {
      seen.push_back(filter->GetProgress());
      if (seen.size() == 2)
        filter->AbortGenerateDataOn();
    });
    EXPECT_THROW(filter->Update(), itk::ProcessAborted) << filter->GetNameOfClass();
    ASSERT_EQ(seen.size(), 2u) << filter->GetNameOfClass();
    EXPECT_GT(seen[1], 0);
    EXPECT_LT(seen[1], 1);
  }
}

size_t tasks() {
  size_t count = 0;
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator("/proc/self/task", error);
       it != std::filesystem::directory_iterator(); it.increment(error))
    count++;
  return count;
}

// As many threads as there are work units, the same bits on all numbers of them.
TEST_P(ItkManners, WorkUnitsAreHonoured) {
  made.filter->Update();
  const std::vector<float> expected = made.result();
  for (const unsigned units : {1u, 2u, 3u, 7u}) {
    Work other = work(GetParam(), model);
    size_t before = 0, after = 0;
    std::thread([&] {  // the core's threads belong to the thread that calls it
      other.filter->GetMultiThreader()->SetMaximumNumberOfThreads(7);
      other.filter->SetNumberOfWorkUnits(units);
      before = tasks();
      other.filter->Update();
      after = tasks();
    })
        .join();
    EXPECT_LE(after, before + units - 1);
    EXPECT_TRUE(same(other.result(), expected)) << units;
  }
}

TEST_P(ItkManners, PrintsItself) {
  std::ostringstream text;
  made.filter->Print(text);
  EXPECT_NE(text.str().find(std::string("Counterwarp") + GetParam()), std::string::npos) << text.str();
}

INSTANTIATE_TEST_SUITE_P(Filters, ItkManners, testing::ValuesIn(names),
                         [](const auto &info) { return std::string(info.param); });

// Filters of all kinds in several threads at once, one model among them: the bits of one after the other.
TEST(ItkNeighbours, DoNotDisturbEachOther) {
  const auto model = read_model(fake());
  std::vector<std::vector<float>> expected;
  for (const char *name : names) {
    Work one = work(name, model);
    one.filter->Update();
    expected.push_back(one.result());
  }
  constexpr int threads = 4, rounds = 3;
  std::vector<std::string> failures[threads];
  std::vector<std::thread> team;
  for (int t = 0; t < threads; t++)
    team.emplace_back([&, t] {
      for (int i = 0; i < rounds * int(expected.size()); i++) {
        const size_t which = size_t(i + t) % expected.size();
        try {
          Work one = work(names[which], model);
          one.filter->SetNumberOfWorkUnits(unsigned(1 + (i + t) % 3));
          if (i % 5 == 4) {  // some are stopped on their way
            auto *filter = one.filter.GetPointer();
            const auto observer = filter->AddObserver(
                itk::ProgressEvent(), [filter](const itk::EventObject &) { filter->AbortGenerateDataOn(); });
            try {
              filter->Update();
            } catch (const itk::ProcessAborted &) {
            }
            filter->RemoveObserver(observer);
            filter->Modified();
          }
          one.filter->Update();
          if (!same(one.result(), expected[which]))
            failures[t].push_back(names[which]);
        } catch (const std::exception &e) {
          failures[t].push_back(e.what());
        }
      }
    });
  for (auto &one : team)
    one.join();
  for (const auto &list : failures)
    for (const auto &failure : list)
      ADD_FAILURE() << failure;
}

// A model may be loaded anew while filters are at work with it.
TEST(ItkNeighbours, ReadWhileAtWork) {
  const Folder folder;
  write_model(fake(), folder.name("model.onnx"));
  auto model = itk::CounterwarpModel::New();
  model->ReadFile(folder.name("model.onnx"));
  Work reference = work("Classify", model);
  reference.filter->Update();
  const auto expected = reference.result();
  bool right = true;
  std::thread reader([&] {
    for (int i = 0; i < 20; i++)
      model->ReadFile(folder.name("model.onnx"));
  });
  for (int i = 0; i < 20; i++) {
    Work one = work("Classify", model);
    one.filter->Update();
    right = right && same(one.result(), expected);
  }
  reader.join();
  EXPECT_TRUE(right);
}

}  // namespace
}  // namespace itk_test
