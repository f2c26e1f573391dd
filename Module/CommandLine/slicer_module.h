// What the command-line modules of 3D Slicer have in common (slicer_main.cxx) and what each declares of its own.
#pragma once

#include <string_view>

#include "commands.h"

namespace program {

// The module's description, that --xml prints: a file of Resources/Slicer.
std::string_view module_xml();
// Declares the options that the description names, and sets the work.
void declare_module(Program &program);

}  // namespace program
