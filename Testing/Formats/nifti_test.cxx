// NIfTI files: what is read from files made by hand, and round trips.
#include "counterwarp/nifti.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <limits>

#include "counterwarp/nrrd.h"
#include "counterwarp/random.h"
#include "Formats/nifti_file.h"
#include "Tensor/test_context.h"

namespace {

const double oblique[3][4] = {{-1.1, 0.2, 0.1, 40}, {0.15, 1.9, -0.3, -50.5}, {0.05, 0.25, 3.2, 12}};
const float NaN = std::numeric_limits<float>::quiet_NaN();

void expect_ras(const cw_grid &grid, const double ras[3][4], double tolerance) {
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 4; c++)
      EXPECT_NEAR(grid.to_world.m[r][c], (r < 2 ? -1 : 1) * ras[r][c], tolerance) << r << c;
}

template <typename T>
NiftiFile image(int datatype, bool big, const std::vector<T> &values) {
  NiftiFile file(big);
  file.dimensions({int(values.size()) / 2, 2, 1}).type(datatype, 8 * sizeof(T)).sform(oblique);
  for (T value : values)
    file.append(value);
  return file;
}

template <typename T>
class EveryType : public testing::Test {};
template <typename T>
struct Code;
#define CODE(type, value) \
  template <> \
  struct Code<type> { \
    static constexpr int number = value; \
  }
CODE(uint8_t, 2);
CODE(int16_t, 4);
CODE(int32_t, 8);
CODE(float, 16);
CODE(double, 64);
CODE(int8_t, 256);
CODE(uint16_t, 512);
CODE(uint32_t, 768);
CODE(int64_t, 1024);
CODE(uint64_t, 1280);
using Types = testing::Types<uint8_t, int16_t, int32_t, float, double, int8_t, uint16_t, uint32_t, int64_t, uint64_t>;
TYPED_TEST_SUITE(EveryType, Types);

cw_volume random_volume(cw_context *context, int components, const cw_affine &affine) {
  const cw_grid grid = {{5, 4, 3}, affine};
  cw_volume volume;
  if (cw_volume_create(context, &grid, components, &volume) != CW_OK)
    std::abort();
  for (int i = 0; i < 60 * components; i++)
    volume.data[i] = cw_random_at(1, 2, i) * 200 - 100;
  return volume;
}

cw_affine lps(const double ras[3][4]) {
  cw_affine affine;
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 4; c++)
      affine.m[r][c] = (r < 2 ? -1 : 1) * ras[r][c];
  return affine;
}

// Rotated by 0.3 about an oblique axis, no shear.
cw_affine rotated(double x, double y, double z) {
  const double c = std::cos(0.3), s = std::sin(0.3), d = std::cos(0.7), e = std::sin(0.7);
  cw_affine affine = {{{c * x, -s * y, 0, 7}, {d * s * x, d * c * y, -e * z, -8}, {e * s * x, e * c * y, d * z, 9}}};
  return affine;
}

}  // namespace

TYPED_TEST(EveryType, IsReadInBothByteOrdersPlainAndCompressed) {
  using T = TypeParam;
  Folder folder;
  const std::vector<T> values = {T(0),  T(1), T(127), std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max(),
                                 T(100)};
  for (bool big : {false, true})
    for (bool packed : {false, true}) {
      TestContext context;
      std::vector<T> some = values;
      if (sizeof(T) == 8 && std::is_floating_point<T>::value)
        some[3] = T(-1e30), some[4] = T(1e30);  // beyond float is another test
      const NiftiFile file = image<T>(Code<T>::number, big, some);
      const std::string path =
          folder.put(packed ? "image.nii.gz" : "image.nii", packed ? compress(file.bytes) : file.bytes);
      cw_volume volume;
      ASSERT_EQ(cw_nifti_read(context, path.c_str(), &volume), CW_OK) << context.message();
      EXPECT_EQ(volume.components, 1);
      EXPECT_EQ(volume.grid.size[0], 3);
      EXPECT_EQ(volume.grid.size[1], 2);
      EXPECT_EQ(volume.grid.size[2], 1);
      expect_ras(volume.grid, oblique, 1e-6);
      for (size_t i = 0; i < some.size(); i++)
        EXPECT_EQ(volume.data[i], float(some[i])) << i;
      EXPECT_TRUE(context.warnings.empty());
      cw_volume_free(context, &volume);
      EXPECT_EQ(context.leaked(), 0);
    }
}

TYPED_TEST(EveryType, IsScaled) {
  Folder folder;
  TestContext context;
  const std::vector<TypeParam> values = {0, 1, 2, 3, 50, 100};
  NiftiFile file = image<TypeParam>(Code<TypeParam>::number, true, values);
  file.scale(-2.5f, 7);
  cw_volume volume;
  ASSERT_EQ(cw_nifti_read(context, folder.put("a.nii", file.bytes).c_str(), &volume), CW_OK) << context.message();
  for (size_t i = 0; i < values.size(); i++)
    EXPECT_EQ(volume.data[i], float(-2.5 * double(values[i]) + 7));
  cw_volume_free(context, &volume);
}

TEST(NiftiRead, SlopesOfZeroAndNaNMeanNotScaled) {
  Folder folder;
  TestContext context;
  for (float slope : {0.0f, NaN, std::numeric_limits<float>::infinity()})
    for (float intercept : {5.0f, NaN}) {
      NiftiFile file = image<int16_t>(4, false, {1, 2, 3, 4});
      file.scale(slope, intercept);
      cw_volume volume;
      ASSERT_EQ(cw_nifti_read(context, folder.put("a.nii", file.bytes).c_str(), &volume), CW_OK) << context.message();
      EXPECT_EQ(volume.data[3], 4);
      cw_volume_free(context, &volume);
    }
  NiftiFile file = image<int16_t>(4, false, {1, 2, 3, 4});
  file.scale(2, NaN);
  cw_volume volume;
  EXPECT_EQ(cw_nifti_read(context, folder.put("a.nii", file.bytes).c_str(), &volume), CW_ERROR_FORMAT);
}

TEST(NiftiRead, QformIsTheQuaternionsRotation) {
  Folder folder;
  const float offset[3] = {10, -20, 30}, spacing[3] = {1, 2, 3};
  const double a = std::sqrt(0.5);
  struct {
    float b, c, d, handed;
    double rotation[3][3];
  } cases[] = {
      {0, 0, 0, 1, {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
      {0, 0, 0, -1, {{1, 0, 0}, {0, 1, 0}, {0, 0, -1}}},          // left-handed: k is turned
      {0, 0, 0, 0, {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},            // 0 counts as 1
      {float(a), 0, 0, 1, {{1, 0, 0}, {0, 0, -1}, {0, 1, 0}}},    // a quarter turn about x
      {0, 1, 0, 1, {{-1, 0, 0}, {0, 1, 0}, {0, 0, -1}}},          // a half turn about y
      {0, 0, float(a), -1, {{0, -1, 0}, {1, 0, 0}, {0, 0, -1}}},  // a quarter turn about z
  };
  for (bool big : {false, true})
    for (const auto &one : cases) {
      TestContext context;
      NiftiFile file(big);
      file.dimensions({2, 2, 1}).type(2, 8).qform(one.b, one.c, one.d, offset, spacing, one.handed);
      for (uint8_t i = 0; i < 4; i++)
        file.append(i);
      cw_volume volume;
      ASSERT_EQ(cw_nifti_read(context, folder.put("q.nii", file.bytes).c_str(), &volume), CW_OK) << context.message();
      double expected[3][4];
      for (int r = 0; r < 3; r++) {
        expected[r][3] = offset[r];
        for (int c = 0; c < 3; c++)
          expected[r][c] = one.rotation[r][c] * spacing[c];
      }
      expect_ras(volume.grid, expected, 1e-6);
      EXPECT_TRUE(context.warnings.empty());
      cw_volume_free(context, &volume);

      // An sform says more than a qform.
      file.sform(oblique, 2);
      ASSERT_EQ(cw_nifti_read(context, folder.put("q.nii", file.bytes).c_str(), &volume), CW_OK) << context.message();
      expect_ras(volume.grid, oblique, 1e-6);
      cw_volume_free(context, &volume);
    }
}

TEST(NiftiRead, WithoutOrientationVoxelSizesServeWithAWarning) {
  Folder folder;
  TestContext context;
  NiftiFile file(false);
  file.dimensions({2, 2, 1}).type(2, 8);
  file.put<float>(84, 2.5f);
  for (uint8_t i = 0; i < 4; i++)
    file.append(i);
  cw_volume volume;
  ASSERT_EQ(cw_nifti_read(context, folder.put("a.nii", file.bytes).c_str(), &volume), CW_OK) << context.message();
  const double expected[3][4] = {{1, 0, 0, 0}, {0, 2.5, 0, 0}, {0, 0, 1, 0}};
  expect_ras(volume.grid, expected, 0);
  ASSERT_EQ(context.warnings.size(), 1u);
  EXPECT_NE(context.warnings[0].find("no sform"), std::string::npos);
  cw_volume_free(context, &volume);
}

TEST(NiftiRead, MetresAndMicronsBecomeMillimetres) {
  Folder folder;
  TestContext context;
  for (auto unit : {std::make_pair(0, 1.0), std::make_pair(1, 1000.0), std::make_pair(2, 1.0), std::make_pair(3, 0.001),
                    std::make_pair(2 | 8, 1.0)}) {  // the last adds seconds
    NiftiFile file = image<uint8_t>(2, false, {1, 2, 3, 4});
    file.bytes[123] = static_cast<unsigned char>(unit.first);
    cw_volume volume;
    ASSERT_EQ(cw_nifti_read(context, folder.put("a.nii", file.bytes).c_str(), &volume), CW_OK) << context.message();
    EXPECT_NEAR(volume.grid.to_world.m[2][3], 12 * unit.second, 1e-6 * unit.second);
    cw_volume_free(context, &volume);
  }
}

TEST(NiftiRead, ExtensionsAndAlignedEndsAreSteppedOver) {
  Folder folder;
  NiftiFile file(false);
  file.dimensions({2, 2, 1}).type(4, 16).sform(oblique);
  file.bytes[348] = 1;  // an extension follows
  file.append<int32_t>(32), file.append<int32_t>(6);
  for (int i = 0; i < 24; i++)
    file.append<uint8_t>(0xee);
  file.put<float>(108, 384);
  for (int16_t i = 1; i <= 4; i++)
    file.append(i);
  for (bool packed : {false, true})
    for (int padding : {0, 1, 15}) {
      TestContext context;
      Bytes bytes = file.bytes;
      bytes.resize(bytes.size() + size_t(padding));
      cw_volume volume;
      ASSERT_EQ(cw_nifti_read(context, folder.put("a.nii", packed ? compress(bytes) : bytes).c_str(), &volume), CW_OK)
          << context.message();
      for (int i = 0; i < 4; i++)
        EXPECT_EQ(volume.data[i], i + 1);
      EXPECT_EQ(context.warnings.size(), padding ? 1u : 0u);
      cw_volume_free(context, &volume);
    }
}

TEST(NiftiRead, SomeNaNVoxelsCountAsBackgroundWithAWarning) {
  Folder folder;
  TestContext context;
  const float infinity = std::numeric_limits<float>::infinity();
  cw_volume volume;
  NiftiFile file = image<float>(16, true, {1, NaN, infinity, -infinity, 5, 6});
  ASSERT_EQ(cw_nifti_read(context, folder.put("a.nii", file.bytes).c_str(), &volume), CW_OK) << context.message();
  const float expected[6] = {1, 0, 0, 0, 5, 6};
  EXPECT_EQ(std::memcmp(volume.data, expected, sizeof expected), 0);
  ASSERT_EQ(context.warnings.size(), 1u);
  EXPECT_NE(context.warnings[0].find("3 of 6"), std::string::npos);
  cw_volume_free(context, &volume);
  // Doubles that no float holds.
  const NiftiFile wide = image<double>(64, false, {1, 1e300, -1e300, 4});
  context.reset();
  ASSERT_EQ(cw_nifti_read(context, folder.put("a.nii", wide.bytes).c_str(), &volume), CW_OK) << context.message();
  EXPECT_EQ(volume.data[1], 0);
  EXPECT_EQ(context.warnings.size(), 1u);
  cw_volume_free(context, &volume);
}

TEST(NiftiRead, CompressionIsSeenInTheFileNotInItsName) {
  Folder folder;
  TestContext context;
  const NiftiFile file = image<uint8_t>(2, false, {1, 2, 3, 4});
  cw_volume volume;
  ASSERT_EQ(cw_nifti_read(context, folder.put("packed.nii", compress(file.bytes)).c_str(), &volume), CW_OK);
  cw_volume_free(context, &volume);
  ASSERT_EQ(cw_nifti_read(context, folder.put("plain.nii.gz", file.bytes).c_str(), &volume), CW_OK);
  cw_volume_free(context, &volume);
}

// ---- round trips ----

TEST(NiftiWrite, FloatsReturnAsTheyWere) {
  Folder folder;
  TestContext context;
  for (const char *name : {"a.nii", "a.nii.gz"})
    for (int shear = 0; shear < 2; shear++) {
      cw_volume volume = random_volume(context, 1, shear ? lps(oblique) : rotated(1.5, 0.8, 2.2)), back;
      const std::string path = folder / name;
      ASSERT_EQ(cw_nifti_write(context, path.c_str(), &volume, CW_NIFTI_FLOAT32), CW_OK) << context.message();
      ASSERT_EQ(cw_nifti_read(context, path.c_str(), &back), CW_OK) << context.message();
      EXPECT_EQ(std::memcmp(volume.data, back.data, 60 * sizeof(float)), 0);
      EXPECT_TRUE(cw_grid_same(&volume.grid, &back.grid, 1e-4));
      // Once in float, an affine stays as it is.
      cw_volume again;
      ASSERT_EQ(cw_nifti_write(context, path.c_str(), &back, CW_NIFTI_FLOAT32), CW_OK) << context.message();
      ASSERT_EQ(cw_nifti_read(context, path.c_str(), &again), CW_OK) << context.message();
      EXPECT_EQ(std::memcmp(&again.grid, &back.grid, sizeof(cw_grid)), 0);
      for (cw_volume *one : {&volume, &back, &again})
        cw_volume_free(context, one);
      EXPECT_EQ(context.leaked(), 0);
    }
  EXPECT_EQ(folder.list().size(), 2u);  // nothing but the two files
}

TEST(NiftiWrite, QformOnlyWhereThereIsNoShear) {
  Folder folder;
  TestContext context;
  for (int mirrored = 0; mirrored < 2; mirrored++) {
    cw_volume volume = random_volume(context, 1, rotated(1.5, 0.8, mirrored ? -2.2 : 2.2)), back;
    ASSERT_EQ(cw_nifti_write(context, (folder / "a.nii").c_str(), &volume, CW_NIFTI_FLOAT32), CW_OK);
    Bytes bytes = folder.get("a.nii");
    EXPECT_EQ(bytes[252], 1);  // qform_code
    EXPECT_EQ(bytes[254], 1);  // sform_code
    bytes[254] = 0;            // the qform alone says the same
    ASSERT_EQ(cw_nifti_read(context, folder.put("b.nii", bytes).c_str(), &back), CW_OK) << context.message();
    EXPECT_TRUE(cw_grid_same(&volume.grid, &back.grid, 1e-4));
    cw_volume_free(context, &back);
    cw_volume_free(context, &volume);
  }
  cw_volume sheared = random_volume(context, 1, lps(oblique));
  ASSERT_EQ(cw_nifti_write(context, (folder / "a.nii").c_str(), &sheared, CW_NIFTI_FLOAT32), CW_OK);
  EXPECT_EQ(folder.get("a.nii")[252], 0);
  EXPECT_EQ(folder.get("a.nii")[254], 1);
  cw_volume_free(context, &sheared);
}

TEST(NiftiWrite, IntegersAreRoundedAndClamped) {
  Folder folder;
  TestContext context;
  cw_volume volume = random_volume(context, 1, rotated(1, 1, 1)), back;
  const float values[] = {0, 1.4f, 1.6f, -1.6f, 254.7f, 300, -300, 40000, -40000, 1e30f, -1e30f, NaN};
  const float as_int16[] = {0, 1, 2, -2, 255, 300, -300, 32767, -32768, 32767, -32768, 0};
  const float as_uint8[] = {0, 1, 2, 0, 255, 255, 0, 255, 0, 255, 0, 0};
  std::memcpy(volume.data, values, sizeof values);
  const std::string path = folder / "a.nii.gz";
  ASSERT_EQ(cw_nifti_write(context, path.c_str(), &volume, CW_NIFTI_INT16), CW_OK) << context.message();
  ASSERT_EQ(cw_nifti_read(context, path.c_str(), &back), CW_OK) << context.message();
  EXPECT_EQ(std::memcmp(back.data, as_int16, sizeof as_int16), 0);
  cw_volume_free(context, &back);
  ASSERT_EQ(cw_nifti_write(context, path.c_str(), &volume, CW_NIFTI_UINT8), CW_OK) << context.message();
  ASSERT_EQ(cw_nifti_read(context, path.c_str(), &back), CW_OK) << context.message();
  EXPECT_EQ(std::memcmp(back.data, as_uint8, sizeof as_uint8), 0);
  cw_volume_free(context, &back);
  cw_volume_free(context, &volume);
}

TEST(NiftiWrite, ImagesOfSeveralChunks) {
  Folder folder;
  TestContext context;
  cw_grid grid = {{97, 83, 71}, cw_affine_identity()};
  cw_volume volume, back;
  ASSERT_EQ(cw_volume_create(context, &grid, 1, &volume), CW_OK);
  const size_t count = cw_grid_samples(&grid);
  for (size_t i = 0; i < count; i++)
    volume.data[i] = std::floor(cw_random_at(3, 4, i) * 30000);
  for (cw_nifti_type type : {CW_NIFTI_FLOAT32, CW_NIFTI_INT16})
    for (const char *name : {"a.nii", "a.nii.gz"}) {
      ASSERT_EQ(cw_nifti_write(context, (folder / name).c_str(), &volume, type), CW_OK) << context.message();
      ASSERT_EQ(cw_nifti_read(context, (folder / name).c_str(), &back), CW_OK) << context.message();
      EXPECT_EQ(std::memcmp(back.data, volume.data, count * sizeof(float)), 0);
      cw_volume_free(context, &back);
    }
  cw_volume_free(context, &volume);
}

TEST(NiftiField, ConventionsDifferInTheSignsOnFile) {
  Folder folder;
  TestContext context;
  cw_volume field = random_volume(context, 3, rotated(1.5, 0.8, 2.2)), back;
  for (cw_field_convention convention : {CW_FIELD_RAS, CW_FIELD_LPS})
    for (const char *name : {"f.nii", "f.nii.gz"}) {
      const std::string path = folder / name;
      ASSERT_EQ(cw_nifti_write_field(context, path.c_str(), &field, convention), CW_OK) << context.message();
      ASSERT_EQ(cw_nifti_read_field(context, path.c_str(), &back), CW_OK) << context.message();
      EXPECT_EQ(back.components, 3);
      EXPECT_TRUE(cw_grid_same(&field.grid, &back.grid, 1e-4));
      EXPECT_EQ(std::memcmp(field.data, back.data, 180 * sizeof(float)), 0);
      cw_volume_free(context, &back);
      EXPECT_EQ(cw_nifti_read(context, path.c_str(), &back), CW_ERROR_UNSUPPORTED);  // not a scalar image
    }
  for (cw_field_convention convention : {CW_FIELD_RAS, CW_FIELD_LPS}) {
    ASSERT_EQ(cw_nifti_write_field(context, (folder / "f.nii").c_str(), &field, convention), CW_OK);
    const Bytes bytes = folder.get("f.nii");
    int16_t dim[8], intent;
    float first[3];
    std::memcpy(dim, &bytes[40], sizeof dim);
    std::memcpy(&intent, &bytes[68], sizeof intent);
    for (size_t c = 0; c < 3; c++)
      std::memcpy(&first[c], &bytes[352 + c * 60 * sizeof(float)], sizeof(float));
    const int16_t expected[8] = {5, 5, 4, 3, 1, 3, 1, 1};
    EXPECT_EQ(std::memcmp(dim, expected, sizeof dim), 0);
    EXPECT_EQ(intent, convention == CW_FIELD_RAS ? 1006 : 1007);
    const float sign = convention == CW_FIELD_RAS ? -1.0f : 1.0f;
    EXPECT_EQ(first[0], sign * field.data[0]);
    EXPECT_EQ(first[1], sign * field.data[60]);
    EXPECT_EQ(first[2], field.data[120]);
  }
  cw_volume_free(context, &field);
}

TEST(NrrdField, VectorsInLpsWhateverTheLocale) {
  Folder folder;
  TestContext context;
  const double half = 0.5;
  const cw_affine affine = {{{1.5, 0, 0, -40.25}, {0, -2, 0, 30}, {0, 0, 1e-3, half}}};
  cw_volume field = random_volume(context, 3, affine);
  for (const char *name : {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE"})  // where there is one
    if (std::setlocale(LC_NUMERIC, name))
      break;
  const cw_status status = cw_nrrd_write_field(context, (folder / "f.nrrd").c_str(), &field);
  std::setlocale(LC_NUMERIC, "C");
  ASSERT_EQ(status, CW_OK) << context.message();
  const Bytes bytes = folder.get("f.nrrd");
  const std::string text(bytes.begin(), bytes.end());
  const size_t end = text.find("\n\n");
  ASSERT_NE(end, std::string::npos);
  for (const char *line :
       {"NRRD0005\n", "\ntype: float\n", "\ndimension: 4\n", "\nspace: left-posterior-superior\n", "\nsizes: 3 5 4 3\n",
        "\nkinds: vector domain domain domain\n", "\nencoding: raw\n",
        "\nspace directions: none (1.5,0,0) (0,-2,0) (0,0,0.001)\n", "\nspace origin: (-40.25,30,0.5)\n\n"})
    EXPECT_LT(text.find(line), end) << line << text.substr(0, end);
  ASSERT_EQ(bytes.size(), end + 2 + 180 * sizeof(float));
  for (size_t i = 0; i < 60; i++)
    for (size_t c = 0; c < 3; c++) {
      float stored;
      std::memcpy(&stored, &bytes[end + 2 + (3 * i + c) * sizeof stored], sizeof stored);
      ASSERT_EQ(stored, field.data[60 * c + i]) << i << c;
    }
  EXPECT_EQ(cw_nrrd_write_field(context, (folder / "f.nii").c_str(), &field), CW_ERROR_ARGUMENT);
  EXPECT_NE(std::string(context.message()).find(".nrrd"), std::string::npos);
  EXPECT_EQ(cw_nrrd_write_field(context, (folder / "absent/f.nrrd").c_str(), &field), CW_ERROR_FILE);
  field.components = 1;
  EXPECT_EQ(cw_nrrd_write_field(context, (folder / "f.nrrd").c_str(), &field), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_nifti_write(context, (folder / "g.nrrd").c_str(), &field, CW_NIFTI_FLOAT32), CW_ERROR_ARGUMENT);
  EXPECT_EQ(folder.get("f.nrrd"), bytes);  // what failed left the file that was there
  field.components = 3;
  cw_volume_free(context, &field);
}

TEST(NiftiField, OfEitherByteOrderAndOtherUnits) {
  Folder folder;
  for (bool big : {false, true}) {
    TestContext context;
    NiftiFile file(big);
    file.dimensions({1, 1, 2, 1, 3}).type(64, 64).sform(oblique);
    file.put<int16_t>(68, 1006);
    file.bytes[123] = 1;  // metres
    for (int i = 1; i <= 6; i++)
      file.append(i * 0.001);
    cw_volume field;
    ASSERT_EQ(cw_nifti_read_field(context, folder.put("f.nii", file.bytes).c_str(), &field), CW_OK)
        << context.message();
    const float expected[6] = {-1, -2, -3, -4, 5, 6};
    for (int i = 0; i < 6; i++)
      EXPECT_NEAR(field.data[i], expected[i], 1e-5);
    cw_volume_free(context, &field);
  }
}
