#include "qCounterwarpMessages.h"

#include <algorithm>
#include <QLabel>

void qCounterwarpMessages::write(QLabel *label, Kind kind, const QString &text) {
  static const char *const styles[] = {"background: #e3edf9; color: #12324f;", "background: #fdf0cd; color: #533f03;",
                                       "background: #f9dedc; color: #5f1512;"};
  label->setStyleSheet(QStringLiteral("QLabel { border-radius: 4px; %1 }").arg(QLatin1String(styles[kind])));
  label->setText(text);
  label->setVisible(!text.isEmpty());
}

void qCounterwarpMessages::say(Kind kind, const QString &text) {
  kind_ = kind;
  choice_ = text;
  show();
}

void qCounterwarpMessages::sayOfPosition(Kind kind, const QString &text) {
  if (text == position_ && kind == position_kind_)
    return;
  position_kind_ = kind;
  position_ = text;
  show();
}

void qCounterwarpMessages::warn(const QString &text) {
  if (!warnings_.contains(text))
    warnings_ << text;
  show();
}

void qCounterwarpMessages::forgetScan() {
  warnings_.clear();
  position_.clear();
  show();
}

void qCounterwarpMessages::show() {
  Kind kind = warnings_.isEmpty() ? Info : Warning;
  QStringList lines;
  if (!choice_.isEmpty()) {
    lines << choice_;
    kind = std::max(kind, kind_);
  }
  if (!position_.isEmpty()) {
    lines << position_;
    kind = std::max(kind, position_kind_);
  }
  lines << warnings_;
  write(label_, kind, lines.join(QLatin1Char('\n')));
}
