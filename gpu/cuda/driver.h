// The driver of the machine the program runs on, which may have none; see driver.c.
#pragma once

#include <cuda.h>

// driver_problem is why no device can be used, NULL where the driver was found and is at work. Valid once cuInit was called,
// which package cu does when the program starts.
const char *driver_problem(void);
