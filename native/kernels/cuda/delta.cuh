// What the kernels of the gated delta rule share: the workspace, where a block is, the decay within a chunk, and products of tiles.
//
// All products are fp32 multiply-adds out of shared memory, 256 threads with 4 x 4 or 4 x 2 sums each. The bound that they meet is that of fp32 arithmetic (67
// TFLOP/s on an H100, of which tiles of this size reach a half at best): not memory's, and not that of tensor cores, which round fp32 to tf32, so that three of
// their products would be needed for one of ours, and bf16's would round the states. Shared memory is under 48 KiB, which every card has without being asked.
#pragma once
#include "common.cuh"

#include <cmath>

namespace fovea::cuda {

constexpr int delta_threads = 256, chunk = static_cast<int>(delta_chunk), slab = 16;
constexpr int tile_columns = 32; // of v, that one block takes along a segment
constexpr float delta_epsilon = 1e-6f;

// Memory that both passes work in, for the heads that are worked on at once: rows are tokens or chunks, then heads. Nothing of it outlives a pass.
struct DeltaSpace {
    float *q, *k;               // [tokens, key_heads, keys], of length keys^-0.5 and 1
    float *q_lengths, *k_lengths; // [tokens, key_heads]: 1 / length
    float *grown, *left;        // [tokens, heads]: exp(G) and exp(G of the last - G)
    float* w;                   // [tokens, heads, keys]: (1 + A)^-1 (beta grown k); later the gradient by q of each value head
    float* d;                   // [tokens, heads, values]: (1 + A)^-1 (beta v), from which the corrections d come
    float* states;              // [chunks, heads, keys, values]: the state before each chunk
    float* scores;              // [chunks, heads, 64, 64]: E q k^T; forward only
    // Backward only.
    float* b;       // [tokens, heads, keys]: (1 + A)^-T (left k); later the gradient by k of each value head
    float* e;       // [tokens, heads, values]: (1 + A)^-T (scores^T dout), then with what later chunks ask for
    float* dstates; // [chunks, heads, keys, values]: the gradient of the state behind each chunk
};

// The heads that are worked on at once: numbers of all heads become those of these.
struct DeltaPart {
    DeltaSpace space;
    const int32_t* table;
    const float *g, *beta;
    int64_t tokens, segments, chunks, key_heads, heads, keys, values;
    int64_t all_heads; // of g and beta, of out, and of states that come and go
    int64_t ratio;     // value heads that share a key head
};

// Rows of one tensor of inputs or results.
template <class T>
struct Rows {
    T* data;
    int64_t by_token, by_head;

    __device__ T* at(int64_t token, int64_t head) const { return data + token * by_token + head * by_head; }
};

// A chunk of a value head.
struct DeltaPlace {
    int64_t number, head, key_head, first, segment; // number: of all chunks
    int count;
};

__device__ inline DeltaPlace delta_place(const DeltaPart& part, int64_t number, int64_t head) {
    const int32_t* of = part.table + number * 3;
    return {number, head, head / part.ratio, of[0], of[2], of[1]};
}

// Where the rows of a chunk begin, of q and k and of what there is for each value head.
__device__ inline int64_t key_row(const DeltaPart& part, const DeltaPlace& at, int64_t row) { return (at.first + row) * part.key_heads + at.key_head; }
__device__ inline int64_t value_row(const DeltaPart& part, const DeltaPlace& at, int64_t row) { return (at.first + row) * part.heads + at.head; }

// The sums of g from a chunk's first token on, in double: differences of large ones are exact. All threads must come; ends with a barrier.
__device__ inline void delta_sums(const DeltaPart& part, const DeltaPlace& at, double* sums, float* beta) {
    if (threadIdx.x < chunk) {
        const auto i = static_cast<int>(threadIdx.x);
        const int64_t from = (at.first + i) * part.all_heads + at.head;
        sums[i] = i < at.count ? part.g[from] : 0;
        beta[i] = i < at.count ? part.beta[from] : 0;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int i = 1; i < chunk; i++) {
            sums[i] += sums[i - 1];
        }
    }
    __syncthreads();
}

// exp(G_i - G_j) for j <= i, never above 1.
__device__ inline float delta_decay(const double* sums, int i, int j) { return expf(static_cast<float>(sums[i] - sums[j])); }

// Which index of a matrix goes along memory: neighbouring threads load along it.
enum class Along { Depth, Other };

// Element i of a thread's four of a slab [16][64].
template <Along along>
__device__ inline void slab_place(int i, int& depth, int& other) {
    const int at = static_cast<int>(threadIdx.x) + i * delta_threads;
    depth = along == Along::Depth ? at % slab : at / chunk;
    other = along == Along::Depth ? at / slab : at % chunk;
}

constexpr int slab_stride = 17; // of float4: a row of a slab, and room against two rows in one bank

template <Along along, class Read>
__device__ inline void slab_fetch(float (&next)[4], int from, int depth, const Read& read) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int d, other;
        slab_place<along>(i, d, other);
        next[i] = from + d < depth ? read(from + d, other) : 0.0f;
    }
}

template <Along along>
__device__ inline void slab_put(const float (&next)[4], float4* to) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int d, other;
        slab_place<along>(i, d, other);
        reinterpret_cast<float*>(to)[d * slab_stride * 4 + other] = next[i];
    }
}

// Rows and columns of a thread's sums: 4 rows from 4 * sum_row() on, and 4 or 2 columns.
__device__ inline int sum_row() { return static_cast<int>(threadIdx.x) / 16; }
__device__ inline int sum_column() { return static_cast<int>(threadIdx.x) % 16; }

// sums += a b, 64 x 64, where a(depth, row) and b(depth, column) read a number, 0 outside the matrix. Slabs are loaded while the ones before are multiplied.
template <Along of_a, Along of_b, class A, class B>
__device__ inline void tile_product(float (&sums)[4][4], int depth, float4* slab_a, float4* slab_b, const A& a, const B& b) {
    float next_a[4], next_b[4];
    slab_fetch<of_a>(next_a, 0, depth, a);
    slab_fetch<of_b>(next_b, 0, depth, b);
    for (int from = 0; from < depth; from += slab) {
        __syncthreads(); // the slabs before are used
        slab_put<of_a>(next_a, slab_a);
        slab_put<of_b>(next_b, slab_b);
        __syncthreads();
        slab_fetch<of_a>(next_a, from + slab, depth, a);
        slab_fetch<of_b>(next_b, from + slab, depth, b);
#pragma unroll
        for (int d = 0; d < slab; d++) {
            const float4 x = slab_a[d * slab_stride + sum_row()], y = slab_b[d * slab_stride + sum_column()];
            const float xs[4] = {x.x, x.y, x.z, x.w}, ys[4] = {y.x, y.y, y.z, y.w};
#pragma unroll
            for (int r = 0; r < 4; r++) {
#pragma unroll
                for (int c = 0; c < 4; c++) {
                    sums[r][c] += xs[r] * ys[c];
                }
            }
        }
    }
}

// sums += a b, 64 x 32, with b [depth rounded up to 16][32] in shared memory, zeros behind its last row.
template <Along of_a, class A>
__device__ inline void narrow_product(float (&sums)[4][2], int depth, float4* slab_a, const float2* b, const A& a) {
    float next[4];
    slab_fetch<of_a>(next, 0, depth, a);
    for (int from = 0; from < depth; from += slab) {
        __syncthreads();
        slab_put<of_a>(next, slab_a);
        __syncthreads();
        slab_fetch<of_a>(next, from + slab, depth, a);
#pragma unroll
        for (int d = 0; d < slab; d++) {
            const float4 x = slab_a[d * slab_stride + sum_row()];
            const float2 y = b[(from + d) * (tile_columns / 2) + sum_column()];
            const float xs[4] = {x.x, x.y, x.z, x.w};
#pragma unroll
            for (int r = 0; r < 4; r++) {
                sums[r][0] += xs[r] * y.x;
                sums[r][1] += xs[r] * y.y;
            }
        }
    }
}

template <int N>
__device__ inline void clear(float (&sums)[4][N]) {
#pragma unroll
    for (int r = 0; r < 4; r++) {
#pragma unroll
        for (int c = 0; c < N; c++) {
            sums[r][c] = 0;
        }
    }
}

// body(row, column, sum) for each of a thread's sums.
template <int N, class Body>
__device__ inline void each_sum(float (&sums)[4][N], const Body& body) {
#pragma unroll
    for (int r = 0; r < 4; r++) {
#pragma unroll
        for (int c = 0; c < N; c++) {
            body(sum_row() * 4 + r, sum_column() * N + c, sums[r][c]);
        }
    }
}

// The sum over the 16 threads that have the columns of the same rows.
__device__ inline float sum_of_row(float x) {
    for (int offset = warp / 4; offset > 0; offset /= 2) {
        x += __shfl_xor_sync(0xffffffffu, x, offset);
    }
    return x;
}

constexpr int square_stride = chunk + 1; // of what a chunk has for each pair of tokens, in shared memory

inline unsigned delta_tiles(int64_t size, int64_t wide) { return static_cast<unsigned>((size + wide - 1) / wide); }

// The length that queries are brought to.
inline float delta_scale(int64_t keys) { return static_cast<float>(1 / std::sqrt(static_cast<double>(keys))); }

// What both passes begin with, up to the states before all chunks and the corrections of all tokens; in delta_rule.cu. Without dout there are scores, with it
// b and e.
void delta_begin(const DeltaRule& call, const DeltaPart& part, int64_t first_head, const void* dout, float* last, CUstream_st* stream);

// The part of a call from a key head on, its workspace laid out; `used` is how many floats that takes.
DeltaPart delta_part(const DeltaRule& call, int64_t first_key_head, int64_t key_heads, bool backward, float* workspace, int64_t* used = nullptr);

} // namespace fovea::cuda
