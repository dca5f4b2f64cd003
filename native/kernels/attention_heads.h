// Attention of one head of a segment, forward and backward, in blocks of tiles that stay in the caches.
#pragma once
#include "tile_blocks.h"

#include <cmath>

namespace fovea {

constexpr int64_t forward_keys = 512; // of a block of scores in the forward pass

template <class Tiles, class T>
class Forward {
    using Scores = ScorePanel<Tiles, forward_keys>;

public:
    Forward(int64_t size, int64_t longest)
        : blocks{size},
          keys(scratch.words(blocks.panels(longest) * Tiles::columns * blocks.size_words())),
          values(scratch.words(Tiles::words(longest) * blocks.padded())),
          queries(scratch.words(Tiles::rows * blocks.size_words())),
          scores(scratch),
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
                blocks.times_keys(queries, keys, key, here, scores.row(0), Scores::stride);
                for (int64_t r = 0; r < count; r++) {
                    const auto visible = causal ? std::clamp<int64_t>(first + r + 1 - key, 0, here) : here;
                    scores.exponents(r, visible, here, scale, softmax[r], key > 0 ? sums + r * blocks.padded() : nullptr, blocks.padded());
                }
                blocks.template times_rows<Scores::row_words, 1>(
                    scores.factors(), values, Tiles::words(length), key / Tiles::per_word, Tiles::words(here), sums, key > 0);
            }
            for (int64_t r = 0; r < count; r++) {
                row_scaled(sums + r * blocks.padded(), 1 / softmax[r].sum, out.at(first + r), blocks.size);
                lse[first + r] = softmax[r].top + std::log(softmax[r].sum);
            }
        }
    }

private:
    Scratch scratch;
    Blocks<Tiles, T> blocks;
    int64_t length = 0;
    word *keys, *values, *queries;
    Scores scores;
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
