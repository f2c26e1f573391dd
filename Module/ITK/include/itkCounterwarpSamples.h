#ifndef itkCounterwarpSamples_h
#define itkCounterwarpSamples_h

#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "counterwarp/view.h"
#include "itkImage.h"
#include "itkMatrixOffsetTransformBase.h"
#include "itkNumericTraits.h"
#include "itkVector.h"

namespace itk {
/** Images as the core sees them.  Float samples are borrowed, others copied. \ingroup ITKCounterwarp */
namespace CounterwarpSamples {
using FieldType = Image<Vector<float, 3>, 3>;

/** The grid of a region: its first sample is the grid's sample 0.  ITK's world is the core's (LPS, mm). */
inline cw_grid Grid(const ImageBase<3> *image, const ImageRegion<3> &region) {
  cw_grid grid{};
  const auto start = image->template TransformIndexToPhysicalPoint<double>(region.GetIndex());
  for (unsigned int r = 0; r < 3; ++r) {
    if (region.GetSize(r) > static_cast<SizeValueType>(std::numeric_limits<int>::max())) {
      itkGenericExceptionMacro("A region of " << region.GetSize() << " samples is larger than the core can take");
    }
    grid.size[r] = static_cast<int>(region.GetSize(r));
    grid.to_world.m[r][3] = start[r];
    for (unsigned int c = 0; c < 3; ++c) {
      grid.to_world.m[r][c] = image->GetDirection()(r, c) * image->GetSpacing()[c];
    }
  }
  return grid;
}

/** Gives an image the grid's geometry, and a region that starts at 0. */
inline void SetGrid(ImageBase<3> *image, const cw_grid &grid) {
  double spacing[3];
  cw_grid_spacing(&grid, spacing);
  ImageBase<3>::RegionType region;
  ImageBase<3>::PointType origin;
  ImageBase<3>::DirectionType direction;
  for (unsigned int r = 0; r < 3; ++r) {
    region.SetSize(r, static_cast<SizeValueType>(grid.size[r]));
    origin[r] = grid.to_world.m[r][3];
    for (unsigned int c = 0; c < 3; ++c) {
      direction(r, c) = grid.to_world.m[r][c] / spacing[c];
    }
  }
  image->SetRegions(region);
  image->SetOrigin(origin);
  image->SetSpacing(spacing);
  image->SetDirection(direction);
}

/** The affine of a transform: q = M p + offset. */
inline cw_affine Affine(const MatrixOffsetTransformBase<double, 3, 3> &transform) {
  cw_affine affine;
  for (unsigned int r = 0; r < 3; ++r) {
    affine.m[r][3] = transform.GetOffset()[r];
    for (unsigned int c = 0; c < 3; ++c) {
      affine.m[r][c] = transform.GetMatrix()(r, c);
    }
  }
  return affine;
}

/** Number of components of a pixel: 1 for scalars, 3 for vectors. */
template <typename TPixel>
struct Pixel {
  static_assert(std::is_arithmetic<TPixel>::value,
                "Counterwarp takes images of scalars and of vectors with 3 components");
  using ComponentType = TPixel;
  static constexpr int Components = 1;
};
template <typename TComponent>
struct Pixel<Vector<TComponent, 3>> {
  using ComponentType = TComponent;
  static constexpr int Components = 3;
};

/** Rounds to the nearest whole number and stays within the type's range; NaN becomes 0. */
template <typename TOutput>
TOutput Cast(float value) {
  if (std::is_integral<TOutput>::value) {
    constexpr auto low = static_cast<float>(std::numeric_limits<TOutput>::lowest());
    constexpr auto high = static_cast<float>(std::numeric_limits<TOutput>::max());
    if (!(value > low)) {
      return std::isnan(value) ? TOutput{} : std::numeric_limits<TOutput>::lowest();
    }
    return value < high ? static_cast<TOutput>(std::floor(value + 0.5F)) : std::numeric_limits<TOutput>::max();
  }
  return static_cast<TOutput>(value);
}

/** \class RegionView
 * \brief The samples of a region of an image, as a view.
 *
 * Read: float samples are seen where they lie, others are copied.  To write, call Store() at the end: it casts what was
 * written into a copy. */
template <typename TImage>
class RegionView {
 public:
  ITK_DISALLOW_COPY_AND_MOVE(RegionView);

  using PixelType = typename TImage::PixelType;
  using ComponentType = typename Pixel<PixelType>::ComponentType;
  static constexpr int Components = Pixel<PixelType>::Components;
  static constexpr bool IsBorrowed = std::is_same<ComponentType, float>::value;

  static_assert(TImage::ImageDimension == 3, "Counterwarp filters need images of dimension 3");

  /** read: whether there are samples to look at, or only room for what will be written. */
  RegionView(const TImage *image, const ImageRegion<3> &region, bool read) : m_Image(image), m_Region(region) {
    m_View.grid = Grid(image, region);
    m_View.components = Components;
    m_View.component_step = 1;
    const auto size = region.GetSize(), buffered = image->GetBufferedRegion().GetSize();
    if (IsBorrowed) {
      SetSteps(buffered[0], buffered[1]);
      m_View.data = reinterpret_cast<float *>(const_cast<PixelType *>(image->GetBufferPointer())) +
                    Components * image->ComputeOffset(region.GetIndex());
    } else {
      m_Copy.resize(Components * region.GetNumberOfPixels());
      SetSteps(size[0], size[1]);
      m_View.data = m_Copy.data();
      if (read) {
        ForEachRow([](ComponentType *there, float *here, SizeValueType n) {
          std::transform(there, there + n, here, [](ComponentType value) { return static_cast<float>(value); });
        });
      }
    }
  }

  const cw_view *GetView() const { return &m_View; }

  /** The samples as a borrowed volume; the region must be the whole buffer, and the pixels scalars. */
  cw_volume GetVolume() const {
    static_assert(Components == 1, "A volume has its components one after another");
    return {m_View.grid, 1, m_View.data};
  }

  /** Casts what was written into the image, where it was not written there. */
  void Store() {
    if (!IsBorrowed) {
      ForEachRow([](ComponentType *there, float *here, SizeValueType n) {
        std::transform(here, here + n, there, [](float value) { return Cast<ComponentType>(value); });
      });
    }
  }

 private:
  void SetSteps(SizeValueType row, SizeValueType slice) {
    m_View.step[0] = Components;
    m_View.step[1] = Components * static_cast<std::ptrdiff_t>(row);
    m_View.step[2] = m_View.step[1] * static_cast<std::ptrdiff_t>(slice);
  }

  template <typename TVisit>
  void ForEachRow(TVisit visit) {
    const auto size = m_Region.GetSize();
    auto index = m_Region.GetIndex();
    float *here = m_Copy.data();
    auto *pixels = const_cast<PixelType *>(m_Image->GetBufferPointer());
    for (SizeValueType k = 0; k < size[2]; ++k) {
      for (SizeValueType j = 0; j < size[1]; ++j, here += Components * size[0]) {
        const Index<3> at{
            {index[0], index[1] + static_cast<IndexValueType>(j), index[2] + static_cast<IndexValueType>(k)}};
        visit(reinterpret_cast<ComponentType *>(pixels + m_Image->ComputeOffset(at)), here, Components * size[0]);
      }
    }
  }

  const TImage *m_Image;
  ImageRegion<3> m_Region;
  cw_view m_View{};
  std::vector<float> m_Copy;
};
}  // end namespace CounterwarpSamples
}  // end namespace itk

#endif
