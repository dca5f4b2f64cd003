// The short convolution on CUDA, forward and backward; see ../short_convolution.cpp for the formula. A thread goes along a run of tokens with a few columns
// side by side and keeps in registers what the next token needs, so that memory is read once: like every pass of this kind it is bound by memory. Segments
// begin anew wherever they begin in a run. The gradient of the weights is summed run by run, and the runs in their order: its bits do not change from time to
// time.
#include "common.cuh"

namespace fovea::cuda {
namespace {

constexpr int threads = 128, forward_run = 16, backward_run = 64, side_by_side = 4;

// What the kernels read, in their element type.
template <class T>
struct Input {
    const T *x, *weight, *initial;
    const int64_t* boundaries;
    int64_t tokens, columns, stride, segments;
};

template <class T>
Input<T> typed(const Convolution& call) {
    return {static_cast<const T*>(call.x), static_cast<const T*>(call.weight), static_cast<const T*>(call.initial), call.boundaries, call.tokens, call.columns,
        call.stride, call.segments};
}

// The segment of a token: the last that begins at or before it and is not empty.
__device__ inline int64_t segment_of(const int64_t* boundaries, int64_t segments, int64_t token) {
    int64_t low = 0, high = segments; // boundaries[low] <= token < boundaries[high]
    while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        (boundaries[middle] <= token ? low : high) = middle;
    }
    return low;
}

// Row t of segment n, whose first token is `start`: before it lie those it was given, or zeros.
template <class T, int L, int N>
__device__ inline void row_at(const Input<T>& in, int64_t n, int64_t start, int64_t t, int64_t pack, float (&to)[N]) {
    if (t < start && in.initial == nullptr) {
#pragma unroll
        for (int j = 0; j < N; j++) {
            to[j] = 0;
        }
        return;
    }
    const T* row = t < start ? in.initial + (n * (L - 1) + t - start + L - 1) * in.columns : in.x + t * in.stride;
    const auto values = load<T, N>(row, pack);
#pragma unroll
    for (int j = 0; j < N; j++) {
        to[j] = widen(values.at[j]);
    }
}

// The rows of a token and those before it, the oldest first, and what moves along with them.
template <int L, int N>
struct Window {
    float at[L][N];

    __device__ void move() {
#pragma unroll
        for (int i = 0; i + 1 < L; i++) {
#pragma unroll
            for (int j = 0; j < N; j++) {
                at[i][j] = at[i + 1][j];
            }
        }
    }
};

template <class T, int L, int N>
__device__ inline void weights_of(const Input<T>& in, int64_t pack, float (&w)[L][N]) {
#pragma unroll
    for (int j = 0; j < N; j++) {
#pragma unroll
        for (int i = 0; i < L; i++) {
            w[i][j] = widen(in.weight[(pack * N + j) * L + i]);
        }
    }
}

// The L - 1 rows before token t, where the next move brings them into place.
template <class T, int L, int N>
__device__ inline void rows_before(const Input<T>& in, int64_t n, int64_t start, int64_t t, int64_t pack, Window<L, N>& window) {
#pragma unroll
    for (int i = 1; i < L; i++) {
        row_at<T, L, N>(in, n, start, t - L + i, pack, window.at[i]);
    }
}

template <class T, int L, int N>
__global__ void convolution_kernel(Input<T> in, T* y) {
    const int64_t packs = in.columns / N, i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    const int64_t pack = i % packs, first = i / packs * forward_run;
    if (first >= in.tokens) {
        return;
    }
    const int64_t end = first + forward_run < in.tokens ? first + forward_run : in.tokens;
    float w[L][N];
    weights_of<T, L, N>(in, pack, w);
    Window<L, N> rows;
    int64_t n = segment_of(in.boundaries, in.segments, first), start = in.boundaries[n], next = in.boundaries[n + 1];
    rows_before<T, L, N>(in, n, start, first, pack, rows);
    for (int64_t t = first; t < end; t++) {
        if (t == next) {
            n = segment_of(in.boundaries, in.segments, t);
            start = t;
            next = in.boundaries[n + 1];
            rows_before<T, L, N>(in, n, start, t, pack, rows);
        }
        rows.move();
        row_at<T, L, N>(in, n, start, t, pack, rows.at[L - 1]);
        Pack<T, N> vy;
#pragma unroll
        for (int j = 0; j < N; j++) {
            float z = 0;
#pragma unroll
            for (int l = 0; l < L; l++) {
                z += w[l][j] * rows.at[l][j];
            }
            narrow(z / (1.0f + __expf(-z)), &vy.at[j]);
        }
        store<T, N>(y + t * in.columns, pack, vy);
    }
}

// With dz = dy silu'(z): dx[t] = sum_i w[i] dz[t + L - 1 - i] within the segment, and dw[i] = sum_t dz[t] x[t - L + 1 + i], of which `sums` gets the part of
// this run.
template <class T, int L, int N>
__global__ void convolution_backward_kernel(Input<T> in, const T* dy, T* dx, float* sums) {
    const int64_t packs = in.columns / N, i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    const int64_t pack = i % packs, run = i / packs, first = run * backward_run;
    if (first >= in.tokens) {
        return;
    }
    const int64_t end = first + backward_run < in.tokens ? first + backward_run : in.tokens;
    float w[L][N], dw[L][N];
    weights_of<T, L, N>(in, pack, w);
#pragma unroll
    for (int l = 0; l < L; l++) {
#pragma unroll
        for (int j = 0; j < N; j++) {
            dw[l][j] = 0;
        }
    }
    for (int64_t from = first; from < end;) {
        // The part of a segment that lies in the run, and behind it the L - 1 tokens that its own rows reach.
        const int64_t n = segment_of(in.boundaries, in.segments, from), start = in.boundaries[n], stop = in.boundaries[n + 1];
        const int64_t own = stop < end ? stop : end;
        Window<L, N> rows, dz;
        rows_before<T, L, N>(in, n, start, from, pack, rows);
        for (int64_t t = from; t < own + L - 1; t++) {
            dz.move();
            if (t < stop) {
                rows.move();
                row_at<T, L, N>(in, n, start, t, pack, rows.at[L - 1]);
                const auto vdy = load<T, N>(dy + t * in.columns, pack);
#pragma unroll
                for (int j = 0; j < N; j++) {
                    float z = 0;
#pragma unroll
                    for (int l = 0; l < L; l++) {
                        z += w[l][j] * rows.at[l][j];
                    }
                    const float s = 1.0f / (1.0f + __expf(-z));
                    dz.at[L - 1][j] = widen(vdy.at[j]) * (s + z * s * (1.0f - s));
                }
            } else {
#pragma unroll
                for (int j = 0; j < N; j++) {
                    dz.at[L - 1][j] = 0;
                }
            }
            if (t < own) {
#pragma unroll
                for (int l = 0; l < L; l++) {
#pragma unroll
                    for (int j = 0; j < N; j++) {
                        dw[l][j] += dz.at[L - 1][j] * rows.at[l][j];
                    }
                }
            }
            if (t - from >= L - 1) {
                Pack<T, N> vdx;
#pragma unroll
                for (int j = 0; j < N; j++) {
                    float sum = 0;
#pragma unroll
                    for (int l = 0; l < L; l++) {
                        sum += w[l][j] * dz.at[L - 1 - l][j];
                    }
                    narrow(sum, &vdx.at[j]);
                }
                store<T, N>(dx + (t - L + 1) * in.columns, pack, vdx);
            }
        }
        from = own;
    }
#pragma unroll
    for (int j = 0; j < N; j++) {
#pragma unroll
        for (int l = 0; l < L; l++) {
            sums[(run * in.columns + pack * N + j) * L + l] = dw[l][j];
        }
    }
}

template <class T>
__global__ void sum_runs_kernel(const float* sums, int64_t runs, int64_t count, T* to) {
    const int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    if (i < count) {
        float sum = 0;
        for (int64_t run = 0; run < runs; run++) {
            sum += sums[run * count + i];
        }
        narrow(sum, &to[i]);
    }
}

// The last `before` rows of each segment, those that it was given included.
template <class T>
__global__ void last_rows_kernel(Input<T> in, int64_t before, T* last) {
    const int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    if (i >= in.segments * before * in.columns) {
        return;
    }
    const int64_t column = i % in.columns, row = i / in.columns % before, n = i / in.columns / before;
    const int64_t start = in.boundaries[n], t = in.boundaries[n + 1] - before + row;
    if (t >= start) {
        last[i] = in.x[t * in.stride + column];
    } else if (in.initial != nullptr) {
        last[i] = in.initial[(n * before + t - start + before) * in.columns + column];
    } else {
        narrow(0, &last[i]);
    }
}

unsigned blocks_of(int64_t work) { return static_cast<unsigned>((work + threads - 1) / threads); }

template <class Body>
void by_length(int64_t length, Body&& body) {
    switch (length) {
        case 1: body(std::integral_constant<int, 1>()); break;
        case 2: body(std::integral_constant<int, 2>()); break;
        case 3: body(std::integral_constant<int, 3>()); break;
        case 4: body(std::integral_constant<int, 4>()); break;
    }
}

int64_t runs_of(int64_t tokens, int64_t run) { return (tokens + run - 1) / run; }

} // namespace

int64_t convolution_sums(int64_t tokens, int64_t columns, int64_t length) { return runs_of(tokens, backward_run) * columns * length; }

void convolution_forward(const Convolution& call, void* y, void* last, CUstream_st* stream) {
    by_type(call.type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        const auto in = typed<T>(call);
        by_length(call.length, [&](auto length) {
            constexpr int l = decltype(length)::value, n = side_by_side;
            const auto run = [&](auto kernel, int pack) {
                const auto work = runs_of(call.tokens, forward_run) * (call.columns / pack);
                kernel<<<blocks_of(work), threads, 0, stream>>>(in, static_cast<T*>(y));
            };
            if (call.tokens > 0) {
                fits<T, n>(call.columns, call.x, call.initial, y) && call.stride % n == 0 ? run(convolution_kernel<T, l, n>, n)
                                                                                          : run(convolution_kernel<T, l, 1>, 1);
            }
        });
        const auto of_last = call.segments * (call.length - 1) * call.columns;
        if (last != nullptr && of_last > 0) {
            const auto kernel = last_rows_kernel<T>;
            kernel<<<blocks_of(of_last), threads, 0, stream>>>(in, call.length - 1, static_cast<T*>(last));
        }
    });
}

void convolution_backward(const Convolution& call, const void* dy, void* dx, void* dweight, float* sums, CUstream_st* stream) {
    by_type(call.type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        const auto in = typed<T>(call);
        const auto runs = runs_of(call.tokens, backward_run);
        by_length(call.length, [&](auto length) {
            constexpr int l = decltype(length)::value, n = side_by_side;
            const auto run = [&](auto kernel, int pack) {
                kernel<<<blocks_of(runs * (call.columns / pack)), threads, 0, stream>>>(in, static_cast<const T*>(dy), static_cast<T*>(dx), sums);
            };
            if (call.tokens > 0) {
                fits<T, n>(call.columns, call.x, call.initial, dy, dx) && call.stride % n == 0 ? run(convolution_backward_kernel<T, l, n>, n)
                                                                                               : run(convolution_backward_kernel<T, l, 1>, 1);
            }
        });
        const auto count = call.columns * call.length;
        const auto kernel = sum_runs_kernel<T>;
        kernel<<<blocks_of(count), threads, 0, stream>>>(sums, runs, count, static_cast<T*>(dweight));
    });
}

} // namespace fovea::cuda
