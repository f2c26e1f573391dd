#include "qCounterwarpWords.h"

#include <cmath>
#include <cstring>
#include <QCoreApplication>
#include <QJsonDocument>
#include <QJsonObject>

namespace {

struct Words {
  Q_DECLARE_TR_FUNCTIONS(qCounterwarpWords)
};

// The anatomical direction that an index axis points to.
QString towards(const cw_grid &grid, int axis) {
  int most = 0;
  for (int r = 1; r < 3; r++)
    if (std::fabs(grid.to_world.m[r][axis]) > std::fabs(grid.to_world.m[most][axis]))
      most = r;
  static const char *const letters[3][2] = {{"R", "L"}, {"A", "P"}, {"I", "S"}};
  return QString::fromLatin1(letters[most][grid.to_world.m[most][axis] > 0]);
}

QString size(const cw_grid &grid) {
  double spacing[3];
  cw_grid_spacing(&grid, spacing);
  QStringList voxels, steps, extent;
  for (int a = 0; a < 3; a++) {
    voxels << QString::number(grid.size[a]);
    steps << QString::number(spacing[a], 'g', 3);
    extent << QString::number(grid.size[a] * spacing[a], 'g', 3);
  }
  const bool cube = steps[0] == steps[1] && steps[1] == steps[2];
  return Words::tr("%1 voxels of %2 mm (%3 mm, %4)")
      .arg(voxels.join(QStringLiteral(" × ")), cube ? steps[0] : steps.join(QStringLiteral(" × ")),
           extent.join(QStringLiteral(" × ")), towards(grid, 0) + towards(grid, 1) + towards(grid, 2));
}

QString normalization(const cw_preprocessing &p) {
  switch (p.normalization) {
    case CW_NORMALIZE_PERCENTILE:
      return Words::tr("divided by their %1th percentile").arg(p.high);
    case CW_NORMALIZE_ZSCORE:
      return Words::tr("mean 0 and standard deviation 1 over tissue");
    case CW_NORMALIZE_ZSCORE_ALL:
      return Words::tr("mean 0 and standard deviation 1 over the box");
    case CW_NORMALIZE_MINMAX:
      return Words::tr("from 0, the least, to 1, the largest");
    case CW_NORMALIZE_RANGE:
      return Words::tr("from 0 at %1 to 1 at %2, clipped").arg(p.low).arg(p.high);
    default:
      return Words::tr("as they are");
  }
}

QStringList list(const cw_strings &strings) {
  QStringList all;
  for (int i = 0; i < strings.count; i++)
    all << QString::fromUtf8(strings.item[i]);
  return all;
}

QString training(const cw_model &model) {
  const QJsonObject record = QJsonDocument::fromJson(QByteArray(model.provenance ? model.provenance : "")).object();
  QString text = model.trained_on.count ? Words::tr("%1 subjects").arg(model.trained_on.count)
                                        : Words::tr("subjects that are not recorded");
  const QString cohort = record.value(QStringLiteral("cohort")).toString();
  if (!cohort.isEmpty())
    text += Words::tr(" of %1").arg(cohort);
  if (model.held_out.count)
    text += Words::tr(", %1 held out").arg(model.held_out.count);
  return text;
}

}  // namespace

qCounterwarpModelInfo qCounterwarpWords::describe(const cw_model &model, const QString &file) {
  qCounterwarpModelInfo info;
  info.file = file;
  info.grid = model.preprocessing.grid;
  info.record = QString::fromUtf8(model.provenance ? model.provenance : "");
  info.trainedOn = list(model.trained_on);
  const QStringList lines = {
      Words::tr("Expects a T1 scan of any resolution, aligned as in its training."),
      Words::tr("Grid: %1").arg(size(info.grid)),
      Words::tr("Intensities %1; logit above 0 is patient, below 0 control.").arg(normalization(model.preprocessing)),
      Words::tr("Trained on %1; %2")
          .arg(training(model), model.field == CW_FIELD_VELOCITY ? Words::tr("diffeomorphic warp (velocity)")
                                                                 : Words::tr("displacement that may fold"))};
  info.expects = lines.join(QLatin1Char('\n'));
  return info;
}

QString qCounterwarpWords::describe(const cw_affine &alignment) {
  const double determinant = cw_affine_determinant(&alignment), scale = std::cbrt(determinant);
  const double trace = alignment.m[0][0] + alignment.m[1][1] + alignment.m[2][2];
  const double cosine = std::fmax(-1, std::fmin(1, (trace / scale - 1) / 2));
  const double moved = std::sqrt(alignment.m[0][3] * alignment.m[0][3] + alignment.m[1][3] * alignment.m[1][3] +
                                 alignment.m[2][3] * alignment.m[2][3]);
  return Words::tr(
             "Aligned: turned by about %1°, moved by %2 mm, scaled by %3. "
             "Look at the checkerboard before you trust it.")
      .arg(std::acos(cosine) * 180 / std::acos(-1.0), 0, 'f', 0)
      .arg(moved, 0, 'f', 0)
      .arg(scale, 0, 'f', 2);
}

QString qCounterwarpWords::failure(const char *message) {
  QString text = QString::fromUtf8(message).trimmed();
  if (text.isEmpty())
    return Words::tr("The work failed for want of memory.");
  text[0] = text[0].toUpper();
  return text.endsWith(QLatin1Char('.')) ? text : text + QLatin1Char('.');
}

QString qCounterwarpWords::stage(const char *name) {
  static const char *const known[] = {
      QT_TRANSLATE_NOOP("qCounterwarpWords", "preparing the scan"), QT_TRANSLATE_NOOP("qCounterwarpWords", "simulate"),
      QT_TRANSLATE_NOOP("qCounterwarpWords", "the logit along the strength"),
      QT_TRANSLATE_NOOP("qCounterwarpWords", "regions"), QT_TRANSLATE_NOOP("qCounterwarpWords", "resample")};
  for (const char *stage : known)
    if (std::strcmp(stage, name) == 0)
      return Words::tr(stage);
  return QString::fromUtf8(name);  // a name of its own, such as a method's
}

QString qCounterwarpWords::duration(double seconds) {
  const qint64 s = static_cast<qint64>(std::ceil(seconds));
  return s < 60 ? Words::tr("%1 s").arg(s) : Words::tr("%1 min %2 s").arg(s / 60).arg(s % 60, 2, 10, QLatin1Char('0'));
}
