// Where a classifier looks in a scan that lies where the model expects it, by a method such as gradcam.signed.
//   saliency SCAN CLASSIFIER METHOD OUT
#include <itkImageFileReader.h>
#include <itkImageFileWriter.h>

#include <iostream>

#include "itkCounterwarpSaliencyImageFilter.h"

int main(int argc, char **argv) {
  if (argc != 5) {
    std::cerr << "usage: saliency SCAN CLASSIFIER METHOD OUT" << std::endl;
    return 2;
  }
  using ImageType = itk::Image<float, 3>;
  try {
    auto reader = itk::ImageFileReader<ImageType>::New();
    reader->SetFileName(argv[1]);
    auto model = itk::CounterwarpModel::New();
    model->ReadFile(argv[2]);
    auto saliency = itk::CounterwarpSaliencyImageFilter<ImageType>::New();
    saliency->SetInput(reader->GetOutput());
    saliency->SetModel(model);
    saliency->SetMethod(argv[3]);
    auto writer = itk::ImageFileWriter<ImageType>::New();
    writer->SetFileName(argv[4]);
    writer->SetInput(saliency->GetOutput());
    writer->Update();
    std::cout << "explained: " << saliency->GetExplainedValue() << std::endl;
  } catch (const itk::ExceptionObject &e) {
    std::cerr << e << std::endl;
    return 1;
  }
  return 0;
}
