// The gated delta rule on CUDA token by token, for generation: a block keeps 32 columns of a head's state in shared memory along a sequence's tokens, so that a
// pass over few tokens is bound by reading and writing the states once. As on the CPU the bits of a token depend on its sequence alone.
#include "delta.cuh"

#include <algorithm>

namespace fovea::cuda {
namespace {

constexpr int groups = delta_threads / tile_columns; // threads of a column, each with every eighth key

// The sum of a column's threads, known to all of them.
__device__ inline float column_sum(float x, float* shared) {
    __syncthreads(); // the last use of `shared` is over
    shared[threadIdx.x] = x;
    __syncthreads();
    float sum = 0;
#pragma unroll
    for (int i = 0; i < groups; i++) {
        sum += shared[i * tile_columns + threadIdx.x % tile_columns];
    }
    return sum;
}

// 1 / the length of a row, known to all threads.
template <class T>
__device__ inline float one_over_length(const T* x, int keys, float* shared) {
    float squares = 0;
    for (int i = threadIdx.x; i < keys; i += delta_threads) {
        squares += widen(x[i]) * widen(x[i]);
    }
    return rsqrtf(block_sum(squares, shared) + delta_epsilon);
}

template <class T, int Most>
__global__ void steps_kernel(
    DeltaPart part, Rows<const T> q, Rows<const T> k, Rows<const T> v, float scale, const int64_t* boundaries, const int64_t* slots, float* states,
    Rows<T> out) {
    __shared__ float state[Most * tile_columns];
    __shared__ float unit_q[Most];
    __shared__ float unit_k[Most];
    __shared__ float of_warps[warp];
    __shared__ float of_columns[delta_threads];
    const int keys = static_cast<int>(part.keys), values = static_cast<int>(part.values), tiles = (values + tile_columns - 1) / tile_columns;
    const int64_t tile = blockIdx.x % tiles, head = blockIdx.x / tiles % part.heads, n = blockIdx.x / tiles / part.heads, key_head = head / part.ratio;
    const int column = threadIdx.x % tile_columns, group = threadIdx.x / tile_columns, place = static_cast<int>(tile) * tile_columns + column;
    const bool inside = place < values;
    float* own = states + (slots[n] * part.heads + head) * keys * values + place;
    for (int i = group; i < keys; i += groups) {
        state[i * tile_columns + column] = inside ? own[static_cast<int64_t>(i) * values] : 0.0f;
    }
    for (int64_t t = boundaries[n]; t < boundaries[n + 1]; t++) {
        const T *of_q = q.at(t, key_head), *of_k = k.at(t, key_head);
        const float by_q = one_over_length(of_q, keys, of_warps) * scale, by_k = one_over_length(of_k, keys, of_warps);
        for (int i = threadIdx.x; i < keys; i += delta_threads) {
            unit_q[i] = widen(of_q[i]) * by_q;
            unit_k[i] = widen(of_k[i]) * by_k;
        }
        __syncthreads();
        const float decay = expf(part.g[t * part.heads + head]), beta = part.beta[t * part.heads + head];
        float read = 0;
        for (int i = group; i < keys; i += groups) {
            read += state[i * tile_columns + column] * unit_k[i];
        }
        read = column_sum(read, of_columns);
        const float d = beta * ((inside ? widen(v.at(t, head)[place]) : 0.0f) - decay * read);
        float sum = 0;
        for (int i = group; i < keys; i += groups) {
            const float now = state[i * tile_columns + column] * decay + d * unit_k[i];
            state[i * tile_columns + column] = now;
            sum += now * unit_q[i];
        }
        sum = column_sum(sum, of_columns);
        if (group == 0 && inside) {
            narrow(sum, out.at(t, head) + place);
        }
    }
    for (int i = group; i < keys && inside; i += groups) {
        own[static_cast<int64_t>(i) * values] = state[i * tile_columns + column];
    }
}

} // namespace

void delta_steps(const DeltaRule& call, const int64_t* boundaries, const int64_t* slots, float* states, void* out, CUstream_st* stream) {
    DeltaPart part{};
    part.g = call.g, part.beta = call.beta;
    part.tokens = call.tokens, part.segments = call.segments;
    part.key_heads = call.key_heads, part.heads = part.all_heads = call.heads;
    part.keys = call.keys, part.values = call.values, part.ratio = call.heads / call.key_heads;
    by_type(call.type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        const Rows<const T> q{static_cast<const T*>(call.q), call.q_token, call.q_head}, k{static_cast<const T*>(call.k), call.k_token, call.k_head};
        const Rows<const T> v{static_cast<const T*>(call.v), call.v_token, call.v_head};
        const Rows<T> to{static_cast<T*>(out), call.heads * call.values, call.values};
        const auto run = [&](auto kernel) {
            kernel<<<static_cast<unsigned>(call.segments * call.heads * delta_tiles(call.values, tile_columns)), delta_threads, 0, stream>>>(
                part, q, k, v, delta_scale(call.keys), boundaries, slots, states, to);
        };
        call.keys <= 128 ? run(steps_kernel<T, 128>) : run(steps_kernel<T, 256>);
    });
}

} // namespace fovea::cuda
