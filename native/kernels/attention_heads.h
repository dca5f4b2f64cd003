// Attention of one head of a segment, forward and backward, in blocks of tiles that stay in the caches.
#pragma once
#include "attention_rows.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace fovea {

constexpr int64_t forward_keys = 512; // of a block of scores in the forward pass

// The tokens of one head of a segment in [T, H, D] with the numbers of a token side by side.
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

template <class Tiles, class T>
class Forward {
public:
    static constexpr int stride = forward_keys + Tiles::padding; // of a row of scores

    Forward(int64_t size, int64_t longest)
        : blocks{size},
          keys(scratch.words(blocks.panels(longest) * Tiles::columns * blocks.size_words())),
          values(scratch.words(Tiles::words(longest) * blocks.padded())),
          queries(scratch.words(Tiles::rows * blocks.size_words())),
          scores(scratch.numbers(Tiles::rows * stride)),
          narrowed(Tiles::pairs ? scratch.words(Tiles::rows * stride / 2) : nullptr),
          sums(scratch.numbers(Tiles::rows * blocks.padded())) {}

    void use(const Head<T>& k, const Head<T>& v, int64_t tokens) {
        length = tokens;
        blocks.pack_keys(k, length, keys);
        blocks.pack_rows(v, 0, length, values);
    }

    // out and lse [L] of one head of queries.
    void attend(const Head<T>& q, bool causal, float scale, const Head<T>& out, float* lse) {
        for (int64_t first = 0; first < length; first += Tiles::rows) {
            const auto count = std::min<int64_t>(Tiles::rows, length - first), limit = causal ? first + count : length;
            blocks.pack_left(q, first, count, queries);
            Softmax softmax[Tiles::rows];
            for (int64_t key = 0; key < limit; key += forward_keys) {
                const auto here = std::min(forward_keys, limit - key);
                blocks.times_keys(queries, keys, key, here, scores, stride);
                for (int64_t r = 0; r < count; r++) {
                    const auto visible = causal ? std::clamp<int64_t>(first + r + 1 - key, 0, here) : here;
                    const auto shrunk = exponents(r, visible, here, scale, softmax[r]);
                    if (key > 0 && shrunk != 1) {
                        row_scaled(sums + r * blocks.padded(), shrunk, sums + r * blocks.padded(), blocks.padded());
                    }
                }
                const auto* p = Tiles::pairs ? narrowed : reinterpret_cast<const word*>(scores);
                constexpr int row = stride / Tiles::per_word;
                blocks.template times_rows<row, 1>(p, values, Tiles::words(length), key / Tiles::per_word, Tiles::words(here), sums, key > 0);
            }
            for (int64_t r = 0; r < count; r++) {
                row_scaled(sums + r * blocks.padded(), 1 / softmax[r].sum, out.at(first + r), blocks.size);
                lse[first + r] = softmax[r].top + std::log(softmax[r].sum);
            }
        }
    }

private:
    float exponents(int64_t r, int64_t visible, int64_t columns, float scale, Softmax& softmax) {
        auto* row = scores + r * stride;
        if constexpr (Tiles::pairs) {
            return row_exponents(row, reinterpret_cast<bf16*>(narrowed) + r * stride, visible, columns + columns % 2, scale, softmax);
        } else {
            return row_exponents(row, row, visible, columns, scale, softmax);
        }
    }

    Scratch scratch;
    Blocks<Tiles, T> blocks;
    int64_t length = 0;
    word *keys, *values, *queries;
    float* scores;
    word* narrowed;
    float* sums;
};

template <class Tiles, class T>
class Backward {
public:
    static constexpr int stride = Tiles::keys + Tiles::padding, row_words = stride / Tiles::per_word;

    Backward(int64_t size, int64_t longest)
        : blocks{size},
          keys(scratch.words(blocks.panels(longest) * Tiles::columns * blocks.size_words())),
          values(scratch.words(blocks.panels(longest) * Tiles::columns * blocks.size_words())),
          key_rows(scratch.words(Tiles::words(longest) * blocks.padded())),
          queries(scratch.words(Tiles::queries * blocks.size_words())),
          douts(scratch.words(Tiles::queries * blocks.size_words())),
          query_rows(scratch.words(Tiles::words(Tiles::queries) * blocks.padded())),
          dout_rows(scratch.words(Tiles::words(Tiles::queries) * blocks.padded())),
          scores(scratch.numbers(Tiles::queries * stride)),
          dp(scratch.numbers(Tiles::queries * stride)),
          p_pairs(Tiles::pairs ? scratch.words(Tiles::queries / 2 * stride) : reinterpret_cast<word*>(scores)),
          ds_pairs(Tiles::pairs ? scratch.words(Tiles::queries / 2 * stride) : reinterpret_cast<word*>(dp)),
          ds_rows(Tiles::pairs ? scratch.words(Tiles::queries / 2 * stride) : reinterpret_cast<word*>(dp)),
          dq_sums(scratch.numbers(Tiles::queries * blocks.padded())),
          dk_sums(scratch.numbers(blocks.row_panels(longest) * Tiles::rows * blocks.padded())),
          dv_sums(scratch.numbers(blocks.row_panels(longest) * Tiles::rows * blocks.padded())) {}

    void use(const Head<T>& k, const Head<T>& v, int64_t tokens) {
        length = tokens;
        blocks.pack_keys(k, length, keys);
        blocks.pack_keys(v, length, values);
        blocks.pack_rows(k, 0, length, key_rows);
    }

    // dq of one head of queries; its part of dk and dv stays in the sums.
    void differentiate(
        const Head<T>& q, const Head<T>& out, const Head<T>& dout, const float* lse, bool causal, float scale, const Head<T>& dq) {
        const auto whole = blocks.row_panels(length) * Tiles::rows * blocks.padded();
        std::fill_n(dk_sums, whole, 0.0f);
        std::fill_n(dv_sums, whole, 0.0f);
        for (int64_t first = 0; first < length; first += Tiles::queries) {
            const auto count = std::min<int64_t>(Tiles::queries, length - first), limit = causal ? first + count : length;
            blocks.pack_left(q, first, count, queries);
            blocks.pack_left(dout, first, count, douts);
            blocks.pack_rows(q, first, count, query_rows);
            blocks.pack_rows(dout, first, count, dout_rows);
            Query known[Tiles::queries + 1] = {};
            for (int64_t r = 0; r < count; r++) {
                known[r] = {0, lse[first + r], row_dot(out.at(first + r), dout.at(first + r), blocks.size)};
            }
            std::fill_n(dq_sums, Tiles::queries * blocks.padded(), 0.0f);
            for (int64_t key = 0; key < limit; key += Tiles::keys) {
                const auto here = std::min<int64_t>(Tiles::keys, limit - key);
                for (int64_t r = 0; r < count; r++) {
                    known[r].visible = causal ? std::clamp<int64_t>(first + r + 1 - key, 0, here) : here;
                }
                block(first, count, key, here, causal, scale, known);
            }
            for (int64_t r = 0; r < count; r++) {
                row_scaled(dq_sums + r * blocks.padded(), 1, dq.at(first + r), blocks.size);
            }
        }
    }

    const float* dk() const { return dk_sums; }
    const float* dv() const { return dv_sums; }

private:
    // Queries [first, first + count) and keys [key, key + here).
    void block(int64_t first, int64_t count, int64_t key, int64_t here, bool causal, float scale, const Query* known) {
        // How many keys the queries of a panel of rows see together, and which panel is the first to see a key.
        const auto seen = [&](int64_t row) { return causal ? std::clamp<int64_t>(first + std::min(row + Tiles::rows, count) - key, 0, here) : here; };
        const auto first_row = [&](int64_t k) { return causal ? std::max<int64_t>(0, (k - first) / Tiles::rows * Tiles::rows) : 0; };
        const auto left_panel = blocks.size_words();
        for (int64_t row = 0; row < count; row += Tiles::rows) {
            blocks.times_keys(queries + row * left_panel, keys, key, seen(row), scores + row * stride, stride);
            blocks.times_keys(douts + row * left_panel, values, key, seen(row), dp + row * stride, stride);
        }
        gradients(count, std::min<int64_t>(Tiles::keys, whole_vectors(blocks.row_panels(here) * Tiles::rows)), scale, known);
        const auto words = Tiles::words(count);
        for (int64_t k = 0; k < here; k += Tiles::rows) {
            const int64_t from = first_row(key + k) / Tiles::per_word;
            if (from >= words) {
                continue;
            }
            const auto place = (key + k) * blocks.padded(), left = from * stride + k;
            blocks.template times_rows<1, stride>(p_pairs + left, dout_rows, words, from, words - from, dv_sums + place, true);
            blocks.template times_rows<1, stride>(ds_pairs + left, query_rows, words, from, words - from, dk_sums + place, true);
        }
        for (int64_t row = 0; row < count; row += Tiles::rows) {
            if (const auto visible = seen(row); visible > 0) {
                blocks.template times_rows<row_words, 1>(
                    ds_rows + row * row_words, key_rows, Tiles::words(length), key / Tiles::per_word, Tiles::words(visible),
                    dq_sums + row * blocks.padded(), true);
            }
        }
    }

    void gradients(int64_t count, int64_t columns, float scale, const Query* known) {
        if constexpr (Tiles::pairs) {
            for (int64_t r = 0; r < count; r += 2) { // behind an odd last row comes one that sees nothing
                pair_gradient(
                    scores + r * stride, dp + r * stride, stride, columns, scale, known + r, p_pairs + r / 2 * stride, ds_pairs + r / 2 * stride,
                    reinterpret_cast<bf16*>(ds_rows) + r * stride);
            }
        } else {
            for (int64_t r = 0; r < count; r++) {
                row_gradient(scores + r * stride, dp + r * stride, columns, scale, known[r]);
            }
        }
    }

    Scratch scratch;
    Blocks<Tiles, T> blocks;
    int64_t length = 0;
    word *keys, *values, *key_rows, *queries, *douts, *query_rows, *dout_rows;
    float *scores, *dp;
    word *p_pairs, *ds_pairs, *ds_rows;
    float *dq_sums, *dk_sums, *dv_sums;
};

} // namespace fovea
