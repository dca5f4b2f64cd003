// Products of small blocks of matrices: a tile of the result is held in registers while both factors stream through. The factors are made of 32-bit words
// along the dimension that is summed: one fp32 number each or, where the processor multiplies them, a pair of neighbouring bf16 numbers. The right factor
// lies in panels [words][columns of a tile]; the left one is read number by number, from any layout whose strides are known when this is compiled.
#pragma once
#include "simd.h"

#include <c10/util/Half.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#define FOVEA_X86(target_of) __attribute__((target(target_of)))
#define FOVEA_AVX512_TILES "arch=x86-64-v4"
#define FOVEA_AVX2_TILES "arch=x86-64-v3"
#define FOVEA_PAIR_TILES "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16"
#endif

namespace fovea {

using word = uint32_t;
typedef word half_word_lanes __attribute__((vector_size(32)));
using fp16 = c10::Half; // widened to fp32 wherever it is packed

// to [Rows, columns] (+)= the words of a, at r * ARow + w * AStep, times a panel b [count][columns]. With Halves a word of b is a pair of bf16 numbers, which
// meet two words of a, one after the other.
template <class Vector, int Rows, int Vectors, int ARow, int AStep, bool Halves = false>
FOVEA_INLINE void tile_of_numbers(const word* a, const word* b, int64_t count, float* to, int64_t stride, bool add) {
    constexpr int lanes_of = sizeof(Vector) / sizeof(float);
    Vector sums[Rows][Vectors] = {};
    if (add) {
#pragma GCC unroll 16
        for (int r = 0; r < Rows; r++) {
#pragma GCC unroll 2
            for (int v = 0; v < Vectors; v++) {
                std::memcpy(&sums[r][v], to + r * stride + v * lanes_of, sizeof(Vector));
            }
        }
    }
    const auto step = [&](const Vector* right) __attribute__((always_inline)) {
#pragma GCC unroll 16
        for (int r = 0; r < Rows; r++) {
            const auto left = std::bit_cast<float>(a[r * ARow]);
#pragma GCC unroll 2
            for (int v = 0; v < Vectors; v++) {
                sums[r][v] += right[v] * left;
            }
        }
        a += AStep;
    };
    for (; count > 0; count--) {
        Vector right[Vectors];
        if constexpr (Halves) {
            using Words = std::conditional_t<sizeof(Vector) == sizeof(word_lanes), word_lanes, half_word_lanes>;
            Words pairs[Vectors];
#pragma GCC unroll 2
            for (int v = 0; v < Vectors; v++) {
                std::memcpy(&pairs[v], b + v * lanes_of, sizeof(Words));
                right[v] = same_bits<Vector>(pairs[v] << 16);
            }
            step(right);
#pragma GCC unroll 2
            for (int v = 0; v < Vectors; v++) {
                right[v] = same_bits<Vector>(pairs[v] & 0xffff0000u);
            }
        } else {
#pragma GCC unroll 2
            for (int v = 0; v < Vectors; v++) {
                std::memcpy(&right[v], b + v * lanes_of, sizeof(Vector));
            }
        }
        step(right);
        b += Vectors * lanes_of;
    }
#pragma GCC unroll 16
    for (int r = 0; r < Rows; r++) {
#pragma GCC unroll 2
        for (int v = 0; v < Vectors; v++) {
            std::memcpy(to + r * stride + v * lanes_of, &sums[r][v], sizeof(Vector));
        }
    }
}

// The shape of a tile and of the blocks that attention cuts. `queries` and `keys` are multiples of rows and, the latter, of columns; `padding` keeps rows of
// a block from falling on the same lines of the first-level cache.
template <int Rows, int Columns, int Keys, bool Pairs>
struct TileShape {
    static constexpr int rows = Rows, columns = Columns, queries = 8 * Rows, keys = Keys, padding = 16;
    static constexpr bool pairs = Pairs;
    static constexpr int per_word = Pairs ? 2 : 1;
    static constexpr int64_t words(int64_t numbers) { return (numbers + per_word - 1) / per_word; }
};

// AVX2, or what the compiler makes of vectors without it. Narrower numbers are widened when they are packed.
struct NarrowTiles : TileShape<6, 16, 240, false> {
    using Vector = float __attribute__((vector_size(32)));
#if defined(__x86_64__)
    template <int Vectors, int ARow, int AStep, int Rows, bool Halves>
    FOVEA_X86(FOVEA_AVX2_TILES) static void multiply_avx2(const word* a, const word* b, int64_t count, float* to, int64_t stride, bool add) {
        tile_of_numbers<Vector, Rows, Vectors, ARow, AStep, Halves>(a, b, count, to, stride, add);
    }
#endif
    template <int Vectors, int ARow, int AStep, int Rows = rows, bool Halves = false>
    static void multiply(const word* a, const word* b, int64_t count, float* to, int64_t stride, bool add) {
#if defined(__x86_64__)
        static const bool avx2 = __builtin_cpu_supports("x86-64-v3");
        if (avx2) {
            return multiply_avx2<Vectors, ARow, AStep, Rows, Halves>(a, b, count, to, stride, add);
        }
#endif
        tile_of_numbers<Vector, Rows, Vectors, ARow, AStep, Halves>(a, b, count, to, stride, add);
    }
};

#if defined(__x86_64__)
struct WideTiles : TileShape<14, 32, 224, false> {
    template <int Vectors, int ARow, int AStep, int Rows = rows, bool Halves = false>
    FOVEA_X86(FOVEA_AVX512_TILES) static void multiply(const word* a, const word* b, int64_t count, float* to, int64_t stride, bool add) {
        tile_of_numbers<lanes, Rows, Vectors, ARow, AStep, Halves>(a, b, count, to, stride, add);
    }
};

// AVX-512 with products of bf16 pairs, summed in fp32.
struct PairTiles : TileShape<14, 32, 224, true> {
    template <int Vectors, int ARow, int AStep, int Rows = rows, bool Halves = false>
    FOVEA_X86(FOVEA_PAIR_TILES) static void multiply(const word* a, const word* b, int64_t count, float* to, int64_t stride, bool add) {
        __m512 sums[Rows][Vectors];
#pragma GCC unroll 16
        for (int r = 0; r < Rows; r++) {
#pragma GCC unroll 2
            for (int v = 0; v < Vectors; v++) {
                sums[r][v] = add ? _mm512_loadu_ps(to + r * stride + 16 * v) : _mm512_setzero_ps();
            }
        }
        for (; count > 0; count--) {
            __m512bh right[Vectors];
#pragma GCC unroll 2
            for (int v = 0; v < Vectors; v++) {
                right[v] = (__m512bh)_mm512_loadu_si512(b + 16 * v);
            }
#pragma GCC unroll 16
            for (int r = 0; r < Rows; r++) {
                const auto left = (__m512bh)_mm512_set1_epi32(static_cast<int>(a[r * ARow]));
#pragma GCC unroll 2
                for (int v = 0; v < Vectors; v++) {
                    sums[r][v] = _mm512_dpbf16_ps(sums[r][v], left, right[v]);
                }
            }
            a += AStep;
            b += 16 * Vectors;
        }
#pragma GCC unroll 16
        for (int r = 0; r < Rows; r++) {
#pragma GCC unroll 2
            for (int v = 0; v < Vectors; v++) {
                _mm512_storeu_ps(to + r * stride + 16 * v, sums[r][v]);
            }
        }
    }
};
#endif

// The best tiles for this processor, or simpler ones than it could use, for tests.
enum class TileKind : int64_t { narrow = 1, wide = 2, pairs = 3 };

inline TileKind best_tiles() {
#if defined(__x86_64__)
    static const bool wide = __builtin_cpu_supports("x86-64-v4"), pairs = wide && __builtin_cpu_supports("avx512bf16");
    return pairs ? TileKind::pairs : wide ? TileKind::wide : TileKind::narrow;
#else
    return TileKind::narrow;
#endif
}

// Calls body with a number of rows that a tile is made for, as an integral constant: the least that is not below count, which is 1 to Tiles::rows. A tile of
// one vector of 8 numbers is avoided: GCC does not join product and sum where a loop has one sum alone, and its bits would be others.
template <class Tiles, class Body>
void by_rows(int64_t count, Body&& body) {
    constexpr int most = Tiles::rows, least = Tiles::columns < 32 ? 2 : 1;
    count = std::max<int64_t>(count, least);
    const auto call = [&]<int... Rows>(std::integer_sequence<int, Rows...>) {
        (void)((count <= Rows + least && (body(std::integral_constant<int, Rows + least>{}), true)) || ...);
    };
    call(std::make_integer_sequence<int, most - least + 1>{});
}

// Calls body with tiles for numbers of type T: of this kind, or of a simpler one where the processor has no better.
template <class T, class Body>
void by_tiles(TileKind kind, Body&& body) {
#if defined(__x86_64__)
    kind = std::min(kind, best_tiles());
    if constexpr (std::is_same_v<T, bf16>) {
        if (kind == TileKind::pairs) {
            return body(PairTiles{});
        }
    }
    if (kind != TileKind::narrow) {
        return body(WideTiles{});
    }
#endif
    body(NarrowTiles{});
}

// to [words][wide]: word w of line i holds the numbers from[i * stride + ...] of that word; lines from `lines` on, and numbers from `count` on, are 0.
// Where wide < 16, up to 15 words behind the end are written too.
void pack_lines(const float* from, int64_t stride, int64_t lines, int64_t wide, int64_t count, bool pairs, word* to);
void pack_lines(const bf16* from, int64_t stride, int64_t lines, int64_t wide, int64_t count, bool pairs, word* to);
void pack_lines(const fp16* from, int64_t stride, int64_t lines, int64_t wide, int64_t count, bool pairs, word* to);

// The same of numbers that lie the other way: number n of line i is from[n * stride + i].
void pack_columns(const float* from, int64_t stride, int64_t lines, int64_t wide, int64_t count, bool pairs, word* to);
void pack_columns(const bf16* from, int64_t stride, int64_t lines, int64_t wide, int64_t count, bool pairs, word* to);
void pack_columns(const fp16* from, int64_t stride, int64_t lines, int64_t wide, int64_t count, bool pairs, word* to);

} // namespace fovea
