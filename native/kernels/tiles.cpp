#include "tiles.h"

namespace fovea {

// The numbers whose 16 bits lie in the low half of each word. No step makes a number that fp32 has only as a subnormal one, which may be taken for 0.
FOVEA_INLINE lanes widened_halves(const word_lanes& bits) {
    const word_lanes sign = (bits & 0x8000u) << 16, rest = bits & 0x7fffu, shifted = rest << 13;
    const word_lanes small = same_bits<word_lanes>(__builtin_convertvector(same_bits<int_lanes>(rest), lanes) * 0x1p-24f);
    const word_lanes normal = rest < 0x7c00u ? shifted + (112u << 23) : shifted + (224u << 23);
    return same_bits<lanes>((rest < 0x400u ? small : normal) | sign);
}

FOVEA_INLINE lanes load(const fp16* from) {
    half_lanes bits;
    std::memcpy(&bits, from, sizeof bits);
    return widened_halves(__builtin_convertvector(bits, word_lanes));
}

FOVEA_INLINE float widen(fp16 x) { return widened_halves(word_lanes{} + x.x)[0]; }

namespace {

typedef int32_t order __attribute__((vector_size(64)));

// Turns 16 x 16 words around, in four rounds that exchange neighbours, pairs, quarters and halves.
FOVEA_INLINE void transpose(word_lanes* r) {
    constexpr order low = {0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29}, high = {2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31};
    constexpr order low2 = {0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29}, high2 = {2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31};
    constexpr order even = {0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27}, odd = {4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31};
    word_lanes t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = __builtin_shuffle(r[i], r[i + 1], low);
        t[i + 1] = __builtin_shuffle(r[i], r[i + 1], high);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = __builtin_shuffle(t[i], t[i + 2], low2);
        r[i + 1] = __builtin_shuffle(t[i], t[i + 2], high2);
        r[i + 2] = __builtin_shuffle(t[i + 1], t[i + 3], low2);
        r[i + 3] = __builtin_shuffle(t[i + 1], t[i + 3], high2);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = __builtin_shuffle(r[i], r[i + 4], even);
        t[i + 4] = __builtin_shuffle(r[i], r[i + 4], odd);
        t[i + 8] = __builtin_shuffle(r[i + 8], r[i + 12], even);
        t[i + 12] = __builtin_shuffle(r[i + 8], r[i + 12], odd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = __builtin_shuffle(t[i], t[i + 8], even);
        r[i + 8] = __builtin_shuffle(t[i], t[i + 8], odd);
        r[i + 4] = __builtin_shuffle(t[i + 4], t[i + 12], even);
        r[i + 12] = __builtin_shuffle(t[i + 4], t[i + 12], odd);
    }
}

// Sixteen words of a line as they lie in memory, from its number n on: zeros behind its end.
template <class T, bool Pairs>
FOVEA_INLINE word_lanes words_of(const T* line, int64_t n, int64_t count) {
    constexpr int64_t numbers = Pairs ? 2 * width : width;
    word_lanes words{};
    if (n + numbers > count) {
        std::memcpy(&words, line + n, (count - n) * sizeof(T));
    } else {
        std::memcpy(&words, line + n, sizeof words);
    }
    return words;
}

// Neighbouring numbers of 16 bits are turned around as pairs, half as many words, and widened behind that.
template <class T, bool Pairs>
FOVEA_INLINE void lines_into(const T* from, int64_t stride, int64_t lines, int64_t wide, int64_t count, word* to) {
    constexpr bool split = sizeof(T) == 2 && !Pairs, turned_pairs = split || Pairs;
    constexpr int64_t per_turned = turned_pairs ? 2 : 1, block_numbers = width * per_turned;
    for (int64_t i = 0; i < wide; i += width) {
        const auto here = std::min(width, wide - i);
        const auto whole = here == width || wide < width; // what a narrow row writes too much, the next one writes over
        const auto put = [&](int64_t word_row, const word_lanes& words) {
            auto* row = to + word_row * wide + i;
            if (whole) {
                std::memcpy(row, &words, sizeof words);
            } else {
                std::memcpy(row, &words, here * sizeof(word));
            }
        };
        const auto filled = std::min(width, lines - i);
        for (int64_t n = 0; n < count; n += block_numbers) {
            word_lanes block[16];
            for (int64_t j = 0; j < 16; j++) {
                const auto* line = from + (i + j) * stride;
                __builtin_prefetch(line + filled * stride + n); // the next lines: a processor's own prefetching starts anew at each
                block[j] = j < filled ? words_of<T, turned_pairs>(line, n, count) : word_lanes{};
            }
            transpose(block);
            const auto numbers = std::min(block_numbers, count - n);
            if constexpr (split) {
                const auto low = [](const word_lanes& pair) {
                    if constexpr (std::is_same_v<T, fp16>) {
                        return same_bits<word_lanes>(widened_halves(pair & 0xffffu));
                    } else {
                        return pair << 16;
                    }
                };
                const auto high = [](const word_lanes& pair) {
                    if constexpr (std::is_same_v<T, fp16>) {
                        return same_bits<word_lanes>(widened_halves(pair >> 16));
                    } else {
                        return pair & 0xffff0000u;
                    }
                };
                for (int64_t j = 0; j < numbers / 2; j++) {
                    put(n + 2 * j, low(block[j]));
                    put(n + 2 * j + 1, high(block[j]));
                }
                if (numbers % 2 != 0) {
                    put(n + numbers - 1, low(block[numbers / 2]));
                }
            } else {
                for (int64_t j = 0; j < (numbers + per_turned - 1) / per_turned; j++) {
                    put(n / per_turned + j, block[j]);
                }
            }
        }
    }
}

template <class T, bool Pairs>
FOVEA_INLINE void columns_into(const T* from, int64_t stride, int64_t lines, int64_t wide, int64_t count, word* to) {
    constexpr int64_t per_word = Pairs ? 2 : 1;
    for (int64_t n = 0; n < count; n += per_word) {
        const auto* first = from + n * stride;
        auto* row = to + n / per_word * wide;
        for (int64_t i = 0; i < wide; i++) {
            if constexpr (Pairs) {
                const word low = i < lines ? first[i] : 0, high = i < lines && n + 1 < count ? first[stride + i] : 0;
                row[i] = low | high << 16;
            } else {
                row[i] = i < lines ? std::bit_cast<word>(widen(first[i])) : 0;
            }
        }
    }
}

// Whole rows of 16 at a time, which is what panels nearly always have.
template <class T, bool Pairs>
FOVEA_INLINE void whole_columns_into(const T* from, int64_t stride, int64_t wide, int64_t count, word* to) {
    constexpr int64_t per_word = Pairs ? 2 : 1;
    for (int64_t n = 0; n < count; n += per_word) {
        for (int64_t i = 0; i < wide; i += width) {
            const auto* first = from + n * stride + i;
            word_lanes words;
            if constexpr (Pairs) {
                half_lanes low, high{};
                std::memcpy(&low, first, sizeof low);
                if (n + 1 < count) {
                    std::memcpy(&high, first + stride, sizeof high);
                }
                words = __builtin_convertvector(low, word_lanes) | __builtin_convertvector(high, word_lanes) << 16;
            } else {
                words = same_bits<word_lanes>(load(first));
            }
            std::memcpy(to + n / per_word * wide + i, &words, sizeof words);
        }
    }
}

template <class T, bool Pairs>
FOVEA_INLINE void any_columns_into(const T* from, int64_t stride, int64_t lines, int64_t wide, int64_t count, word* to) {
    if (lines == wide && wide % width == 0) {
        whole_columns_into<T, Pairs>(from, stride, wide, count, to);
    } else {
        columns_into<T, Pairs>(from, stride, lines, wide, count, to);
    }
}

FOVEA_CLONES void lines_of(const float* f, int64_t s, int64_t l, int64_t w, int64_t c, word* to) { lines_into<float, false>(f, s, l, w, c, to); }
FOVEA_CLONES void lines_of(const bf16* f, int64_t s, int64_t l, int64_t w, int64_t c, word* to) { lines_into<bf16, false>(f, s, l, w, c, to); }
FOVEA_CLONES void pairs_of_lines(const bf16* f, int64_t s, int64_t l, int64_t w, int64_t c, word* to) { lines_into<bf16, true>(f, s, l, w, c, to); }
FOVEA_CLONES void lines_of(const fp16* f, int64_t s, int64_t l, int64_t w, int64_t c, word* to) { lines_into<fp16, false>(f, s, l, w, c, to); }
FOVEA_CLONES void columns_of(const fp16* f, int64_t s, int64_t l, int64_t w, int64_t c, word* to) { any_columns_into<fp16, false>(f, s, l, w, c, to); }
FOVEA_CLONES void columns_of(const float* f, int64_t s, int64_t l, int64_t w, int64_t c, word* to) { any_columns_into<float, false>(f, s, l, w, c, to); }
FOVEA_CLONES void columns_of(const bf16* f, int64_t s, int64_t l, int64_t w, int64_t c, word* to) { any_columns_into<bf16, false>(f, s, l, w, c, to); }
FOVEA_CLONES void pairs_of_columns(const bf16* f, int64_t s, int64_t l, int64_t w, int64_t c, word* to) { any_columns_into<bf16, true>(f, s, l, w, c, to); }

} // namespace

void pack_lines(const float* from, int64_t stride, int64_t lines, int64_t wide, int64_t count, bool, word* to) {
    lines_of(from, stride, lines, wide, count, to);
}

void pack_lines(const bf16* from, int64_t stride, int64_t lines, int64_t wide, int64_t count, bool pairs, word* to) {
    (pairs ? pairs_of_lines : static_cast<decltype(&pairs_of_lines)>(lines_of))(from, stride, lines, wide, count, to);
}

void pack_lines(const fp16* from, int64_t stride, int64_t lines, int64_t wide, int64_t count, bool, word* to) {
    lines_of(from, stride, lines, wide, count, to);
}

void pack_columns(const fp16* from, int64_t stride, int64_t lines, int64_t wide, int64_t count, bool, word* to) {
    columns_of(from, stride, lines, wide, count, to);
}

void pack_columns(const float* from, int64_t stride, int64_t lines, int64_t wide, int64_t count, bool, word* to) {
    columns_of(from, stride, lines, wide, count, to);
}

void pack_columns(const bf16* from, int64_t stride, int64_t lines, int64_t wide, int64_t count, bool pairs, word* to) {
    (pairs ? pairs_of_columns : static_cast<decltype(&pairs_of_columns)>(columns_of))(from, stride, lines, wide, count, to);
}

} // namespace fovea
