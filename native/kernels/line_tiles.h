// A few rows times lines of 16-bit or fp32 numbers, with AVX-512: sixteen lines at a time are turned around while they are read, so that each lane sums one
// line in the order of its numbers, as tiles.h does, and memory is read once, from its beginning to its end.
#pragma once
#include "tiles.h"

#if defined(__x86_64__)
#define FOVEA_LINE_TILES "avx512f,avx512bw,avx512dq,avx512vl"
#define FOVEA_LINE_INLINE(target_of) FOVEA_X86(target_of) static inline __attribute__((always_inline))

namespace fovea {

// to[w] = word w of each of 16 lines. Quarters of a vector come from memory where they belong, which spares half of the exchanges between vectors.
FOVEA_LINE_INLINE(FOVEA_LINE_TILES) void turned_lines(const char* from, int64_t stride, __m512i* to) {
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) {
        __m512i quarter[4];
#pragma GCC unroll 4
        for (int q = 0; q < 4; q++) {
            const auto* first = from + q * stride + 16 * c;
            __m512i x = _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(first)));
            x = _mm512_mask_broadcast_i32x4(x, 0x00f0, _mm_loadu_si128(reinterpret_cast<const __m128i*>(first + 4 * stride)));
            x = _mm512_mask_broadcast_i32x4(x, 0x0f00, _mm_loadu_si128(reinterpret_cast<const __m128i*>(first + 8 * stride)));
            quarter[q] = _mm512_mask_broadcast_i32x4(x, 0xf000, _mm_loadu_si128(reinterpret_cast<const __m128i*>(first + 12 * stride)));
        }
        const __m512i low = _mm512_unpacklo_epi32(quarter[0], quarter[1]), high = _mm512_unpackhi_epi32(quarter[0], quarter[1]);
        const __m512i low2 = _mm512_unpacklo_epi32(quarter[2], quarter[3]), high2 = _mm512_unpackhi_epi32(quarter[2], quarter[3]);
        to[4 * c] = _mm512_unpacklo_epi64(low, low2);
        to[4 * c + 1] = _mm512_unpackhi_epi64(low, low2);
        to[4 * c + 2] = _mm512_unpacklo_epi64(high, high2);
        to[4 * c + 3] = _mm512_unpackhi_epi64(high, high2);
    }
}

// A block of up to 16 lines and 64 bytes, filled up with zeros.
FOVEA_LINE_INLINE(FOVEA_LINE_TILES) void turned_rest(const char* from, int64_t stride, int64_t lines, int64_t bytes, __m512i* to) {
    alignas(64) char whole[16][64] = {};
    for (int64_t i = 0; i < lines; i++) {
        std::memcpy(whole[i], from + i * stride, bytes);
    }
    turned_lines(whole[0], 64, to);
}

// The block at byte `at` of up to 16 lines of `bytes` each; returns its width. What comes behind it, of these lines or the next ones, is fetched meanwhile: a
// processor's own prefetching starts anew at each line.
FOVEA_LINE_INLINE(FOVEA_LINE_TILES) int64_t next_block(const char* lines, int64_t stride, int64_t bytes, int64_t count, int64_t at, __m512i* block) {
    constexpr int64_t most = 64, ahead = 4 * most;
    const auto* next = lines + at + ahead + (at + ahead < bytes ? 0 : count * stride - bytes);
    for (int64_t i = 0; i < count; i++) {
        __builtin_prefetch(next + i * stride);
    }
    const auto here = std::min(most, bytes - at);
    if (count == 16 && here == most) {
        turned_lines(lines + at, stride, block);
    } else {
        turned_rest(lines + at, stride, count, here, block);
    }
    return here;
}

// s[r] += the number of each line times the one of row r.
template <int Height>
FOVEA_LINE_INLINE(FOVEA_LINE_TILES) void add_number(__m512 right, const word* left, __m512* s) {
#pragma GCC unroll 16
    for (int r = 0; r < Height; r++) {
        s[r] = _mm512_fmadd_ps(right, _mm512_set1_ps(std::bit_cast<float>(left[r])), s[r]);
    }
}

// The number in one half of each word; fp32 has one alone.
template <class B>
FOVEA_LINE_INLINE(FOVEA_LINE_TILES) __m512 low_number(__m512i words) {
    if constexpr (sizeof(B) == 4) {
        return _mm512_castsi512_ps(words);
    } else if constexpr (std::is_same_v<B, bf16>) {
        return _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
    } else {
        return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words));
    }
}

template <class B>
FOVEA_LINE_INLINE(FOVEA_LINE_TILES) __m512 high_number(__m512i words) {
    if constexpr (std::is_same_v<B, bf16>) {
        return _mm512_castsi512_ps(_mm512_and_si512(words, _mm512_set1_epi32(static_cast<int>(0xffff0000))));
    } else {
        return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(words, 16)));
    }
}

template <class B, int Height>
FOVEA_X86(FOVEA_LINE_TILES) void multiply_numbers(
    const word* left, int64_t by_panel, int64_t panels, const char* lines, int64_t stride, int64_t bytes, int64_t count, float* sums) {
    constexpr int64_t per_word = 4 / sizeof(B);
    alignas(64) __m512i block[16];
    for (int64_t at = 0, here; at < bytes; at += here) {
        here = next_block(lines, stride, bytes, count, at, block);
        for (int64_t p = 0; p < panels; p++) {
            const auto* row = left + p * by_panel + at / static_cast<int64_t>(sizeof(B)) * Height;
            auto* to = sums + p * Height * width;
            __m512 s[Height];
#pragma GCC unroll 16
            for (int r = 0; r < Height; r++) {
                s[r] = _mm512_loadu_ps(to + r * width);
            }
            for (int64_t w = 0; w < here / 4; w++, row += per_word * Height) {
                add_number<Height>(low_number<B>(block[w]), row, s);
                if constexpr (per_word == 2) {
                    add_number<Height>(high_number<B>(block[w]), row + Height, s);
                }
            }
            if (here % 4 != 0) {
                add_number<Height>(low_number<B>(block[here / 4]), row, s);
            }
#pragma GCC unroll 16
            for (int r = 0; r < Height; r++) {
                _mm512_storeu_ps(to + r * width, s[r]);
            }
        }
    }
}

template <int Height>
FOVEA_X86(FOVEA_PAIR_TILES) void multiply_pairs(
    const word* left, int64_t by_panel, int64_t panels, const char* lines, int64_t stride, int64_t bytes, int64_t count, float* sums) {
    alignas(64) __m512i block[16];
    for (int64_t at = 0, here; at < bytes; at += here) {
        here = next_block(lines, stride, bytes, count, at, block);
        for (int64_t p = 0; p < panels; p++) {
            const auto* row = left + p * by_panel + at / 4 * Height;
            auto* to = sums + p * Height * width;
            __m512 s[Height];
#pragma GCC unroll 16
            for (int r = 0; r < Height; r++) {
                s[r] = _mm512_loadu_ps(to + r * width);
            }
            for (int64_t w = 0; w < (here + 3) / 4; w++, row += Height) {
#pragma GCC unroll 16
                for (int r = 0; r < Height; r++) {
                    s[r] = _mm512_dpbf16_ps(s[r], (__m512bh)_mm512_set1_epi32(static_cast<int>(row[r])), (__m512bh)block[w]);
                }
            }
#pragma GCC unroll 16
            for (int r = 0; r < Height; r++) {
                _mm512_storeu_ps(to + r * width, s[r]);
            }
        }
    }
}

// sums [panels][Height][16] (+)= packed rows [panels][words][Height] times up to 16 lines of `inner` numbers.
template <bool Pairs, class B, int Height>
void multiply_lines(
    const word* left, int64_t by_panel, int64_t panels, const B* lines, int64_t stride, int64_t inner, int64_t count, float* sums, bool add) {
    if (!add) {
        std::fill_n(sums, panels * Height * width, 0.0f);
    }
    const auto* from = reinterpret_cast<const char*>(lines);
    const auto size = static_cast<int64_t>(sizeof(B));
    if constexpr (Pairs) {
        multiply_pairs<Height>(left, by_panel, panels, from, stride * size, inner * size, count, sums);
    } else {
        multiply_numbers<B, Height>(left, by_panel, panels, from, stride * size, inner * size, count, sums);
    }
}

} // namespace fovea
#endif
