// The panel's messages: what the last choice led to, what is to be said of the slider's position, and warnings.
#pragma once

#include <QString>
#include <QStringList>

class QLabel;

class qCounterwarpMessages {
 public:
  enum Kind { Info, Warning, Error };
  // The label must outlive this.
  explicit qCounterwarpMessages(QLabel *label) : label_(label) { show(); }

  // A label in the colours of its kind, hidden where there is no text.
  static void write(QLabel *label, Kind kind, const QString &text);

  // Of the last choice; "" for nothing.
  void say(Kind kind, const QString &text);
  // Of the slider's position; stale as soon as it moves.
  void sayOfPosition(Kind kind, const QString &text);
  // Of the scan that is prepared, one sentence after the other.
  void warn(const QString &text);
  // The scan is given up: neither its warnings nor its position are of interest.
  void forgetScan();

 private:
  void show();

  QLabel *label_;
  Kind kind_ = Info, position_kind_ = Info;
  QString choice_, position_;
  QStringList warnings_;
};
