// counterwarp-align: the affine that aligns a scan to a model, for `counterwarp --transform`.
#include <itkAffineTransform.h>
#include <itkImageFileReader.h>
#include <itkMetaDataObject.h>
#include <itkMetaImageIOFactory.h>
#include <itkNiftiImageIO.h>
#include <itkNiftiImageIOFactory.h>
#include <itkNrrdImageIOFactory.h>
#include <itkOutputWindow.h>
#include <itkTransformFileReader.h>
#include <itkTransformFileWriter.h>
#include <itkTxtTransformIOFactory.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <CLI/CLI.hpp>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <mutex>
#include <sstream>

#include "itkCounterwarpAlignToModelFilter.h"

namespace {

using ImageType = itk::Image<float, 3>;
using AlignType = itk::CounterwarpAlignToModelFilter<ImageType>;

enum Exit { exit_fine = 0, exit_failure = 1, exit_usage = 2 };

volatile std::sig_atomic_t stop_signal = 0;

struct Request {
  std::string scan, model, out, reference, initial;
  unsigned threads = 0;
  bool quiet = false;
};

// Asked to stop by a signal.
struct Stopped {};

void stop_if_asked() {
  if (stop_signal)
    throw Stopped();
}

// The second signal ends the program at once.
void listen_for_interruption() {
  struct sigaction action {};
  action.sa_handler = [](int signal) { stop_signal = signal; };
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

// What the program says while it works.  On a terminal the last line is that of progress, gone before anything else is
// said; ITK may say something in any of its threads.
class Terminal {
 public:
  void show(float progress) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::fprintf(stderr, "\r\033[KAligning: %3.0f %%", 100.0 * progress);
    open_ = true;
  }
  void wipe() {
    const std::lock_guard<std::mutex> lock(mutex_);
    wipe_line();
  }
  void say(const std::string &line) {
    const std::lock_guard<std::mutex> lock(mutex_);
    wipe_line();
    std::cerr << line << std::endl;
  }

 private:
  void wipe_line() {
    if (open_)
      std::fprintf(stderr, "\r\033[K");
    open_ = false;
  }

  std::mutex mutex_;
  bool open_ = false;
} terminal;

void warn(const std::string &sentence) {
  terminal.say("counterwarp-align: warning: " + sentence + (sentence.back() == '.' ? "" : "."));
}

// Without where in its source an ITK text comes from: "ITK ERROR: ", "WARNING: In FILE, line N", "Class (0xADDRESS): ".
std::string sentence_of(std::string text) {
  const auto drop = [&text](size_t at, size_t length) {
    text = at == std::string::npos ? text : text.substr(at + length);
  };
  if (text.rfind("WARNING: In ", 0) == 0)
    drop(text.find('\n'), 1);
  for (const std::string label : {"ITK ERROR: ", "WARNING: "})
    drop(text.rfind(label, 0), label.size());
  if (const size_t address = text.find("(0x"); address != std::string::npos)
    drop(text.find("): ", address), 3);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
    text.pop_back();
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text.empty() ? "ITK has no words for it" : text;
}

// Warnings of ITK and of the filter, as the program's own.
class Warnings : public itk::OutputWindow {
 public:
  ITK_DISALLOW_COPY_AND_MOVE(Warnings);
  using Self = Warnings;
  using Pointer = itk::SmartPointer<Self>;
  itkFactorylessNewMacro(Self);
  void DisplayText(const char *text) override { warn(sentence_of(text)); }

 protected:
  Warnings() = default;
  ~Warnings() override = default;
};

void need_file(const std::string &file, const std::string &what) {
  stop_if_asked();
  if (!std::filesystem::is_regular_file(file))
    throw std::runtime_error(file + ": " + what + " is not there.");
}

// Numbers of a NIfTI header, as ITK hands them on; zeros where there are none.
template <size_t count>
std::array<double, count> header_numbers(const itk::MetaDataDictionary &header, const std::string &key) {
  std::array<double, count> numbers{};
  std::string text;
  itk::ExposeMetaData<std::string>(header, key, text);
  std::istringstream in(text);
  for (double &number : numbers)
    in >> number;
  return numbers;
}

// Where counterwarp sees a NIfTI image: by its sform, else its qform, else with axes right, anterior, superior.
cw_grid counterwarp_grid(const ImageType *image, const itk::MetaDataDictionary &header, bool sform) {
  cw_grid grid = itk::CounterwarpSamples::Grid(image, image->GetLargestPossibleRegion());
  const int units = int(header_numbers<1>(header, "xyzt_units")[0]) & 7;
  const double mm = units == 1 ? 1000 : units == 3 ? 0.001 : 1;
  for (int r = 0; r < 3; r++) {
    const double sign = r < 2 ? -1 : 1;  // RAS in the file
    const auto row = header_numbers<4>(header, std::string("srow_") + "xyz"[r]);
    for (int c = 0; c < 4; c++)
      grid.to_world.m[r][c] = sign * (sform ? mm * row[c] : r == c ? image->GetSpacing()[c] : 0);
  }
  return grid;
}

// Largest distance in mm between where two grids of one size put a sample: it is at a corner.
double largest_distance(const cw_grid &a, const cw_grid &b) {
  double largest = 0;
  for (int corner = 0; corner < 8; corner++) {
    double index[3], p[3], q[3];
    for (int axis = 0; axis < 3; axis++)
      index[axis] = corner >> axis & 1 ? a.size[axis] - 1 : 0;
    cw_affine_apply(&a.to_world, index, p);
    cw_affine_apply(&b.to_world, index, q);
    largest = std::max(largest, std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]));
  }
  return largest;
}

// A NIfTI file may place its image twice, by sform and qform, and ITK may go by the one that counterwarp does not read:
// the transform is for counterwarp.
void place_as_counterwarp(ImageType *image, const itk::MetaDataDictionary &header, const std::string &file) {
  const bool sform = header_numbers<1>(header, "sform_code")[0] > 0,
             qform = header_numbers<1>(header, "qform_code")[0] > 0;
  if (qform && !sform)
    return;
  const cw_grid grid = counterwarp_grid(image, header, sform);
  const double apart = largest_distance(grid, itk::CounterwarpSamples::Grid(image, image->GetLargestPossibleRegion()));
  const auto spacing = image->GetSpacing();
  if (apart < 0.1 * std::min({spacing[0], spacing[1], spacing[2]}))
    return;
  itk::CounterwarpSamples::SetGrid(image, grid);
  if (!sform)
    return warn(
        file + ": no sform and no qform, so that its axes are taken as right, anterior, superior, as counterwarp does");
  std::ostringstream text;
  text << file << ": sform and qform place it up to " << std::setprecision(2) << std::fixed << apart
       << " mm apart; the transform is for the sform, as counterwarp reads it, and wrong in a program that goes by the "
          "qform";
  warn(text.str());
}

ImageType::Pointer read_image(const std::string &file, const std::string &what) {
  need_file(file, what);
  auto reader = itk::ImageFileReader<ImageType>::New();
  reader->SetFileName(file);
  reader->UpdateOutputInformation();
  const auto *io = reader->GetImageIO();
  unsigned volumes = 1, flat = 0;
  for (unsigned axis = 0; axis < io->GetNumberOfDimensions(); axis++) {
    volumes *= axis < 3 ? 1 : unsigned(io->GetDimensions(axis));
    flat += axis < 3 && io->GetDimensions(axis) == 1;
  }
  if (io->GetNumberOfDimensions() < 3 || flat || volumes != 1 || io->GetNumberOfComponents() != 1)
    throw std::runtime_error(file + ": " + what + " has " + std::to_string(io->GetNumberOfDimensions()) +
                             " dimensions, " + std::to_string(volumes) + " volumes and " +
                             std::to_string(io->GetNumberOfComponents()) +
                             " components, expected one 3-D volume of one component.");
  reader->Update();
  const ImageType::Pointer image = reader->GetOutput();
  if (dynamic_cast<const itk::NiftiImageIO *>(io))
    place_as_counterwarp(image, io->GetMetaDataDictionary(), file);
  return image;
}

AlignType::TransformType::Pointer read_transform(const std::string &file) {
  need_file(file, "the initial transform");
  auto reader = itk::TransformFileReader::New();
  reader->SetFileName(file);
  reader->Update();
  const auto *list = reader->GetTransformList();
  auto *affine = list->size() == 1 ? dynamic_cast<AlignType::TransformType *>(list->front().GetPointer()) : nullptr;
  if (!affine)
    throw std::runtime_error(file + ": expected one affine or rigid transform of 3-D points.");
  return affine;
}

// The file appears whole under its name, or not at all.
void write_transform(const AlignType::AffineType *affine, const std::string &file) {
  const std::filesystem::path out = file;
  if (!out.parent_path().empty())
    std::filesystem::create_directories(out.parent_path());
  const std::string part = file + ".part" + std::to_string(getpid()) + out.extension().string();
  try {
    auto writer = itk::TransformFileWriter::New();
    writer->SetFileName(part);
    writer->SetInput(affine);
    writer->Update();
    std::filesystem::rename(part, out);
  } catch (...) {
    std::error_code error;
    std::filesystem::remove(part, error);
    throw;
  }
}

void run(const Request &request) {
  itk::NiftiImageIOFactory::RegisterOneFactory();
  itk::NrrdImageIOFactory::RegisterOneFactory();
  itk::MetaImageIOFactory::RegisterOneFactory();
  itk::TxtTransformIOFactory::RegisterOneFactory();
  need_file(request.model, "the model");
  auto model = itk::CounterwarpModel::New();
  model->ReadFile(request.model);
  auto align = AlignType::New();
  align->SetModel(model);
  align->SetInput(read_image(request.scan, "the scan"));
  if (!request.reference.empty())
    align->SetTemplate(read_image(request.reference, "the template"));
  if (!request.initial.empty())
    align->SetInitialTransform(read_transform(request.initial));
  if (request.threads) {
    align->GetMultiThreader()->SetMaximumNumberOfThreads(request.threads);
    align->SetNumberOfWorkUnits(request.threads);
  }
  stop_if_asked();
  const bool shown = !request.quiet && isatty(STDERR_FILENO);
  align->AddObserver(itk::ProgressEvent(), [&](const itk::EventObject &) {
    if (stop_signal)
      align->AbortGenerateDataOn();
    else if (shown)
      terminal.show(align->GetProgress());
  });
  align->Update();
  terminal.wipe();
  stop_if_asked();
  write_transform(align->GetTransform(), request.out);
  if (!request.quiet)
    std::cerr << "Wrote " << request.out << " (mutual information " << -align->GetMetricValue() << ")." << std::endl;
}

int complain(const std::string &text, int code) {
  const std::string sentence = sentence_of(text);
  terminal.say("counterwarp-align: " + sentence + (sentence.back() == '.' ? "" : "."));
  return code;
}

}  // namespace

int main(int argc, char **argv) {
  Request request;
  CLI::App parser{
      "Aligns a scan to a model: writes the affine that `counterwarp ... --transform` takes.\n"
      "It maps points of the model's space to points of the scan (LPS, mm).",
      "counterwarp-align"};
  parser.set_version_flag("--version", std::string("counterwarp-align ") + cw_version() + " (for research use only)");
  parser.add_option("SCAN", request.scan, "A 3-D image (NIfTI, NRRD, MetaImage), skull and all")->required();
  parser.add_option("--model", request.model, "The model, a classifier or a simulator")->required();
  parser.add_option("--out", request.out, "The transform to write (.tfm or .txt)")
      ->required()
      ->check([](const std::string &name) {
        const std::string extension = std::filesystem::path(name).extension().string();
        return extension == ".tfm" || extension == ".txt" ? "" : "the name must end in .tfm or .txt";
      });
  parser.add_option("--template", request.reference,
                    "An image in the model's space to align to, in place of the model's own template");
  parser.add_option("--initial", request.initial, "A rigid or affine transform to start from (ITK's text format)");
  parser.add_option("--threads", request.threads, "Threads; 0 means all processors")->check(CLI::Range(0, 1024));
  parser.add_flag("--quiet", request.quiet, "No progress and no remarks; warnings and errors stay");
  parser.footer(
      "Example:\n  counterwarp-align scan.nii.gz --model simulator.onnx --out scan.tfm\n  counterwarp simulate "
      "--model simulator.onnx --direction remove --transform scan.tfm --out simulations scan.nii.gz\n\n"
      "For research use only.");
  try {
    parser.parse(argc, argv);
  } catch (const CLI::Success &success) {
    return parser.exit(success);
  } catch (const CLI::ParseError &error) {
    return complain(error.what(), exit_usage);
  }
  listen_for_interruption();
  itk::OutputWindow::SetInstance(Warnings::New());
  try {
    run(request);
    return exit_fine;
  } catch (const Stopped &) {
    return complain("Stopped on request.", 128 + stop_signal);
  } catch (const itk::ProcessAborted &) {
    return complain("Stopped on request.", 128 + stop_signal);
  } catch (const itk::ExceptionObject &e) {
    return complain(e.GetDescription(), exit_failure);
  } catch (const std::exception &e) {
    return complain(e.what(), exit_failure);
  }
}
