// What the CUDA kernels share: element types, vectors of 16 bytes, sums over a block, and the choice of type and vector width.
#pragma once
#include "launch.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <type_traits>

namespace fovea::cuda {

__device__ inline float widen(float x) { return x; }
__device__ inline float widen(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline float widen(__half x) { return __half2float(x); }

__device__ inline void narrow(float x, float* to) { *to = x; }
__device__ inline void narrow(float x, __nv_bfloat16* to) { *to = __float2bfloat16_rn(x); }
__device__ inline void narrow(float x, __half* to) { *to = __float2half_rn(x); }

// N elements that are loaded and stored at once.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
    T at[N];
};

template <class T, int N>
__device__ inline Pack<T, N> load(const T* from, int64_t pack) {
    return reinterpret_cast<const Pack<T, N>*>(from)[pack];
}

template <class T, int N>
__device__ inline void store(T* to, int64_t pack, const Pack<T, N>& value) {
    reinterpret_cast<Pack<T, N>*>(to)[pack] = value;
}

constexpr int warp = 32;

// The sum over all threads of a block, known to all of them. `shared` holds a float for each warp; blocks are whole warps.
__device__ inline float block_sum(float x, float* shared) {
    for (int offset = warp / 2; offset > 0; offset /= 2) {
        x += __shfl_xor_sync(0xffffffffu, x, offset);
    }
    __syncthreads(); // the last use of `shared` is over
    if (threadIdx.x % warp == 0) {
        shared[threadIdx.x / warp] = x;
    }
    __syncthreads();
    float sum = 0;
    for (int i = 0; i < static_cast<int>(blockDim.x) / warp; i++) {
        sum += shared[i];
    }
    return sum;
}

// Whether rows of `width` elements from these addresses on can be read N elements at a time.
template <class T, int N, class... Pointers>
bool fits(int64_t width, Pointers... pointers) {
    const auto at = (reinterpret_cast<uintptr_t>(pointers) | ...);
    return width % N == 0 && at % (sizeof(T) * N) == 0;
}

// Calls body with a null pointer of the element type.
template <class Body>
void by_type(Type type, Body&& body) {
    switch (type) {
        case Type::F32: body(static_cast<float*>(nullptr)); break;
        case Type::BF16: body(static_cast<__nv_bfloat16*>(nullptr)); break;
        case Type::F16: body(static_cast<__half*>(nullptr)); break;
    }
}

template <class T>
constexpr int vector_of = 16 / sizeof(T);

// Threads for a row of so many packs: whole warps, 32 to `most`.
inline int threads_for(int64_t packs, int most) {
    int threads = warp;
    while (threads < most && threads < packs) {
        threads *= 2;
    }
    return threads;
}

// Blocks for a grid-stride loop over `work` items.
inline unsigned blocks_for(int64_t work, int threads) {
    const int64_t wanted = (work + threads - 1) / threads;
    return static_cast<unsigned>(wanted < 65536 ? (wanted > 0 ? wanted : 1) : 65536);
}

} // namespace fovea::cuda
