// Back through the gated delta rule; see delta_rule.cu for the names. From the last chunk of a segment to its first, dS being the gradient of the state behind,
//     e = (1 + A)^-T (scores^T dout + exp(G_last - G) k dS)    the gradient of what the corrections were made from;
//     dv = beta e,  dS' = exp(G_last) dS + (exp(G) q)^T dout - (beta exp(G) k)^T e              (reverse: three products a chunk, a block for 32 columns of v)
// and then for all chunks at once what q, k, g and beta get (gradients), from states before and gradients behind each chunk. What value heads ask of a key head
// they share is added up in their order (finish), so that all bits are the same from time to time.
#include "delta.cuh"

#include <algorithm>

namespace fovea::cuda {
namespace {

template <class T, int Most>
__global__ void __launch_bounds__(delta_threads, 2) reverse_kernel(DeltaPart part, Rows<const T> dout, const float* dlast, Rows<T> dv, float* dinitial) {
    __shared__ float2 dstate[Most * tile_columns / 2];
    __shared__ float2 x[chunk * tile_columns / 2];
    __shared__ float4 slab_a[slab * slab_stride];
    const int keys = static_cast<int>(part.keys), values = static_cast<int>(part.values), tiles = (values + tile_columns - 1) / tile_columns;
    const int64_t tile = blockIdx.x % tiles, head = blockIdx.x / tiles % part.heads, n = blockIdx.x / tiles / part.heads;
    const int first = static_cast<int>(tile) * tile_columns, columns = values - first < tile_columns ? values - first : tile_columns;
    const auto& space = part.space;
    auto* s = reinterpret_cast<float*>(dstate);
    auto* right = reinterpret_cast<float*>(x);
    const int64_t given = (n * part.all_heads + head) * keys * values + first;
    for (int i = threadIdx.x; i < Most * tile_columns; i += delta_threads) {
        const int row = i / tile_columns, column = i % tile_columns;
        s[i] = dlast != nullptr && row < keys && column < columns ? dlast[given + static_cast<int64_t>(row) * values + column] : 0.0f;
    }
    __syncthreads();
    const int32_t* first_chunk = part.table + part.chunks * 3;
    for (int64_t c = first_chunk[n + 1] - 1; c >= first_chunk[n]; c--) {
        const auto at = delta_place(part, c, head);
        float* behind = space.dstates + (c * part.heads + head) * keys * values + first;
        for (int i = threadIdx.x; i < keys * tile_columns; i += delta_threads) {
            if (i % tile_columns < columns) {
                behind[static_cast<int64_t>(i / tile_columns) * values + i % tile_columns] = s[i];
            }
        }
        float e[4][2];
        clear(e);
        narrow_product<Along::Depth>(e, keys, slab_a, dstate, [&](int d, int row) {
            return row < at.count ? space.b[value_row(part, at, row) * keys + d] : 0.0f;
        });
        each_sum(e, [&](int i, int j, float& sum) {
            const bool inside = i < at.count && j < columns;
            if (inside) {
                float* of = space.e + value_row(part, at, i) * values + first + j;
                sum += *of;
                *of = sum;
                narrow(part.beta[(at.first + i) * part.all_heads + head] * sum, dv.at(at.first + i, head) + first + j);
            }
            right[i * tile_columns + j] = inside ? widen(dout.at(at.first + i, head)[first + j]) : 0.0f;
        });
        __syncthreads();
        const float whole = space.grown[value_row(part, at, at.count - 1)];
        float acc[4][2];
        for (int from = 0; from < keys; from += chunk) {
            clear(acc);
            narrow_product<Along::Other>(acc, at.count, slab_a, x, [&](int d, int row) {
                return from + row < keys ? space.grown[value_row(part, at, d)] * space.q[key_row(part, at, d) * keys + from + row] : 0.0f;
            });
            each_sum(acc, [&](int i, int j, float sum) {
                if (from + i < keys) {
                    float* of = s + (from + i) * tile_columns + j;
                    *of = whole * *of + sum;
                }
            });
        }
        __syncthreads();
        each_sum(e, [&](int i, int j, float sum) { right[i * tile_columns + j] = i < at.count && j < columns ? sum : 0.0f; });
        __syncthreads();
        for (int from = 0; from < keys; from += chunk) {
            clear(acc);
            narrow_product<Along::Other>(acc, at.count, slab_a, x, [&](int d, int row) {
                const float beta = part.beta[(at.first + d) * part.all_heads + head];
                return from + row < keys ? beta * space.grown[value_row(part, at, d)] * space.k[key_row(part, at, d) * keys + from + row] : 0.0f;
            });
            each_sum(acc, [&](int i, int j, float sum) {
                if (from + i < keys) {
                    s[(from + i) * tile_columns + j] -= sum;
                }
            });
        }
        __syncthreads();
    }
    if (dinitial != nullptr) {
        for (int i = threadIdx.x; i < keys * tile_columns; i += delta_threads) {
            if (i % tile_columns < columns) {
                dinitial[given + static_cast<int64_t>(i / tile_columns) * values + i % tile_columns] = s[i];
            }
        }
    }
}

// Numbers of a chunk's tokens += those of its rows: of[row] += the sums of body(row, column, r, c) over a tile's columns. The threads of a row know them all.
template <class Body>
__device__ inline void add_rows(float* of, const Body& body) {
#pragma unroll
    for (int r = 0; r < 4; r++) {
        float sum = 0;
#pragma unroll
        for (int c = 0; c < 4; c++) {
            sum += body(sum_row() * 4 + r, sum_column() * 4 + c, r, c);
        }
        sum = sum_of_row(sum);
        if (sum_column() == 0) {
            of[sum_row() * 4 + r] += sum;
        }
    }
}

// One chunk of one value head. The gradients by q and k, of unit length here, take the places of w and b.
template <class T>
__global__ void __launch_bounds__(delta_threads, 2) gradients_kernel(DeltaPart part, Rows<const T> v, Rows<const T> dout, float* dg, float* dbeta) {
    __shared__ float4 slab_a[slab * slab_stride];
    __shared__ float4 slab_b[slab * slab_stride];
    __shared__ float scores[chunk * square_stride]; // gradients of E q k^T, and of -A
    __shared__ float system[chunk * square_stride];
    __shared__ double sums[chunk];
    __shared__ float beta[chunk];
    __shared__ float of_beta[chunk];
    __shared__ float of_sums[chunk];
    __shared__ float shared[warp];
    const auto at = delta_place(part, blockIdx.x / part.heads, blockIdx.x % part.heads);
    const int count = at.count, keys = static_cast<int>(part.keys), values = static_cast<int>(part.values);
    const auto& space = part.space;
    if (threadIdx.x < chunk) {
        of_beta[threadIdx.x] = 0;
        of_sums[threadIdx.x] = 0;
    }
    delta_sums(part, at, sums, beta);
    const auto of_e = [&](int d, int row) { return row < count ? space.e[value_row(part, at, row) * values + d] : 0.0f; };
    const auto of_d = [&](int d, int row) { return row < count ? space.d[value_row(part, at, row) * values + d] : 0.0f; };
    const auto of_dout = [&](int d, int row) { return row < count ? widen(dout.at(at.first + row, at.head)[d]) : 0.0f; };
    const auto of_k = [&](int d, int row) { return row < count ? space.k[key_row(part, at, row) * keys + d] : 0.0f; };
    float acc[4][4], kk[4][4];
    clear(acc);
    tile_product<Along::Depth, Along::Depth>(acc, values, slab_a, slab_b, of_dout, of_d);
    each_sum(acc, [&](int i, int j, float x) { scores[i * square_stride + j] = j <= i && i < count ? delta_decay(sums, i, j) * x : 0.0f; });
    clear(acc);
    tile_product<Along::Depth, Along::Depth>(acc, values, slab_a, slab_b, of_e, of_d);
    clear(kk);
    tile_product<Along::Depth, Along::Depth>(kk, keys, slab_a, slab_b, of_k, of_k);
    each_sum(acc, [&](int i, int j, float& x) {
        x = j < i && i < count ? delta_decay(sums, i, j) * x : 0.0f;
        system[i * square_stride + j] = -beta[i] * x;
    });
    add_rows(of_beta, [&](int, int, int r, int c) { return -acc[r][c] * kk[r][c]; });
#pragma unroll
    for (int r = 0; r < 4; r++) {
        const int row = sum_row() * 4 + r;
        float sum = 0;
        for (int column = sum_column(); column < values && row < count; column += 16) {
            sum += of_e(column, row) * widen(v.at(at.first + row, at.head)[column]);
        }
        sum = sum_of_row(sum);
        if (sum_column() == 0) {
            of_beta[row] += sum;
        }
    }
    __syncthreads();

    const float* state = space.states + (at.number * part.heads + at.head) * keys * values;
    const float* dstate = space.dstates + (at.number * part.heads + at.head) * keys * values;
    float of_last = 0; // what exp(G of the last) gets, times it; this thread's part
    for (int first = 0; first < keys; first += chunk) {
        const auto of_state = [&](int d, int column) {
            return first + column < keys ? state[static_cast<int64_t>(first + column) * values + d] : 0.0f;
        };
        const auto of_dstate = [&](int d, int column) {
            return first + column < keys ? dstate[static_cast<int64_t>(first + column) * values + d] : 0.0f;
        };
        const auto tile_of = [&](const float* x, int d, int column) {
            return d < count && first + column < keys ? x[key_row(part, at, d) * keys + first + column] : 0.0f;
        };
        const auto k_tile = [&](int d, int column) { return tile_of(space.k, d, column); };
        const auto q_tile = [&](int d, int column) { return tile_of(space.q, d, column); };
        const auto scale_rows = [&](float (&x)[4][4], auto factor) {
#pragma unroll
            for (int r = 0; r < 4; r++) {
                const int row = sum_row() * 4 + r;
                const float by = row < count ? factor(row) : 0.0f;
#pragma unroll
                for (int c = 0; c < 4; c++) {
                    x[r][c] *= by;
                }
            }
        };
        const auto grown = [&](int row) { return space.grown[value_row(part, at, row)]; };
        const auto of_scores = [&](int d, int row) { return scores[row * square_stride + d]; };
        const auto of_system = [&](int d, int row) { return system[row * square_stride + d]; };

        // By q: what was read with it.
        clear(acc);
        tile_product<Along::Depth, Along::Depth>(acc, values, slab_a, slab_b, of_dout, of_state);
        scale_rows(acc, grown);
        tile_product<Along::Depth, Along::Other>(acc, count, slab_a, slab_b, of_scores, k_tile);
        add_rows(of_sums, [&](int row, int column, int r, int c) { return q_tile(row, column) * acc[r][c]; });
        each_sum(acc, [&](int i, int j, float x) {
            if (i < count && first + j < keys) {
                space.w[value_row(part, at, i) * keys + first + j] = x;
            }
        });

        // By k: what was read with it, and what was written.
        float read[4][4];
        clear(read);
        tile_product<Along::Depth, Along::Depth>(read, values, slab_a, slab_b, of_e, of_state);
        scale_rows(read, grown);
        add_rows(of_beta, [&](int row, int column, int r, int c) { return -k_tile(row, column) * read[r][c]; });
        scale_rows(read, [&](int row) { return -beta[row]; });
        tile_product<Along::Depth, Along::Other>(read, count, slab_a, slab_b, of_system, k_tile);
        clear(acc);
        tile_product<Along::Depth, Along::Depth>(acc, values, slab_a, slab_b, of_d, of_dstate);
        scale_rows(acc, [&](int row) { return space.left[value_row(part, at, row)]; });
        each_sum(acc, [&](int i, int j, float x) { of_last += k_tile(i, j) * x; });
        tile_product<Along::Other, Along::Other>(acc, count, slab_a, slab_b, [&](int d, int row) { return scores[d * square_stride + row]; }, q_tile);
        tile_product<Along::Other, Along::Other>(acc, count, slab_a, slab_b, [&](int d, int row) { return system[d * square_stride + row]; }, k_tile);
        add_rows(of_sums, [&](int row, int column, int r, int c) { return k_tile(row, column) * (read[r][c] - acc[r][c]); });
#pragma unroll
        for (int r = 0; r < 4; r++) {
#pragma unroll
            for (int c = 0; c < 4; c++) {
                const int row = sum_row() * 4 + r, column = first + sum_column() * 4 + c;
                if (row < count && column < keys) {
                    space.b[value_row(part, at, row) * keys + column] = read[r][c] + acc[r][c];
                }
            }
        }
    }
    const float whole = expf(static_cast<float>(sums[chunk - 1]));
    for (int64_t i = threadIdx.x; i < part.keys * part.values; i += delta_threads) {
        of_last += whole * state[i] * dstate[i];
    }
    of_last = block_sum(of_last, shared); // and with its barriers all rows are added up
    if (threadIdx.x == 0) {
        double sum = of_last;
        for (int i = count - 1; i >= 0; i--) {
            sum += of_sums[i];
            dg[(at.first + i) * part.all_heads + at.head] = static_cast<float>(sum);
        }
    }
    if (static_cast<int>(threadIdx.x) < count) {
        dbeta[(at.first + threadIdx.x) * part.all_heads + at.head] = of_beta[threadIdx.x];
    }
}

// A warp brings the gradient of a key head back from unit length: with y = scale x / |x|, dx = (dy - y (y dy) / scale^2) scale / |x|.
template <class T>
__global__ void finish_kernel(DeltaPart part, const float* by_head, const float* unit, const float* lengths, float scale, Rows<T> to) {
    const int64_t row = blockIdx.x * static_cast<int64_t>(blockDim.x / warp) + threadIdx.x / warp, keys = part.keys;
    const int lane = threadIdx.x % warp;
    if (row >= part.tokens * part.key_heads) {
        return;
    }
    const float* first = by_head + row * part.ratio * keys; // value heads that share a key head are neighbours
    const auto sum_at = [&](int64_t i) {
        float sum = 0;
        for (int64_t r = 0; r < part.ratio; r++) {
            sum += first[r * keys + i];
        }
        return sum;
    };
    const float* y = unit + row * keys;
    float dot = 0;
    for (int64_t i = lane; i < keys; i += warp) {
        dot += y[i] * sum_at(i);
    }
    for (int offset = warp / 2; offset > 0; offset /= 2) {
        dot += __shfl_xor_sync(0xffffffffu, dot, offset);
    }
    const float length = lengths[row] * scale, back = dot / (scale * scale);
    T* out = to.at(row / part.key_heads, row % part.key_heads);
    for (int64_t i = lane; i < keys; i += warp) {
        narrow(length * (sum_at(i) - y[i] * back), out + i);
    }
}

} // namespace

void delta_rule_backward(const DeltaRule& call, int64_t key_heads_at_once, const DeltaGradients& to, float* workspace, CUstream_st* stream) {
    for (int64_t first = 0; first < call.key_heads; first += key_heads_at_once) {
        const auto part = delta_part(call, first, std::min(key_heads_at_once, call.key_heads - first), true, workspace);
        const auto first_head = first * part.ratio, states = first_head * call.keys * call.values;
        delta_begin(call, part, first_head, to.dout, nullptr, stream);
        by_type(call.type, [&](auto* element) {
            using T = std::remove_pointer_t<decltype(element)>;
            const auto by_token = call.heads * call.values, by_key_token = call.key_heads * call.keys;
            const Rows<const T> v{static_cast<const T*>(call.v) + first_head * call.v_head, call.v_token, call.v_head};
            const Rows<const T> dout{static_cast<const T*>(to.dout) + first_head * call.values, by_token, call.values};
            const Rows<T> dv{static_cast<T*>(to.dv) + first_head * call.values, by_token, call.values};
            const auto back = [&](auto kernel) {
                kernel<<<static_cast<unsigned>(part.segments * part.heads * delta_tiles(part.values, tile_columns)), delta_threads, 0, stream>>>(
                    part, dout, to.dlast == nullptr ? nullptr : to.dlast + states, dv, to.dinitial == nullptr ? nullptr : to.dinitial + states);
            };
            part.keys <= 128 ? back(reverse_kernel<T, 128>) : back(reverse_kernel<T, 256>);
            const auto gradients = gradients_kernel<T>;
            gradients<<<static_cast<unsigned>(part.chunks * part.heads), delta_threads, 0, stream>>>(
                part, v, dout, to.dg + first_head, to.dbeta + first_head);
            const auto finish = finish_kernel<T>;
            const auto bring_back = [&](const float* by_head, const float* unit, const float* lengths, float scale, void* all) {
                const Rows<T> rows{static_cast<T*>(all) + first * call.keys, by_key_token, call.keys};
                finish<<<delta_tiles(part.tokens * part.key_heads, delta_threads / warp), delta_threads, 0, stream>>>(
                    part, by_head, unit, lengths, scale, rows);
            };
            bring_back(part.space.w, part.space.q, part.space.q_lengths, delta_scale(call.keys), to.dq);
            bring_back(part.space.b, part.space.k, part.space.k_lengths, 1, to.dk);
        });
    }
}

} // namespace fovea::cuda
