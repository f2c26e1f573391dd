"""What the scripts that test against 3D Slicer share: checks that are told one by one, and an exit status."""
import sys

failures = []


def check(fine, what):
    print("ok   " if fine else "FAIL ", what)
    if not fine:
        failures.append(what)


def slicer_core():
    """PyPI's slicer-core and its VTK; ends with 77, skipped, where they are not installed."""
    try:
        import slicer
        import vtk
    except ImportError as error:
        print("skipped:", error)
        sys.exit(77)
    return slicer, vtk
