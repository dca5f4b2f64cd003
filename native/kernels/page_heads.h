// Attention of one key head of a sequence whose keys and values lie in pages, as tiles read them: nothing is packed again when a token is added.
#pragma once
#include "tile_blocks.h"

#include <vector>

namespace fovea {

constexpr int64_t page_tokens = 64;
constexpr int64_t page_block = 8 * page_tokens; // keys of a block of scores, as in attention_heads.h: the same sums in the same order

// Numbers of a head as a page keeps them: D filled up to whole vectors.
inline int64_t page_numbers(int64_t size) { return (size + width - 1) / width * width; }

// How tiles meet what pages hold: words of the keys [panels of tokens][words of D][columns], and of the values [panels of D][words of tokens][columns], the
// last panel half as wide where D asks for no more. bf16 lies in pairs whatever the tiles; those without products of pairs widen it as they read.
template <class Tiles, class T>
struct PageTiles {
    static constexpr bool stored_pairs = sizeof(T) == 2, widened = stored_pairs && !Tiles::pairs;
    static constexpr int columns = Tiles::columns, half = columns / 2;
    static constexpr int per_word = stored_pairs ? 2 : 1;

    static constexpr int64_t words(int64_t numbers) { return (numbers + per_word - 1) / per_word; }
    // Words of a left factor that meet so many of a page.
    static constexpr int64_t left_words(int64_t page_words) { return widened ? 2 * page_words : page_words; }

    template <int Vectors, int ARow, int AStep, int Rows>
    static void multiply(const word* a, const word* b, int64_t count, float* to, int64_t stride, bool add) {
        Tiles::template multiply<Vectors, ARow, AStep, Rows, widened>(a, b, count, to, stride, add);
    }
};

// The keys or values of one head in one page, as words.
template <class T>
struct Pool {
    T* data;
    int64_t by_page, by_head;

    word* at(int64_t page, int64_t head) const { return reinterpret_cast<word*>(data + page * by_page + head * by_head); }
};

// What is new of a sequence in one page.
template <class Tiles, class T>
void write_keys(const Head<T>& from, int64_t first, int64_t count, int64_t slot, int64_t size, word* page) {
    using Way = PageTiles<Tiles, T>;
    constexpr int64_t columns = Way::columns;
    const auto words = Way::words(size);
    while (count > 0) {
        auto* panel = page + slot / columns * words * columns;
        const auto column = slot % columns, here = std::min(columns - column, count);
        if (here == columns) {
            pack_lines(from.at(first), from.stride, columns, columns, size, Way::stored_pairs, panel);
        } else {
            for (int64_t i = 0; i < here; i++) {
                const auto* x = from.at(first + i);
                for (int64_t w = 0; w < words; w++) {
                    word both = 0;
                    std::memcpy(&both, x + w * Way::per_word, std::min<int64_t>(Way::per_word, size - w * Way::per_word) * sizeof(T));
                    panel[w * columns + column + i] = both;
                }
            }
        }
        first += here;
        slot += here;
        count -= here;
    }
}

template <class Tiles, class T>
void write_values(const Head<T>& from, int64_t first, int64_t count, int64_t slot, int64_t size, word* page) {
    using Way = PageTiles<Tiles, T>;
    constexpr int64_t columns = Way::columns, half = Way::half;
    const auto panels = [&](const auto& each) {
        for (int64_t d = 0; d < size; d += columns) {
            const auto left = size - d, wide = left <= half ? half : columns;
            each(d, std::min(wide, left), wide, page + d * Way::words(page_tokens));
        }
    };
    if (Way::stored_pairs && slot % 2 != 0 && count > 0) {
        // The second of a pair, whose first is there already.
        panels([&](int64_t d, int64_t numbers, int64_t wide, word* panel) {
            for (int64_t i = 0; i < numbers; i++) {
                auto& both = panel[slot / 2 * wide + i];
                const auto own = std::bit_cast<word>(widen(from.at(first)[d + i])); // the upper half of fp32 is bf16
                both = (both & 0xffffu) | own;
            }
        });
        first++;
        slot++;
        count--;
    }
    if (count > 0) {
        // Behind an odd last token lies 0, until the next one comes.
        panels([&](int64_t d, int64_t numbers, int64_t wide, word* panel) {
            pack_columns(from.at(first) + d, from.stride, numbers, wide, count, Way::stored_pairs, panel + slot / Way::per_word * wide);
        });
    }
}

// One thread's work on the queries of a key head: rows are pairs of a new token and a query head of the group, token by token.
template <class Tiles, class T>
class PageHead {
    using Way = PageTiles<Tiles, T>;
    using Scores = ScorePanel<Tiles, page_block>;
    static constexpr int most = Tiles::rows, columns = Way::columns;

public:
    struct Task {
        const T* q; // of the sequence's first new token and the group's first head
        T* out;
        int64_t by_token, by_head, out_by_token; // numbers from one to the next; those of a head lie side by side
        int64_t ratio, past;
        const int32_t* table;
        int64_t group;
    };

    explicit PageHead(int64_t size)
        : size(size),
          padded((size + Way::half - 1) / Way::half * Way::half),
          lines(reinterpret_cast<T*>(scratch.words(most * size))),
          queries(scratch.words(most * Way::left_words(Way::words(size)) + width)),
          scores(scratch),
          sums(scratch.numbers(most * padded)) {}

    // Rows [first, first + count) of a task, at most a tile's.
    void attend(const Task& task, int64_t first, int64_t count, float scale, const Pool<T>& keys, const Pool<T>& values) {
        by_rows<Tiles>(count, [&](auto rows) { attend_rows<rows>(task, first, count, scale, keys, values); });
    }

private:
    template <int Rows>
    void attend_rows(const Task& task, int64_t first, int64_t count, float scale, const Pool<T>& keys, const Pool<T>& values) {
        const auto token = [&](int64_t r) { return (first + r) / task.ratio; };
        const auto head = [&](int64_t r) { return (first + r) % task.ratio; };
        for (int64_t r = 0; r < count; r++) {
            std::copy_n(task.q + token(r) * task.by_token + head(r) * task.by_head, size, lines + r * size);
        }
        const auto words = Way::words(size), left = Way::left_words(words);
        pack_lines(lines, size, count, Rows, size, Tiles::pairs, queries);
        if (Way::widened && size % 2 != 0) {
            std::fill_n(queries + (left - 1) * Rows, Rows, 0); // what meets the second of an odd last pair
        }
        Softmax softmax[Rows];
        const auto limit = task.past + token(count - 1) + 1;
        for (int64_t key = 0; key < limit; key += page_block) {
            const auto here = std::min(page_block, limit - key);
            for (int64_t i = 0; i < here; i += columns) {
                const auto at = key + i;
                const auto* panel = keys.at(task.table[at / page_tokens], task.group) + at % page_tokens * words;
                Way::template multiply<2, 1, Rows, Rows>(queries, panel, words, scores.row(0) + i, Scores::stride, false);
            }
            const auto filled = here + here % Way::per_word; // whole words of values
            for (int64_t r = 0; r < count; r++) {
                const auto visible = std::clamp<int64_t>(task.past + token(r) + 1 - key, 0, here);
                scores.exponents(r, visible, filled, scale, softmax[r], key > 0 ? sums + r * padded : nullptr, padded);
            }
            for (int64_t i = 0; i < here; i += page_tokens) {
                mix<Rows>(
                    scores.factors() + i / Tiles::per_word, values.at(task.table[(key + i) / page_tokens], task.group),
                    Way::words(std::min(page_tokens, here - i)), key + i > 0);
            }
        }
        for (int64_t r = 0; r < count; r++) {
            row_scaled(sums + r * padded, 1 / softmax[r].sum, task.out + token(r) * task.out_by_token + head(r) * size, size);
        }
    }

    // sums [Rows, D] += factors times `count` words of a page of values.
    template <int Rows>
    void mix(const word* factors, const word* page, int64_t count, bool add) {
        for (int64_t d = 0; d < size; d += columns) {
            const auto* panel = page + d * Way::words(page_tokens);
            if (size - d <= Way::half) {
                Way::template multiply<1, Scores::row_words, 1, Rows>(factors, panel, count, sums + d, padded, add);
            } else {
                Way::template multiply<2, Scores::row_words, 1, Rows>(factors, panel, count, sums + d, padded, add);
            }
        }
    }

    Scratch scratch;
    int64_t size, padded;
    T* lines;
    word* queries;
    Scores scores;
    float* sums;
};

} // namespace fovea
