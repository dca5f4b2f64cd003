#pragma once
#include "cuda_runtime.h"

struct __half {
    uint16_t bits;
};

inline float __half2float(__half x) {
    const uint32_t sign = (x.bits & 0x8000u) << 16, exponent = (x.bits >> 10) & 31, fraction = x.bits & 1023;
    if (exponent == 0) {
        const float small = std::ldexp(static_cast<float>(fraction), -24);
        return sign ? -small : small;
    }
    return std::bit_cast<float>(sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | fraction << 13);
}

// To the nearest, ties to even; subnormal numbers too.
inline __half __float2half_rn(float x) {
    const auto bits = std::bit_cast<uint32_t>(x);
    const uint32_t sign = (bits >> 16) & 0x8000u, rest = bits & 0x7fffffffu;
    if (rest > 0x7f800000u) {
        return {0x7fff};
    }
    if (rest >= 0x477ff000u) {
        return {static_cast<uint16_t>(sign | 0x7c00u)}; // 65520 and more
    }
    if (rest < 0x38800000u) {
        const auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(std::bit_cast<float>(rest), 24)));
        return {static_cast<uint16_t>(sign | units)};
    }
    const uint32_t shifted = rest - (112u << 23);
    return {static_cast<uint16_t>(sign | (shifted + 0xfff + ((shifted >> 13) & 1)) >> 13)};
}
