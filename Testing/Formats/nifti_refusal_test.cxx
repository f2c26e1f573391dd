// NIfTI files that must be refused with one sentence, without a big allocation; and writes that must leave nothing.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <functional>
#include <limits>

#include "counterwarp/nifti.h"
#include "counterwarp/random.h"
#include "Formats/nifti_file.h"
#include "Tensor/test_context.h"

namespace {

const double straight[3][4] = {{2, 0, 0, 1}, {0, 2, 0, 2}, {0, 0, 2, 3}};
const float NaN = std::numeric_limits<float>::quiet_NaN();

// 4 x 3 x 2 floats, or three of them.
NiftiFile sound(bool big = false, bool field = false) {
  NiftiFile file(big);
  file.dimensions(field ? std::vector<int>{4, 3, 2, 1, 3} : std::vector<int>{4, 3, 2}).type(16, 32).sform(straight);
  if (field)
    file.put<int16_t>(68, 1006);
  for (int i = 0; i < (field ? 72 : 24); i++)
    file.append(float(i));
  return file;
}

bool one_sentence(const std::string &message) {
  return message.size() > 10 && message.size() < 500 && message.find('\n') == std::string::npos;
}

class Refused : public testing::Test {
 protected:
  void expect(const Bytes &bytes, cw_status status, const std::string &words, bool field = false) {
    for (bool packed : {false, true}) {
      TestContext context;
      const std::string path = folder.put("a.nii", packed ? compress(bytes) : bytes);
      cw_volume volume;
      const auto read = field ? cw_nifti_read_field : cw_nifti_read;
      EXPECT_EQ(read(context, path.c_str(), &volume), status) << words << ": " << context.message();
      EXPECT_NE(context.message().find(words), std::string::npos) << context.message();
      EXPECT_NE(context.message().find("a.nii"), std::string::npos) << context.message();
      EXPECT_TRUE(one_sentence(context.message())) << context.message();
      EXPECT_EQ(volume.data, nullptr);
      EXPECT_EQ(context.leaked(), 0);
      EXPECT_LE(context.largest, size_t(3) << 20);
    }
  }
  Folder folder;
};

// Reads a file both ways: whatever it holds, a status, a sentence, no leak and no allocation out of proportion.
void survive(const std::string &path, size_t size, int *read) {
  for (const auto call : {cw_nifti_read, cw_nifti_read_field}) {
    TestContext context;
    cw_volume volume;
    if (call(context, path.c_str(), &volume) == CW_OK) {
      ++*read;
      ASSERT_LE(cw_grid_samples(&volume.grid) * size_t(volume.components), size);
      for (size_t i = 0; i < cw_grid_samples(&volume.grid) * size_t(volume.components); i++)
        ASSERT_TRUE(volume.data[i] - volume.data[i] == 0);
      ASSERT_EQ(cw_grid_check(context, &volume.grid), CW_OK);
      cw_volume_free(context, &volume);
    } else {
      ASSERT_TRUE(one_sentence(context.message())) << context.message();
      ASSERT_EQ(volume.data, nullptr);
    }
    ASSERT_EQ(context.leaked(), 0);
    ASSERT_LE(context.largest, size_t(3) << 20);
  }
}

}  // namespace

TEST_F(Refused, WhatIsNoNiftiFile) {
  expect({}, CW_ERROR_FORMAT, "0 bytes");
  expect(Bytes(347, 1), CW_ERROR_FORMAT, "347 bytes");
  expect(Bytes(1000, 0), CW_ERROR_FORMAT, "not a NIfTI-1 file");
  NiftiFile file = sound();
  std::memcpy(&file.bytes[344], "n+2", 4);
  expect(file.bytes, CW_ERROR_FORMAT, "n+1");
  std::memcpy(&file.bytes[344], "ni1", 4);
  expect(file.bytes, CW_ERROR_UNSUPPORTED, "two files");
  for (bool big : {false, true}) {
    NiftiFile second(big);
    second.put<int32_t>(0, 540);
    expect(second.bytes, CW_ERROR_UNSUPPORTED, "NIfTI-2");
  }
}

TEST_F(Refused, TypesThatAreNoScalars) {
  const struct {
    int datatype, bits;
    const char *words;
  } types[] = {{32, 64, "complex"},      {1792, 128, "complex"}, {2048, 256, "complex"}, {128, 24, "RGB"},
               {2304, 32, "RGB"},        {1536, 128, "128-bit"}, {0, 0, "unknown"},      {1, 1, "unknown"},
               {255, 8, "unknown type"}, {-4, 16, "unknown"}};
  for (const auto &type : types) {
    NiftiFile file = sound();
    file.type(type.datatype, type.bits);
    expect(file.bytes, CW_ERROR_UNSUPPORTED, type.words);
  }
  NiftiFile file = sound();
  file.type(16, 16);
  expect(file.bytes, CW_ERROR_FORMAT, "16 bits");
}

TEST_F(Refused, SeveralVolumesAndOtherShapes) {
  const struct {
    std::vector<int> size;
    cw_status status;
    const char *words;
  } shapes[] = {{{4, 3, 1, 2}, CW_ERROR_UNSUPPORTED, "2 volumes"},
                {{4, 2, 1, 1, 3}, CW_ERROR_UNSUPPORTED, "3 numbers"},
                {{4, 2, 1, 1, 1, 3}, CW_ERROR_UNSUPPORTED, "dimensions 6 and 7"},
                {{4, 2, 1, 1, 1, 1, 3}, CW_ERROR_UNSUPPORTED, "dimensions 6 and 7"},
                {{24}, CW_ERROR_UNSUPPORTED, "1 dimensions"},
                {{6, 4}, CW_ERROR_UNSUPPORTED, "2 dimensions"},
                {{}, CW_ERROR_FORMAT, "0 dimensions"},
                {{4, 0, 2}, CW_ERROR_FORMAT, "dimension 2"},
                {{4, 3, -2}, CW_ERROR_FORMAT, "dimension 3"},
                {{4, 3, 2, 0}, CW_ERROR_FORMAT, "dimension 4"},
                {{-32768, 3, 2}, CW_ERROR_FORMAT, "dimension 1"}};
  for (const auto &shape : shapes) {
    NiftiFile file = sound();
    file.dimensions(shape.size);
    expect(file.bytes, shape.status, shape.words);
  }
  NiftiFile file = sound();
  for (int rank : {-1, 8, 32767}) {
    file.put<int16_t>(40, int16_t(rank));
    expect(file.bytes, CW_ERROR_FORMAT, "dimensions, expected 1 to 7");
  }
}

TEST_F(Refused, FieldsThatAreNone) {
  expect(sound().bytes, CW_ERROR_UNSUPPORTED, "intent 0", true);
  NiftiFile two = sound(false, true);
  two.dimensions({4, 3, 2, 1, 2});
  expect(two.bytes, CW_ERROR_UNSUPPORTED, "1 and 2", true);
  NiftiFile four = sound(false, true);
  four.dimensions({4, 3, 2, 3});
  expect(four.bytes, CW_ERROR_UNSUPPORTED, "3 and 1", true);
  expect(sound(true, true).bytes, CW_ERROR_UNSUPPORTED, "scalar");
}

TEST_F(Refused, SizesThatDoNotMatchTheFile) {
  for (bool big : {false, true}) {
    NiftiFile larger = sound(big), smaller = sound(big), offset = sound(big);
    larger.dimensions({4, 3, 3});
    expect(larger.bytes, CW_ERROR_FORMAT, "truncated: 448 bytes, expected 496");
    smaller.dimensions({4, 3, 1});
    expect(smaller.bytes, CW_ERROR_FORMAT, "longer");
    offset.put<float>(108, 356);
    expect(offset.bytes, CW_ERROR_FORMAT, "truncated");
  }
  for (float at : {-1.0f, 1.0f, 348.0f, 352.5f, 1e30f, NaN, std::numeric_limits<float>::infinity()}) {
    NiftiFile file = sound();
    file.put<float>(108, at);
    expect(file.bytes, CW_ERROR_FORMAT, "the data start");
  }
  NiftiFile file = sound();
  file.put<float>(108, 0x1p40f);
  expect(file.bytes, CW_ERROR_FORMAT, "truncated");
}

TEST_F(Refused, AffinesThatAreNone) {
  const double zero[3][4] = {};
  NiftiFile file = sound();
  expect(file.sform(zero).bytes, CW_ERROR_FORMAT, "affine (sform)");
  for (int at = 0; at < 12; at++)
    for (float bad : {NaN, std::numeric_limits<float>::infinity(), 1e30f}) {
      if (at % 4 == 3 && bad == 1e30f)
        continue;
      NiftiFile one = sound();
      one.put<float>(280 + 4 * size_t(at), bad);
      TestContext context;
      cw_volume volume;
      EXPECT_EQ(cw_nifti_read(context, folder.put("b.nii", one.bytes).c_str(), &volume), CW_ERROR_FORMAT) << at << bad;
    }
  const double flat[3][4] = {{1, 0, 0, 0}, {0, 1, 1, 0}, {0, 1, 1, 0}};
  expect(file.sform(flat).bytes, CW_ERROR_FORMAT, "singular");
  const float offset[3] = {0, 0, 0}, spacing[3] = {1, 1, 1}, none[3] = {1, 0, 1}, odd[3] = {1, 1, NaN};
  const float negative[3] = {-1, 1, 1}, away[3] = {0, NaN, 0};
  NiftiFile q = sound();
  q.sform(straight, 0);
  expect(NiftiFile(q).qform(0, 0, 0, offset, none, 1).bytes, CW_ERROR_FORMAT, "voxel size along axis 2");
  expect(NiftiFile(q).qform(0, 0, 0, offset, odd, 1).bytes, CW_ERROR_FORMAT, "voxel size along axis 3");
  expect(NiftiFile(q).qform(0, 0, 0, offset, negative, 1).bytes, CW_ERROR_FORMAT, "voxel size along axis 1");
  expect(NiftiFile(q).qform(1, 1, 0, offset, spacing, 1).bytes, CW_ERROR_FORMAT, "quaternion");
  expect(NiftiFile(q).qform(NaN, 0, 0, offset, spacing, 1).bytes, CW_ERROR_FORMAT, "quaternion");
  expect(NiftiFile(q).qform(0, 0, 0, away, spacing, 1).bytes, CW_ERROR_FORMAT, "affine (qform)");
  q.put<float>(84, 0);
  expect(q.bytes, CW_ERROR_FORMAT, "voxel size along axis 2");  // no form at all
}

TEST_F(Refused, ImagesOfNothingButNaN) {
  for (bool field : {false, true}) {
    NiftiFile file = sound(true, field);
    for (size_t at = 352; at < file.bytes.size(); at += 4)
      file.put<float>(at, at % 8 ? NaN : std::numeric_limits<float>::infinity());
    expect(file.bytes, CW_ERROR_FORMAT, "every voxel", field);
  }
}

// 377 bytes that ask for 18 GB and more.
TEST_F(Refused, SmallFilesThatAskForMuch) {
  for (auto &size : {std::vector<int>{1300, 1300, 1300}, std::vector<int>{32767, 32767, 32767},
                     std::vector<int>{32767, 32767, 32767, 1, 3}}) {
    NiftiFile file = sound(false, size.size() == 5);
    file.dimensions(size).type(64, 64);
    file.bytes.resize(377);
    expect(file.bytes, CW_ERROR_FORMAT, "truncated", size.size() == 5);
  }
}

TEST_F(Refused, MissingFilesFoldersAndPipes) {
  TestContext context;
  cw_volume volume;
  EXPECT_EQ(cw_nifti_read(context, (folder / "none.nii").c_str(), &volume), CW_ERROR_FILE);
  EXPECT_NE(context.message().find("No such file"), std::string::npos) << context.message();
  EXPECT_EQ(cw_nifti_read(context, (folder / "").c_str(), &volume), CW_ERROR_FILE);
  ASSERT_EQ(mkfifo((folder / "pipe.nii").c_str(), 0600), 0);
  EXPECT_EQ(cw_nifti_read(context, (folder / "pipe.nii").c_str(), &volume), CW_ERROR_FILE);  // and does not wait
  EXPECT_EQ(cw_nifti_read(context, "", &volume), CW_ERROR_FILE);
  const std::string lengthy = folder / (std::string(3000, 'x') + ".nii");
  EXPECT_EQ(cw_nifti_read(context, lengthy.c_str(), &volume), CW_ERROR_FILE);
  EXPECT_TRUE(one_sentence(context.message()));
  EXPECT_NE(context.message().find("cannot be opened"), std::string::npos) << context.message();
  EXPECT_EQ(context.leaked(), 0);
}

TEST_F(Refused, EveryTruncation) {
  const Bytes plain = sound().bytes, packed = compress(plain);
  for (const Bytes &whole : {plain, packed})
    for (size_t length = 0; length < whole.size(); length++) {
      TestContext context;
      cw_volume volume;
      const std::string path = folder.put("a.nii", Bytes(whole.begin(), whole.begin() + long(length)));
      ASSERT_EQ(cw_nifti_read(context, path.c_str(), &volume), CW_ERROR_FORMAT) << length << " of " << whole.size();
      ASSERT_TRUE(one_sentence(context.message())) << context.message();
      ASSERT_EQ(context.leaked(), 0);
    }
}

// A flipped bit is found by the check sum, unless it lies where the format has spare bits: then the samples are right.
TEST_F(Refused, DamagedCompressedData) {
  const Bytes whole = compress(sound().bytes);
  int refused = 0, tried = 0;
  for (size_t at = 10; at < whole.size(); at++)
    for (int bit = 0; bit < 8; bit += 3) {
      Bytes damaged = whole;
      damaged[at] ^= static_cast<unsigned char>(1 << bit);
      TestContext context;
      cw_volume volume;
      tried++;
      const cw_status status = cw_nifti_read(context, folder.put("a.nii.gz", damaged).c_str(), &volume);
      refused += status == CW_ERROR_FORMAT;
      if (status != CW_OK)
        continue;
      for (int i = 0; i < 24; i++)
        EXPECT_EQ(volume.data[i], i);
      cw_volume_free(context, &volume);
    }
  EXPECT_GT(tried, 300);
  EXPECT_GT(refused, tried * 95 / 100);
}

// Thousands of headers with a few bytes or fields replaced; the same ones in every run.
TEST(NiftiHostile, MutatedHeadersNeverDoHarm) {
  Folder folder;
  cw_random random = cw_random_stream(2024, 0);
  const int64_t interesting[] = {0,      1,     -1,         2,           3,          4,          5,         7,    8,
                                 127,    255,   256,        348,         352,        540,        1006,      1007, 32767,
                                 -32768, 65535, 0x7fffffff, -0x7fffffff, 0x7fc00000, 0x7f800000, 0xff800000};
  const size_t fields[] = {0,   40,  42,  44,  46,  48,  50,  52,  54,  68,  70,  72,  76,  80,  84,  88, 108,
                           112, 116, 123, 252, 254, 256, 260, 264, 268, 280, 284, 288, 292, 300, 320, 344};
  int read = 0;
  const int trials = 4000;
  for (int trial = 0; trial < trials; trial++) {
    NiftiFile file = sound(trial & 1, trial & 2);
    const uint32_t changes = 1 + cw_random_below(&random, 4);
    for (uint32_t change = 0; change < changes; change++) {
      const size_t field = fields[cw_random_below(&random, sizeof fields / sizeof *fields)];
      const int64_t value = interesting[cw_random_below(&random, sizeof interesting / sizeof *interesting)];
      switch (cw_random_below(&random, 4)) {
        case 0:
          file.bytes[cw_random_below(&random, 352)] = static_cast<unsigned char>(cw_random_bits(&random));
          break;
        case 1:
          file.put<int16_t>(field, int16_t(value));
          break;
        case 2:
          file.put<int32_t>(field, int32_t(value));
          break;
        default:
          file.put<float>(field, float(value));
      }
    }
    if (cw_random_below(&random, 8) == 0)
      file.bytes.resize(cw_random_below(&random, uint32_t(file.bytes.size()) + 1));
    const Bytes bytes = trial % 5 == 0 ? compress(file.bytes) : file.bytes;
    survive(folder.put("a.nii", bytes), file.bytes.size(), &read);
    if (testing::Test::HasFatalFailure())
      FAIL() << "trial " << trial;
  }
  EXPECT_GT(read, trials / 20);  // some still are images; most are not
  EXPECT_LT(read, trials);
}

// ---- memory and disks that run out ----

TEST(NiftiMemory, EveryAllocationMayFail) {
  Folder folder;
  TestContext context;
  const std::string image = folder.put("a.nii", sound().bytes),
                    packed = folder.put("a.nii.gz", compress(sound().bytes)),
                    field = folder.put("f.nii", sound(false, true).bytes);
  cw_volume scan, vectors;
  ASSERT_EQ(cw_nifti_read(context, image.c_str(), &scan), CW_OK);
  ASSERT_EQ(cw_nifti_read_field(context, field.c_str(), &vectors), CW_OK);
  cw_volume volume = {};
  const std::string out = folder / "out.nii.gz";
  const struct {
    const char *name;
    long least;
    std::function<cw_status()> call;
  } calls[] = {
      {"read", 2, [&] { return cw_nifti_read(context, image.c_str(), &volume); }},
      {"read .gz", 3, [&] { return cw_nifti_read(context, packed.c_str(), &volume); }},
      {"read field", 2, [&] { return cw_nifti_read_field(context, field.c_str(), &volume); }},
      {"write", 2, [&] { return cw_nifti_write(context, out.c_str(), &scan, CW_NIFTI_INT16); }},
      {"write field", 2, [&] { return cw_nifti_write_field(context, out.c_str(), &vectors, CW_FIELD_RAS); }},
  };
  for (const auto &one : calls) {
    long at = 0;
    for (;; at++) {
      context.reset(at);
      const cw_status status = one.call();
      if (status == CW_OK)
        break;
      ASSERT_EQ(status, CW_ERROR_MEMORY) << one.name << " " << at << context.message();
      EXPECT_EQ(context.leaked(), 0) << one.name << " " << at;
      EXPECT_EQ(volume.data, nullptr);
      EXPECT_EQ(folder.list().size(), 3u) << one.name << " " << at;  // no output, nor a part of one
    }
    EXPECT_GE(at, one.least) << one.name;
    context.reset();
    cw_volume_free(context, &volume);
    std::filesystem::remove(out);
  }
  cw_volume_free(context, &scan);
  cw_volume_free(context, &vectors);
}

namespace {

// Files may grow to `bytes` only, as on a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_;
  void (*handler_)(int);
};

cw_volume noise(cw_context *context, int components) {
  const cw_grid grid = {{40, 40, 40}, cw_affine_identity()};
  cw_volume volume;
  if (cw_volume_create(context, &grid, components, &volume) != CW_OK)
    std::abort();
  for (size_t i = 0; i < 64000 * size_t(components); i++)
    volume.data[i] = cw_random_at(5, 6, i);
  return volume;
}

}  // namespace

TEST(NiftiDisk, AFullDiskLeavesNothingOrTheOldFile) {
  Folder folder;
  TestContext context;
  cw_volume scan = noise(context, 1), field = noise(context, 3);
  for (const char *name : {"a.nii", "a.nii.gz"}) {
    const std::string path = folder / name;
    for (bool older : {false, true}) {
      if (older)
        folder.put(name, {1, 2, 3});
      for (rlim_t bytes : {0, 100, 349, 5000, 100000, 200000}) {  // the .gz of noise is larger than 200 kB as well
        cw_status one, two;
        {
          FullDisk full(bytes);
          one = cw_nifti_write(context, path.c_str(), &scan, CW_NIFTI_FLOAT32);
          EXPECT_NE(context.message().find("File too large"), std::string::npos) << context.message();
          two = cw_nifti_write_field(context, path.c_str(), &field, CW_FIELD_LPS);
        }
        EXPECT_EQ(one, CW_ERROR_FILE) << name << bytes;
        EXPECT_EQ(two, CW_ERROR_FILE) << name << bytes;
        if (older) {
          EXPECT_EQ(folder.list().size(), 1u);
          EXPECT_EQ(folder.get(name), (Bytes{1, 2, 3}));
        } else {
          EXPECT_TRUE(folder.list().empty());
        }
      }
    }
    ASSERT_EQ(cw_nifti_write(context, path.c_str(), &scan, CW_NIFTI_FLOAT32), CW_OK) << context.message();
    std::filesystem::remove(path);
  }
  cw_volume_free(context, &scan);
  cw_volume_free(context, &field);
  EXPECT_EQ(context.leaked(), 0);
}

// A file that fits into the library's buffers meets the disk only when it is closed.
TEST(NiftiDisk, AFullDiskSeenOnClosing) {
  Folder folder;
  TestContext context;
  cw_volume scan = noise(context, 1);
  scan.grid.size[0] = scan.grid.size[1] = scan.grid.size[2] = 3;
  for (const char *name : {"a.nii", "a.nii.gz"}) {
    const FullDisk full(100);
    EXPECT_EQ(cw_nifti_write(context, (folder / name).c_str(), &scan, CW_NIFTI_FLOAT32), CW_ERROR_FILE) << name;
    EXPECT_NE(context.message().find("cannot be written"), std::string::npos) << context.message();
  }
  EXPECT_TRUE(folder.list().empty());
  cw_volume_free(context, &scan);
}

TEST(NiftiDisk, PlacesThatCannotBeWritten) {
  Folder folder;
  TestContext context;
  cw_volume scan = noise(context, 1), field = noise(context, 3);
  std::filesystem::create_directory(folder / "folder.nii");
  std::filesystem::create_symlink("/dev/full", folder / "device.nii");
  const struct {
    std::string path;
    cw_status status;
  } places[] = {{folder / "none/a.nii", CW_ERROR_FILE},
                {folder / "folder.nii", CW_ERROR_FILE},
                {folder / "device.nii", CW_ERROR_FILE},
                {folder / "a.img", CW_ERROR_ARGUMENT},
                {folder / "a.gz", CW_ERROR_ARGUMENT},
                {"", CW_ERROR_ARGUMENT},
                {folder / (std::string(300, 'x') + ".nii"), CW_ERROR_FILE}};
  for (const auto &place : places) {
    EXPECT_EQ(cw_nifti_write(context, place.path.c_str(), &scan, CW_NIFTI_UINT8), place.status) << place.path;
    EXPECT_TRUE(one_sentence(context.message() + "          ")) << context.message();
    EXPECT_EQ(cw_nifti_write_field(context, place.path.c_str(), &field, CW_FIELD_RAS), place.status) << place.path;
  }
  EXPECT_EQ(folder.list().size(), 2u);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
  EXPECT_EQ(cw_nifti_write(context, (folder / "a.nii").c_str(), &field, CW_NIFTI_UINT8), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_nifti_write_field(context, (folder / "a.nii").c_str(), &scan, CW_FIELD_RAS), CW_ERROR_SHAPE);
  EXPECT_EQ(cw_nifti_write(context, (folder / "a.nii").c_str(), &scan, static_cast<cw_nifti_type>(9)),
            CW_ERROR_ARGUMENT);
  cw_volume empty = {}, flat = scan, lengthy = scan;
  EXPECT_EQ(cw_nifti_write(context, (folder / "a.nii").c_str(), &empty, CW_NIFTI_UINT8), CW_ERROR_SHAPE);
  flat.grid.to_world.m[0][0] = 0;
  EXPECT_EQ(cw_nifti_write(context, (folder / "a.nii").c_str(), &flat, CW_NIFTI_UINT8), CW_ERROR_ARGUMENT);
  lengthy.grid.size[0] = 32768;
  EXPECT_EQ(cw_nifti_write(context, (folder / "a.nii").c_str(), &lengthy, CW_NIFTI_UINT8), CW_ERROR_UNSUPPORTED);
  EXPECT_EQ(folder.list().size(), 2u);
  cw_volume_free(context, &scan);
  cw_volume_free(context, &field);
}

TEST(NiftiDisk, AnOldFileIsReplacedWhole) {
  Folder folder;
  TestContext context;
  cw_volume scan = noise(context, 1), back;
  const std::string path = folder / "a.nii";
  folder.put("a.nii", Bytes(1000000, 7));
  ASSERT_EQ(cw_nifti_write(context, path.c_str(), &scan, CW_NIFTI_FLOAT32), CW_OK) << context.message();
  EXPECT_EQ(std::filesystem::file_size(path), 352u + 64000 * 4);
  ASSERT_EQ(cw_nifti_read(context, path.c_str(), &back), CW_OK) << context.message();
  cw_volume_free(context, &back);
  cw_volume_free(context, &scan);
}
