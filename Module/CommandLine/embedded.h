// Files of Resources/report and Chart.js, compiled into the program (see CounterwarpEmbed.cmake).
#pragma once

#include <string_view>

namespace program::embedded {

extern const std::string_view page_html, report_css, report_js, chart_js;

}  // namespace program::embedded
