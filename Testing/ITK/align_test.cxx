// Alignment of real heads that were moved about, with and without skull.
#include <gtest/gtest.h>

#include "head_fixture.h"
#include "itkCounterwarpAlignToModelFilter.h"

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

// From a given start; on other work units the same within a tenth of a voxel; stopped in the middle, and again.
TEST_F(ItkAlign, InitialTransformRepeatAndAbort) {
  const cw_affine motion = Motion(0.1, 0.05, -0.1, 1.03, 40);
  auto scan = Read<Bytes>(kBrain);
  Move(scan.GetPointer(), motion);
  auto start = itk::AffineTransform<double, 3>::New();
  itk::Vector<double, 3> shift;
  shift[0] = 38, shift[1] = -57, shift[2] = 30;
  start->Translate(shift);
  cw_affine found[2];
  for (int run = 0; run < 2; run++) {
    auto align = Align::New();
    align->SetInput(scan);
    align->SetModel(model);
    align->SetInitialTransform(start);
    align->SetNumberOfWorkUnits(1 + 2 * unsigned(run));
    const auto observer = align->AddObserver(itk::ProgressEvent(), [&](const itk::EventObject &) {
      if (align->GetProgress() > 0.6)
        align->AbortGenerateDataOn();
    });
    if (run == 1) {
      EXPECT_THROW(align->Update(), itk::ProcessAborted);
    }
    align->RemoveObserver(observer);
    std::vector<float> seen;
    align->AddObserver(itk::ProgressEvent(), [&](const itk::EventObject &) { seen.push_back(align->GetProgress()); });
    align->Update();
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
    EXPECT_GT(seen.size(), 20u);
    found[run] = itk::CounterwarpSamples::Affine(*align->GetTransform());
    EXPECT_LT(Error(found[run], motion), 4);
  }
  EXPECT_LT(Error(found[0], found[1]), 0.4);
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

}  // namespace
}  // namespace itk_test
