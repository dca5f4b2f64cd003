// Blocks of tiles: how factors are packed and multiplied, and what becomes of a panel of scores between two products.
#pragma once
#include "attention_rows.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

namespace fovea {

// Rows of a factor with the numbers of each side by side, as the tokens of one head of a segment in [T, H, D] are.
template <class T>
struct Head {
    T* data;
    int64_t stride; // from token to token

    T* at(int64_t token) const { return data + token * stride; }
};

template <class T>
Head<T> head_of(const at::Tensor& x, int64_t start, int64_t head) {
    return {const_cast<T*>(data_of<T>(x)) + start * x.stride(0) + head * x.stride(1), x.stride(0)};
}

// Memory of one thread, taken once and cut into pieces.
class Scratch {
public:
    float* numbers(int64_t count) { return take(count); }
    word* words(int64_t count) { return reinterpret_cast<word*>(take(count)); }

private:
    float* take(int64_t count) {
        pieces.push_back(at::empty({count + width}, at::kFloat)); // packing may write behind the end
        return pieces.back().mutable_data_ptr<float>();
    }

    std::vector<at::Tensor> pieces;
};

// What a head's products have in common: tiles of one shape over panels of D columns, the last of which may be half as wide.
template <class Tiles, class T>
struct Blocks {
    static constexpr bool pairs = Tiles::pairs;
    static constexpr int rows = Tiles::rows, columns = Tiles::columns, half = columns / 2;
    int64_t size; // D

    int64_t size_words() const { return Tiles::words(size); }
    int64_t padded() const { return (size + half - 1) / half * half; } // D as accumulators hold it
    static int64_t panels(int64_t count) { return (count + columns - 1) / columns; }
    static int64_t row_panels(int64_t count) { return (count + rows - 1) / rows; }

    // Rows [first, first + count) as left factors over D: [panels of rows][words of D][rows].
    void pack_left(const Head<T>& x, int64_t first, int64_t count, word* to) const {
        for (int64_t i = 0; i < count; i += rows, to += size_words() * rows) {
            pack_lines(x.at(first + i), x.stride, std::min<int64_t>(rows, count - i), rows, size, pairs, to);
        }
    }

    // All tokens as the columns of a right factor over D: [panels of columns][words of D][columns].
    void pack_keys(const Head<T>& x, int64_t count, word* to) const {
        for (int64_t i = 0; i < count; i += columns, to += size_words() * columns) {
            pack_lines(x.at(i), x.stride, std::min<int64_t>(columns, count - i), columns, size, pairs, to);
        }
    }

    // Tokens [first, first + count) as the rows of a right factor [tokens, D]: panels of D, each [words of tokens][columns].
    void pack_rows(const Head<T>& x, int64_t first, int64_t count, word* to) const {
        for (int64_t d = 0; d < size; d += columns) {
            const int64_t left = size - d, wide = left <= half ? half : columns;
            pack_columns(x.at(first) + d, x.stride, std::min<int64_t>(wide, left), wide, count, pairs, to + d * Tiles::words(count));
        }
    }

    // to [rows, D] += the words of a times rows [from, from + count) of what pack_rows made of `all` tokens; counted in words.
    template <int ARow, int AStep>
    void times_rows(const word* a, const word* packed, int64_t all, int64_t from, int64_t count, float* to, bool add) const {
        for (int64_t d = 0; d < size; d += columns) {
            const int64_t wide = size - d <= half ? half : columns;
            const auto* panel = packed + d * all + from * wide;
            if (wide == half) {
                Tiles::template multiply<1, ARow, AStep>(a, panel, count, to + d, padded(), add);
            } else {
                Tiles::template multiply<2, ARow, AStep>(a, panel, count, to + d, padded(), add);
            }
        }
    }

    // A panel of left factors times the first `count` columns of what pack_keys made, from the panel of column `first` on.
    void times_keys(const word* left, const word* packed, int64_t first, int64_t count, float* to, int64_t stride) const {
        for (int64_t i = 0; i < count; i += columns) {
            Tiles::template multiply<2, 1, rows>(left, packed + (first + i) * size_words(), size_words(), to + i, stride, false);
        }
    }
};

// The scores of a panel of rows against a block of up to Keys columns, which become the left factor of the next product.
template <class Tiles, int Keys>
class ScorePanel {
public:
    static constexpr int stride = Keys + Tiles::padding, row_words = stride / Tiles::per_word;

    explicit ScorePanel(Scratch& scratch)
        : scores(scratch.numbers(Tiles::rows * stride)), narrowed(Tiles::pairs ? scratch.words(Tiles::rows * stride / 2) : reinterpret_cast<word*>(scores)) {}

    float* row(int64_t r) const { return scores + r * stride; }

    // A row becomes exp(score * scale - top), 0 from `visible` up to `columns`. What was summed before with an earlier top, `size` numbers, shrinks with it;
    // null is nothing.
    void exponents(int64_t r, int64_t visible, int64_t columns, float scale, Softmax& softmax, float* sums, int64_t size) const {
        float shrunk;
        if constexpr (Tiles::pairs) {
            shrunk = row_exponents(row(r), reinterpret_cast<bf16*>(narrowed) + r * stride, visible, columns + columns % 2, scale, softmax);
        } else {
            shrunk = row_exponents(row(r), row(r), visible, columns, scale, softmax);
        }
        if (sums != nullptr && shrunk != 1) {
            row_scaled(sums, shrunk, sums, size);
        }
    }

    const word* factors() const { return narrowed; }

private:
    float* scores;
    word* narrowed;
};

} // namespace fovea
