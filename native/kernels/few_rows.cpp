// A linear layer of a few rows. Four rows of the weight are read side by side while the next four are fetched: a processor's own prefetching starts anew
// at every row, which cost 40 % of the bandwidth of one thread where this was measured.
#include "few_rows.h"
#include "simd.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <vector>

// Whether the compiler joins a product and a sum differs from tile to tile, and with it the last bit; here memory is the limit, so it never does.
#pragma GCC optimize("fp-contract=off")

namespace fovea {
namespace {

constexpr int64_t most_rows = 8;
constexpr int64_t grain = 1 << 16; // weights that a thread takes at least

using Lanes = float __attribute__((vector_size(32)));
using Words = uint32_t __attribute__((vector_size(32)));
using LooseLanes = Lanes __attribute__((aligned(4), may_alias));
using LooseHalves = uint16_t __attribute__((vector_size(16), aligned(2), may_alias));

FOVEA_INLINE void load(const float* from, Lanes& to) { to = *reinterpret_cast<const LooseLanes*>(from); }
FOVEA_INLINE void load(const bf16* from, Lanes& to) {
    to = reinterpret_cast<Lanes>(__builtin_convertvector(*reinterpret_cast<const LooseHalves*>(from), Words) << 16);
}

template <class E>
FOVEA_INLINE void load_some(const E* from, int64_t count, Lanes& to) {
    E padded[8] = {};
    std::copy_n(from, count, padded);
    load(padded, to);
}

// out[r * T + t] = w_r . x_t for R rows of the weight and T of x.
template <int R, int T, class E>
FOVEA_INLINE void tile(const E* w, int64_t by_w, const E* x, int64_t by_x, int64_t width, float* out) {
    constexpr int64_t lanes = 8, line = 64 / sizeof(E);
    Lanes sums[R][T] = {};
    int64_t k = 0;
    for (; k + line <= width; k += line) {
        for (int r = 0; r < R; r++) {
            __builtin_prefetch(w + (r + R) * by_w + k);
        }
#pragma GCC unroll 4
        for (int64_t j = k; j < k + line; j += lanes) {
            Lanes xs[T], ws;
#pragma GCC unroll 2
            for (int t = 0; t < T; t++) {
                load(x + t * by_x + j, xs[t]);
            }
#pragma GCC unroll 4
            for (int r = 0; r < R; r++) {
                load(w + r * by_w + j, ws);
#pragma GCC unroll 2
                for (int t = 0; t < T; t++) {
                    sums[r][t] += ws * xs[t];
                }
            }
        }
    }
    // What is left, filled up with zeros: the same operations in the same order, so that the tile's shape cannot change a bit.
    for (; k < width; k += lanes) {
        const auto count = std::min(lanes, width - k);
        Lanes xs[T], ws;
        for (int t = 0; t < T; t++) {
            load_some(x + t * by_x + k, count, xs[t]);
        }
        for (int r = 0; r < R; r++) {
            load_some(w + r * by_w + k, count, ws);
            for (int t = 0; t < T; t++) {
                sums[r][t] += ws * xs[t];
            }
        }
    }
    for (int r = 0; r < R; r++) {
        for (int t = 0; t < T; t++) {
            const Lanes& s = sums[r][t];
            out[r * T + t] = ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
        }
    }
}

// R rows of the weight from row n on against every row of x; out is [rows, N].
template <int R, class E>
FOVEA_INLINE void strip(const E* w, int64_t by_w, const E* x, int64_t by_x, int64_t rows, int64_t width, float* out, int64_t by_out) {
    float sums[2 * R];
    int64_t t = 0;
    for (; t + 2 <= rows; t += 2) {
        tile<R, 2>(w, by_w, x + t * by_x, by_x, width, sums);
        for (int r = 0; r < R; r++) {
            out[t * by_out + r] = sums[2 * r];
            out[(t + 1) * by_out + r] = sums[2 * r + 1];
        }
    }
    if (t < rows) {
        tile<R, 1>(w, by_w, x + t * by_x, by_x, width, sums);
        std::copy(sums, sums + R, out + t * by_out);
    }
}

template <class E>
FOVEA_INLINE void span(
    const E* w, int64_t by_w, const E* x, int64_t by_x, int64_t rows, int64_t width, float* out, int64_t by_out, int64_t begin, int64_t end) {
    auto n = begin;
    for (; n + 4 <= end; n += 4) {
        strip<4>(w + n * by_w, by_w, x, by_x, rows, width, out + n, by_out);
    }
    for (; n < end; n++) {
        strip<1>(w + n * by_w, by_w, x, by_x, rows, width, out + n, by_out);
    }
}

FOVEA_CLONES void span_of(const float* w, int64_t bw, const float* x, int64_t bx, int64_t t, int64_t k, float* y, int64_t by, int64_t from, int64_t to) {
    span(w, bw, x, bx, t, k, y, by, from, to);
}
FOVEA_CLONES void span_of(const bf16* w, int64_t bw, const bf16* x, int64_t bx, int64_t t, int64_t k, float* y, int64_t by, int64_t from, int64_t to) {
    span(w, bw, x, bx, t, k, y, by, from, to);
}

// to = sum (+ bias) (+ scale * low . b_n) for the outputs begin .. end of one row.
template <class E>
FOVEA_INLINE void finish(const float* sums, const E* bias, const float* low, const E* b, int64_t rank, float scale, E* to, int64_t begin, int64_t end) {
    for (auto n = begin; n < end; n++) {
        float update = 0;
        for (int64_t i = 0; i < rank; i++) {
            update += low[i] * widen(b[n * rank + i]);
        }
        narrow(sums[n] + (bias == nullptr ? 0.0f : widen(bias[n])) + scale * update, &to[n]);
    }
}

FOVEA_CLONES void finish_of(const float* s, const float* c, const float* l, const float* b, int64_t r, float f, float* y, int64_t from, int64_t to) {
    finish(s, c, l, b, r, f, y, from, to);
}
FOVEA_CLONES void finish_of(const float* s, const bf16* c, const float* l, const bf16* b, int64_t r, float f, bf16* y, int64_t from, int64_t to) {
    finish(s, c, l, b, r, f, y, from, to);
}

template <class E>
at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, const LowRank& adapter) {
    const auto width = weight.size(1), outputs = weight.size(0), rows = x.numel() / width, by_x = x.dim() == 2 ? x.stride(0) : width;
    auto sizes = x.sizes().vec();
    sizes.back() = outputs;
    auto y = at::empty(sizes, x.options());
    const auto *px = data_of<E>(x), *pw = data_of<E>(weight), *pc = bias.has_value() && bias->defined() ? data_of<E>(*bias) : nullptr;
    auto* py = mutable_data_of<E>(y);
    const auto rank = adapter.a.defined() ? adapter.a.size(0) : 0;
    const auto* pb = rank > 0 ? data_of<E>(adapter.b) : nullptr;
    std::vector<float> sums(static_cast<size_t>(rows * outputs)), low(static_cast<size_t>(rows * rank));
    if (rank > 0) {
        span_of(data_of<E>(adapter.a), width, px, by_x, rows, width, low.data(), rank, 0, rank);
    }
    at::parallel_for(0, outputs, std::max<int64_t>(4, grain / width), [&](int64_t begin, int64_t end) {
        span_of(pw, weight.stride(0), px, by_x, rows, width, sums.data(), outputs, begin, end);
        for (int64_t t = 0; t < rows; t++) {
            finish_of(
                sums.data() + t * outputs, pc, low.data() + t * rank, pb, rank, static_cast<float>(adapter.scale), py + t * outputs, begin, end);
        }
    });
    return y;
}

bool plain(const at::Tensor& t, const at::Tensor& like) {
    return t.is_cpu() && t.scalar_type() == like.scalar_type() && t.is_contiguous();
}

bool learns(const at::Tensor& t) {
    return t.defined() && t.requires_grad();
}

} // namespace

bool few_rows_fit(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, const LowRank& adapter) {
    const auto offset = bias.has_value() ? *bias : at::Tensor();
    if (!fused_on_cpu(x) || x.dim() == 0 || weight.dim() != 2 || x.size(-1) != weight.size(1) || x.numel() == 0 || x.numel() > most_rows * x.size(-1)) {
        return false;
    }
    if (c10::GradMode::is_enabled() && (learns(x) || learns(weight) || learns(offset) || learns(adapter.a) || learns(adapter.b))) {
        return false;
    }
    const auto dense = weight.is_cpu() && weight.scalar_type() == x.scalar_type() && weight.stride(1) == 1
        && (x.dim() == 2 ? x.stride(1) == 1 : x.is_contiguous());
    const auto offset_fits = !offset.defined() || (plain(offset, x) && offset.dim() == 1 && offset.size(0) == weight.size(0));
    const auto &a = adapter.a, &b = adapter.b;
    const auto adapter_fits = !a.defined()
        || (plain(a, x) && plain(b, x) && a.dim() == 2 && b.dim() == 2 && a.size(1) == weight.size(1) && b.size(0) == weight.size(0) && a.size(0) == b.size(1));
    return dense && offset_fits && adapter_fits;
}

at::Tensor few_rows(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, const LowRank& adapter) {
    return x.scalar_type() == at::kFloat ? product<float>(x, weight, bias, adapter) : product<bf16>(x, weight, bias, adapter);
}

} // namespace fovea
