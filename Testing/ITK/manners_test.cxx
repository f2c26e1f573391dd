// How the filters behave in a pipeline: progress, abort, observers that throw, work units.
#include <gtest/gtest.h>
#include <itkCommand.h>

#include <chrono>
#include <filesystem>
#include <sstream>
#include <thread>

#include "filters_at_work.h"

namespace itk_test {
namespace {

class ItkManners : public testing::TestWithParam<const char *> {
 protected:
  void SetUp() override { made = work(GetParam(), models); }
  // Calls visit at each ProgressEvent.
  unsigned long Observe(std::function<void()> visit) {
    return made.filter->AddObserver(itk::ProgressEvent(), [visit](const itk::EventObject &) { visit(); });
  }
  Models models;
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

// Another filter may ask for another part of a shared field between this one's request and its work.
TEST(ItkShared, JacobianGoesByItsOwnRegion) {
  auto field = image<Field>(Kind::Oblique, 30, 28, 26);
  make_smooth(field.GetPointer(), 3, 0, true);
  using Jacobian = itk::CounterwarpJacobianDeterminantFilter<Field>;
  using Region = itk::ImageRegion<3>;
  const auto part = [&](const Region &others) {
    auto jacobian = Jacobian::New();
    jacobian->SetInput(field);
    jacobian->AddObserver(itk::StartEvent(), [&](const itk::EventObject &) { field->SetRequestedRegion(others); });
    jacobian->UpdateOutputInformation();
    jacobian->GetOutput()->SetRequestedRegion(Region({{8, 9, 10}}, {{7, 6, 5}}));
    jacobian->Update();
    return numbers(jacobian->GetOutput());
  };
  const auto expected = part(Region({{7, 8, 9}}, {{9, 8, 7}}));  // its own
  EXPECT_EQ(expected.size(), size_t(7 * 6 * 5));
  EXPECT_TRUE(same(part(Region({{8, 9, 10}}, {{7, 6, 5}})), expected)) << "no border";
  EXPECT_TRUE(same(part(Region({{0, 0, 0}}, {{2, 2, 2}})), expected)) << "elsewhere";
}

// Observers of a model may ask it.
TEST(ItkShared, ModelTellsItsObservers) {
  const Folder folder;
  write_model(fake(), folder.name("model.onnx"));
  auto model = itk::CounterwarpModel::New();
  std::string heard;
  model->AddObserver(itk::ModifiedEvent(), [&](const itk::EventObject &) {
    std::ostringstream text;
    model->Print(text);
    heard = model->GetFileName() + (model->IsSimulator() ? " simulator" : "");
  });
  model->ReadFile(folder.name("model.onnx"));
  EXPECT_EQ(heard, folder.name("model.onnx") + " simulator");
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
    Work other = work(GetParam(), models);
    size_t before = 0, after = 0;
    std::thread([&] {  // the core's threads belong to the thread that calls it
      other.filter->GetMultiThreader()->SetMaximumNumberOfThreads(7);
      other.filter->SetNumberOfWorkUnits(units);
      before = tasks();
      other.filter->Update();
      // Threads that a smaller team has let go may not have ended yet.
      for (int wait = 0; wait < 200 && (wait == 0 || after > before + units - 1); wait++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(wait ? 10 : 0));
        after = tasks();
      }
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

}  // namespace
}  // namespace itk_test
