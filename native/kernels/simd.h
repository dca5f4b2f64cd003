// What the CPU kernels share: element types, an exponential that compilers vectorise, and run-time choice of the instruction set.
#pragma once
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <c10/util/BFloat16.h>

#include <bit>
#include <cstdint>
#include <cstring>

// One copy of the function for each level; the best that the processor has is chosen when the library is loaded.
#define FOVEA_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define FOVEA_INLINE static inline __attribute__((always_inline))

namespace fovea {

using bf16 = uint16_t; // the bits of a c10::BFloat16

FOVEA_INLINE float widen(float x) { return x; }
FOVEA_INLINE float widen(bf16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }

FOVEA_INLINE void narrow(float x, float* to) { *to = x; }
// Rounds to the nearest, ties to even. A NaN stays one: those of a calculation, or widened from bf16, have room below to be rounded in.
FOVEA_INLINE void narrow(float x, bf16* to) {
    const auto bits = std::bit_cast<uint32_t>(x);
    *to = static_cast<bf16>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// exp(x) to about 2 units in the last place: 2^n * p(r) with |r| <= ln(2)/2.
FOVEA_INLINE float exp_fast(float x) {
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    const float shifted = x * 1.44269504f + 12582912.0f; // rounds to an integer in the low bits
    const float n = shifted - 12582912.0f;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const auto scale = std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
    return p * scale;
}

// Sixteen numbers at a time: one register of AVX-512, two of AVX2. For the loops in which a compiler left to itself chose narrow or masked code.
typedef float lanes __attribute__((vector_size(64)));
typedef int32_t int_lanes __attribute__((vector_size(64)));
typedef uint32_t word_lanes __attribute__((vector_size(64)));
typedef uint16_t half_lanes __attribute__((vector_size(32)));
constexpr int64_t width = 16;

template <class To, class From>
FOVEA_INLINE To same_bits(const From& from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

FOVEA_INLINE lanes load(const float* from) {
    lanes to;
    std::memcpy(&to, from, sizeof to);
    return to;
}

FOVEA_INLINE lanes load(const bf16* from) {
    half_lanes bits;
    std::memcpy(&bits, from, sizeof bits);
    return same_bits<lanes>(__builtin_convertvector(bits, word_lanes) << 16);
}

FOVEA_INLINE void store(const lanes& x, float* to) { std::memcpy(to, &x, sizeof x); }
FOVEA_INLINE void store(const lanes& x, bf16* to) {
    const auto bits = same_bits<word_lanes>(x);
    const auto rounded = __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, half_lanes);
    std::memcpy(to, &rounded, sizeof rounded);
}

// Begins the body of each_of.
#define FOVEA_EACH [=](int64_t i, auto zero) __attribute__((always_inline))

// One formula for whole vectors and for the numbers behind the last: body(i, zero) with zero as lanes or as a float, which tells read what to read.
template <class Body>
FOVEA_INLINE void each_of(int64_t count, const Body& body) {
    const auto whole = count / width * width;
    for (int64_t i = 0; i < whole; i += width) {
        body(i, lanes{});
    }
    for (int64_t i = whole; i < count; i++) {
        body(i, 0.0f);
    }
}

template <class T>
FOVEA_INLINE lanes read(const T* from, const lanes&) { return load(from); }
template <class T>
FOVEA_INLINE float read(const T* from, float) { return widen(*from); }
template <class T>
FOVEA_INLINE void write(const lanes& x, T* to) { store(x, to); }
template <class T>
FOVEA_INLINE void write(float x, T* to) { narrow(x, to); }

FOVEA_INLINE lanes filled(float x) { return lanes{} + x; }

FOVEA_INLINE lanes larger(const lanes& a, const lanes& b) { return a > b ? a : b; }

FOVEA_INLINE float sum_of(const lanes& x) {
    float sum = 0;
    for (int64_t i = 0; i < width; i++) {
        sum += x[i];
    }
    return sum;
}

FOVEA_INLINE float largest_of(const lanes& x) {
    float top = x[0];
    for (int64_t i = 1; i < width; i++) {
        top = x[i] > top ? x[i] : top;
    }
    return top;
}

// exp_fast of each.
FOVEA_INLINE lanes exp_fast(lanes x) {
    x = x < -87.0f ? filled(-87.0f) : x;
    x = x > 88.0f ? filled(88.0f) : x;
    const lanes shifted = x * 1.44269504f + 12582912.0f;
    const lanes n = shifted - 12582912.0f;
    const lanes r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    lanes p = filled(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return p * same_bits<lanes>((same_bits<int_lanes>(shifted) - 0x4b400000 + 127) << 23);
}

// 1 / x to about 1 unit in the last place, for 2^-100 < x < 2^120: a first guess from the bits, then Newton's steps. Dividing took half of the time of a
// gate on a processor whose divider takes one vector at a time.
FOVEA_INLINE float reciprocal_fast(float x) {
    float r = std::bit_cast<float>(0x7ef311c7 - std::bit_cast<int32_t>(x));
    r = r * (2.0f - x * r);
    r = r * (2.0f - x * r);
    r = r * (2.0f - x * r);
    return r + r * (1.0f - x * r);
}

FOVEA_INLINE lanes reciprocal_fast(const lanes& x) {
    lanes r = same_bits<lanes>(0x7ef311c7 - same_bits<int_lanes>(x));
    r = r * (2.0f - x * r);
    r = r * (2.0f - x * r);
    r = r * (2.0f - x * r);
    return r + r * (1.0f - x * r);
}

// 1 / (1 + exp(-x)); below -80 the result stays at exp(-80), which no sum notices.
FOVEA_INLINE float sigmoid_fast(float x) {
    x = x < -80.0f ? -80.0f : x;
    return reciprocal_fast(1.0f + exp_fast(-x));
}

FOVEA_INLINE lanes sigmoid_fast(lanes x) {
    x = x < -80.0f ? filled(-80.0f) : x;
    return reciprocal_fast(1.0f + exp_fast(-x));
}

// The elements of a tensor of fp32 or bf16, the latter as bits.
template <class T>
const T* data_of(const at::Tensor& t) {
    return static_cast<const T*>(t.const_data_ptr());
}

template <class T>
T* mutable_data_of(const at::Tensor& t) {
    return static_cast<T*>(t.mutable_data_ptr());
}

// Whether the fused CPU kernels take these tensors; otherwise the plain formula runs.
inline bool fused_on_cpu(const at::Tensor& x) {
    return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

// Calls body with a float or bf16 pointer type, as the tensor asks.
template <class Body>
void by_type(const at::Tensor& x, Body&& body) {
    if (x.scalar_type() == at::kFloat) {
        body(float{});
    } else {
        body(bf16{});
    }
}

} // namespace fovea
