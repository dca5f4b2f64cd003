// rms_norm on CUDA: one block a row, fp32 inside; see ../rms_norm.cpp for the formula.
#include "common.cuh"

namespace fovea::cuda {
namespace {

template <class T, int N>
__global__ void forward_kernel(const T* x, const T* weight, T* y, float* scales, int64_t width, float epsilon, float shift) {
    __shared__ float shared[warp];
    const int64_t row = blockIdx.x;
    x += row * width;
    y += row * width;
    float squares = 0;
    for (int64_t i = threadIdx.x; i < width / N; i += blockDim.x) {
        const auto vx = load<T, N>(x, i);
#pragma unroll
        for (int j = 0; j < N; j++) {
            const float v = widen(vx.at[j]);
            squares += v * v;
        }
    }
    const float scale = rsqrtf(block_sum(squares, shared) / static_cast<float>(width) + epsilon);
    if (threadIdx.x == 0) {
        scales[row] = scale;
    }
    for (int64_t i = threadIdx.x; i < width / N; i += blockDim.x) {
        const auto vx = load<T, N>(x, i);
        const auto vw = load<T, N>(weight, i);
        Pack<T, N> vy;
#pragma unroll
        for (int j = 0; j < N; j++) {
            narrow(widen(vx.at[j]) * scale * (widen(vw.at[j]) + shift), &vy.at[j]);
        }
        store<T, N>(y, i, vy);
    }
}

// With u = dy * (w + shift): dx = scale * (u - x * scale^2 * mean(u * x)).
template <class T, int N>
__global__ void backward_kernel(const T* dy, const T* x, const T* weight, const float* scales, T* dx, int64_t width, float shift) {
    __shared__ float shared[warp];
    const int64_t row = blockIdx.x;
    dy += row * width;
    x += row * width;
    dx += row * width;
    float dot = 0;
    for (int64_t i = threadIdx.x; i < width / N; i += blockDim.x) {
        const auto vdy = load<T, N>(dy, i), vx = load<T, N>(x, i), vw = load<T, N>(weight, i);
#pragma unroll
        for (int j = 0; j < N; j++) {
            dot += widen(vdy.at[j]) * (widen(vw.at[j]) + shift) * widen(vx.at[j]);
        }
    }
    const float scale = scales[row];
    const float back = block_sum(dot, shared) * scale * scale / static_cast<float>(width);
    for (int64_t i = threadIdx.x; i < width / N; i += blockDim.x) {
        const auto vdy = load<T, N>(dy, i), vx = load<T, N>(x, i), vw = load<T, N>(weight, i);
        Pack<T, N> vdx;
#pragma unroll
        for (int j = 0; j < N; j++) {
            narrow(scale * (widen(vdy.at[j]) * (widen(vw.at[j]) + shift) - widen(vx.at[j]) * back), &vdx.at[j]);
        }
        store<T, N>(dx, i, vdx);
    }
}

constexpr int most_threads = 512;

} // namespace

void rms_norm_forward(
    Type type, const void* x, const void* weight, void* y, float* scale, int64_t rows, int64_t width, float epsilon, float shift, CUstream_st* stream) {
    by_type(type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        const auto run = [&](auto kernel, int pack) {
            kernel<<<static_cast<unsigned>(rows), threads_for(width / pack, most_threads), 0, stream>>>(
                static_cast<const T*>(x), static_cast<const T*>(weight), static_cast<T*>(y), scale, width, epsilon, shift);
        };
        constexpr int n = vector_of<T>;
        fits<T, n>(width, x, weight, y) ? run(forward_kernel<T, n>, n) : run(forward_kernel<T, 1>, 1);
    });
}

void rms_norm_backward(
    Type type, const void* dy, const void* x, const void* weight, const float* scale, void* dx, int64_t rows, int64_t width, float shift,
    CUstream_st* stream) {
    by_type(type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        const auto run = [&](auto kernel, int pack) {
            kernel<<<static_cast<unsigned>(rows), threads_for(width / pack, most_threads), 0, stream>>>(
                static_cast<const T*>(dy), static_cast<const T*>(x), static_cast<const T*>(weight), scale, static_cast<T*>(dx), width, shift);
        };
        constexpr int n = vector_of<T>;
        fits<T, n>(width, dy, x, weight, dx) ? run(backward_kernel<T, n>, n) : run(backward_kernel<T, 1>, 1);
    });
}

} // namespace fovea::cuda
