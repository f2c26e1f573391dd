#ifndef vtkSlicerCounterwarpLogic_h
#define vtkSlicerCounterwarpLogic_h

#include <vtkSlicerModuleLogic.h>
#include <vtkSmartPointer.h>

#include <string>
#include <vector>

#include "counterwarp/results.h"
#include "vtkSlicerCounterwarpModuleLogicExport.h"

class vtkImageData;
class vtkMRMLColorTableNode;
class vtkMRMLGridTransformNode;
class vtkMRMLScalarVolumeNode;
class vtkMRMLScriptedModuleNode;
class vtkMRMLTableNode;

/// MRML in, MRML out: volumes of a scene as the core's, and the core's results as nodes beside their scan.  No
/// arithmetic but the change between Slicer's RAS and the core's LPS.
///
/// An output knows its scan (a node reference) and its role (an attribute): a repeated run on the same scan updates it,
/// a run on another scan makes its own, and a scene that was saved finds both again.  What it was made with is recorded
/// on it (Record).
///
/// Limitations: a scan under a non-linear transform is refused (harden it first); under a linear one it is taken where
/// it lies in the world, and its outputs are put under the same transform.
class VTK_SLICER_COUNTERWARP_MODULE_LOGIC_EXPORT vtkSlicerCounterwarpLogic : public vtkSlicerModuleLogic {
 public:
  static vtkSlicerCounterwarpLogic *New();
  vtkTypeMacro(vtkSlicerCounterwarpLogic, vtkSlicerModuleLogic);
  void PrintSelf(ostream &os, vtkIndent indent) override;

  /// Sentences and names of nodes go through this; as they are for nullptr.
  typedef std::string (*Translator)(const char *text);
  void SetTranslator(Translator translator) { this->Translate = translator; }

  /// The module's settings; nullptr without a scene.
  vtkMRMLScriptedModuleNode *GetParameterNode();

  /// The node's samples and its place in the world.  False with one sentence in *problem where that cannot be.
  bool ReadVolume(vtkMRMLScalarVolumeNode *node, cw_context *context, cw_volume *volume, std::string *problem);

  /// Reads an image file into the scene, as labels where asked for; nullptr where it cannot be read.
  vtkMRMLScalarVolumeNode *LoadVolume(const std::string &file, const std::string &name, bool labels);
  /// The name of a region of an atlas: of the atlas's own colours, else of the table beside its file (FILE.nii.txt,
  /// lines of number and name); "" where neither has one.
  std::string RegionName(vtkMRMLScalarVolumeNode *atlas, int label);

  /// A simulation as images that the scene then takes without copying.  Copies of large volumes take longer than a
  /// window may stand still: this belongs to no scene and runs in any thread.
  struct Images {
    vtkSmartPointer<vtkImageData> image, jacobian, overlay, field;
  };
  static Images MakeImages(const cw_simulation &simulation);
  /// Output volumes on the scan's own grid, under its parent transform.
  vtkMRMLScalarVolumeNode *PutImage(vtkMRMLScalarVolumeNode *scan, vtkImageData *image);
  vtkMRMLScalarVolumeNode *PutJacobian(vtkMRMLScalarVolumeNode *scan, vtkImageData *jacobian);
  /// -log J in the colours of Colours() from -scale to scale: below 0 where tissue shrank.
  vtkMRMLScalarVolumeNode *PutOverlay(vtkMRMLScalarVolumeNode *scan, vtkImageData *overlay, double scale);
  /// A pull-back on a grid in LPS mm as a grid transform in the world: a scan put under it and hardened is the
  /// simulated one.  Where the scan is under a transform already, it is that transform which is put under this one.
  vtkMRMLGridTransformNode *PutField(vtkMRMLScalarVolumeNode *scan, vtkImageData *field, const cw_grid &grid);
  /// A saliency map in the same colours from -scale to scale; its method and verdict as attributes.
  vtkMRMLScalarVolumeNode *PutSaliency(vtkMRMLScalarVolumeNode *scan, const cw_volume &map, double scale,
                                       const std::string &method, const std::string &verdict);
  /// Images on a grid of their own that are only looked at and not saved with the scene: the scan while the slider
  /// moves, and the model's mean training scan.
  enum Passing { Preview, Reference };
  vtkMRMLScalarVolumeNode *PutPassing(Passing what, const cw_grid &grid, const float *image,
                                      vtkMRMLScalarVolumeNode *scan);
  /// Shows such an image from black at `least` to `white`; what is under `least` is transparent.
  void ShowFrom(vtkMRMLScalarVolumeNode *passing, double least, double white);
  /// Removes them, of whatever scan.
  void RemovePassing(Passing what);
  /// Table, series and chart of the logit against the strength.
  vtkMRMLTableNode *PutCurve(vtkMRMLScalarVolumeNode *scan, const std::vector<double> &strengths,
                             const std::vector<double> &logits);
  struct Region {
    std::string name;
    int label;
    double percent;
    double voxels;
  };
  /// No rows empty the table that is there, and make none; nullptr where there is none.
  vtkMRMLTableNode *PutRegions(vtkMRMLScalarVolumeNode *scan, const std::vector<Region> &regions);

  /// What an output was made with, as its attributes Counterwarp.Model, Counterwarp.Alignment and Counterwarp.Strength
  /// ("" takes one away).
  struct Origin {
    std::string model, alignment, strength;
  };
  void Record(vtkMRMLNode *output, const Origin &origin);

  /// The colours of changes and saliency: those of counterwarp-viewer's legend, transparent in the middle.  Slicer
  /// knows no shades of transparency in a colour table: what the viewer shows fainter than some limit is left out.
  vtkMRMLColorTableNode *Colours();

  /// Background and foreground of the slice views; either may be nullptr.
  void Show(vtkMRMLScalarVolumeNode *background, vtkMRMLScalarVolumeNode *foreground, double opacity);

 protected:
  vtkSlicerCounterwarpLogic();
  ~vtkSlicerCounterwarpLogic() override;

 private:
  vtkSlicerCounterwarpLogic(const vtkSlicerCounterwarpLogic &) = delete;
  void operator=(const vtkSlicerCounterwarpLogic &) = delete;

  /// Outputs of a role; of any scan for nullptr.
  std::vector<vtkMRMLNode *> Outputs(const char *role, const char *node_class, vtkMRMLNode *scan);
  vtkMRMLNode *Output(const char *role, const char *node_class, vtkMRMLNode *scan, const char *ending);
  vtkMRMLScalarVolumeNode *PutVolume(const char *role, const char *ending, vtkMRMLScalarVolumeNode *scan,
                                     vtkImageData *image);
  void Colour(vtkMRMLScalarVolumeNode *node, double scale);
  std::string Words(const char *text, const std::string &name = std::string()) const;
  void Beside(vtkMRMLNode *scan, vtkMRMLNode *output);

  Translator Translate = nullptr;
};

#endif
