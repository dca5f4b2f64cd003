// The short convolution of a Gated DeltaNet mixer on the CPU: silu(sum_i w[c][i] x[t - K + 1 + i][c]) for each column, begun anew at each segment.
#include "gated_delta.h"
#include "simd.h"
#include "tile_blocks.h"
#include "workers.h"

#include <ATen/ATen.h>

#include <memory>

namespace fovea {
namespace {

// What a thread takes at once: rows of memory side by side, whatever segments they belong to. The gradient of a weight is summed block by block, and the
// blocks in their order, so that its bits do not depend on the number of threads.
constexpr int64_t block_rows = 64, block_columns = 128; // dz of these stays in the first-level cache

// Rows of the columns of one block: before the segment's first token lie those it was given, or zeros.
template <class T>
struct Rows {
    const T* x;
    int64_t stride;
    const T* before; // the rows ahead of the first, side by side from -length + 1 on; null for zeros
    int64_t before_stride, length;

    const T* at(int64_t t) const { return t >= 0 ? x + t * stride : before == nullptr ? nullptr : before + (t + length - 1) * before_stride; }
};

// Calls with each 16 columns or fewer of token t, their sum, and of what it was made: taps(i) is the number that weight i meets, 0 before the first token.
template <class T, class Body>
FOVEA_INLINE void each_sum(const Rows<T>& rows, const float* weight, int64_t columns, int64_t t, const Body& body) {
    constexpr int64_t usual = 4; // taps that are read without a look at where a segment begins
    if (rows.length == usual && t + 1 >= usual) {
        const auto* first = rows.at(t - usual + 1);
        each_of(columns, [&](int64_t c, auto zero) __attribute__((always_inline)) {
            decltype(zero) taps[usual], sum = zero;
#pragma GCC unroll 4
            for (int64_t i = 0; i < usual; i++) {
                taps[i] = read(first + i * rows.stride + c, zero);
                sum += read(weight + i * columns + c, zero) * taps[i];
            }
            body(c, zero, sum, [&](int64_t i) __attribute__((always_inline)) { return taps[i]; }, std::integral_constant<int64_t, usual>{});
        });
        return;
    }
    each_of(columns, [&](int64_t c, auto zero) __attribute__((always_inline)) {
        const auto tap = [&](int64_t i) __attribute__((always_inline)) {
            const auto* row = rows.at(t - rows.length + 1 + i);
            return row == nullptr ? zero : read(row + c, zero);
        };
        auto sum = zero;
        for (int64_t i = 0; i < rows.length; i++) {
            sum += read(weight + i * columns + c, zero) * tap(i);
        }
        body(c, zero, sum, tap, rows.length);
    });
}

template <class T>
FOVEA_INLINE void any_forward(const Rows<T>& rows, const float* weight, int64_t first, int64_t tokens, int64_t columns, T* y) {
    for (auto t = first; t < first + tokens; t++, y += columns) {
        each_sum(rows, weight, columns, t, [&](int64_t c, auto, auto sum, const auto&, auto) __attribute__((always_inline)) {
            write(sum * sigmoid_fast(sum), y + c);
        });
    }
}

// Short stretches of rows that lie far apart: a processor fetches none of them ahead by itself.
template <int ForWriting, class T>
FOVEA_INLINE void fetch(const T* row, int64_t columns) {
    for (int64_t c = 0; c < columns; c += 64 / static_cast<int64_t>(sizeof(T))) {
        __builtin_prefetch(row + c, ForWriting);
    }
}

constexpr int64_t ahead = 4; // rows

// dz [tokens, columns] = dy silu'(z), and dw += those of the first `own` times x.
template <class T>
FOVEA_INLINE void any_inner(
    const Rows<T>& rows, const float* weight, int64_t first, int64_t tokens, int64_t own, int64_t columns, const T* dy, int64_t dy_stride, float* dz,
    float* dw) {
    for (int64_t t = 0; t < tokens; t++, dy += dy_stride, dz += columns) {
        if (t + ahead < tokens) {
            fetch<0>(rows.at(first + t + ahead), columns);
            fetch<0>(dy + ahead * dy_stride, columns);
        }
        each_sum(rows, weight, columns, first + t, [&](int64_t c, auto zero, auto z, const auto& tap, auto length) __attribute__((always_inline)) {
            const auto s = sigmoid_fast(z);
            const auto gradient = read(dy + c, zero) * (s + z * s * (1.0f - s));
            write(gradient, dz + c);
            if (t < own) {
#pragma GCC unroll 4
                for (int64_t i = 0; i < length; i++) {
                    write(read(dw + i * columns + c, zero) + gradient * tap(i), dw + i * columns + c);
                }
            }
        });
    }
}

// dx of `tokens` rows from dz of these and the length - 1 behind them.
template <class T>
FOVEA_INLINE void any_outer(const float* weight, int64_t length, int64_t tokens, int64_t columns, const float* dz, T* dx, int64_t dx_stride) {
    for (int64_t t = 0; t < tokens; t++, dx += dx_stride, dz += columns) {
        if (t + ahead < tokens) {
            fetch<1>(dx + ahead * dx_stride, columns);
        }
        each_of(columns, [&](int64_t c, auto zero) __attribute__((always_inline)) {
            auto sum = zero;
            for (int64_t i = 0; i < length; i++) {
                sum += read(weight + i * columns + c, zero) * read(dz + (length - 1 - i) * columns + c, zero);
            }
            write(sum, dx + c);
        });
    }
}

FOVEA_CLONES void forward_of(const Rows<float>& r, const float* w, int64_t f, int64_t n, int64_t c, float* y) { any_forward(r, w, f, n, c, y); }
FOVEA_CLONES void forward_of(const Rows<bf16>& r, const float* w, int64_t f, int64_t n, int64_t c, bf16* y) { any_forward(r, w, f, n, c, y); }
FOVEA_CLONES void inner_of(
    const Rows<float>& r, const float* w, int64_t f, int64_t n, int64_t own, int64_t c, const float* dy, int64_t s, float* dz, float* dw) {
    any_inner(r, w, f, n, own, c, dy, s, dz, dw);
}
FOVEA_CLONES void inner_of(
    const Rows<bf16>& r, const float* w, int64_t f, int64_t n, int64_t own, int64_t c, const bf16* dy, int64_t s, float* dz, float* dw) {
    any_inner(r, w, f, n, own, c, dy, s, dz, dw);
}
FOVEA_CLONES void outer_of(const float* w, int64_t l, int64_t n, int64_t c, const float* dz, float* dx, int64_t s) { any_outer(w, l, n, c, dz, dx, s); }
FOVEA_CLONES void outer_of(const float* w, int64_t l, int64_t n, int64_t c, const float* dz, bf16* dx, int64_t s) { any_outer(w, l, n, c, dz, dx, s); }

// The weights of all columns, [length, columns].
at::Tensor turned(const at::Tensor& weight) { return weight.to(at::kFloat).t().contiguous(); }

template <class T>
Rows<T> rows_of(const at::Tensor& x, int64_t start, int64_t column, const at::Tensor& initial, int64_t segment, int64_t length) {
    const auto all = x.size(1);
    return {
        data_of<T>(x) + start * x.stride(0) + column, x.stride(0),
        initial.defined() ? data_of<T>(initial) + segment * (length - 1) * all + column : nullptr, all, length};
}

// Calls with the parts of a block of rows that lie in one segment: its number, and the first row and their number counted from its beginning.
template <class Body>
void each_segment(at::IntArrayRef boundaries, int64_t block, const Body& body) {
    const auto from = block * block_rows, end = std::min(from + block_rows, boundaries.back());
    auto n = std::upper_bound(boundaries.begin(), boundaries.end(), from) - boundaries.begin() - 1;
    for (auto t = from; t < end; n++) {
        const auto stop = std::min(boundaries[n + 1], end);
        if (stop > t) {
            body(n, t - boundaries[n], stop - t);
        }
        t = stop;
    }
}

} // namespace

bool convolution_fits_cpu(const at::Tensor& x) { return fused_on_cpu(x); }

std::tuple<at::Tensor, at::Tensor> convolution_on_cpu(
    const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef boundaries, const at::Tensor& initial, bool wants_final) {
    const auto tokens = x.size(0), all = x.size(1), length = weight.size(1), segments = static_cast<int64_t>(boundaries.size()) - 1;
    auto y = at::empty({tokens, all}, x.options());
    auto last = at::empty({wants_final ? segments : 0, length - 1, all}, x.options());
    const auto by_step = turned(weight);
    by_type(x, [&](auto zero) {
        using T = decltype(zero);
        const auto* w = data_of<float>(by_step);
        share_out((tokens + block_rows - 1) / block_rows, [&] {
            return [&](int64_t block) {
                each_segment(boundaries, block, [&](int64_t n, int64_t t, int64_t count) {
                    const auto start = boundaries[n];
                    forward_of(rows_of<T>(x, start, 0, initial, n, length), w, t, count, all, mutable_data_of<T>(y) + (start + t) * all);
                });
            };
        });
        for (int64_t n = 0; n < last.size(0); n++) {
            const auto rows = rows_of<T>(x, boundaries[n], 0, initial, n, length);
            for (int64_t i = 0; i < length - 1; i++) {
                const auto* row = rows.at(boundaries[n + 1] - boundaries[n] - length + 1 + i);
                auto* to = mutable_data_of<T>(last) + (n * (length - 1) + i) * all;
                row == nullptr ? std::fill_n(to, all, T{}) : std::copy_n(row, all, to);
            }
        }
    });
    return {y, last};
}

std::tuple<at::Tensor, at::Tensor> convolution_gradients_on_cpu(
    const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef boundaries, const at::Tensor& initial) {
    const auto tokens = x.size(0), all = x.size(1), length = weight.size(1), blocks = (tokens + block_rows - 1) / block_rows;
    auto dx = at::empty({tokens, all}, x.options());
    const auto by_step = turned(weight), sums = at::zeros({blocks, length, all}, by_step.options());
    by_type(x, [&](auto zero) {
        using T = decltype(zero);
        share_out(blocks, [&] {
            auto scratch = std::make_shared<Scratch>();
            auto *w = scratch->numbers(length * block_columns), *dw = scratch->numbers(length * block_columns);
            auto* dz = scratch->numbers((block_rows + length) * block_columns);
            return [&, scratch, w, dw, dz](int64_t block) {
                for (int64_t first = 0; first < all; first += block_columns) {
                    const auto columns = std::min(block_columns, all - first);
                    auto* block_sums = mutable_data_of<float>(sums) + block * length * all + first;
                    for (int64_t i = 0; i < length; i++) {
                        std::copy_n(data_of<float>(by_step) + i * all + first, columns, w + i * columns);
                    }
                    std::fill_n(dw, length * columns, 0.0f);
                    each_segment(boundaries, block, [&](int64_t n, int64_t t, int64_t count) {
                        const auto start = boundaries[n], wanted = std::min(count + length - 1, boundaries[n + 1] - start - t);
                        const auto rows = rows_of<T>(x, start, first, initial, n, length);
                        const auto place = (start + t) * all + first;
                        inner_of(rows, w, t, wanted, count, columns, data_of<T>(dy) + place, all, dz, dw);
                        std::fill_n(dz + wanted * columns, (count + length - 1 - wanted) * columns, 0.0f);
                        outer_of(w, length, count, columns, dz, mutable_data_of<T>(dx) + place, all);
                    });
                    for (int64_t i = 0; i < length; i++) {
                        std::copy_n(dw + i * columns, columns, block_sums + i * all);
                    }
                }
            };
        });
    });
    auto sum = blocks == 0 ? at::zeros_like(by_step) : sums[0].clone();
    for (int64_t block = 1; block < blocks; block++) {
        sum.add_(sums[block]);
    }
    return {dx, sum.t().to(weight.scalar_type()).contiguous()};
}

} // namespace fovea
