// Alignment of real heads that were moved about, with and without skull.
#include <gtest/gtest.h>

#include "head_fixture.h"
#include "itkCounterwarpAlignToModelFilter.h"
#include "small_head.h"

namespace itk_test {
namespace {

using Bytes = itk::Image<unsigned char, 3>;
using Align = itk::CounterwarpAlignToModelFilter<Bytes>;

class ItkAlign : public Head {
 protected:
  void SetUp() override {
    Head::SetUp();
    if (IsSkipped())
      return;
    itk::Object::GlobalWarningDisplayOff();  // it does say that the skull is there
    model = itk::CounterwarpModel::New();
    model->ReadFile(folder.name("model.onnx"));
  }
  void TearDown() override { itk::Object::GlobalWarningDisplayOn(); }
  itk::CounterwarpModel::Pointer model;
};

TEST_F(ItkAlign, FindsHeadsThatWereMoved) {
  const struct {
    cw_affine motion;
    const char *file;
  } cases[] = {
#ifndef CW_TEST_SANITIZED  // ITK's registration is slow there
      {Motion(-0.3, 0.1, -0.1, 0.94, 60), kHead},
      {Motion(-0.3, 0.1, -0.1, 0.94, 60), kBrain},
#endif
      {Motion(0.15, -0.08, 0.1, 1.05, 12), kHead}};
  for (const auto &c : cases) {
    auto scan = Read<Bytes>(c.file);
    Move(scan.GetPointer(), c.motion);
    auto align = Align::New();
    align->SetInput(scan);
    align->SetModel(model);
    align->Update();
    const cw_affine found = itk::CounterwarpSamples::Affine(*align->GetTransform());
    EXPECT_LT(Error(found, c.motion), 4) << c.file;  // mm: a voxel of the template
    EXPECT_LT(align->GetMetricValue(), -0.3);
    EXPECT_GT(Error(cw_affine_identity(), c.motion), 10);
  }
}

// From a given start, which is outside the reach of the search for one.
TEST_F(ItkAlign, InitialTransform) {
  const cw_affine motion = Motion(0.1, 0.05, -0.1, 1.03, 40);
  auto scan = Read<Bytes>(kBrain);
  Move(scan.GetPointer(), motion);
  auto start = itk::AffineTransform<double, 3>::New();
  itk::Vector<double, 3> shift;
  shift[0] = 38, shift[1] = -57, shift[2] = 30;
  start->Translate(shift);
  auto align = Align::New();
  align->SetInput(scan);
  align->SetModel(model);
  align->SetInitialTransform(start);
  align->Update();
  EXPECT_LT(Error(itk::CounterwarpSamples::Affine(*align->GetTransform()), motion), 4);
}

TEST_F(ItkAlign, Refusals) {
  auto align = Align::New();
  auto scan = Read<Bytes>(kBrain);
  align->SetInput(scan);
  EXPECT_THROW(align->Update(), itk::ExceptionObject) << "no model";
  align->SetModel(read_model(fake));
  try {
    align->Update();
    ADD_FAILURE();
  } catch (const itk::ExceptionObject &e) {
    EXPECT_NE(std::string(e.GetDescription()).find("holds no template"), std::string::npos) << e;
  }
  auto empty = image<Bytes>(Kind::Identity, 20, 20, 20);
  empty->FillBuffer(0);
  align->SetInput(empty);
  align->SetModel(model);
  EXPECT_THROW(align->Update(), itk::ExceptionObject) << "nothing but zeros";
  std::ostringstream text;
  align->Print(text);
  EXPECT_NE(text.str().find("MaximumNumberOfIterations: 150"), std::string::npos);
}

// ---- manners, on images so small that it is quick ----

using AlignFloat = itk::CounterwarpAlignToModelFilter<Scalar>;

class ItkAlignManners : public testing::Test {
 protected:
  void SetUp() override {
    itk::Object::GlobalWarningDisplayOff();
    align = Make();
    align->Update();
    expected = Numbers(align);
  }
  void TearDown() override { itk::Object::GlobalWarningDisplayOn(); }

  AlignFloat::Pointer Make() {
    auto made = AlignFloat::New();
    made->SetInput(small_head(Kind::LeftHanded, 5));
    made->SetModel(model);
    return made;
  }
  static std::vector<double> Numbers(const AlignFloat *of) {
    const auto parameters = of->GetTransform()->GetParameters();
    std::vector<double> numbers(parameters.begin(), parameters.end());
    numbers.push_back(of->GetMetricValue());
    return numbers;
  }

  const itk::CounterwarpModel::Pointer model = small_head_model();
  AlignFloat::Pointer align;
  std::vector<double> expected;
};

TEST_F(ItkAlignManners, SameBitsOnAnyNumberOfWorkUnits) {
  for (const unsigned units : {1u, 2u, 3u, 16u}) {
    auto other = Make();
    other->GetMultiThreader()->SetMaximumNumberOfThreads(units);
    other->SetNumberOfWorkUnits(units);
    other->Update();
    EXPECT_EQ(Numbers(other), expected) << units;
  }
}

TEST_F(ItkAlignManners, ProgressRisesToOne) {
  std::vector<float> seen;
  align->AddObserver(itk::ProgressEvent(), [&](const itk::EventObject &) { seen.push_back(align->GetProgress()); });
  align->Modified();
  align->Update();
  ASSERT_GE(seen.size(), 5u);
  EXPECT_EQ(seen.front(), 0);
  EXPECT_EQ(seen.back(), 1);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

// In every part of the work; what is done after that is at most one iteration of each thread, or the last resampling.
TEST_F(ItkAlignManners, AbortStopsAndLeavesItReusable) {
  for (const float at : {0.0f, 0.03f, 0.1f, 0.3f, 0.51f, 0.6f, 0.74f, 0.94f}) {
    float heard = -1;
    const auto observer = align->AddObserver(itk::ProgressEvent(), [&](const itk::EventObject &) {
      if (align->GetProgress() >= at && heard < 0) {
        align->AbortGenerateDataOn();
        heard = align->GetProgress();
      }
    });
    align->Modified();
    EXPECT_THROW(align->Update(), itk::ProcessAborted) << at;
    EXPECT_LE(align->GetProgress() - heard, at < 0.9f ? 0.02f : 0.06f) << at;
    align->RemoveObserver(observer);
    align->Modified();
    align->Update();
    EXPECT_EQ(Numbers(align), expected) << at;
  }
}

// As a reader's output is before its update.
TEST_F(ItkAlignManners, TemplateWithoutSamplesIsRefused) {
  align->SetTemplate(Scalar::New());
  try {
    align->Update();
    ADD_FAILURE();
  } catch (const itk::ExceptionObject &e) {
    EXPECT_NE(std::string(e.GetDescription()).find("template holds no samples"), std::string::npos) << e;
  }
}

TEST_F(ItkAlignManners, ObserversMayThrow) {
  struct Mine {};
  for (const float at : {0.0f, 0.1f, 0.6f}) {
    const auto observer = align->AddObserver(itk::ProgressEvent(), [&](const itk::EventObject &) {
      if (align->GetProgress() >= at)
        throw Mine();
    });
    align->Modified();
    EXPECT_THROW(align->Update(), Mine) << at;
    align->RemoveObserver(observer);
  }
  align->Modified();
  align->Update();
  EXPECT_EQ(Numbers(align), expected);
}

}  // namespace
}  // namespace itk_test
