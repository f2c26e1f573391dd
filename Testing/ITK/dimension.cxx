// Compiled for DIMENSION 2, 3 and 4: only 3 may pass, and the others must say why.
#include <itkImage.h>
#include <itkVector.h>

#include "itkCounterwarpClassifyImageFilter.h"
#include "itkCounterwarpJacobianDeterminantFilter.h"
#include "itkCounterwarpWarpImageFilter.h"

int main() {
  using Scalar = itk::Image<float, DIMENSION>;
  using Field = itk::Image<itk::Vector<float, DIMENSION>, DIMENSION>;
  itk::CounterwarpWarpImageFilter<Scalar, Scalar, Field>::New()->Update();
  itk::CounterwarpJacobianDeterminantFilter<Field, float, Scalar>::New()->Update();
  itk::CounterwarpClassifyImageFilter<Scalar>::New()->Update();
}
