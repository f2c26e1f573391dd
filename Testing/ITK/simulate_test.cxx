// The model object, classification and simulation: the core's numbers, on images anywhere in space.
#include <gtest/gtest.h>
#include <itkAffineTransform.h>
#include <itkEuler3DTransform.h>

#include <sstream>

#include "itk_images.h"
#include "itkCounterwarpClassifyImageFilter.h"
#include "itkCounterwarpSimulateImageFilter.h"
#include "model_file.h"

namespace itk_test {
namespace {

using Short = itk::Image<short, 3>;

class ItkSimulate : public results_test::ContextTest {
 protected:
  void SetUp() override {
    fake.Wave(fake.V, 0.9, 0.4);
    fake.w.assign(fake.Samples(), 0);
    results_test::ForEach(fake.grid, [&](size_t at, int i, int j, int, const double *) {
      fake.w[at] = float(0.05 * std::sin(0.9 * i + 0.4 * j));
    });
    model = read_model(fake);
  }
  // A scan of whole numbers around the model's grid, on a grid of its own.
  Short::Pointer Scan(Kind kind = Kind::LeftHanded) {
    auto scan = image<Short>(kind, 55, 70, 33);
    const double there[3] = {1, 2, -3};
    scan->SetOrigin(scan->GetOrigin() + (Point(there) - middle(scan.GetPointer())));
    make_image(scan.GetPointer());
    return scan;
  }
  // The core's own simulation of the same scan.
  void Core(Short *scan, const cw_affine *transform, float direction, float strength, cw_simulation *simulation) {
    using namespace itk::CounterwarpSamples;
    cw_volume volume{};
    const cw_grid grid = Grid(scan, scan->GetLargestPossibleRegion());
    ASSERT_OK(cw_volume_create(context, &grid, 1, &volume));
    std::copy_n(scan->GetBufferPointer(), cw_grid_samples(&grid), volume.data);
    ASSERT_OK(cw_simulate(context, model->GetCoreModel().get(), &volume, transform, direction, strength, simulation));
    cw_volume_free(context, &volume);
  }

  results_test::FakeModel fake;
  itk::CounterwarpModel::Pointer model;
};

TEST_F(ItkSimulate, IsTheCoresSimulation) {
  auto affine = itk::AffineTransform<double, 3>::New();
  affine->Rotate3D(itk::Vector<double, 3>(1.0), 0.1);
  affine->Scale(1.04);
  const double shift[3] = {2, -3, 1.5}, center[3] = {5, 6, 7};
  affine->SetCenter(Point(center));
  affine->Translate(shift);
  const cw_affine core_affine = itk::CounterwarpSamples::Affine(*affine);
  for (const Kind kind : kinds())
    for (const bool moved : {false, true}) {
      auto scan = Scan(kind);
      auto simulate = itk::CounterwarpSimulateImageFilter<Short, Scalar>::New();
      simulate->SetInput(scan);
      simulate->SetModel(model);
      if (moved)
        simulate->SetTransform(affine);
      for (const bool inject : {true, false}) {
        simulate->SetInject(inject);
        simulate->SetStrength(0.8);
        simulate->Update();
        cw_simulation core{};
        Core(scan, moved ? &core_affine : nullptr, inject ? 1.0f : -1.0f, 0.8f, &core);
        const size_t n = scan->GetBufferedRegion().GetNumberOfPixels();
        EXPECT_EQ(memcmp(simulate->GetOutput()->GetBufferPointer(), core.image.data, n * sizeof(float)), 0);
        EXPECT_EQ(memcmp(simulate->GetLogJacobian()->GetBufferPointer(), core.log_jacobian.data, n * sizeof(float)), 0);
        const auto *u = simulate->GetDisplacementField()->GetBufferPointer();
        for (size_t i = 0; i < n; i++)
          for (size_t c = 0; c < 3; c++)
            ASSERT_EQ(u[i][c], core.field.data[c * n + i]);
        EXPECT_GT(core.largest, 1);
        EXPECT_EQ(simulate->GetLargestDisplacement(), core.largest);
        EXPECT_EQ(simulate->GetNumberOfFolds(), core.folded);
        EXPECT_NEAR(simulate->GetLogitBefore(), core.logit_before, 1e-4);
        EXPECT_NEAR(simulate->GetLogitAfter(), core.logit_after, 1e-4);
        for (itk::ImageBase<3> *out : {static_cast<itk::ImageBase<3> *>(simulate->GetOutput()),
                                       static_cast<itk::ImageBase<3> *>(simulate->GetDisplacementField()),
                                       static_cast<itk::ImageBase<3> *>(simulate->GetLogJacobian())}) {
          EXPECT_EQ(out->GetDirection(), scan->GetDirection());
          EXPECT_EQ(out->GetOrigin(), scan->GetOrigin());
          EXPECT_EQ(out->GetSpacing(), scan->GetSpacing());
          EXPECT_EQ(out->GetBufferedRegion(), scan->GetBufferedRegion());
        }
        cw_simulation_free(context, &core);
      }
    }
}

// The slider: the networks see a scan once, and again after whatever else changes.
TEST_F(ItkSimulate, StrengthUsesTheFieldAgain) {
  auto scan = Scan();
  auto simulate = itk::CounterwarpSimulateImageFilter<Short>::New();
  simulate->SetInput(scan);
  simulate->SetModel(model);
  simulate->Update();
  const double full = simulate->GetLargestDisplacement();
  EXPECT_EQ(simulate->GetNumberOfNetworkRuns(), 1u);
  for (const double strength : {0.5, 0.25, -1.0, 0.0, 1.0}) {
    simulate->SetStrength(strength);
    simulate->Update();
    EXPECT_EQ(simulate->GetNumberOfNetworkRuns(), 1u);
    EXPECT_NEAR(simulate->GetLargestDisplacement(), full * std::abs(strength), 0.25 * full);
  }
  EXPECT_EQ(simulate->GetLargestDisplacement(), full);
  simulate->Update();
  EXPECT_EQ(simulate->GetNumberOfNetworkRuns(), 1u);
  simulate->SetDirectionToRemove();
  simulate->Update();
  EXPECT_EQ(simulate->GetNumberOfNetworkRuns(), 2u);
  auto affine = itk::Euler3DTransform<double>::New();
  affine->SetRotation(0.05, 0, 0);
  simulate->SetTransform(affine);
  simulate->Update();
  EXPECT_EQ(simulate->GetNumberOfNetworkRuns(), 3u);
  scan->GetBufferPointer()[7] += 1;
  scan->Modified();
  simulate->Update();
  EXPECT_EQ(simulate->GetNumberOfNetworkRuns(), 4u);
  fake.b = 7;
  simulate->SetModel(read_model(fake));
  const double before = simulate->GetLogitBefore();
  simulate->Update();
  EXPECT_EQ(simulate->GetNumberOfNetworkRuns(), 5u);
  EXPECT_GT(simulate->GetLogitBefore(), before + 5);
}

TEST_F(ItkSimulate, ClassifyIsTheLogitBefore) {
  auto scan = Scan(Kind::Oblique);
  auto classify = itk::CounterwarpClassifyImageFilter<Short>::New();
  classify->SetInput(scan);
  classify->SetModel(model);
  classify->Update();
  auto simulate = itk::CounterwarpSimulateImageFilter<Short>::New();
  simulate->SetInput(scan);
  simulate->SetModel(model);
  simulate->Update();
  EXPECT_EQ(classify->GetLogit(), simulate->GetLogitBefore());
  // The simulated scan, put through the classifier again (here in whole numbers): the logit after.
  classify->SetInput(simulate->GetOutput());
  classify->Update();
  EXPECT_NEAR(classify->GetLogit(), simulate->GetLogitAfter(), 0.02 * std::abs(simulate->GetLogitAfter()) + 0.02);
  EXPECT_GT(std::abs(simulate->GetLogitAfter() - simulate->GetLogitBefore()), 1e-3);
}

TEST_F(ItkSimulate, ErrorsAreTheCoresSentences) {
  const auto sentence = [](itk::ProcessObject *filter) -> std::string {
    try {
      filter->UpdateLargestPossibleRegion();
      return "no exception";
    } catch (const itk::ExceptionObject &e) {
      return e.GetDescription();
    }
  };
  auto simulate = itk::CounterwarpSimulateImageFilter<Short>::New();
  simulate->SetInput(Scan());
  EXPECT_NE(sentence(simulate).find("No model was set"), std::string::npos);
  auto empty = itk::CounterwarpModel::New();
  simulate->SetModel(empty);
  EXPECT_NE(sentence(simulate).find("ReadFile()"), std::string::npos);
  simulate->SetModel(model);
  simulate->SetStrength(NAN);
  EXPECT_NE(sentence(simulate).find("simulate: the strength is not a finite number"), std::string::npos)
      << sentence(simulate);
  simulate->SetStrength(1);
  auto far = Scan();
  const double away[3] = {900, 0, 0};
  far->SetOrigin(Point(away));
  simulate->SetInput(far);
  EXPECT_NE(sentence(simulate).find("% of the model's grid lies inside the scan"), std::string::npos)
      << sentence(simulate);
  simulate->SetInput(Scan());
  EXPECT_EQ(sentence(simulate), "no exception") << "a filter that has failed can be used again";
  try {
    empty->ReadFile("/nowhere/model.onnx");
    ADD_FAILURE();
  } catch (const itk::ExceptionObject &e) {
    EXPECT_NE(std::string(e.GetDescription()).find("/nowhere/model.onnx"), std::string::npos) << e;
  }
  // A failed read leaves the model that was there.
  EXPECT_THROW(model->ReadFile("/nowhere/model.onnx"), itk::ExceptionObject);
  EXPECT_TRUE(model->IsSimulator());
}

TEST_F(ItkSimulate, ModelTellsItsGridAndTemplate) {
  EXPECT_TRUE(model->IsSimulator());
  EXPECT_EQ(model->GetTemplate(), nullptr);
  std::vector<float> mean(fake.Samples());
  for (size_t i = 0; i < mean.size(); i++)
    mean[i] = float(i % 97);
  const auto with_template = read_model(fake, mean);
  const auto image = with_template->GetTemplate();
  ASSERT_NE(image, nullptr);
  EXPECT_EQ(memcmp(image->GetBufferPointer(), mean.data(), mean.size() * sizeof(float)), 0);
  const auto grid = itk::CounterwarpSamples::Grid(image, image->GetLargestPossibleRegion());
  EXPECT_TRUE(cw_grid_same(&grid, &fake.grid, 1e-9));
  const auto bare = model->GetGrid();
  const auto same = itk::CounterwarpSamples::Grid(bare, bare->GetLargestPossibleRegion());
  EXPECT_TRUE(cw_grid_same(&same, &fake.grid, 1e-9));
}

TEST_F(ItkSimulate, PrintsItself) {
  auto simulate = itk::CounterwarpSimulateImageFilter<Short>::New();
  auto classify = itk::CounterwarpClassifyImageFilter<Short>::New();
  std::ostringstream text;
  simulate->Print(text);
  simulate->SetModel(model);
  classify->SetModel(model);
  simulate->Print(text);
  classify->Print(text);
  for (const char *line : {"CounterwarpSimulateImageFilter", "Model: (null)", "Model: simulator, 16 x 14 x 12",
                           "Inject: On", "Strength: 1", "NumberOfNetworkRuns: 0", "CounterwarpClassifyImageFilter"})
    EXPECT_NE(text.str().find(line), std::string::npos) << line << "\n" << text.str();
}

}  // namespace
}  // namespace itk_test
