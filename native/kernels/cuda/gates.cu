// sigmoid_mul and delta_gates on CUDA: passes over memory; see ../sigmoid_mul.cpp and ../gated_delta_gates.cpp for the formulas.
#include "common.cuh"

namespace fovea::cuda {
namespace {

constexpr int threads = 256;
constexpr float linear_above = 20;

// By exp of what is not above 0, which cannot overflow.
__device__ inline float sigmoid(float x) {
    const float e = expf(-fabsf(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

template <class T, int N>
__global__ void open_kernel(
    const T* x, const T* gate, T* y, int64_t packs, int64_t heads, int64_t head_packs, int64_t by_token, int64_t by_head) {
    for (int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; i < packs; i += static_cast<int64_t>(gridDim.x) * blockDim.x) {
        const int64_t head = i / head_packs % heads, token = i / head_packs / heads;
        const auto vx = load<T, N>(x, i), vg = load<T, N>(gate + token * by_token + head * by_head, i % head_packs);
        Pack<T, N> vy;
#pragma unroll
        for (int j = 0; j < N; j++) {
            narrow(widen(vx.at[j]) * sigmoid(widen(vg.at[j])), &vy.at[j]);
        }
        store<T, N>(y, i, vy);
    }
}

template <class T, int N>
__global__ void open_backward_kernel(
    const T* dy, const T* x, const T* gate, T* dx, T* dgate, int64_t packs, int64_t heads, int64_t head_packs, int64_t by_token, int64_t by_head) {
    for (int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; i < packs; i += static_cast<int64_t>(gridDim.x) * blockDim.x) {
        const int64_t head = i / head_packs % heads, token = i / head_packs / heads;
        const auto vd = load<T, N>(dy, i), vx = load<T, N>(x, i), vg = load<T, N>(gate + token * by_token + head * by_head, i % head_packs);
        Pack<T, N> of_x, of_gate;
#pragma unroll
        for (int j = 0; j < N; j++) {
            const float d = widen(vd.at[j]), g = widen(vg.at[j]), s = sigmoid(g);
            narrow(d * s, &of_x.at[j]);
            narrow(d * widen(vx.at[j]) * s * sigmoid(-g), &of_gate.at[j]);
        }
        store<T, N>(dx, i, of_x);
        store<T, N>(dgate, i, of_gate);
    }
}

__global__ void gates_kernel(
    const float* a, const float* b, const float* rate, const float* step, float* g, float* beta, int64_t count, int64_t heads) {
    for (int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; i < count; i += static_cast<int64_t>(gridDim.x) * blockDim.x) {
        const float x = a[i] + step[i % heads];
        g[i] = -expf(rate[i % heads]) * (x > linear_above ? x : log1pf(expf(x)));
        beta[i] = sigmoid(b[i]);
    }
}

// One block a head: what a rate and a step get is a sum over all tokens, in an order of its own.
__global__ void gates_backward_kernel(
    const float* dg, const float* dbeta, const float* a, const float* rate, const float* step, const float* g, const float* beta, float* da, float* db,
    float* drate, float* dstep, int64_t tokens, int64_t heads) {
    __shared__ float shared[warp];
    const int64_t head = blockIdx.x;
    const float factor = -expf(rate[head]), shift = step[head];
    float of_rate = 0, of_step = 0;
    for (int64_t t = threadIdx.x; t < tokens; t += blockDim.x) {
        const int64_t i = t * heads + head;
        const float d = dg[i] * factor * sigmoid(a[i] + shift);
        da[i] = d;
        db[i] = dbeta[i] * beta[i] * (1 - beta[i]);
        of_rate += dg[i] * g[i];
        of_step += d;
    }
    of_rate = block_sum(of_rate, shared);
    of_step = block_sum(of_step, shared);
    if (threadIdx.x == 0) {
        drate[head] = of_rate;
        dstep[head] = of_step;
    }
}

template <class T, int N>
bool lies_well(int64_t size, int64_t by_token, int64_t by_head, uintptr_t at) {
    return size % N == 0 && by_token % N == 0 && by_head % N == 0 && at % (sizeof(T) * N) == 0;
}

template <class... Pointers>
uintptr_t together(Pointers... pointers) {
    return (reinterpret_cast<uintptr_t>(pointers) | ...);
}

} // namespace

void sigmoid_mul_forward(
    Type type, const void* x, const void* gate, void* y, int64_t tokens, int64_t heads, int64_t size, int64_t by_token, int64_t by_head,
    CUstream_st* stream) {
    by_type(type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        const auto run = [&](auto kernel, int pack) {
            const auto packs = tokens * heads * size / pack;
            kernel<<<blocks_for(packs, threads), threads, 0, stream>>>(
                static_cast<const T*>(x), static_cast<const T*>(gate), static_cast<T*>(y), packs, heads, size / pack, by_token, by_head);
        };
        constexpr int n = vector_of<T>;
        lies_well<T, n>(size, by_token, by_head, together(x, gate, y)) ? run(open_kernel<T, n>, n) : run(open_kernel<T, 1>, 1);
    });
}

void sigmoid_mul_backward(
    Type type, const void* dy, const void* x, const void* gate, void* dx, void* dgate, int64_t tokens, int64_t heads, int64_t size, int64_t by_token,
    int64_t by_head, CUstream_st* stream) {
    by_type(type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        const auto run = [&](auto kernel, int pack) {
            const auto packs = tokens * heads * size / pack;
            kernel<<<blocks_for(packs, threads), threads, 0, stream>>>(
                static_cast<const T*>(dy), static_cast<const T*>(x), static_cast<const T*>(gate), static_cast<T*>(dx), static_cast<T*>(dgate), packs, heads,
                size / pack, by_token, by_head);
        };
        constexpr int n = vector_of<T>;
        lies_well<T, n>(size, by_token, by_head, together(dy, x, gate, dx, dgate)) ? run(open_backward_kernel<T, n>, n)
                                                                                    : run(open_backward_kernel<T, 1>, 1);
    });
}

void delta_gates_forward(
    const float* a, const float* b, const float* rate, const float* step, float* g, float* beta, int64_t tokens, int64_t heads, CUstream_st* stream) {
    gates_kernel<<<blocks_for(tokens * heads, threads), threads, 0, stream>>>(a, b, rate, step, g, beta, tokens * heads, heads);
}

void delta_gates_backward(
    const float* dg, const float* dbeta, const float* a, const float* rate, const float* step, const float* g, const float* beta, float* da, float* db,
    float* drate, float* dstep, int64_t tokens, int64_t heads, CUstream_st* stream) {
    gates_backward_kernel<<<static_cast<unsigned>(heads), threads, 0, stream>>>(
        dg, dbeta, a, rate, step, g, beta, da, db, drate, dstep, tokens, heads);
}

} // namespace fovea::cuda
