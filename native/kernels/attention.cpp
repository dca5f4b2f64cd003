// fovea::attention: block-diagonal attention over packed tokens. On the CPU in blocks that stay in the caches, forward with the softmax corrected from block
// to block (arXiv 1805.02867, 2205.14135), backward from the forward's log-sum-exp; scores and sums are fp32. Each head of a segment is worked on by one
// thread from its first token on, so no result depends on what else is packed, or on the number of threads. Half of the time of products by a library
// went into calls of a size that it was not made for.
#include "attention_varlen.h"
#include "dispatch.h"
#include "tiles.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <vector>

namespace fovea {
namespace {

constexpr float nothing = -std::numeric_limits<float>::infinity();
constexpr int64_t forward_keys = 512; // of a block of scores in the forward pass

// ---- One row of a block ----

// The softmax of one query so far, for scores times scale: the largest, and the sum of exp(score - largest).
struct Softmax {
    float top = nothing, sum = 0;
};

FOVEA_INLINE int64_t whole_vectors(int64_t count) { return (count + width - 1) / width * width; }

// Scores become exp(score * scale - top), as fp32 in place or as bf16 in `to`, 0 from `visible` up to `columns`. Rows have room for whole vectors.
// Returns by how much what was summed before has shrunk.
template <class P>
FOVEA_INLINE float row_exponents(float* scores, P* to, int64_t visible, int64_t columns, float scale, Softmax& softmax) {
    const auto padded = whole_vectors(visible);
    for (int64_t i = visible; i < padded; i++) {
        scores[i] = nothing;
    }
    lanes tops = filled(nothing);
    for (int64_t i = 0; i < padded; i += width) {
        tops = larger(load(scores + i), tops);
    }
    const float before = softmax.top, top = std::max(before, largest_of(tops) * scale);
    lanes sums{};
    for (int64_t i = 0; i < padded; i += width) {
        const lanes e = exp_fast(load(scores + i) * scale - top);
        sums += e;
        store(e, to + i);
    }
    for (int64_t i = visible; i < columns; i++) {
        to[i] = P{};
    }
    const float shrunk = before == nothing ? 0 : exp_fast(before - top);
    softmax = {top, softmax.sum * shrunk + sum_of(sums)};
    return shrunk;
}

FOVEA_CLONES float row_exponents_of(float* s, float* to, int64_t visible, int64_t columns, float scale, Softmax& softmax) {
    return row_exponents(s, to, visible, columns, scale, softmax);
}
FOVEA_CLONES float row_exponents_of(float* s, bf16* to, int64_t visible, int64_t columns, float scale, Softmax& softmax) {
    return row_exponents(s, to, visible, columns, scale, softmax);
}

// to = factor * from
template <class T>
FOVEA_INLINE void row_scaled(const float* from, float factor, T* to, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        narrow(from[i] * factor, &to[i]);
    }
}

FOVEA_CLONES void row_scaled_of(const float* from, float factor, float* to, int64_t count) { row_scaled(from, factor, to, count); }
FOVEA_CLONES void row_scaled_of(const float* from, float factor, bf16* to, int64_t count) { row_scaled(from, factor, to, count); }

FOVEA_CLONES void row_added(const float* from, float* to, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        to[i] += from[i];
    }
}

template <class T>
FOVEA_INLINE float row_dot(const T* a, const T* b, int64_t count) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) {
        sum += widen(a[i]) * widen(b[i]);
    }
    return sum;
}

FOVEA_CLONES float row_dot_of(const float* a, const float* b, int64_t count) { return row_dot(a, b, count); }
FOVEA_CLONES float row_dot_of(const bf16* a, const bf16* b, int64_t count) { return row_dot(a, b, count); }

// What the backward pass knows of a query: how many keys of the block it sees, its log-sum-exp and its sum(dout * out), which is also sum(p * dp).
struct Query {
    int64_t visible;
    float lse, delta;
};

FOVEA_INLINE lanes only_visible(const lanes& x, int64_t from, int64_t visible) {
    constexpr int_lanes numbers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return from + width <= visible ? x : numbers + static_cast<int32_t>(from) < static_cast<int32_t>(visible) ? x : lanes{};
}

// Scores become probabilities p = exp(score * scale - lse), dp becomes the gradient of the scores p * (dp - delta) * scale; both 0 from `visible` up to
// `columns`, whole vectors.
FOVEA_CLONES void row_gradient(float* scores, float* dp, int64_t columns, float scale, const Query& query) {
    for (int64_t i = 0; i < columns; i += width) {
        if (i >= query.visible) {
            store(lanes{}, scores + i);
            store(lanes{}, dp + i);
            continue;
        }
        const lanes p = only_visible(exp_fast(load(scores + i) * scale - query.lse), i, query.visible);
        store(p, scores + i);
        store(only_visible(p * (load(dp + i) - query.delta) * scale, i, query.visible), dp + i);
    }
}

// The same of two neighbouring queries at once, to bf16: p and ds as pairs of the two, and ds of each along the keys.
FOVEA_CLONES void pair_gradient(
    const float* scores, const float* dp, int64_t stride, int64_t columns, float scale, const Query* query, word* p_pairs, word* ds_pairs, bf16* ds_rows) {
    for (int64_t i = 0; i < columns; i += width) {
        word_lanes p_words{}, ds_words{};
        for (int r = 0; r < 2; r++) {
            half_lanes p_half{}, ds_half{};
            if (i < query[r].visible) {
                const lanes p = only_visible(exp_fast(load(scores + r * stride + i) * scale - query[r].lse), i, query[r].visible);
                const lanes ds = only_visible(p * (load(dp + r * stride + i) - query[r].delta) * scale, i, query[r].visible);
                store(p, reinterpret_cast<bf16*>(&p_half));
                store(ds, reinterpret_cast<bf16*>(&ds_half));
            }
            p_words |= __builtin_convertvector(p_half, word_lanes) << (16 * r);
            ds_words |= __builtin_convertvector(ds_half, word_lanes) << (16 * r);
            std::memcpy(ds_rows + r * stride + i, &ds_half, sizeof ds_half);
        }
        std::memcpy(p_pairs + i, &p_words, sizeof p_words);
        std::memcpy(ds_pairs + i, &ds_words, sizeof ds_words);
    }
}

// ---- One head of a segment ----

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
                        row_scaled_of(sums + r * blocks.padded(), shrunk, sums + r * blocks.padded(), blocks.padded());
                    }
                }
                const auto* p = Tiles::pairs ? narrowed : reinterpret_cast<const word*>(scores);
                constexpr int row = stride / Tiles::per_word;
                blocks.template times_rows<row, 1>(p, values, Tiles::words(length), key / Tiles::per_word, Tiles::words(here), sums, key > 0);
            }
            for (int64_t r = 0; r < count; r++) {
                row_scaled_of(sums + r * blocks.padded(), 1 / softmax[r].sum, out.at(first + r), blocks.size);
                lse[first + r] = softmax[r].top + std::log(softmax[r].sum);
            }
        }
    }

private:
    float exponents(int64_t r, int64_t visible, int64_t columns, float scale, Softmax& softmax) {
        auto* row = scores + r * stride;
        if constexpr (Tiles::pairs) {
            return row_exponents_of(row, reinterpret_cast<bf16*>(narrowed) + r * stride, visible, columns + columns % 2, scale, softmax);
        } else {
            return row_exponents_of(row, row, visible, columns, scale, softmax);
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
                known[r] = {0, lse[first + r], row_dot_of(out.at(first + r), dout.at(first + r), blocks.size)};
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
                row_scaled_of(dq_sums + r * blocks.padded(), 1, dq.at(first + r), blocks.size);
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

// ---- All segments ----

// The segments, their key heads, and, where there are too few of those for all threads, the query heads that share one.
struct Work {
    std::vector<std::pair<int64_t, int64_t>> segments; // start and length, the longest first
    int64_t groups, ratio, parts;

    Work(at::IntArrayRef boundaries, int64_t heads, int64_t groups) : groups(groups), ratio(heads / groups) {
        for (size_t i = 1; i < boundaries.size(); i++) {
            TORCH_CHECK(boundaries[i] >= boundaries[i - 1], "attention: boundaries must not fall");
            if (boundaries[i] > boundaries[i - 1]) {
                segments.emplace_back(boundaries[i - 1], boundaries[i] - boundaries[i - 1]);
            }
        }
        std::stable_sort(segments.begin(), segments.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
        parts = static_cast<int64_t>(segments.size()) * groups >= 2 * at::get_num_threads() ? 1 : ratio;
    }

    int64_t longest() const { return segments.empty() ? 0 : segments.front().second; }

    struct Task {
        int64_t start, length, group, head, heads; // the query heads [head, head + heads)
    };

    // Gives every thread a worker, and the workers the tasks, one after another as they become free.
    template <class MakeWorker>
    void share_out(const MakeWorker& make) const {
        const auto count = static_cast<int64_t>(segments.size()) * groups * parts;
        std::atomic<int64_t> next{0};
        const auto run = [&] {
            const at::NoGradGuard no_grad; // threads other than the caller's know of no mode
            const auto worker = make();
            for (int64_t i; (i = next.fetch_add(1)) < count;) {
                const auto [start, length] = segments[i / (groups * parts)];
                const auto group = i / parts % groups, heads = ratio / parts;
                worker(Task{start, length, group, group * ratio + i % parts * heads, heads});
            }
        };
        const auto threads = std::min<int64_t>(at::get_num_threads(), count);
        if (threads > 1 && !at::in_parallel_region()) {
            at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
                for (auto i = begin; i < end; i++) {
                    run();
                }
            });
        } else {
            run();
        }
    }
};

// Writes sums [length, padded] as the rows of a head.
template <class T>
void write_sums(const float* sums, int64_t padded, int64_t length, int64_t size, const Head<T>& to) {
    for (int64_t i = 0; i < length; i++) {
        row_scaled_of(sums + i * padded, 1, to.at(i), size);
    }
}

struct PackedAttention : torch::autograd::Function<PackedAttention> {
    static at::Tensor forward(
        torch::autograd::AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries, bool causal,
        double scale, int64_t tiles) {
        auto out = at::empty({q.size(0), q.size(1), q.size(2)}, q.options());
        auto lse = at::empty({q.size(1), q.size(0)}, q.options().dtype(at::kFloat));
        const Work work(boundaries, q.size(1), k.size(1));
        by_type(q, [&](auto zero) {
            using T = decltype(zero);
            by_tiles<T>(static_cast<TileKind>(tiles), [&](auto shape) {
                work.share_out([&] {
                    return [&, worker = std::make_shared<Forward<decltype(shape), T>>(q.size(2), work.longest())](const Work::Task& task) {
                        worker->use(head_of<T>(k, task.start, task.group), head_of<T>(v, task.start, task.group), task.length);
                        for (auto head = task.head; head < task.head + task.heads; head++) {
                            worker->attend(
                                head_of<T>(q, task.start, head), causal, static_cast<float>(scale), head_of<T>(out, task.start, head),
                                mutable_data_of<float>(lse) + head * q.size(0) + task.start);
                        }
                    };
                });
            });
        });
        context->save_for_backward({q, k, v, out, lse});
        context->saved_data["boundaries"] = boundaries.vec();
        context->saved_data["causal"] = causal;
        context->saved_data["scale"] = scale;
        context->saved_data["tiles"] = tiles;
        return out;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &lse = saved[4];
        const auto causal = context->saved_data["causal"].toBool();
        const auto scale = static_cast<float>(context->saved_data["scale"].toDouble());
        const auto boundaries = context->saved_data["boundaries"].toIntVector();
        const auto tiles = context->saved_data["tiles"].toInt();
        const auto dout = gradients[0].contiguous();
        auto dq = at::empty(q.sizes(), q.options()), dk = at::empty(k.sizes(), k.options()), dv = at::empty(v.sizes(), v.options());
        const Work work(boundaries, q.size(1), k.size(1));
        // Query heads apart leave their sums here, to be added in their order.
        const auto apart = work.parts > 1;
        const auto sums = apart ? at::empty({2, q.size(1), q.size(0), q.size(2)}, lse.options()) : at::Tensor();
        by_type(q, [&](auto zero) {
            using T = decltype(zero);
            by_tiles<T>(static_cast<TileKind>(tiles), [&](auto shape) {
                work.share_out([&] {
                    return [&, worker = std::make_shared<Differentiator<decltype(shape), T>>(q.size(2), work.longest(), work.ratio > 1)](
                               const Work::Task& task) {
                        (*worker)(task, q, k, v, out, lse, dout, causal, scale, dq, dk, dv, sums);
                    };
                });
            });
            if (apart) {
                add_apart<T>(work, sums, dk, dv);
            }
        });
        return {dq, dk, dv, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
    }

private:
    template <class Tiles, class T>
    struct Differentiator {
        Backward<Tiles, T> backward;
        int64_t size, padded;
        Scratch scratch;
        float *dk_all = nullptr, *dv_all = nullptr;

        Differentiator(int64_t size, int64_t longest, bool several)
            : backward(size, longest), size(size), padded(Blocks<Tiles, T>{size}.padded()) {
            if (several) {
                dk_all = scratch.numbers(longest * padded);
                dv_all = scratch.numbers(longest * padded);
            }
        }

        void operator()(
            const Work::Task& task, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& out, const at::Tensor& lse,
            const at::Tensor& dout, bool causal, float scale, const at::Tensor& dq, const at::Tensor& dk, const at::Tensor& dv, const at::Tensor& sums) {
            const auto [start, length, group, first, heads] = task;
            backward.use(head_of<T>(k, start, group), head_of<T>(v, start, group), length);
            for (auto head = first; head < first + heads; head++) {
                backward.differentiate(
                    head_of<T>(q, start, head), head_of<T>(out, start, head), head_of<T>(dout, start, head),
                    data_of<float>(lse) + head * q.size(0) + start, causal, scale, head_of<T>(dq, start, head));
                if (sums.defined()) {
                    write_sums(backward.dk(), padded, length, size, head_of<float>(sums[0].transpose(0, 1), start, head));
                    write_sums(backward.dv(), padded, length, size, head_of<float>(sums[1].transpose(0, 1), start, head));
                } else if (heads > 1) {
                    gather(backward.dk(), dk_all, length, head == first);
                    gather(backward.dv(), dv_all, length, head == first);
                }
            }
            if (!sums.defined()) {
                write_sums(heads > 1 ? dk_all : backward.dk(), padded, length, size, head_of<T>(dk, start, group));
                write_sums(heads > 1 ? dv_all : backward.dv(), padded, length, size, head_of<T>(dv, start, group));
            }
        }

        void gather(const float* from, float* to, int64_t length, bool first) const {
            if (first) {
                std::copy_n(from, length * padded, to);
            } else {
                row_added(from, to, length * padded);
            }
        }
    };

    // dk and dv from the sums [H, T, D] of their query heads.
    template <class T>
    static void add_apart(const Work& work, const at::Tensor& sums, const at::Tensor& dk, const at::Tensor& dv) {
        const auto tokens = sums.size(2), size = sums.size(3);
        at::parallel_for(0, 2 * work.groups * tokens, 64, [&](int64_t begin, int64_t end) {
            std::vector<float> sum(size);
            for (auto i = begin; i < end; i++) {
                const auto which = i / (work.groups * tokens), group = i / tokens % work.groups, token = i % tokens;
                const auto* from = data_of<float>(sums) + ((which * work.groups + group) * work.ratio * tokens + token) * size;
                std::copy_n(from, size, sum.data());
                for (int64_t r = 1; r < work.ratio; r++) {
                    row_added(from + r * tokens * size, sum.data(), size);
                }
                row_scaled_of(sum.data(), 1, head_of<T>(which == 0 ? dk : dv, token, group).data, size);
            }
        });
    }
};

// The numbers of a token's head side by side, or a copy where they are not.
at::Tensor with_rows(const at::Tensor& x) { return x.stride(2) == 1 ? x : x.contiguous(); }

at::Tensor on_cpu(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries, bool causal, double scale, TileKind tiles) {
    if (q.scalar_type() == at::kHalf) {
        // Scores are summed in fp32 in any case, and CPUs without instructions for fp16 products are the rule.
        return on_cpu(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat), boundaries, causal, scale, tiles).to(at::kHalf);
    }
    TORCH_CHECK(fused_on_cpu(q) && k.scalar_type() == q.scalar_type() && v.scalar_type() == q.scalar_type(), "attention: fp32, bf16 or fp16 on the CPU");
    return PackedAttention::apply(with_rows(q), with_rows(k), with_rows(v), boundaries, causal, scale, static_cast<int64_t>(tiles));
}

void check(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries) {
    TORCH_CHECK(
        q.dim() == 3 && k.dim() == 3 && v.sizes() == k.sizes() && q.size(1) % k.size(1) == 0 && q.size(2) == k.size(2) && q.size(0) == k.size(0),
        "attention: q ", q.sizes(), ", k ", k.sizes(), ", v ", v.sizes());
    TORCH_CHECK(
        boundaries.size() > 1 && boundaries.front() == 0 && boundaries.back() == q.size(0), "attention: boundaries must run from 0 to ", q.size(0));
    check_one_device("attention", {&q, &k, &v});
}

// q [T, H, D], k and v [T, G, D] with H a multiple of G; boundaries are cumulated lengths from 0 to T, offsets the same as int32 on the device of q, which
// only the CPU can do without. Returns [T, H, D].
at::Tensor attention(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries, bool causal, double scale,
    const std::optional<at::Tensor>& offsets) {
    check(q, k, v, boundaries);
    if (q.is_cpu()) {
        return on_cpu(q, k, v, boundaries, causal, scale, best_tiles());
    }
    TORCH_CHECK(
        offsets && offsets->device() == q.device() && offsets->scalar_type() == at::kInt && offsets->numel() == static_cast<int64_t>(boundaries.size()),
        "attention: on ", q.device(), " the boundaries are needed there too, as 32-bit integers");
    return attention_varlen(q, k, v, *offsets, boundaries, causal, scale);
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def(
        "attention(Tensor q, Tensor k, Tensor v, int[] boundaries, bool causal, float scale, Tensor? offsets=None) -> Tensor", fovea::attention);
    // For tests: on the CPU, with the tiles of a simpler processor (1 without AVX-512, 2 without its bf16 products, 3 with both).
    library.def(
        "attention_by_tiles(Tensor q, Tensor k, Tensor v, int[] boundaries, bool causal, float scale, int tiles) -> Tensor",
        [](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries, bool causal, double scale, int64_t tiles) {
            fovea::check(q, k, v, boundaries);
            TORCH_CHECK(q.is_cpu() && tiles >= 1 && tiles <= 3, "attention_by_tiles: the CPU, and tiles from 1 to 3");
            return fovea::on_cpu(q, k, v, boundaries, causal, scale, static_cast<fovea::TileKind>(tiles));
        });
}
