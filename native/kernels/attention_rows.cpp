#include "attention_rows.h"

namespace fovea {
namespace {

constexpr float nothing = -std::numeric_limits<float>::infinity();

template <class P>
FOVEA_INLINE float any_row_exponents(float* scores, P* to, int64_t visible, int64_t columns, float scale, Softmax& softmax) {
    const auto padded = whole_vectors(visible);
    for (int64_t i = visible; i < padded; i++) {
        scores[i] = nothing;
    }
    lanes tops = filled(nothing);
    for (int64_t i = 0; i < padded; i += width) {
        tops = larger(load(scores + i), tops);
    }
    const float before = softmax.top, top = std::max(before, largest_of(tops) * scale);
    lanes sums{};
    for (int64_t i = 0; i < padded; i += width) {
        const lanes e = exp_fast(load(scores + i) * scale - top);
        sums += e;
        store(e, to + i);
    }
    for (int64_t i = visible; i < columns; i++) {
        to[i] = P{};
    }
    const float shrunk = before == nothing ? 0 : exp_fast(before - top);
    softmax = {top, softmax.sum * shrunk + sum_of(sums)};
    return shrunk;
}

template <class T>
FOVEA_INLINE void any_row_scaled(const float* from, float factor, T* to, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        narrow(from[i] * factor, &to[i]);
    }
}

template <class T>
FOVEA_INLINE float any_row_dot(const T* a, const T* b, int64_t count) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) {
        sum += widen(a[i]) * widen(b[i]);
    }
    return sum;
}

FOVEA_INLINE lanes only_visible(const lanes& x, int64_t from, int64_t visible) {
    constexpr int_lanes numbers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return from + width <= visible ? x : numbers + static_cast<int32_t>(from) < static_cast<int32_t>(visible) ? x : lanes{};
}

} // namespace

FOVEA_CLONES float row_exponents(float* s, float* to, int64_t visible, int64_t columns, float scale, Softmax& softmax) {
    return any_row_exponents(s, to, visible, columns, scale, softmax);
}
FOVEA_CLONES float row_exponents(float* s, bf16* to, int64_t visible, int64_t columns, float scale, Softmax& softmax) {
    return any_row_exponents(s, to, visible, columns, scale, softmax);
}

FOVEA_CLONES void row_scaled(const float* from, float factor, float* to, int64_t count) { any_row_scaled(from, factor, to, count); }
FOVEA_CLONES void row_scaled(const float* from, float factor, bf16* to, int64_t count) { any_row_scaled(from, factor, to, count); }

FOVEA_CLONES void row_added(const float* from, float* to, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        to[i] += from[i];
    }
}

FOVEA_CLONES float row_dot(const float* a, const float* b, int64_t count) { return any_row_dot(a, b, count); }
FOVEA_CLONES float row_dot(const bf16* a, const bf16* b, int64_t count) { return any_row_dot(a, b, count); }

FOVEA_CLONES void row_gradient(float* scores, float* dp, int64_t columns, float scale, const Query& query) {
    for (int64_t i = 0; i < columns; i += width) {
        if (i >= query.visible) {
            store(lanes{}, scores + i);
            store(lanes{}, dp + i);
            continue;
        }
        const lanes p = only_visible(exp_fast(load(scores + i) * scale - query.lse), i, query.visible);
        store(p, scores + i);
        store(only_visible(p * (load(dp + i) - query.delta) * scale, i, query.visible), dp + i);
    }
}

FOVEA_CLONES void pair_gradient(
    const float* scores, const float* dp, int64_t stride, int64_t columns, float scale, const Query* query, word* p_pairs, word* ds_pairs, bf16* ds_rows) {
    for (int64_t i = 0; i < columns; i += width) {
        word_lanes p_words{}, ds_words{};
        for (int r = 0; r < 2; r++) {
            half_lanes p_half{}, ds_half{};
            if (i < query[r].visible) {
                const lanes p = only_visible(exp_fast(load(scores + r * stride + i) * scale - query[r].lse), i, query[r].visible);
                const lanes ds = only_visible(p * (load(dp + r * stride + i) - query[r].delta) * scale, i, query[r].visible);
                store(p, reinterpret_cast<bf16*>(&p_half));
                store(ds, reinterpret_cast<bf16*>(&ds_half));
            }
            p_words |= __builtin_convertvector(p_half, word_lanes) << (16 * r);
            ds_words |= __builtin_convertvector(ds_half, word_lanes) << (16 * r);
            std::memcpy(ds_rows + r * stride + i, &ds_half, sizeof ds_half);
        }
        std::memcpy(p_pairs + i, &p_words, sizeof p_words);
        std::memcpy(ds_pairs + i, &ds_words, sizeof ds_words);
    }
}

} // namespace fovea
