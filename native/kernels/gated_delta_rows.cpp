#include "gated_delta_rows.h"
#include "gated_delta.h"

#include <algorithm>
#include <cmath>

namespace fovea {
namespace {

FOVEA_INLINE int64_t panels_of(int64_t size, int64_t wide) { return (size + wide - 1) / wide; }

// Calls body with the place of 16 numbers in a row of `size` in memory, and in panels; the last ones may be fewer.
template <class Body>
FOVEA_INLINE void each_vector(int64_t row, int64_t size, int64_t wide, const Body& body) {
    for (int64_t c = 0; c < size; c += width) {
        body(c, (c / wide * delta_chunk + row) * wide + c % wide);
    }
}

template <class T>
FOVEA_INLINE lanes load_some(const T* from, int64_t count) {
    if (count >= width) {
        return load(from);
    }
    T all[width] = {};
    for (int64_t i = 0; i < count; i++) {
        all[i] = from[i];
    }
    return load(all);
}

template <class T>
FOVEA_INLINE void store_some(const lanes& x, T* to, int64_t count) {
    if (count >= width) {
        return store(x, to);
    }
    T all[width];
    store(x, all);
    for (int64_t i = 0; i < count; i++) {
        to[i] = all[i];
    }
}

// By halves: one after another, the additions of a row of a head took longer than its products.
FOVEA_INLINE float total_of(const lanes& x) {
    typedef float eight __attribute__((vector_size(32)));
    typedef float four __attribute__((vector_size(16)));
    eight halves[2];
    std::memcpy(halves, &x, sizeof x);
    const eight half = halves[0] + halves[1];
    four quarters[2];
    std::memcpy(quarters, &half, sizeof half);
    const four quarter = quarters[0] + quarters[1];
    return (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
}

// Zeros in the last panel of a row behind whole vectors.
FOVEA_INLINE void clear_rest(int64_t row, int64_t size, int64_t wide, float* to) {
    for (int64_t c = (size + width - 1) / width * width; c < panels_of(size, wide) * wide; c += width) {
        store(lanes{}, to + (c / wide * delta_chunk + row) * wide + c % wide);
    }
}

// The rows of a head lie far apart in memory: a processor fetches none of them ahead by itself, and waited for each longer than it worked on it.
constexpr int64_t ahead = 6; // rows; with more, the first of them are pushed out of the first-level cache again

template <int ForWriting, class T>
FOVEA_INLINE void fetch(const T* row, int64_t size) {
    for (int64_t c = 0; c < size; c += 64 / static_cast<int64_t>(sizeof(T))) {
        __builtin_prefetch(row + c, ForWriting);
    }
}

// Calls with the number of each row, those behind it being on their way.
template <int ForWriting = 0, class T, class Body>
FOVEA_INLINE void each_row(const T* rows, int64_t stride, int64_t count, int64_t size, const Body& body) {
    for (int64_t i = 0; i < std::min(ahead, count); i++) {
        fetch<ForWriting>(rows + i * stride, size);
    }
    for (int64_t i = 0; i < count; i++) {
        if (i + ahead < count) {
            fetch<ForWriting>(rows + (i + ahead) * stride, size);
        }
        body(i);
    }
}

template <class T>
FOVEA_INLINE void any_load(const T* from, int64_t stride, int64_t count, int64_t size, int64_t wide, float* to) {
    each_row(from, stride, count, size, [&](int64_t i) __attribute__((always_inline)) {
        const auto* row = from + i * stride;
        each_vector(i, size, wide, [&](int64_t c, int64_t at) __attribute__((always_inline)) { store(load_some(row + c, size - c), to + at); });
        clear_rest(i, size, wide, to);
    });
}

template <class T>
FOVEA_INLINE void any_load_unit(const T* from, int64_t stride, int64_t count, int64_t size, int64_t wide, float scale, float* to, float* lengths) {
    each_row(from, stride, count, size, [&](int64_t i) __attribute__((always_inline)) {
        const auto* row = from + i * stride;
        lanes squares{};
        for (int64_t c = 0; c < size; c += width) {
            const auto x = load_some(row + c, size - c);
            squares += x * x;
        }
        lengths[i] = 1.0f / std::sqrt(total_of(squares) + static_cast<float>(delta_epsilon));
        const auto factor = lengths[i] * scale;
        each_vector(i, size, wide, [&](int64_t c, int64_t at) __attribute__((always_inline)) { store(load_some(row + c, size - c) * factor, to + at); });
        clear_rest(i, size, wide, to);
    });
}

template <class T>
FOVEA_INLINE void any_store(const float* from, int64_t wide, int64_t count, int64_t size, const float* factors, T* to, int64_t stride) {
    each_row<1>(to, stride, count, size, [&](int64_t i) __attribute__((always_inline)) {
        auto* row = to + i * stride;
        each_vector(i, size, wide, [&](int64_t c, int64_t at) __attribute__((always_inline)) {
            const lanes x = load(from + at);
            store_some(factors == nullptr ? x : x * factors[i], row + c, size - c);
        });
    });
}

// With x = unit / scale of length 1 or less: length * (scale * gradient - unit * (unit gradient) / scale).
template <class T>
FOVEA_INLINE void any_store_unit(
    const float* gradient, const float* unit, int64_t wide, int64_t count, int64_t size, float scale, const float* lengths, T* to, int64_t stride) {
    each_row<1>(to, stride, count, size, [&](int64_t i) __attribute__((always_inline)) {
        auto* row = to + i * stride;
        lanes dots{};
        each_vector(i, size, wide, [&](int64_t, int64_t at) __attribute__((always_inline)) { dots += load(gradient + at) * load(unit + at); });
        const auto back = lengths[i] * total_of(dots) / scale, factor = lengths[i] * scale;
        each_vector(i, size, wide, [&](int64_t c, int64_t at) __attribute__((always_inline)) {
            store_some(load(gradient + at) * factor - load(unit + at) * back, row + c, size - c);
        });
    });
}

template <class T>
FOVEA_INLINE void any_dots(const float* x, const T* v, int64_t stride, int64_t count, int64_t size, int64_t wide, float* sums) {
    each_row(v, stride, count, size, [&](int64_t i) __attribute__((always_inline)) {
        const auto* row = v + i * stride;
        lanes dots{};
        each_vector(i, size, wide, [&](int64_t c, int64_t at) __attribute__((always_inline)) { dots += load(x + at) * load_some(row + c, size - c); });
        sums[i] += total_of(dots);
    });
}

constexpr int_lanes counting = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// 16 numbers of a row of a square from column j on, those behind `last` 0.
FOVEA_INLINE lanes up_to_column(const lanes& x, int64_t j, int64_t last) {
    return counting + static_cast<int32_t>(j) <= static_cast<int32_t>(last) ? x : lanes{};
}

} // namespace

FOVEA_CLONES void delta_load(const float* f, int64_t s, int64_t n, int64_t d, int64_t w, float* to) { any_load(f, s, n, d, w, to); }
FOVEA_CLONES void delta_load(const bf16* f, int64_t s, int64_t n, int64_t d, int64_t w, float* to) { any_load(f, s, n, d, w, to); }
FOVEA_CLONES void delta_load_unit(const float* f, int64_t s, int64_t n, int64_t d, int64_t w, float scale, float* to, float* lengths) {
    any_load_unit(f, s, n, d, w, scale, to, lengths);
}
FOVEA_CLONES void delta_load_unit(const bf16* f, int64_t s, int64_t n, int64_t d, int64_t w, float scale, float* to, float* lengths) {
    any_load_unit(f, s, n, d, w, scale, to, lengths);
}
FOVEA_CLONES void delta_store(const float* f, int64_t w, int64_t n, int64_t d, const float* x, float* to, int64_t s) { any_store(f, w, n, d, x, to, s); }
FOVEA_CLONES void delta_store(const float* f, int64_t w, int64_t n, int64_t d, const float* x, bf16* to, int64_t s) { any_store(f, w, n, d, x, to, s); }
FOVEA_CLONES void delta_store_unit(
    const float* g, const float* u, int64_t w, int64_t n, int64_t d, float scale, const float* lengths, float* to, int64_t s) {
    any_store_unit(g, u, w, n, d, scale, lengths, to, s);
}
FOVEA_CLONES void delta_store_unit(
    const float* g, const float* u, int64_t w, int64_t n, int64_t d, float scale, const float* lengths, bf16* to, int64_t s) {
    any_store_unit(g, u, w, n, d, scale, lengths, to, s);
}
FOVEA_CLONES void delta_dots(const float* x, const float* v, int64_t s, int64_t n, int64_t d, int64_t w, float* sums) { any_dots(x, v, s, n, d, w, sums); }
FOVEA_CLONES void delta_dots(const float* x, const bf16* v, int64_t s, int64_t n, int64_t d, int64_t w, float* sums) { any_dots(x, v, s, n, d, w, sums); }

void delta_gates(const float* g, const float* beta, int64_t stride, int64_t count, DeltaGates& to) {
    double sums[delta_chunk], sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sums[i] = sum += g[i * stride];
        to.high[i] = static_cast<float>(sum);
        to.low[i] = static_cast<float>(sum - to.high[i]);
        to.grown[i] = std::exp(to.high[i]);
        to.beta[i] = beta[i * stride];
    }
    for (int64_t i = 0; i < count; i++) {
        to.left[i] = std::exp(static_cast<float>(sum - sums[i]));
    }
    to.last = to.grown[count - 1];
    std::fill(to.high + count, to.high + delta_chunk, 0.0f);
    std::fill(to.low + count, to.low + delta_chunk, 0.0f);
}

FOVEA_CLONES void delta_scores(
    const DeltaGates& gates, const float* kk, const float* qk, int64_t count, int64_t wide, float* decay, float* scores, float* system) {
    for (int64_t i = 0; i < count; i++) {
        for (int64_t j = 0; j < panels_of(count, wide) * wide; j += width) {
            const auto at = (j / wide * delta_chunk + i) * wide + j % wide;
            if (j > i) {
                store(lanes{}, scores + at);
                store(lanes{}, system + at);
                if (decay != nullptr) {
                    store(lanes{}, decay + at);
                }
                continue;
            }
            const lanes apart = (gates.high[i] - load(gates.high + j)) + (gates.low[i] - load(gates.low + j));
            const lanes e = up_to_column(exp_fast(apart), j, i);
            store(up_to_column(e * load(qk + at), j, i), scores + at);
            store(up_to_column(-gates.beta[i] * e * load(kk + at), j, i - 1), system + at);
            if (decay != nullptr) {
                store(e, decay + at);
            }
        }
    }
}

FOVEA_CLONES void delta_residual(const DeltaGates& gates, const float* read, int64_t count, int64_t panels, int64_t wide, float* x) {
    for (int64_t p = 0; p < panels; p++) {
        for (int64_t i = 0; i < count; i++) {
            for (int64_t c = 0; c < wide; c += width) {
                const auto at = (p * delta_chunk + i) * wide + c;
                const lanes value = load(x + at);
                store(gates.beta[i] * (read == nullptr ? value : value - gates.grown[i] * load(read + at)), x + at);
            }
        }
    }
}

FOVEA_CLONES void delta_scale_rows(const float* factors, int64_t count, int64_t panels, int64_t wide, float* x) {
    for (int64_t p = 0; p < panels; p++) {
        for (int64_t i = 0; i < count; i++) {
            for (int64_t c = 0; c < wide; c += width) {
                const auto at = (p * delta_chunk + i) * wide + c;
                store(load(x + at) * factors[i], x + at);
            }
        }
    }
}

FOVEA_CLONES void delta_scale(float factor, int64_t count, float* x) {
    for (int64_t i = 0; i < count; i++) {
        x[i] *= factor;
    }
}

FOVEA_CLONES double delta_dot(const float* a, const float* b, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i += 256) {
        lanes sums{};
        for (auto j = i; j < std::min(i + 256, count); j += width) {
            sums += load(a + j) * load(b + j);
        }
        sum += total_of(sums);
    }
    return sum;
}

FOVEA_CLONES void delta_solve(const float* system, int64_t first, int64_t end, int64_t panels, int64_t wide, float* x) {
    for (int64_t p = 0; p < panels; p++) {
        auto* rows = x + p * delta_chunk * wide;
        for (auto j = first; j < end; j++) {
            for (auto i = j + 1; i < end; i++) {
                const auto factor = system[(j / wide * delta_chunk + i) * wide + j % wide];
                for (int64_t c = 0; c < wide; c += width) {
                    store(load(rows + i * wide + c) + factor * load(rows + j * wide + c), rows + i * wide + c);
                }
            }
        }
    }
}

FOVEA_CLONES void delta_solve_back(const float* system, int64_t first, int64_t end, int64_t panels, int64_t wide, float* x) {
    for (int64_t p = 0; p < panels; p++) {
        auto* rows = x + p * delta_chunk * wide;
        for (auto j = end - 1; j > first; j--) {
            for (auto i = first; i < j; i++) {
                const auto factor = system[(i / wide * delta_chunk + j) * wide + i % wide];
                for (int64_t c = 0; c < wide; c += width) {
                    store(load(rows + i * wide + c) + factor * load(rows + j * wide + c), rows + i * wide + c);
                }
            }
        }
    }
}

FOVEA_CLONES void delta_read_gradient(
    const DeltaGates& gates, const float* k, int64_t count, int64_t panels, int64_t wide, float* x, float* dbeta) {
    for (int64_t i = 0; i < count; i++) {
        lanes dots{};
        for (int64_t c = 0; c < panels * wide; c += width) {
            const auto at = (c / wide * delta_chunk + i) * wide + c % wide;
            const lanes value = load(x + at);
            dots += value * load(k + at);
            store(value * (-gates.beta[i] * gates.grown[i]), x + at);
        }
        dbeta[i] -= gates.grown[i] * total_of(dots);
    }
}

FOVEA_CLONES float delta_write_gradient(const DeltaGates& gates, const float* k, int64_t count, int64_t panels, int64_t wide, float* x) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        lanes dots{};
        for (int64_t c = 0; c < panels * wide; c += width) {
            const auto at = (c / wide * delta_chunk + i) * wide + c % wide;
            const lanes value = load(x + at) * gates.left[i];
            dots += value * load(k + at);
            store(value, x + at);
        }
        sum += total_of(dots);
    }
    return static_cast<float>(sum);
}

FOVEA_CLONES void delta_score_gradients(
    const DeltaGates& gates, const float* decay, const float* kk, int64_t count, int64_t wide, float* dscores, float* dsystem, float* dbeta) {
    for (int64_t i = 0; i < count; i++) {
        lanes sums{};
        for (int64_t j = 0; j < panels_of(count, wide) * wide; j += width) {
            const auto at = (j / wide * delta_chunk + i) * wide + j % wide;
            if (j > i) {
                store(lanes{}, dscores + at);
                store(lanes{}, dsystem + at);
                continue;
            }
            const lanes e = load(decay + at);
            store(up_to_column(load(dscores + at) * e, j, i), dscores + at);
            const lanes system = up_to_column(load(dsystem + at) * e, j, i - 1);
            sums += up_to_column(system * load(kk + at), j, i - 1);
            store(system * -gates.beta[i], dsystem + at);
        }
        dbeta[i] -= total_of(sums);
    }
}

FOVEA_CLONES void delta_gather(
    const float* q, const float* k, const float* dq, const float* read, const float* write, int64_t count, int64_t panels, int64_t wide, bool add,
    float* dq_all, float* dk_all, float* dsums) {
    for (int64_t i = 0; i < count; i++) {
        lanes dots{};
        for (int64_t c = 0; c < panels * wide; c += width) {
            const auto at = (c / wide * delta_chunk + i) * wide + c % wide;
            const lanes of_q = load(dq + at), reads = load(read + at), writes = load(write + at);
            dots += load(q + at) * of_q + load(k + at) * (reads - writes);
            store(add ? load(dq_all + at) + of_q : of_q, dq_all + at);
            store(add ? load(dk_all + at) + (reads + writes) : reads + writes, dk_all + at);
        }
        dsums[i] = total_of(dots);
    }
}

} // namespace fovea
