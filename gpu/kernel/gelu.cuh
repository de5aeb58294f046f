// Twin of gelu.go for kernels that end in it.
#pragma once

#include "device.cuh"

// gelu_of is x Φ(x).
__device__ __forceinline__ float gelu_of(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)); }
