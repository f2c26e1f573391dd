// Saliency maps of a linear classifier, whose gradient is its weights, on scans anywhere in space; and of a network,
// against what the core gives.
#include <gtest/gtest.h>
#include <itkAffineTransform.h>
#include <itkLinearInterpolateImageFunction.h>

#include "itk_images.h"
#include "itkCounterwarpSaliencyImageFilter.h"
#include "model_file.h"
#include "Saliency/example_networks.h"

namespace itk_test {
namespace {

using Saliency = itk::CounterwarpSaliencyImageFilter<Scalar>;

class ItkSaliency : public testing::Test {
 protected:
  // logit = w . image + b
  void SetUp() override {
    fake.w.assign(fake.Samples(), 0);
    results_test::ForEach(fake.grid, [&](size_t at, int i, int j, int k, const double *) {
      fake.w[at] = float(fake.Window(i, j, k) * std::sin(0.5 * i + 0.3 * j - 0.2 * k));
    });
    ASSERT_EQ(cw_context_create(nullptr, &context), CW_OK);
    model = read_classifier(fake);
    EXPECT_FALSE(model->IsSimulator());
  }
  void TearDown() override { cw_context_free(context); }
  Scalar::Pointer Scan(Kind kind) {
    auto scan = image<Scalar>(kind, 55, 70, 33);
    const double there[3] = {1, 2, -3};
    scan->SetOrigin(scan->GetOrigin() + (Point(there) - middle(scan.GetPointer())));
    make_image(scan.GetPointer());
    return scan;
  }

  cw_context *context = nullptr;
  results_test::FakeModel fake;
  itk::CounterwarpModel::Pointer model;
};

TEST_F(ItkSaliency, GradientOfALinearClassifierIsItsWeights) {
  auto weights = Scalar::New();
  itk::CounterwarpSamples::SetGrid(weights, fake.grid);
  weights->Allocate();
  std::copy(fake.w.begin(), fake.w.end(), weights->GetBufferPointer());
  auto interpolator = itk::LinearInterpolateImageFunction<Scalar>::New();
  interpolator->SetInputImage(weights);
  auto affine = itk::AffineTransform<double, 3>::New();
  affine->Rotate3D(itk::Vector<double, 3>(1.0), 0.1);
  const double shift[3] = {2, -3, 1.5};
  affine->Translate(shift);
  auto inverse = itk::AffineTransform<double, 3>::New();
  ASSERT_TRUE(affine->GetInverse(inverse));
  for (const Kind kind : kinds())
    for (const bool moved : {false, true}) {
      auto saliency = Saliency::New();
      saliency->SetInput(Scan(kind));
      saliency->SetModel(model);
      if (moved)
        saliency->SetTransform(affine);
      for (const bool negative : {false, true}) {
        saliency->SetNegative(negative);
        saliency->Update();
        size_t compared = 0;
        each(saliency->GetOutput(), [&](float value, const Point &p, long) {
          const Point q = moved ? inverse->TransformPoint(p) : p;
          if (!interpolator->IsInsideBuffer(q))
            return;
          ASSERT_NEAR(value, (negative ? -1 : 1) * interpolator->Evaluate(q), 1e-4);
          compared++;
        });
        EXPECT_GT(compared, 10000u);
      }
    }
}

// Method, sign, layer, output and smoothing reach the core: its own calls, one after the other, give the same bits.
TEST_F(ItkSaliency, NetworkAsTheCoreHasIt) {
  example::Network network(context, "classifier", 3);
  const double center[3] = {1, 2, -3};
  const cw_grid grid = cw_grid_cube(network.side(), 1.4, center);
  const Folder folder;
  write_classifier(context, network.graph, grid, folder.name("classifier.onnx"));
  auto classifier = itk::CounterwarpModel::New();
  classifier->ReadFile(folder.name("classifier.onnx"));
  const auto core = classifier->GetCoreModel();
  const struct {
    const char *method, *layer;
    bool negative;
    double sigma;
  } cases[] = {{"gradient", "", false, 0},
               {"gradcam.signed", "", false, 0},
               {"gradcam", "", true, 0},
               {"gradcam.signed", "block2.relu", false, 1.5},
               {"lrp-epsilon", "", true, 0.7}};
  std::vector<std::vector<float>> different;
  for (const auto &c : cases) {
    const auto scan = Scan(Kind::LeftHanded);
    auto saliency = Saliency::New();
    saliency->SetInput(scan);
    saliency->SetModel(classifier);
    saliency->SetMethod(c.method);
    saliency->SetLayer(c.layer);
    saliency->SetNegative(c.negative);
    saliency->SetSigma(c.sigma);
    saliency->Update();

    cw_volume volume{itk::CounterwarpSamples::Grid(scan, scan->GetBufferedRegion()), 1, scan->GetBufferPointer()};
    std::vector<float> input(network.samples()), map(network.samples());
    ASSERT_EQ(cw_preprocess(context, &core->preprocessing, &volume, nullptr, input.data()), CW_OK);
    cw_saliency_request request;
    ASSERT_EQ(cw_saliency_parse(context, c.method, &request), CW_OK);
    if (*c.layer) {
      request.layer = cw_graph_find(core->graph, c.layer);
      ASSERT_NE(request.layer, CW_NONE);
    }
    cw_saliency *own = nullptr;
    ASSERT_EQ(cw_saliency_create(context, core->graph, &request, 1, &own), CW_OK) << cw_context_message(context);
    float *maps[] = {map.data()};
    cw_saliency_note note;
    EXPECT_EQ(cw_saliency_maps(context, own, input.data(), {0, c.negative}, maps, &note), CW_OK);
    cw_saliency_free(context, own);
    EXPECT_EQ(saliency->GetExplainedValue(), note.y);
    EXPECT_FALSE(note.empty) << c.method << " " << note.reason;
    cw_volume on_model{grid, 1, map.data()};
    ASSERT_EQ(cw_volume_smooth(context, &on_model, c.sigma), CW_OK);
    std::vector<float> expected(cw_grid_samples(&volume.grid));
    volume.data = expected.data();
    ASSERT_EQ(cw_volume_resample(context, &on_model, nullptr, &volume), CW_OK);
    const float *found = saliency->GetOutput()->GetBufferPointer();
    EXPECT_EQ(std::vector<float>(found, found + expected.size()), expected) << c.method;
    for (const auto &other : different)
      EXPECT_NE(other, expected) << c.method;
    different.push_back(expected);
  }
}

TEST_F(ItkSaliency, MethodsAndErrors) {
  auto saliency = Saliency::New();
  saliency->SetInput(Scan(Kind::Oblique));
  saliency->SetModel(model);
  saliency->SetMethod("integrated-gradients");
  saliency->Update();
  EXPECT_NEAR(saliency->GetCompletenessGap(), 0, 1e-3) << "linear";
  EXPECT_EQ(std::string(saliency->GetReason()), "");
  const auto refuses = [&](const char *part) {
    try {
      saliency->Update();
      ADD_FAILURE() << part;
    } catch (const itk::ExceptionObject &e) {
      EXPECT_NE(std::string(e.GetDescription()).find(part), std::string::npos) << e;
    }
  };
  saliency->SetMethod("tea-leaves");
  refuses("tea-leaves");
  saliency->SetMethod("gradient");
  saliency->SetLayer("attic");
  refuses("no value named attic");
  saliency->SetLayer("");
  saliency->SetSigma(-1);
  refuses("sigma is -1 voxels");
  saliency->SetSigma(0);
  saliency->SetOutputIndex(3);
  refuses("output");
  saliency->SetOutputIndex(0);
  saliency->SetModel(read_model(fake));
  refuses("expected a classifier");
  saliency->SetModel(model);
  EXPECT_NO_THROW(saliency->Update());
}

}  // namespace
}  // namespace itk_test
