#ifndef vtkSlicerCounterwarpLogic_h
#define vtkSlicerCounterwarpLogic_h

#include <vtkSlicerModuleLogic.h>

#include <string>
#include <vector>

#include "counterwarp/results.h"
#include "vtkSlicerCounterwarpModuleLogicExport.h"

class vtkImageData;
class vtkMRMLScalarVolumeNode;
class vtkMRMLScriptedModuleNode;

/// MRML in, MRML out: volumes of a scene as the core's, and the core's results as nodes beside their scan.  No
/// arithmetic but the change between Slicer's RAS and the core's LPS.
///
/// Outputs are found again through references of the parameter node, so that a repeated run updates them, and a scene
/// that was saved finds them too.
///
/// Limitations: a scan under a non-linear transform is refused (harden it first); under a linear one it is taken where
/// it lies in the world, and its outputs are put under the same transform.
class VTK_SLICER_COUNTERWARP_MODULE_LOGIC_EXPORT vtkSlicerCounterwarpLogic : public vtkSlicerModuleLogic {
 public:
  static vtkSlicerCounterwarpLogic *New();
  vtkTypeMacro(vtkSlicerCounterwarpLogic, vtkSlicerModuleLogic);
  void PrintSelf(ostream &os, vtkIndent indent) override;

  /// The module's settings and its references to outputs; nullptr without a scene.
  vtkMRMLScriptedModuleNode *GetParameterNode();

  /// The node's samples and its place in the world.  False with one sentence in *problem where that cannot be.
  bool ReadVolume(vtkMRMLScalarVolumeNode *node, cw_context *context, cw_volume *volume, std::string *problem);

  /// Output volumes on the scan's own grid, under its parent transform.
  vtkMRMLScalarVolumeNode *PutImage(vtkMRMLScalarVolumeNode *scan, const cw_volume &image);
  vtkMRMLScalarVolumeNode *PutJacobian(vtkMRMLScalarVolumeNode *scan, const cw_volume &jacobian);
  /// -log J with a diverging colour map from -scale to scale: below 0 where tissue shrank.
  vtkMRMLScalarVolumeNode *PutOverlay(vtkMRMLScalarVolumeNode *scan, const cw_volume &log_jacobian, double scale);
  /// A pull-back in mm as a grid transform: a volume put under it and hardened is the simulated one.
  void PutField(vtkMRMLScalarVolumeNode *scan, const cw_volume &field);
  /// An image on the model's grid, shown while the slider moves; it is not saved with the scene.
  vtkMRMLScalarVolumeNode *PutPreview(const cw_grid &grid, const float *image, vtkMRMLScalarVolumeNode *like);
  void RemovePreview();
  /// Table, series and chart of the logit against the strength.
  void PutCurve(vtkMRMLScalarVolumeNode *scan, const std::vector<double> &strengths, const std::vector<double> &logits);
  struct Region {
    std::string name;
    int label;
    double percent;
    double voxels;
  };
  void PutRegions(vtkMRMLScalarVolumeNode *scan, const std::vector<Region> &regions);

  /// Background and foreground of the slice views; either may be nullptr.
  void Show(vtkMRMLScalarVolumeNode *background, vtkMRMLScalarVolumeNode *foreground, double opacity);

 protected:
  vtkSlicerCounterwarpLogic();
  ~vtkSlicerCounterwarpLogic() override;

 private:
  vtkSlicerCounterwarpLogic(const vtkSlicerCounterwarpLogic &) = delete;
  void operator=(const vtkSlicerCounterwarpLogic &) = delete;

  vtkMRMLNode *Output(const char *role, const char *node_class, vtkMRMLNode *scan, const char *ending);
  vtkMRMLScalarVolumeNode *PutVolume(const char *role, const char *ending, vtkMRMLScalarVolumeNode *scan,
                                     vtkImageData *image);
  void Beside(vtkMRMLNode *scan, vtkMRMLNode *output);
};

#endif
