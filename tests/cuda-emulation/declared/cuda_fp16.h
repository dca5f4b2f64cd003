#pragma once
#include "cuda_runtime.h"

struct __half {
    uint16_t bits;
};
__device__ float __half2float(__half x);
__device__ __half __float2half_rn(float x);
