// The gated delta rule on CUDA, chunk by chunk as on the CPU (../gated_delta_cpu.cpp, arXiv 2406.06484, 2412.06464), in kernels that are each as parallel as
// what they compute. With A = beta E k k^T below the diagonal of a chunk, and S the state before it,
//     w = (1 + A)^-1 (beta exp(G) k),  u = (1 + A)^-1 (beta v),  scores = E q k^T     for all chunks at once (prepare);
//     d = u - w S,  S' = exp(G_last) S + (exp(G_last - G) k)^T d                      chunk after chunk, a block for each 32 columns of v (states);
//     out = exp(G) q S + scores d                                                     for all chunks at once (outputs).
// What must go along a segment are two products a chunk, 64 x K x 32 each. Between the passes nothing is kept but what they are given: backward computes the
// states again. Both work in memory of their own (delta_workspace), a few heads at a time where these are enough for the whole card.
#include "delta.cuh"

#include <algorithm>

namespace fovea::cuda {
namespace {

// A warp brings a row to length `scale`; lengths are what 1 / length was.
template <class T>
__global__ void unit_kernel(Rows<const T> x, int64_t tokens, int64_t heads, int64_t keys, float scale, float* unit, float* lengths) {
    const int64_t row = blockIdx.x * static_cast<int64_t>(blockDim.x / warp) + threadIdx.x / warp;
    const int lane = threadIdx.x % warp;
    if (row >= tokens * heads) {
        return;
    }
    const T* from = x.at(row / heads, row % heads);
    float squares = 0;
    for (int64_t i = lane; i < keys; i += warp) {
        squares += widen(from[i]) * widen(from[i]);
    }
    for (int offset = warp / 2; offset > 0; offset /= 2) {
        squares += __shfl_xor_sync(0xffffffffu, squares, offset);
    }
    const float length = rsqrtf(squares + delta_epsilon);
    if (lane == 0) {
        lengths[row] = length;
    }
    for (int64_t i = lane; i < keys; i += warp) {
        unit[row * keys + i] = widen(from[i]) * (length * scale);
    }
}

// m = (1 + A)^-1 from A below the diagonal of m, zeros elsewhere: blocks of 16 each by itself, then pairs of blocks of 16 and of 32, whose lower corner is
// -M22 A21 M11. `rest` holds 1,024 floats.
__device__ inline void invert(float* m, float* rest) {
    const int thread = threadIdx.x, column = thread % 16, corner = thread / 16 * 16;
    float x[16];
    if (thread < chunk) {
#pragma unroll
        for (int r = 0; r < 16; r++) {
            float sum = r == column ? 1.0f : 0.0f;
#pragma unroll
            for (int s = 0; s < r; s++) {
                sum -= m[(corner + r) * square_stride + corner + s] * x[s];
            }
            x[r] = sum;
        }
    }
    __syncthreads();
    if (thread < chunk) {
#pragma unroll
        for (int r = 0; r < 16; r++) {
            m[(corner + r) * square_stride + corner + column] = x[r];
        }
    }
    for (int size = 16; size < chunk; size *= 2) {
        __syncthreads();
        const int numbers = chunk / 2 * size; // of all corners
        for (int i = thread; i < numbers; i += delta_threads) {
            const int at = i / (size * size) * 2 * size, r = i / size % size, c = i % size;
            float sum = 0;
            for (int s = c; s < size; s++) {
                sum += m[(at + size + r) * square_stride + at + s] * m[(at + s) * square_stride + at + c];
            }
            rest[i] = sum;
        }
        __syncthreads();
        for (int i = thread; i < numbers; i += delta_threads) {
            const int at = i / (size * size) * 2 * size, r = i / size % size, c = i % size;
            float sum = 0;
            for (int s = 0; s <= r; s++) {
                sum += m[(at + size + r) * square_stride + at + size + s] * rest[i / (size * size) * size * size + s * size + c];
            }
            m[(at + size + r) * square_stride + at + c] = -sum;
        }
    }
    __syncthreads();
}

// One chunk of one value head. Without dout the scores are written, with it b = M^T (left k) and e = M^T (scores^T dout), M the inverse of 1 + A.
template <class T>
__global__ void __launch_bounds__(delta_threads, 2) prepare_kernel(DeltaPart part, Rows<const T> v, Rows<const T> dout) {
    __shared__ float4 slab_a[slab * slab_stride];
    __shared__ float4 slab_b[slab * slab_stride];
    __shared__ float m[chunk * square_stride];
    __shared__ float p[chunk * square_stride];
    __shared__ double sums[chunk];
    __shared__ float beta[chunk];
    __shared__ float grown[chunk];
    __shared__ float left[chunk];
    const auto at = delta_place(part, blockIdx.x / part.heads, blockIdx.x % part.heads);
    const int count = at.count, keys = static_cast<int>(part.keys), values = static_cast<int>(part.values);
    const auto& space = part.space;
    delta_sums(part, at, sums, beta);
    if (threadIdx.x < chunk) {
        const int i = threadIdx.x;
        grown[i] = expf(static_cast<float>(sums[i]));
        left[i] = expf(static_cast<float>(sums[chunk - 1] - sums[i]));
        if (i < count) {
            space.grown[value_row(part, at, i)] = grown[i];
            space.left[value_row(part, at, i)] = left[i];
        }
    }
    const auto k = [&](int d, int row) { return row < count ? space.k[key_row(part, at, row) * keys + d] : 0.0f; };
    const auto q = [&](int d, int row) { return row < count ? space.q[key_row(part, at, row) * keys + d] : 0.0f; };
    float acc[4][4];
    clear(acc);
    tile_product<Along::Depth, Along::Depth>(acc, keys, slab_a, slab_b, k, k);
    each_sum(acc, [&](int i, int j, float x) { m[i * square_stride + j] = j < i && i < count ? beta[i] * delta_decay(sums, i, j) * x : 0.0f; });
    clear(acc);
    tile_product<Along::Depth, Along::Depth>(acc, keys, slab_a, slab_b, q, k);
    each_sum(acc, [&](int i, int j, float x) { p[i * square_stride + j] = j <= i && i < count ? delta_decay(sums, i, j) * x : 0.0f; });
    __syncthreads();
    if (dout.data == nullptr) {
        float* to = space.scores + (at.number * part.heads + at.head) * chunk * chunk;
        for (int i = threadIdx.x; i < chunk * chunk; i += delta_threads) {
            to[i] = p[i / chunk * square_stride + i % chunk];
        }
    }
    invert(m, reinterpret_cast<float*>(slab_a));

    const auto of_m = [&](int d, int row) { return m[row * square_stride + d]; };
    for (int from = 0; from < keys; from += chunk) {
        clear(acc);
        tile_product<Along::Depth, Along::Other>(acc, count, slab_a, slab_b, of_m, [&](int d, int column) {
            return from + column < keys ? beta[d] * grown[d] * space.k[key_row(part, at, d) * keys + from + column] : 0.0f;
        });
        each_sum(acc, [&](int i, int j, float x) {
            if (i < count && from + j < keys) {
                space.w[value_row(part, at, i) * keys + from + j] = x;
            }
        });
    }
    for (int from = 0; from < values; from += chunk) {
        clear(acc);
        tile_product<Along::Depth, Along::Other>(acc, count, slab_a, slab_b, of_m, [&](int d, int column) {
            return from + column < values ? beta[d] * widen(v.at(at.first + d, at.head)[from + column]) : 0.0f;
        });
        each_sum(acc, [&](int i, int j, float x) {
            if (i < count && from + j < values) {
                space.d[value_row(part, at, i) * values + from + j] = x;
            }
        });
    }
    if (dout.data == nullptr) {
        return;
    }
    const auto of_turned_m = [&](int d, int row) { return m[d * square_stride + row]; };
    const auto of_turned_p = [&](int d, int row) { return p[d * square_stride + row]; };
    for (int from = 0; from < keys; from += chunk) {
        clear(acc);
        tile_product<Along::Other, Along::Other>(acc, count, slab_a, slab_b, of_turned_m, [&](int d, int column) {
            return from + column < keys ? left[d] * space.k[key_row(part, at, d) * keys + from + column] : 0.0f;
        });
        each_sum(acc, [&](int i, int j, float x) {
            if (i < count && from + j < keys) {
                space.b[value_row(part, at, i) * keys + from + j] = x;
            }
        });
    }
    // M^T (scores^T dout) = (scores M)^T dout.
    clear(acc);
    tile_product<Along::Depth, Along::Other>(
        acc, chunk, slab_a, slab_b, [&](int d, int row) { return p[row * square_stride + d]; },
        [&](int d, int column) { return m[d * square_stride + column]; });
    __syncthreads();
    each_sum(acc, [&](int i, int j, float x) { p[i * square_stride + j] = x; });
    __syncthreads();
    for (int from = 0; from < values; from += chunk) {
        clear(acc);
        tile_product<Along::Other, Along::Other>(acc, count, slab_a, slab_b, of_turned_p, [&](int d, int column) {
            return from + column < values ? widen(dout.at(at.first + d, at.head)[from + column]) : 0.0f;
        });
        each_sum(acc, [&](int i, int j, float x) {
            if (i < count && from + j < values) {
                space.e[value_row(part, at, i) * values + from + j] = x;
            }
        });
    }
}

// A block goes along a segment with 32 columns of a head's state, `Most` rows or fewer, in shared memory.
template <int Most>
__global__ void states_kernel(DeltaPart part, const float* initial, float* last) {
    __shared__ float2 state[Most * tile_columns / 2];
    __shared__ float2 x[chunk * tile_columns / 2];
    __shared__ float4 slab_a[slab * slab_stride];
    const int keys = static_cast<int>(part.keys), values = static_cast<int>(part.values), tiles = (values + tile_columns - 1) / tile_columns;
    const int64_t tile = blockIdx.x % tiles, head = blockIdx.x / tiles % part.heads, n = blockIdx.x / tiles / part.heads;
    const int first = static_cast<int>(tile) * tile_columns, columns = values - first < tile_columns ? values - first : tile_columns;
    const auto& space = part.space;
    auto* s = reinterpret_cast<float*>(state);
    const int64_t given = (n * part.all_heads + head) * keys * values + first;
    for (int i = threadIdx.x; i < Most * tile_columns; i += delta_threads) {
        const int row = i / tile_columns, column = i % tile_columns;
        s[i] = initial != nullptr && row < keys && column < columns ? initial[given + static_cast<int64_t>(row) * values + column] : 0.0f;
    }
    __syncthreads();
    const int32_t* first_chunk = part.table + part.chunks * 3;
    for (int64_t c = first_chunk[n]; c < first_chunk[n + 1]; c++) {
        const auto at = delta_place(part, c, head);
        float* before = space.states + (c * part.heads + head) * keys * values + first;
        for (int i = threadIdx.x; i < keys * tile_columns; i += delta_threads) {
            if (i % tile_columns < columns) {
                before[static_cast<int64_t>(i / tile_columns) * values + i % tile_columns] = s[i];
            }
        }
        float acc[4][2];
        clear(acc);
        narrow_product<Along::Depth>(acc, keys, slab_a, state, [&](int d, int row) {
            return row < at.count ? space.w[value_row(part, at, row) * keys + d] : 0.0f;
        });
        each_sum(acc, [&](int i, int j, float read) {
            float correction = 0;
            if (i < at.count && j < columns) {
                float* of = space.d + value_row(part, at, i) * values + first + j;
                correction = *of - read;
                *of = correction;
            }
            reinterpret_cast<float*>(x)[i * tile_columns + j] = correction;
        });
        __syncthreads();
        const float whole = space.grown[value_row(part, at, at.count - 1)];
        for (int from = 0; from < keys; from += chunk) {
            clear(acc);
            narrow_product<Along::Other>(acc, at.count, slab_a, x, [&](int d, int row) {
                return from + row < keys ? space.left[value_row(part, at, d)] * space.k[key_row(part, at, d) * keys + from + row] : 0.0f;
            });
            each_sum(acc, [&](int i, int j, float sum) {
                if (from + i < keys) {
                    float* of = s + (from + i) * tile_columns + j;
                    *of = whole * *of + sum;
                }
            });
        }
        __syncthreads();
    }
    if (last != nullptr) {
        for (int i = threadIdx.x; i < keys * tile_columns; i += delta_threads) {
            if (i % tile_columns < columns) {
                last[given + static_cast<int64_t>(i / tile_columns) * values + i % tile_columns] = s[i];
            }
        }
    }
}

// 64 columns of the results of a chunk of a value head.
template <class T>
__global__ void outputs_kernel(DeltaPart part, Rows<T> out) {
    __shared__ float4 slab_a[slab * slab_stride];
    __shared__ float4 slab_b[slab * slab_stride];
    const int keys = static_cast<int>(part.keys), values = static_cast<int>(part.values), tiles = (values + chunk - 1) / chunk;
    const int first = static_cast<int>(blockIdx.x % tiles) * chunk;
    const auto at = delta_place(part, blockIdx.x / tiles / part.heads, blockIdx.x / tiles % part.heads);
    const int count = at.count;
    const auto& space = part.space;
    const float* state = space.states + (at.number * part.heads + at.head) * keys * values;
    const float* scores = space.scores + (at.number * part.heads + at.head) * chunk * chunk;
    float acc[4][4];
    clear(acc);
    tile_product<Along::Depth, Along::Other>(
        acc, keys, slab_a, slab_b, [&](int d, int row) { return row < count ? space.q[key_row(part, at, row) * keys + d] : 0.0f; },
        [&](int d, int column) { return first + column < values ? state[static_cast<int64_t>(d) * values + first + column] : 0.0f; });
#pragma unroll
    for (int r = 0; r < 4; r++) {
        const int row = sum_row() * 4 + r;
        const float grown = row < count ? space.grown[value_row(part, at, row)] : 0.0f;
#pragma unroll
        for (int c = 0; c < 4; c++) {
            acc[r][c] *= grown;
        }
    }
    tile_product<Along::Depth, Along::Other>(
        acc, count, slab_a, slab_b, [&](int d, int row) { return scores[row * chunk + d]; }, [&](int d, int column) {
            return first + column < values ? space.d[value_row(part, at, d) * values + first + column] : 0.0f;
        });
    each_sum(acc, [&](int i, int j, float x) {
        if (i < count && first + j < values) {
            narrow(x, out.at(at.first + i, at.head) + first + j);
        }
    });
}

} // namespace

int64_t delta_heads_at_once(const DeltaRule& call) {
    constexpr int64_t enough_blocks = 128; // of states_kernel: about the processors of a large card
    const auto ratio = call.heads / call.key_heads, blocks = std::max<int64_t>(call.segments * ratio * delta_tiles(call.values, tile_columns), 1);
    const auto least = std::min(call.key_heads, (enough_blocks + blocks - 1) / blocks), parts = call.key_heads / least;
    return (call.key_heads + parts - 1) / parts;
}

DeltaPart delta_part(const DeltaRule& call, int64_t first_key_head, int64_t key_heads, bool backward, float* workspace, int64_t* used) {
    const auto ratio = call.heads / call.key_heads, heads = key_heads * ratio, rows = call.tokens * heads, first = first_key_head * ratio;
    int64_t taken = 0;
    const auto take = [&](int64_t count) {
        const auto from = taken;
        taken += (count + 3) / 4 * 4;
        return workspace == nullptr ? nullptr : workspace + from;
    };
    DeltaSpace s{};
    s.q = take(call.tokens * key_heads * call.keys);
    s.k = take(call.tokens * key_heads * call.keys);
    s.q_lengths = take(call.tokens * key_heads);
    s.k_lengths = take(call.tokens * key_heads);
    s.grown = take(rows);
    s.left = take(rows);
    s.w = take(rows * call.keys);
    s.d = take(rows * call.values);
    s.states = take(call.chunks * heads * call.keys * call.values);
    if (backward) {
        s.b = take(rows * call.keys);
        s.e = take(rows * call.values);
        s.dstates = take(call.chunks * heads * call.keys * call.values);
    } else {
        s.scores = take(call.chunks * heads * chunk * chunk);
    }
    if (used != nullptr) {
        *used = taken;
    }
    return {s,          call.table, call.g + first, call.beta + first, call.tokens, call.segments, call.chunks, key_heads, heads, call.keys,
            call.values, call.heads, ratio};
}

int64_t delta_workspace(const DeltaRule& call, int64_t key_heads_at_once, bool backward) {
    int64_t used = 0;
    delta_part(call, 0, key_heads_at_once, backward, nullptr, &used);
    return used;
}

void delta_begin(const DeltaRule& call, const DeltaPart& part, int64_t first_head, const void* dout, float* last, CUstream_st* stream) {
    const auto first_key_head = first_head / part.ratio, states = first_head * call.keys * call.values;
    by_type(call.type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        const auto rows = part.tokens * part.key_heads;
        const auto unit = unit_kernel<T>;
        const auto bring = [&](const void* x, int64_t by_token, int64_t by_head, float scale, float* to, float* lengths) {
            const Rows<const T> from{static_cast<const T*>(x) + first_key_head * by_head, by_token, by_head};
            unit<<<delta_tiles(rows, delta_threads / warp), delta_threads, 0, stream>>>(from, part.tokens, part.key_heads, part.keys, scale, to, lengths);
        };
        bring(call.q, call.q_token, call.q_head, delta_scale(part.keys), part.space.q, part.space.q_lengths);
        bring(call.k, call.k_token, call.k_head, 1, part.space.k, part.space.k_lengths);
        const Rows<const T> v{static_cast<const T*>(call.v) + first_head * call.v_head, call.v_token, call.v_head};
        const Rows<const T> of_dout{
            dout == nullptr ? nullptr : static_cast<const T*>(dout) + first_head * call.values, call.heads * call.values, call.values};
        const auto prepare = prepare_kernel<T>;
        prepare<<<static_cast<unsigned>(part.chunks * part.heads), delta_threads, 0, stream>>>(part, v, of_dout);
    });
    const auto along = [&](auto kernel) {
        kernel<<<static_cast<unsigned>(part.segments * part.heads * delta_tiles(part.values, tile_columns)), delta_threads, 0, stream>>>(
            part, call.initial == nullptr ? nullptr : call.initial + states, last == nullptr ? nullptr : last + states);
    };
    part.keys <= 128 ? along(states_kernel<128>) : along(states_kernel<256>);
}

void delta_rule_forward(const DeltaRule& call, int64_t key_heads_at_once, void* out, float* last, float* workspace, CUstream_st* stream) {
    for (int64_t first = 0; first < call.key_heads; first += key_heads_at_once) {
        const auto part = delta_part(call, first, std::min(key_heads_at_once, call.key_heads - first), false, workspace);
        const auto first_head = first * part.ratio;
        delta_begin(call, part, first_head, nullptr, last, stream);
        by_type(call.type, [&](auto* element) {
            using T = std::remove_pointer_t<decltype(element)>;
            const Rows<T> to{static_cast<T*>(out) + first_head * call.values, call.heads * call.values, call.values};
            const auto outputs = outputs_kernel<T>;
            outputs<<<static_cast<unsigned>(part.chunks * part.heads * delta_tiles(part.values, chunk)), delta_threads, 0, stream>>>(part, to);
        });
    }
}

} // namespace fovea::cuda
