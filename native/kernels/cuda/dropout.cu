// dropped on CUDA: the mask is drawn where it is used; see ../dropout.cpp.
#include "common.cuh"

#include "../split_mix.h"

namespace fovea::cuda {
namespace {

template <class T, int N, bool Adds>
__global__ void dropped_kernel(
    const T* x, const int64_t* keys, T* y, int64_t rows, int64_t width, uint64_t module, uint32_t threshold, float keep) {
    const int64_t packs = width / N, all = rows * packs;
    T rounded;
    narrow(keep, &rounded);
    const float kept = widen(rounded);
    for (int64_t at = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; at < all; at += static_cast<int64_t>(gridDim.x) * blockDim.x) {
        const int64_t row = at / packs, first = at % packs * N;
        const uint64_t key = mixed(static_cast<uint64_t>(keys[row]), module);
        const auto v = load<T, N>(x, at);
        Pack<T, N> result;
        if (Adds) {
            result = load<T, N>(y, at);
        }
        uint64_t bits = 0;
#pragma unroll
        for (int j = 0; j < N; j++) {
            // Two neighbours share 64 bits, and a pack begins with the first of two unless it is one element.
            const bool second = N == 1 ? first % 2 != 0 : j % 2 != 0;
            if (N == 1 || !second) {
                bits = mixed(key, static_cast<uint64_t>(first + j) & ~uint64_t{1});
            }
            const float mask = static_cast<uint32_t>(second ? bits >> 32 : bits) < threshold ? 0.0f : kept;
            const float product = widen(v.at[j]) * mask;
            narrow(Adds ? widen(result.at[j]) + product : product, &result.at[j]);
        }
        store<T, N>(y, at, result);
    }
}

constexpr int threads = 256;

} // namespace

void dropped(
    Type type, const void* x, const int64_t* keys, void* y, int64_t rows, int64_t width, int64_t module, uint32_t threshold, float keep, bool adds,
    CUstream_st* stream) {
    by_type(type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        const auto run = [&](auto kernel, int pack) {
            kernel<<<blocks_for(rows * (width / pack), threads), threads, 0, stream>>>(
                static_cast<const T*>(x), keys, static_cast<T*>(y), rows, width, static_cast<uint64_t>(module), threshold, keep);
        };
        constexpr int n = vector_of<T>;
        if (fits<T, n>(width, x, y)) {
            adds ? run(dropped_kernel<T, n, true>, n) : run(dropped_kernel<T, n, false>, n);
        } else {
            adds ? run(dropped_kernel<T, 1, true>, 1) : run(dropped_kernel<T, 1, false>, 1);
        }
    });
}

} // namespace fovea::cuda
