// CUDA's language as clang knows it, declared and no more: clang then tells whether host and device code keep apart, which the emulation cannot see.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>

#define __CUDACC__
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __host__ __attribute__((host))
#define __shared__ __attribute__((shared))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))

struct CUstream_st;
struct dim3 {
    unsigned x, y, z;
    __host__ __device__ dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct Place {
    unsigned x, y, z;
};
extern const __device__ Place threadIdx, blockIdx, blockDim, gridDim;

// What a launch becomes, in older and newer versions.
extern "C" int cudaConfigureCall(dim3 grid, dim3 block, size_t shared = 0, CUstream_st* stream = nullptr);
extern "C" int __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared = 0, CUstream_st* stream = nullptr);

struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};

__device__ void __syncthreads();
__device__ float __shfl_xor_sync(unsigned mask, float x, int lanes);
__device__ float __expf(float x);
__device__ float rsqrtf(float x);
__device__ float fmaxf(float x, float y);
__device__ float logf(float x);
__device__ float expf(float x);
__device__ float log1pf(float x);
__device__ float fabsf(float x);
