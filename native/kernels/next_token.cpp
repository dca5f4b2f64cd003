// fovea::attend_next: attention of one new token over a key/value cache, its own key and value first written into it. Query heads that share a key head
// read it together; long caches are worked on in spans that are joined at the end (arXiv 2205.14135), so that every thread has work.
#include "simd.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace fovea {
namespace {

constexpr int64_t span_tokens = 256;

// What one span of one key head leaves: for each of its queries the largest score, the sum of exponentials, and their sum over the values [D].
struct Partial {
    float* data;
    int64_t size;

    float& top(int64_t r) const { return data[r * (size + 2)]; }
    float& sum(int64_t r) const { return data[r * (size + 2) + 1]; }
    float* mixed(int64_t r) const { return data + r * (size + 2) + 2; }
};

// q fp32 [R, D], already scaled; keys and values `count` rows of D, `by_token` elements apart; row holds D numbers, scores R * count.
template <class T>
FOVEA_INLINE void attend_span(
    const float* q, const T* keys, const T* values, int64_t by_token, int64_t count, int64_t ratio, int64_t size, float* row, float* scores, Partial to) {
    // Since the last token the cache was swept out by the weights: rows are fetched before their turn.
    constexpr int64_t ahead = 12, line = 64 / static_cast<int64_t>(sizeof(T));
    for (int64_t l = 0; l < count; l++) {
        const auto* key = keys + l * by_token;
        for (int64_t i = 0; i < size; i += line) {
            __builtin_prefetch(key + ahead * by_token + i);
            __builtin_prefetch(values + l * by_token + i, 0, 2);
        }
#pragma omp simd
        for (int64_t i = 0; i < size; i++) {
            row[i] = widen(key[i]);
        }
        int64_t r = 0;
        for (; r + 4 <= ratio; r += 4) {
            const auto *q0 = q + r * size, *q1 = q0 + size, *q2 = q1 + size, *q3 = q2 + size;
            float dot0 = 0, dot1 = 0, dot2 = 0, dot3 = 0;
#pragma omp simd reduction(+ : dot0, dot1, dot2, dot3)
            for (int64_t i = 0; i < size; i++) {
                dot0 += q0[i] * row[i];
                dot1 += q1[i] * row[i];
                dot2 += q2[i] * row[i];
                dot3 += q3[i] * row[i];
            }
            scores[r * count + l] = dot0;
            scores[(r + 1) * count + l] = dot1;
            scores[(r + 2) * count + l] = dot2;
            scores[(r + 3) * count + l] = dot3;
        }
        for (; r < ratio; r++) {
            float dot = 0;
#pragma omp simd reduction(+ : dot)
            for (int64_t i = 0; i < size; i++) {
                dot += q[r * size + i] * row[i];
            }
            scores[r * count + l] = dot;
        }
    }
    for (int64_t r = 0; r < ratio; r++) {
        auto* s = scores + r * count;
        float top = s[0], sum = 0;
#pragma omp simd reduction(max : top)
        for (int64_t l = 0; l < count; l++) {
            top = s[l] > top ? s[l] : top;
        }
#pragma omp simd reduction(+ : sum)
        for (int64_t l = 0; l < count; l++) {
            s[l] = exp_fast(s[l] - top);
            sum += s[l];
        }
        to.top(r) = top;
        to.sum(r) = sum;
        std::memset(to.mixed(r), 0, static_cast<size_t>(size) * sizeof(float));
    }
    for (int64_t l = 0; l < count; l++) {
        const auto* value = values + l * by_token;
#pragma omp simd
        for (int64_t i = 0; i < size; i++) {
            row[i] = widen(value[i]);
        }
        for (int64_t r = 0; r < ratio; r++) {
            const float p = scores[r * count + l];
            auto* mixed = to.mixed(r);
#pragma omp simd
            for (int64_t i = 0; i < size; i++) {
                mixed[i] += p * row[i];
            }
        }
    }
}

FOVEA_CLONES void attend_span_of(
    const float* q, const float* k, const float* v, int64_t by, int64_t n, int64_t ratio, int64_t size, float* row, float* scores, Partial to) {
    attend_span(q, k, v, by, n, ratio, size, row, scores, to);
}
FOVEA_CLONES void attend_span_of(
    const float* q, const bf16* k, const bf16* v, int64_t by, int64_t n, int64_t ratio, int64_t size, float* row, float* scores, Partial to) {
    attend_span(q, k, v, by, n, ratio, size, row, scores, to);
}

// Joins the spans of one query into y [D].
template <class T>
void join(const float* partials, int64_t spans, int64_t by_span, int64_t r, int64_t size, T* y) {
    const auto part = [&](int64_t s) { return Partial{const_cast<float*>(partials) + s * by_span, size}; };
    float top = part(0).top(r), sum = 0;
    for (int64_t s = 1; s < spans; s++) {
        top = std::max(top, part(s).top(r));
    }
    for (int64_t s = 0; s < spans; s++) {
        sum += std::exp(part(s).top(r) - top) * part(s).sum(r);
    }
    for (int64_t i = 0; i < size; i++) {
        float value = 0;
        for (int64_t s = 0; s < spans; s++) {
            value += std::exp(part(s).top(r) - top) * part(s).mixed(r)[i];
        }
        narrow(value / sum, &y[i]);
    }
}

template <class T>
at::Tensor attend(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& keys, const at::Tensor& values, int64_t past, double scale) {
    const auto heads = q.size(1), groups = k.size(1), size = q.size(2), ratio = heads / groups, by_token = groups * size, length = past + 1;
    const auto *pq = data_of<T>(q), *pk = data_of<T>(k), *pv = data_of<T>(v);
    auto *all_keys = mutable_data_of<T>(keys), *all_values = mutable_data_of<T>(values);
    for (int64_t g = 0; g < groups; g++) {
        std::copy_n(pk + g * k.stride(1), size, all_keys + past * by_token + g * size);
        std::copy_n(pv + g * v.stride(1), size, all_values + past * by_token + g * size);
    }
    std::vector<float> queries(static_cast<size_t>(heads * size));
    for (int64_t h = 0; h < heads; h++) {
        for (int64_t i = 0; i < size; i++) {
            queries[static_cast<size_t>(h * size + i)] = widen(pq[h * q.stride(1) + i]) * static_cast<float>(scale);
        }
    }
    const auto spans = (length + span_tokens - 1) / span_tokens, by_span = ratio * (size + 2);
    std::vector<float> partials(static_cast<size_t>(groups * spans * by_span));
    auto y = at::empty({1, heads * size}, q.options());
    auto* py = mutable_data_of<T>(y);
    at::parallel_for(0, groups * spans, 1, [&](int64_t begin, int64_t end) {
        std::vector<float> scratch(static_cast<size_t>(size + ratio * span_tokens));
        for (auto task = begin; task < end; task++) {
            const auto g = task / spans, first = task % spans * span_tokens;
            const auto start = first * by_token + g * size;
            attend_span_of(
                queries.data() + g * ratio * size, all_keys + start, all_values + start, by_token, std::min(span_tokens, length - first), ratio, size,
                scratch.data(), scratch.data() + size, Partial{partials.data() + task * by_span, size});
        }
    });
    for (int64_t h = 0; h < heads; h++) {
        join(partials.data() + h / ratio * spans * by_span, spans, by_span, h % ratio, size, py + h * size);
    }
    return y;
}

// q [1, H, D], k and v [1, G, D] of the new token; keys and values [C, G, D], of which `past` rows are filled; row `past` is written.
// Returns [1, H * D].
at::Tensor attend_next(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::Tensor& keys, at::Tensor& values, int64_t past, double scale) {
    TORCH_CHECK(
        q.dim() == 3 && q.size(0) == 1 && k.dim() == 3 && k.size(0) == 1 && v.sizes() == k.sizes() && q.size(1) % k.size(1) == 0 && q.size(2) == k.size(2),
        "attend_next: q ", q.sizes(), ", k ", k.sizes(), ", v ", v.sizes());
    TORCH_CHECK(
        keys.dim() == 3 && keys.size(1) == k.size(1) && keys.size(2) == k.size(2) && values.sizes() == keys.sizes() && past >= 0 && past < keys.size(0),
        "attend_next: keys ", keys.sizes(), ", values ", values.sizes(), ", token ", past);
    for (const auto& other : {k, v, at::Tensor(keys), at::Tensor(values)}) {
        TORCH_CHECK(fused_on_cpu(other) && other.scalar_type() == q.scalar_type(), "attend_next: fp32 or bf16 on the CPU, one element type");
    }
    TORCH_CHECK(keys.is_contiguous() && values.is_contiguous(), "attend_next: the cache must be dense");
    const auto dense = [](const at::Tensor& x) { return x.stride(2) == 1 ? x : x.contiguous(); };
    const auto run = q.scalar_type() == at::kFloat ? attend<float> : attend<bf16>;
    return run(dense(q), dense(k), dense(v), keys, values, past, scale);
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def(
        "attend_next(Tensor q, Tensor k, Tensor v, Tensor(a!) keys, Tensor(b!) values, int past, float scale) -> Tensor", fovea::attend_next);
}
