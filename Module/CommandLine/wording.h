// Sentences that appear in side-cars, on the page and in help alike.
#pragma once

namespace program {

inline constexpr const char *sign_text =
    "The field is a pull-back, out(x) = in(x + u(x)), in mm; J = det(I + du/dx) of that field is above 1 (log J above "
    "0) where tissue shrank. The change of tissue volume is 1/J - 1 on the simulated scan, negative where it shrank.";

inline constexpr const char *research_text = "For research use only.";

}  // namespace program
