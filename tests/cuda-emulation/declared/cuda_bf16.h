#pragma once
#include "cuda_runtime.h"

struct __nv_bfloat16 {
    uint16_t bits;
};
__device__ float __bfloat162float(__nv_bfloat16 x);
__device__ __nv_bfloat16 __float2bfloat16_rn(float x);
