#include "results_fixture.h"
