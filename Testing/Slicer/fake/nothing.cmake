# What a real Slicer does here is not needed to configure.
