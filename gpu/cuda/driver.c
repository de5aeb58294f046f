//go:build gpu

// The program is linked without libcuda.so.1, so that one binary starts on every machine: its calls of the driver are left
// undefined (see the script build), this constructor brings the driver into the process before Go starts, and the dynamic linker
// finds a function there when it is first called. Package cu calls cuInit when it is initialised and ends the process if that
// fails, so the two functions it could call without a driver are defined here: they pass on to the driver where there is one,
// and otherwise tell of no devices and keep the reason.
#include "driver.h"

#include <dlfcn.h>
#include <stdio.h>

#define HIDDEN __attribute__((visibility("hidden"))) // the driver's own calls of these names are not for this file

static CUresult (*driver_init)(unsigned int);
static CUresult (*driver_count)(int *);
static char problem[512];

__attribute__((constructor)) static void find_driver(void) {
	void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_GLOBAL);
	if (!driver) {
		snprintf(problem, sizeof problem, "no driver found: %s", dlerror());
		return;
	}
	*(void **)&driver_init = dlsym(driver, "cuInit");
	*(void **)&driver_count = dlsym(driver, "cuDeviceGetCount");
	if (!driver_init || !driver_count) {
		snprintf(problem, sizeof problem, "libcuda.so.1 is no CUDA driver: %s", dlerror());
	} else if (!dlsym(driver, "cuGraphInstantiateWithFlags")) { // the latest call; without it the process would end there
		snprintf(problem, sizeof problem, "the driver is too old: CUDA 11.4 or later is needed");
	}
}

HIDDEN CUresult CUDAAPI cuInit(unsigned int flags) {
	if (problem[0]) return CUDA_SUCCESS;
	CUresult r = driver_init(flags);
	if (r == CUDA_SUCCESS) return r;
	const char *name = NULL, *words = NULL;
	cuGetErrorName(r, &name);
	cuGetErrorString(r, &words);
	snprintf(problem, sizeof problem, "the driver does not start: error %d, %s, %s", (int)r, name ? name : "unknown", words ? words : "no text");
	return CUDA_SUCCESS;
}

HIDDEN CUresult CUDAAPI cuDeviceGetCount(int *count) {
	if (!problem[0]) return driver_count(count);
	*count = 0;
	return CUDA_SUCCESS;
}

HIDDEN const char *driver_problem(void) { return problem[0] ? problem : NULL; }
