// Where a displacement field shrinks tissue (above 0) and where it expands it (below 0).
//   jacobian FIELD OUT
#include <itkImageFileReader.h>
#include <itkImageFileWriter.h>

#include <iostream>

#include "itkCounterwarpJacobianDeterminantFilter.h"

int main(int argc, char **argv) {
  if (argc != 3) {
    std::cerr << "usage: jacobian FIELD OUT" << std::endl;
    return 2;
  }
  using FieldType = itk::Image<itk::Vector<float, 3>, 3>;
  try {
    auto reader = itk::ImageFileReader<FieldType>::New();
    reader->SetFileName(argv[1]);
    auto jacobian = itk::CounterwarpJacobianDeterminantFilter<FieldType>::New();
    jacobian->SetInput(reader->GetOutput());
    jacobian->LogarithmOn();
    auto writer = itk::ImageFileWriter<itk::Image<float, 3>>::New();
    writer->SetFileName(argv[2]);
    writer->SetInput(jacobian->GetOutput());
    writer->Update();
    std::cout << jacobian->GetNumberOfFolds() << " voxels folded" << std::endl;
  } catch (const itk::ExceptionObject &e) {
    std::cerr << e << std::endl;
    return 1;
  }
  return 0;
}
