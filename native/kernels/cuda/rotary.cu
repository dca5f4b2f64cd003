// rotary on CUDA: one thread turns a few neighbouring pairs of one head; see ../rotary.cpp for the formula.
#include "common.cuh"

namespace fovea::cuda {
namespace {

template <class T, int N>
__global__ void rotate_kernel(
    const T* x, const float* cos, const float* sin, T* y, int64_t tokens, int64_t heads, int64_t size, int64_t half, int64_t by_token, int64_t by_head,
    bool inverse) {
    const int64_t packs = half / N, all = tokens * heads * packs;
    const float sign = inverse ? -1.0f : 1.0f;
    for (int64_t at = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; at < all; at += static_cast<int64_t>(gridDim.x) * blockDim.x) {
        const int64_t pack = at % packs, head = at / packs % heads, token = at / packs / heads;
        const T* from = x + token * by_token + head * by_head;
        T* to = y + (token * heads + head) * size;
        const float *c = cos + token * 2 * half, *s = sin + token * 2 * half;
        const float *low = inverse ? s + half : s, *high = inverse ? s : s + half;
        const auto va = load<T, N>(from, pack), vb = load<T, N>(from + half, pack);
        const auto c1 = load<float, N>(c, pack), c2 = load<float, N>(c + half, pack);
        const auto s1 = load<float, N>(low, pack), s2 = load<float, N>(high, pack);
        Pack<T, N> first, second;
#pragma unroll
        for (int j = 0; j < N; j++) {
            const float a = widen(va.at[j]), b = widen(vb.at[j]);
            narrow(a * c1.at[j] - sign * b * s1.at[j], &first.at[j]);
            narrow(b * c2.at[j] + sign * a * s2.at[j], &second.at[j]);
        }
        store<T, N>(to, pack, first);
        store<T, N>(to + half, pack, second);
    }
}

} // namespace

void rotate(
    Type type, const void* x, const float* cos, const float* sin, void* y, int64_t tokens, int64_t heads, int64_t size, int64_t turned, int64_t by_token,
    int64_t by_head, bool inverse, CUstream_st* stream) {
    by_type(type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        const auto half = turned / 2;
        const auto run = [&](auto kernel, int pack) {
            constexpr int threads = 256;
            kernel<<<blocks_for(tokens * heads * (half / pack), threads), threads, 0, stream>>>(
                static_cast<const T*>(x), cos, sin, static_cast<T*>(y), tokens, heads, size, half, by_token, by_head, inverse);
        };
        constexpr int n = vector_of<T>;
        const bool packs = fits<T, n>(half, x, y) && fits<float, n>(half, cos, sin) && size % n == 0 && by_token % n == 0 && by_head % n == 0;
        packs ? run(rotate_kernel<T, n>, n) : run(rotate_kernel<T, 1>, 1);
    });
}

} // namespace fovea::cuda
