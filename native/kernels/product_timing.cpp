// How fast this machine multiplies: what its vector units allow, and what each kernel reaches. For the choice of a kernel and for benchmarks.
#include "product_choice.h"
#include "products.h"
#include "simd.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fovea {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); }

// Seconds of one product by this kernel after one that is not counted. Forms: 0 a layer's, x W^T with x [rows, inner] and W [columns, inner];
// 1 its input's gradient, dy W with dy [rows, columns]; 2 its weight's gradient, dy^T x.
double product_seconds(at::ScalarType type, int64_t kernel, int64_t rows, int64_t inner, int64_t columns, int64_t form, int64_t times) {
    const at::NoGradGuard no_grad;
    const auto before = product_kernel(type);
    choose_product_kernel(type, static_cast<ProductKernel>(kernel));
    // No generator of the run is drawn from: the numbers only need not be all alike.
    const auto numbers = [&](int64_t lines, int64_t wide) {
        return at::arange(lines * wide, at::TensorOptions().dtype(at::kFloat)).remainder_(61).sub_(30).mul_(1.0 / 64).to(type).view({lines, wide});
    };
    const auto w = form == 2 ? at::Tensor() : numbers(columns, inner), x = form == 1 ? at::Tensor() : numbers(rows, inner);
    const auto dy = form == 0 ? at::Tensor() : numbers(rows, columns);
    const auto once = [&] { return form == 0 ? times_transposed(x, w) : form == 1 ? times_transposed(dy, w.t()) : weight_gradient(dy, x); };
    double best = 0;
    try {
        once();
        for (int64_t i = 0; i < times; i++) {
            const auto start = std::chrono::steady_clock::now();
            once();
            const auto seconds = seconds_since(start);
            best = i == 0 || seconds < best ? seconds : best;
        }
    } catch (...) {
        choose_product_kernel(type, before);
        throw;
    }
    choose_product_kernel(type, before);
    return best;
}

// Multiplications and additions in registers alone. Returns their number; `sink` keeps the compiler from leaving them out.
template <class Vector>
FOVEA_INLINE double multiply_add(int64_t rounds, float* sink) {
    constexpr int chains = 12; // more than latency times units of any processor known
    Vector sums[chains], factor = Vector{} + 0.999f, term = Vector{} + 1e-3f;
#pragma GCC unroll 12
    for (int i = 0; i < chains; i++) {
        sums[i] = Vector{} + static_cast<float>(i);
    }
    for (int64_t n = 0; n < rounds; n++) {
#pragma GCC unroll 12
        for (int i = 0; i < chains; i++) {
            sums[i] = sums[i] * factor + term;
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < chains; i++) {
        *sink += sums[i][0];
    }
    return 2.0 * rounds * chains * (sizeof(Vector) / sizeof(float));
}

#if defined(__x86_64__)
__attribute__((target("arch=x86-64-v4"))) double wide_rounds(int64_t rounds, float* sink) { return multiply_add<lanes>(rounds, sink); }
__attribute__((target("arch=x86-64-v3"))) double narrow_rounds(int64_t rounds, float* sink) {
    return multiply_add<float __attribute__((vector_size(32)))>(rounds, sink);
}

__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16"))) double pair_rounds(int64_t rounds, float* sink) {
    constexpr int chains = 12;
    __m512 sums[chains];
    const auto ones = (__m512bh)_mm512_set1_epi32(0x3c003c00);
    for (int i = 0; i < chains; i++) {
        sums[i] = _mm512_set1_ps(static_cast<float>(i));
    }
    for (int64_t n = 0; n < rounds; n++) {
#pragma GCC unroll 12
        for (int i = 0; i < chains; i++) {
            sums[i] = _mm512_dpbf16_ps(sums[i], ones, ones);
        }
    }
    for (int i = 0; i < chains; i++) {
        *sink += _mm512_reduce_add_ps(sums[i]);
    }
    return 4.0 * rounds * chains * 16;
}
#endif

double plain_rounds(int64_t rounds, float* sink) { return multiply_add<float __attribute__((vector_size(16)))>(rounds, sink); }

// Operations a second of all threads: fp32, or bf16 pairs (0 where the processor has none).
double peak(bool pairs) {
    auto* rounds_of = plain_rounds;
#if defined(__x86_64__)
    if (pairs) {
        if (!(__builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512bf16"))) {
            return 0;
        }
        rounds_of = pair_rounds;
    } else {
        rounds_of = __builtin_cpu_supports("x86-64-v4") ? wide_rounds : __builtin_cpu_supports("x86-64-v3") ? narrow_rounds : plain_rounds;
    }
#else
    if (pairs) {
        return 0;
    }
#endif
    const auto threads = at::get_num_threads();
    double best = 0;
    for (int i = 0; i < 5; i++) {
        std::vector<double> operations(threads);
        std::vector<float> sinks(threads);
        const auto start = std::chrono::steady_clock::now();
        at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
            for (auto t = begin; t < end; t++) {
                operations[t] = rounds_of(1 << 20, &sinks[t]);
            }
        });
        const auto seconds = seconds_since(start);
        double all = 0;
        for (const auto count : operations) {
            all += count;
        }
        best = std::max(best, all / seconds);
    }
    return best;
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("product_seconds(ScalarType type, int kernel, int rows, int inner, int columns, int form, int times) -> float", fovea::product_seconds);
    library.def("product_peak(bool pairs) -> float", fovea::peak);
}
