// cross_entropy_in_place on CUDA: one block a row, maximum and sum in one reading, the gradient in a second; see ../cross_entropy.cpp.
#include "common.cuh"

#include <cmath>

namespace fovea::cuda {
namespace {

// Of some logits: their maximum, and the sum of exp(logit - maximum).
struct Partial {
    float top, sum;
};

__device__ inline Partial joined(Partial a, Partial b) {
    const float top = fmaxf(a.top, b.top);
    if (top == -INFINITY) {
        return {top, 0};
    }
    return {top, a.sum * __expf(a.top - top) + b.sum * __expf(b.top - top)};
}

template <class T, int N>
__global__ void loss_kernel(T* logits, const int64_t* targets, const float* weights, float* losses, int64_t classes) {
    __shared__ Partial shared[warp];
    const int64_t row = blockIdx.x, target = targets[row];
    T* z = logits + row * classes;
    const bool known = target >= 0 && target < classes;
    const float picked = known ? widen(z[target]) : NAN; // read by all before anything is overwritten
    Partial mine{-INFINITY, 0};
    for (int64_t i = threadIdx.x; i < classes / N; i += blockDim.x) {
        const auto v = load<T, N>(z, i);
        float top = mine.top;
#pragma unroll
        for (int j = 0; j < N; j++) {
            top = fmaxf(top, widen(v.at[j]));
        }
        float sum = top == -INFINITY ? 0.0f : mine.sum * __expf(mine.top - top);
#pragma unroll
        for (int j = 0; j < N; j++) {
            sum += top == -INFINITY ? 0.0f : __expf(widen(v.at[j]) - top);
        }
        mine = {top, sum};
    }
    for (int offset = warp / 2; offset > 0; offset /= 2) {
        mine = joined(mine, {__shfl_xor_sync(0xffffffffu, mine.top, offset), __shfl_xor_sync(0xffffffffu, mine.sum, offset)});
    }
    if (threadIdx.x % warp == 0) {
        shared[threadIdx.x / warp] = mine;
    }
    __syncthreads();
    Partial all = shared[0];
    for (int i = 1; i < static_cast<int>(blockDim.x) / warp; i++) {
        all = joined(all, shared[i]);
    }
    const float weight = weights[row], factor = weight / all.sum;
    if (threadIdx.x == 0) {
        losses[row] = logf(all.sum) - (picked - all.top);
    }
    for (int64_t i = threadIdx.x; i < classes / N; i += blockDim.x) {
        const auto v = load<T, N>(z, i);
        Pack<T, N> gradient;
#pragma unroll
        for (int j = 0; j < N; j++) {
            narrow(__expf(widen(v.at[j]) - all.top) * factor - (i * N + j == target ? weight : 0.0f), &gradient.at[j]);
        }
        store<T, N>(z, i, gradient);
    }
}

} // namespace

void cross_entropy_in_place(
    Type type, void* logits, const int64_t* targets, const float* weights, float* losses, int64_t rows, int64_t classes, CUstream_st* stream) {
    by_type(type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        const auto run = [&](auto kernel, int pack) {
            kernel<<<static_cast<unsigned>(rows), threads_for(classes / pack, 1024), 0, stream>>>(
                static_cast<T*>(logits), targets, weights, losses, classes);
        };
        constexpr int n = vector_of<T>;
        fits<T, n>(classes, logits) ? run(loss_kernel<T, n>, n) : run(loss_kernel<T, 1>, 1);
    });
}

} // namespace fovea::cuda
