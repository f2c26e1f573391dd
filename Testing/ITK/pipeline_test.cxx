// From files to files: the examples as built against the installed package, counterwarp-align, and what the program
// `counterwarp` makes of its transform.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <itkAffineTransform.h>
#include <itkDisplacementFieldTransform.h>
#include <itkResampleImageFilter.h>
#include <itkTransformFileReader.h>
#include <itkTxtTransformIOFactory.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "head_fixture.h"
#include "itkCounterwarpJacobianDeterminantFilter.h"
#include "small_head.h"

namespace itk_test {
namespace {

struct Outcome {
  int code;
  std::string text;
};

class ItkPipeline : public Head {
 protected:
  // Runs a program; text: what it wrote to stdout and stderr.
  Outcome Run(const std::string &line) {
    const int status = std::system((line + " > '" + folder.name("text") + "' 2>&1").c_str());
    std::ifstream in(folder.name("text"));
    std::ostringstream text;
    text << in.rdbuf();
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text.str()};
  }
  // ch2 with its skull, turned and shifted by its header.
  std::string Scan() {
    auto scan = Read<itk::Image<unsigned char, 3>>(kHead);
    Move(scan.GetPointer(), motion);
    auto writer = itk::ImageFileWriter<itk::Image<unsigned char, 3>>::New();
    writer->SetFileName(folder.name("scan.nii.gz"));
    writer->SetInput(scan);
    writer->Update();
    return "'" + folder.name("scan.nii.gz") + "'";
  }
  std::string File(const std::string &name) { return "'" + folder.name(name) + "'"; }

  // The warped image by ITK alone: the field read as a file, as a transform, through ResampleImageFilter.
  double DifferenceFromItk(const std::string &image_file, const std::string &field_file) {
    auto scan = Read<Scalar>(folder.name("scan.nii.gz"));
    auto warped = Read<Scalar>(folder.name(image_file));
    auto field = Read<DoubleField>(folder.name(field_file));
    auto transform = itk::DisplacementFieldTransform<double, 3>::New();
    transform->SetDisplacementField(field);
    auto resample = itk::ResampleImageFilter<Scalar, Scalar>::New();
    resample->SetInput(scan);
    resample->SetTransform(transform);
    resample->SetUseReferenceImage(true);
    resample->SetReferenceImage(scan);
    resample->Update();
    EXPECT_GT(largest_difference(warped.GetPointer(), scan.GetPointer()), 20) << "nothing was warped";
    return largest_difference(warped.GetPointer(), resample->GetOutput(), 8);
  }

  const cw_affine motion = Motion(0.12, -0.06, 0.1, 1.0, 14);
};

TEST_F(ItkPipeline, ExampleReadsAlignsSimulatesWrites) {
  const std::string scan = Scan();
  const Outcome made = Run(CW_EXAMPLES "/simulate " + scan + " " + File("model.onnx") + " 1 " + File("image.nii.gz") +
                           " " + File("field.nii.gz"));
  ASSERT_EQ(made.code, 0) << made.text;
  EXPECT_NE(made.text.find("logit "), std::string::npos) << made.text;
  EXPECT_LT(DifferenceFromItk("image.nii.gz", "field.nii.gz"), 0.01);

  const Outcome jacobian = Run(CW_EXAMPLES "/jacobian " + File("field.nii.gz") + " " + File("logj.nii.gz"));
  ASSERT_EQ(jacobian.code, 0) << jacobian.text;
  auto filter = itk::CounterwarpJacobianDeterminantFilter<Field>::New();
  filter->SetInput(Read<Field>(folder.name("field.nii.gz")));
  filter->LogarithmOn();
  filter->Update();
  EXPECT_EQ(largest_difference(Read<Scalar>(folder.name("logj.nii.gz")).GetPointer(), filter->GetOutput()), 0);
  EXPECT_EQ(Run(CW_EXAMPLES "/simulate").code, 2);
  EXPECT_EQ(Run(CW_EXAMPLES "/jacobian nowhere.nii.gz x.nii.gz").code, 1);

  // The same through the two programs: aligned by one, simulated by the other.
  const Outcome aligned = Run(CW_ALIGN " " + scan + " --model " + File("model.onnx") + " --out " + File("a.tfm"));
  ASSERT_EQ(aligned.code, 0) << aligned.text;
  itk::TxtTransformIOFactory::RegisterOneFactory();
  auto reader = itk::TransformFileReader::New();
  reader->SetFileName(folder.name("a.tfm"));
  reader->Update();
  ASSERT_EQ(reader->GetTransformList()->size(), 1u);
  const auto *found = dynamic_cast<itk::AffineTransform<double, 3> *>(reader->GetTransformList()->front().GetPointer());
  ASSERT_NE(found, nullptr);
  EXPECT_LT(Error(itk::CounterwarpSamples::Affine(*found), motion), 2);
#ifdef CW_PROGRAM
  const Outcome simulated = Run(CW_PROGRAM " simulate --model " + File("model.onnx") + " --direction remove " +
                                "--convention lps --transform " + File("a.tfm") + " --out " + File("s") + " " + scan);
  ASSERT_EQ(simulated.code, 0) << simulated.text;
  EXPECT_LT(DifferenceFromItk("s/scan_desc-remove_image.nii.gz", "s/scan_desc-remove_field.nii.gz"), 0.01);
  EXPECT_LT(largest_difference(Read<Field>(folder.name("s/scan_desc-remove_field.nii.gz")).GetPointer(),
                               Read<Field>(folder.name("field.nii.gz")).GetPointer()),
            1e-3)
      << "mm; the transform went through a text file";
#endif
}

// The example's map is the one of `counterwarp saliency`.
TEST_F(ItkPipeline, ExampleExplains) {
  cw_context *context = nullptr;
  cw_graph *graph = nullptr;
  ASSERT_EQ(cw_context_create(nullptr, &context), CW_OK);
  ASSERT_EQ(linear_classifier(context, fake, &graph), CW_OK);
  write_classifier(context, graph, fake.grid, folder.name("classifier.onnx"));
  cw_graph_free(context, graph);
  cw_context_free(context);
  const std::string brain_file = "'" + std::string(kBrain) + "' ", model = File("classifier.onnx");
  const Outcome made = Run(CW_EXAMPLES "/saliency " + brain_file + model + " gradient-x-input " + File("map.nii.gz"));
  ASSERT_EQ(made.code, 0) << made.text;
  EXPECT_EQ(Run(CW_EXAMPLES "/saliency " + brain_file + model + " tea-leaves " + File("no.nii.gz")).code, 1);
#ifdef CW_PROGRAM
  const Outcome mapped = Run(CW_PROGRAM " saliency --methods gradient-x-input --model " + model + " --out " +
                             File("maps") + " " + brain_file);
  ASSERT_EQ(mapped.code, 0) << mapped.text;
  auto map = Read<Scalar>(folder.name("map.nii.gz"));
  auto zero = Scalar::New();
  zero->CopyInformation(map);
  zero->SetRegions(map->GetBufferedRegion());
  zero->Allocate(true);
  const double largest = largest_difference(map.GetPointer(), zero.GetPointer());
  EXPECT_GT(largest, 1e-4);
  EXPECT_LT(
      largest_difference(map.GetPointer(),
                         Read<Scalar>(folder.name("maps/ch2bet_desc-gradientXInput_saliency.nii.gz")).GetPointer()),
      1e-5 * largest);
#endif
}

// Files whose sform and qform differ: the transform is for the one that counterwarp reads, and that is said.
TEST_F(ItkPipeline, AlignGoesByTheSform) {
  auto scan = small_head(Kind::Identity, 3);
  auto writer = itk::ImageFileWriter<Scalar>::New();
  writer->SetFileName(folder.name("plain.nii"));
  writer->SetInput(scan);
  writer->Update();
  small_head_file(folder.name("small.onnx"));
  // The header's bytes: qform_code and sform_code, then the qform's offset.
  const auto with = [&](const char *name, short qform, short sform, float shift) {
    std::filesystem::copy_file(folder.name("plain.nii"), folder.name(name));
    std::fstream file(folder.name(name), std::ios::in | std::ios::out | std::ios::binary);
    float offset = 0;
    file.seekg(268).read(reinterpret_cast<char *>(&offset), sizeof offset);
    offset += shift;
    file.seekp(252).write(reinterpret_cast<const char *>(&qform), sizeof qform);
    file.write(reinterpret_cast<const char *>(&sform), sizeof sform);
    file.seekp(268).write(reinterpret_cast<const char *>(&offset), sizeof offset);
  };
  const auto align = [&](const char *name) {
    return Run(CW_ALIGN " " + File(name) + " --model " + File("small.onnx") + " --out " + File("a.tfm"));
  };
  const auto transform = [&] {
    std::ifstream in(folder.name("a.tfm"));
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  };
  with("same.nii", 1, 2, 0);
  const Outcome same = align("same.nii");
  ASSERT_EQ(same.code, 0) << same.text;
  EXPECT_EQ(same.text.find("sform"), std::string::npos) << same.text;
  const std::string expected = transform();
  with("apart.nii", 1, 2, 14);
  const Outcome apart = align("apart.nii");
  EXPECT_EQ(apart.code, 0) << apart.text;
  EXPECT_NE(apart.text.find("sform and qform place it up to 14.00 mm apart"), std::string::npos) << apart.text;
  EXPECT_EQ(transform(), expected);
  // Neither: counterwarp takes the axes as right, anterior, superior, from 0.
  with("neither.nii", 0, 0, 0);
  const Outcome neither = align("neither.nii");
  EXPECT_NE(neither.text.find("no sform and no qform"), std::string::npos) << neither.text;
}

TEST_F(ItkPipeline, AlignExplainsItself) {
  const Outcome help = Run(CW_ALIGN " --help");
  EXPECT_EQ(help.code, 0);
  for (const char *part : {"Example:\n  counterwarp-align scan.nii.gz --model simulator.onnx --out scan.tfm",
                           "--transform", "For research use only."})
    EXPECT_NE(help.text.find(part), std::string::npos) << help.text;
  const std::string scan = Scan(), model = File("model.onnx");
  const struct {
    std::string arguments;
    int code;
    const char *sentence;
  } cases[] = {
      {"", 2, "required"},
      {scan + " --model " + model + " --out a.nii", 2, ".tfm or .txt"},
      {"nowhere.nii.gz --model " + model + " --out a.tfm", 1, "nowhere.nii.gz: the scan is not there"},
      {scan + " --model nowhere.onnx --out a.tfm", 1, "nowhere.onnx: the model is not there"},
      {scan + " --model " + scan + " --out a.tfm", 1, "scan.nii.gz"},
      {model + " --model " + model + " --out a.tfm", 1, "model.onnx"},
      {scan + " --model " + model + " --out a.tfm --initial " + model, 1, "model.onnx"},
  };
  for (const auto &c : cases) {
    const Outcome outcome = Run(CW_ALIGN " " + c.arguments);
    EXPECT_EQ(outcome.code, c.code) << c.arguments << ": " << outcome.text;
    EXPECT_EQ(outcome.text.find("counterwarp-align: "), 0u) << outcome.text;
    EXPECT_NE(outcome.text.find(c.sentence), std::string::npos) << outcome.text;
    EXPECT_EQ(std::count(outcome.text.begin(), outcome.text.end(), '\n'), 1) << outcome.text;
  }
}

// On a terminal: the line of progress is gone before the program says that it was stopped.
TEST_F(ItkPipeline, AlignStopsOnRequest) {
  Scan();
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(grantpt(terminal) | unlockpt(terminal), 0);
  const std::string scan = folder.name("scan.nii.gz"), model = folder.name("model.onnx"), out = folder.name("a.tfm");
  const int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY);
  ASSERT_GE(slave, 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(slave, STDERR_FILENO);
    execl(CW_ALIGN, CW_ALIGN, scan.c_str(), "--model", model.c_str(), "--out", out.c_str(), nullptr);
    _exit(127);
  }
  close(slave);
  std::string text;
  char some[256];
  bool asked = false;
  for (ssize_t count; (count = read(terminal, some, sizeof some)) > 0;) {  // fails when the program has ended
    text.append(some, size_t(count));
    if (!asked && text.find('%') != std::string::npos)
      asked = !kill(child, SIGINT);
  }
  close(terminal);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGINT) << status << ": " << text;
  const size_t sentence = text.find("counterwarp-align: Stopped on request."), wiped = text.rfind("\r\033[K");
  ASSERT_NE(sentence, std::string::npos) << text;
  EXPECT_EQ(wiped + 4, sentence) << "something stands before the sentence";
  EXPECT_FALSE(std::filesystem::exists(out));
}

// What ITK and the filter warn of are sentences of the program.
TEST_F(ItkPipeline, AlignWarnsInItsOwnWords) {
  auto scan = small_head(Kind::Identity, 3);
  each(scan.GetPointer(), [](float &value, const Point &, long) { value = 120 - value; });  // bright where it was dark
  auto writer = itk::ImageFileWriter<Scalar>::New();
  writer->SetFileName(folder.name("turned.nii"));
  writer->SetInput(scan);
  writer->Update();
  small_head_file(folder.name("small.onnx"));
  const Outcome outcome =
      Run(CW_ALIGN " " + File("turned.nii") + " --model " + File("small.onnx") + " --out " + File("a.tfm"));
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_EQ(outcome.text.find("counterwarp-align: warning: the aligned scan"), 0u) << outcome.text;
  EXPECT_EQ(outcome.text.find("WARNING"), std::string::npos) << outcome.text;
  EXPECT_EQ(outcome.text.find("0x"), std::string::npos) << outcome.text;
  std::istringstream lines(outcome.text);
  for (std::string line; std::getline(lines, line);)
    EXPECT_TRUE(line.rfind("counterwarp-align: warning: ", 0) == 0 || line.rfind("Wrote ", 0) == 0) << line;
}

// Images that are no 3-D scan: one sentence, no guess.
TEST_F(ItkPipeline, AlignRefusesOtherDimensions) {
  const auto write = [&](auto image, const char *file) {
    using TImage = typename decltype(image)::ObjectType;
    auto writer = itk::ImageFileWriter<TImage>::New();
    writer->SetFileName(folder.name(file));
    writer->SetInput(image);
    writer->Update();
  };
  auto flat = itk::Image<float, 2>::New();
  flat->SetRegions(itk::Size<2>{{20, 20}});
  flat->Allocate(true);
  write(flat, "flat.nii.gz");
  auto series = itk::Image<float, 4>::New();
  series->SetRegions(itk::Size<4>{{9, 9, 9, 3}});
  series->Allocate(true);
  write(series, "series.nii.gz");
  for (const char *file : {"flat.nii.gz", "series.nii.gz"}) {
    const Outcome outcome =
        Run(CW_ALIGN " " + File(file) + " --model " + File("model.onnx") + " --out " + File("a.tfm"));
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.text.find("expected one 3-D volume of one component"), std::string::npos) << outcome.text;
    EXPECT_FALSE(std::filesystem::exists(folder.name("a.tfm")));
  }
}

}  // namespace
}  // namespace itk_test
