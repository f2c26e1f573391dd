// Affine transforms from text files.
#include <clocale>

#include "cohort_fixture.h"

namespace cohort_test {
namespace {

class AffineFile : public ContextTest {
 protected:
  cw_status Read(const std::string &text) {
    const TemporaryFile file(text, ".tfm");
    return cw_affine_read(context, file.path.c_str(), &affine);
  }
  void Maps(const double (&from)[3], const double (&to)[3]) {
    double p[3];
    cw_affine_apply(&affine, from, p);
    for (int a = 0; a < 3; a++)
      EXPECT_NEAR(p[a], to[a], 1e-9) << "axis " << a;
  }
  const std::string itk = "#Insight Transform File V1.0\n#Transform 0\n";
  cw_affine affine = {};
};

TEST_F(AffineFile, ItkAffineAboutItsCenter) {
  // y = M (x - c) + c + t
  for (const char *type :
       {"AffineTransform_double_3_3", "MatrixOffsetTransformBase_double_3_3", "AffineTransform_float_3_3"}) {
    ASSERT_OK(Read(itk + "Transform: " + type + "\nParameters: 0 -1 0 1 0 0 0 0 2 10 20 30\nFixedParameters: 1 2 3\n"));
    Maps({1, 2, 3}, {11, 22, 33});
    Maps({2, 2, 3}, {11, 23, 33});
    Maps({1, 2, 4}, {11, 22, 35});
  }
}

TEST_F(AffineFile, ItkEuler) {
  // A quarter turn about z, then shifted; angles are about the center.
  ASSERT_OK(Read(itk + "Transform: Euler3DTransform_double_3_3\r\nParameters: 0 0 1.5707963267948966 1 0 0\r\n"
                       "FixedParameters: 10 0 0\r\n"));
  Maps({10, 0, 0}, {11, 0, 0});
  Maps({11, 0, 0}, {11, 1, 0});
  // Rz Rx Ry by default, Rz Ry Rx with the flag: x, y turned by quarters send z to different places.
  const std::string turns =
      "Transform: Euler3DTransform_double_3_3\n"
      "Parameters: 1.5707963267948966 1.5707963267948966 0 0 0 0\nFixedParameters: 0 0 0";
  ASSERT_OK(Read(itk + turns + "\n"));
  Maps({0, 0, 1}, {1, 0, 0});
  Maps({0, 1, 0}, {0, 0, 1});
  ASSERT_OK(Read(itk + turns + " 1\n"));
  Maps({0, 0, 1}, {0, -1, 0});
  Maps({0, 1, 0}, {1, 0, 0});
}

TEST_F(AffineFile, PlainMatrices) {
  ASSERT_OK(Read("# comment\n1 0 0 5\n0 1 0 -6.5e0\n0 0 2 7\n0 0 0 1\n"));
  Maps({1, 1, 1}, {6, -5.5, 9});
  ASSERT_OK(Read("1,0,0,5\n0,1,0,6\n0,0,1,7"));
  Maps({0, 0, 0}, {5, 6, 7});
  ASSERT_OK(Read("[[0 1 0]\n[1 0 0]\n[0 0 1]]\n"));
  Maps({1, 2, 3}, {2, 1, 3});
}

TEST_F(AffineFile, NumbersDoNotDependOnTheLocale) {
  const std::string before = std::setlocale(LC_NUMERIC, nullptr);
  bool any = false;
  for (const char *name : {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C"})
    if (std::setlocale(LC_NUMERIC, name)) {
      any = true;
      EXPECT_EQ(Read("1.5 0 0\n0 1 0\n0 0 1\n"), CW_OK);
      EXPECT_EQ(affine.m[0][0], 1.5);
    }
  EXPECT_TRUE(any);
  std::setlocale(LC_NUMERIC, before.c_str());
}

TEST_F(AffineFile, Refusals) {
  const std::string affine_type = "Transform: AffineTransform_double_3_3\n";
  const struct {
    std::string text;
    cw_status status;
    std::string says;
  } cases[] = {
      {"", CW_ERROR_FORMAT, "0 numbers"},
      {"1 0 0\n0 1 0\n", CW_ERROR_FORMAT, "6 numbers"},
      {"1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 1 1\n", CW_ERROR_FORMAT, "last row"},
      {"1 0 0 0\n0 x 0 0\n0 0 1 0\n", CW_ERROR_FORMAT, "line 2: 'x'"},
      {"1 0 0\n0 nan 0\n0 0 1\n", CW_ERROR_FORMAT, "line 2: 'nan'"},
      {"1 0 0\n0 inf 0\n0 0 1\n", CW_ERROR_FORMAT, "inf"},
      {"1 0 0\n0 1e999 0\n0 0 1\n", CW_ERROR_FORMAT, "1e999"},
      {"1 0 0\n0 0x1 0\n0 0 1\n", CW_ERROR_FORMAT, "0x1"},
      {"1 0 0\n2 0 0\n0 0 1\n", CW_ERROR_NUMERIC, "singular"},
      {"0 0 0 0\n0 0 0 0\n0 0 0 0\n0 0 0 1\n", CW_ERROR_NUMERIC, "singular"},
      {std::string(100, '1') + std::string(200, '0') + " 0 0 0 1 0 0 0 1", CW_ERROR_FORMAT, "finite number"},
      {"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", CW_ERROR_FORMAT, "more numbers"},
      {itk, CW_ERROR_FORMAT, "Transform:"},
      {itk + affine_type + "Parameters: 1 0 0 0 1 0 0 0 1 0 0\n", CW_ERROR_FORMAT, "11 parameters"},
      {itk + affine_type + "Parameters: 1 0 0 0 1 0 0 0 0 0 0 0\nFixedParameters: 0 0 0\n", CW_ERROR_NUMERIC,
       "singular"},
      {itk + "Transform: Euler3DTransform_double_3_3\nParameters: 0 0 0\n", CW_ERROR_FORMAT, "3 parameters"},
      {itk + "Transform: AffineTransform_double_2_2\nParameters: 1 0 0 1 0 0\n", CW_ERROR_UNSUPPORTED, "3-D"},
      {itk + "Transform: BSplineTransform_double_3_3\nParameters: 1 2\n", CW_ERROR_UNSUPPORTED, "BSplineTransform"},
      {itk + affine_type + affine_type, CW_ERROR_UNSUPPORTED, "more than one"},
      {std::string("1 0 0\0", 6), CW_ERROR_FORMAT, "zero bytes"},
  };
  for (const auto &c : cases) {
    affine.m[0][0] = -77;
    EXPECT_EQ(Read(c.text), c.status) << c.text;
    Says({c.says});
    EXPECT_EQ(affine.m[0][0], -77) << "a refused file leaves the result alone";
  }
  EXPECT_EQ(cw_affine_read(context, "/no/such.tfm", &affine), CW_ERROR_FILE);
  context.reset(0);
  EXPECT_EQ(Read("1 0 0 0 1 0 0 0 1"), CW_ERROR_MEMORY);
}

}  // namespace
}  // namespace cohort_test
