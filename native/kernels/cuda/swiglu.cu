// silu_mul on CUDA; see ../swiglu.cpp for the formula.
#include "common.cuh"

namespace fovea::cuda {
namespace {

template <class T, int N>
__global__ void forward_kernel(const T* gate, const T* up, T* y, int64_t packs) {
    for (int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; i < packs; i += static_cast<int64_t>(gridDim.x) * blockDim.x) {
        const auto vg = load<T, N>(gate, i), vu = load<T, N>(up, i);
        Pack<T, N> vy;
#pragma unroll
        for (int j = 0; j < N; j++) {
            const float g = widen(vg.at[j]);
            narrow(g / (1.0f + __expf(-g)) * widen(vu.at[j]), &vy.at[j]);
        }
        store<T, N>(y, i, vy);
    }
}

template <class T, int N>
__global__ void backward_kernel(const T* dy, const T* gate, const T* up, T* dgate, T* dup, int64_t packs) {
    for (int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; i < packs; i += static_cast<int64_t>(gridDim.x) * blockDim.x) {
        const auto vd = load<T, N>(dy, i), vg = load<T, N>(gate, i), vu = load<T, N>(up, i);
        Pack<T, N> vdg, vdu;
#pragma unroll
        for (int j = 0; j < N; j++) {
            const float g = widen(vg.at[j]), d = widen(vd.at[j]);
            const float s = 1.0f / (1.0f + __expf(-g));
            narrow(d * widen(vu.at[j]) * s * (1.0f + g * (1.0f - s)), &vdg.at[j]);
            narrow(d * g * s, &vdu.at[j]);
        }
        store<T, N>(dgate, i, vdg);
        store<T, N>(dup, i, vdu);
    }
}

constexpr int threads = 256;

} // namespace

void silu_mul_forward(Type type, const void* gate, const void* up, void* y, int64_t count, CUstream_st* stream) {
    by_type(type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        const auto run = [&](auto kernel, int pack) {
            kernel<<<blocks_for(count / pack, threads), threads, 0, stream>>>(
                static_cast<const T*>(gate), static_cast<const T*>(up), static_cast<T*>(y), count / pack);
        };
        constexpr int n = vector_of<T>;
        fits<T, n>(count, gate, up, y) ? run(forward_kernel<T, n>, n) : run(forward_kernel<T, 1>, 1);
    });
}

void silu_mul_backward(Type type, const void* dy, const void* gate, const void* up, void* dgate, void* dup, int64_t count, CUstream_st* stream) {
    by_type(type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        const auto run = [&](auto kernel, int pack) {
            kernel<<<blocks_for(count / pack, threads), threads, 0, stream>>>(
                static_cast<const T*>(dy), static_cast<const T*>(gate), static_cast<const T*>(up), static_cast<T*>(dgate), static_cast<T*>(dup),
                count / pack);
        };
        constexpr int n = vector_of<T>;
        fits<T, n>(count, dy, gate, up, dgate, dup) ? run(backward_kernel<T, n>, n) : run(backward_kernel<T, 1>, 1);
    });
}

} // namespace fovea::cuda
