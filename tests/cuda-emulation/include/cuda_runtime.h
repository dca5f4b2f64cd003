// What the CUDA kernels use of CUDA's language and library, on the CPU: a block's threads are fibers (fibers.cpp), one after another in an order drawn by a
// seed. Launches and shared arrays are spelled in ways that no header can take over; eng/cuda-emulation.sh rewrites those two.
#pragma once
#include "fibers.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)

#define threadIdx (::emulated::thread_index)
#define blockIdx (::emulated::block_index)
#define blockDim (::emulated::block_size)
#define gridDim (::emulated::grid_size)
#define __syncthreads() ::emulated::barrier(__FILE__, __LINE__)

struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};

inline float __shfl_xor_sync(uint32_t mask, float x, int lanes) {
    return std::bit_cast<float>(::emulated::exchange(mask, std::bit_cast<uint32_t>(x), lanes));
}

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __expf(float x) { return ::emulated::fast_exp(x); }
