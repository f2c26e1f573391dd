// counterwarp-viewer: the panel for people without 3D Slicer.
#include <QApplication>
#include <QCommandLineParser>
#include <QDir>

#include "qCounterwarpViewer.h"

int main(int count, char **arguments) {
  QApplication application(count, arguments);
  QApplication::setApplicationName(QStringLiteral("counterwarp-viewer"));
  QApplication::setApplicationVersion(QString::fromLatin1(cw_version()));
  QCommandLineParser parser;
  parser.setApplicationDescription(
      QObject::tr("Takes a disease out of a scan, or puts it in, as a classifier sees it. For research use only."));
  parser.addHelpOption();
  parser.addVersionOption();
  const QCommandLineOption atlas(QStringLiteral("atlas"), QObject::tr("Labels for the table of regions."),
                                 QStringLiteral("file"));
  const QCommandLineOption demo(QStringLiteral("demo"), QObject::tr("Opens the demonstration."));
  parser.addOption(atlas);
  parser.addOption(demo);
  parser.addPositionalArgument(QStringLiteral("files"), QObject::tr("A scan (.nii, .nii.gz) and a model (.onnx)."),
                               QStringLiteral("[SCAN] [MODEL]"));
  parser.process(application);

  qCounterwarpViewer viewer;
  // Beside the installed program, or in the build folder.
  for (const char *place : {"../share/counterwarp/demo", "../../Resources/demo"}) {
    const QDir folder(QDir(QCoreApplication::applicationDirPath()).filePath(QLatin1String(place)));
    if (folder.exists() && !viewer.host()->hasDemo())
      viewer.host()->setDemoFolder(folder.canonicalPath());
  }
  viewer.resize(1180, 860);
  viewer.show();
  for (const QString &file : parser.positionalArguments())
    viewer.openFile(file);
  if (parser.isSet(atlas))
    viewer.host()->open(parser.value(atlas), qCounterwarpViewerHost::Atlas);
  if (parser.isSet(demo) && viewer.host()->hasDemo())
    viewer.host()->openDemo();
  return QApplication::exec();
}
