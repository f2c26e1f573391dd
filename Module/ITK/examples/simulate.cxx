// A scan straight from the scanner, with less of the disease: read, align, simulate, write.
//   simulate SCAN MODEL STRENGTH OUT_IMAGE OUT_FIELD
#include <itkImageFileReader.h>
#include <itkImageFileWriter.h>

#include <cstdlib>
#include <iostream>

#include "itkCounterwarpAlignToModelFilter.h"
#include "itkCounterwarpSimulateImageFilter.h"

int main(int argc, char **argv) {
  if (argc != 6) {
    std::cerr << "usage: simulate SCAN MODEL STRENGTH OUT_IMAGE OUT_FIELD" << std::endl;
    return 2;
  }
  using ImageType = itk::Image<float, 3>;
  using SimulateType = itk::CounterwarpSimulateImageFilter<ImageType>;
  try {
    auto reader = itk::ImageFileReader<ImageType>::New();
    reader->SetFileName(argv[1]);
    auto model = itk::CounterwarpModel::New();
    model->ReadFile(argv[2]);

    auto align = itk::CounterwarpAlignToModelFilter<ImageType>::New();
    align->SetInput(reader->GetOutput());
    align->SetModel(model);

    auto simulate = SimulateType::New();
    simulate->SetInput(reader->GetOutput());
    simulate->SetModel(model);
    simulate->SetTransformInput(align->GetTransformOutput());
    simulate->SetDirectionToRemove();
    simulate->SetStrength(std::atof(argv[3]));

    auto image = itk::ImageFileWriter<ImageType>::New();
    image->SetFileName(argv[4]);
    image->SetInput(simulate->GetOutput());
    image->Update();
    auto field = itk::ImageFileWriter<SimulateType::DisplacementFieldType>::New();
    field->SetFileName(argv[5]);
    field->SetInput(simulate->GetDisplacementField());
    field->Update();
    std::cout << "logit " << simulate->GetLogitBefore() << " -> " << simulate->GetLogitAfter() << std::endl;
  } catch (const itk::ExceptionObject &e) {
    std::cerr << e << std::endl;
    return 1;
  }
  return 0;
}
