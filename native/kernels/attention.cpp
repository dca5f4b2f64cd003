// fovea::attention: block-diagonal attention over packed tokens on the CPU, as batched products over blocks of queries with everything between the products
// in one pass; the backward pass starts from the forward's log-sum-exp (arXiv 2205.14135). Query heads that share a key head are folded into rows.
// libtorch's own CPU kernel was measured 20 to 50 times slower on a machine without AMX, and its bf16 backward is slow everywhere.
#include "attention_varlen.h"
#include "dispatch.h"
#include "products.h"
#include "simd.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace fovea {
namespace {

constexpr int64_t query_block = 128;

// Neighbouring segments of one length: `count` segments of `length` tokens from `start` on.
struct Run {
    int64_t start, length, count;
};

std::vector<Run> runs_of(at::IntArrayRef boundaries) {
    std::vector<Run> runs;
    for (size_t i = 1; i < boundaries.size(); i++) {
        const auto start = boundaries[i - 1], length = boundaries[i] - start;
        TORCH_CHECK(length >= 0, "attention: boundaries must not fall");
        if (length == 0) {
            continue;
        }
        if (!runs.empty() && runs.back().length == length) {
            runs.back().count++;
        } else {
            runs.push_back({start, length, 1});
        }
    }
    return runs;
}

// [T, H, D] rows of a run as [N, H, L, D], a view.
at::Tensor batched(const at::Tensor& x, const Run& run) {
    return x.slice(0, run.start, run.start + run.length * run.count).unflatten(0, {run.count, run.length}).transpose(1, 2);
}

// Causal rows end anywhere: they are worked on to the end of a vector where the row has room, and what is too much is written over afterwards.
FOVEA_INLINE int64_t whole_vectors(int64_t visible, int64_t columns) {
    const auto padded = (visible + width - 1) / width * width;
    return padded <= columns ? padded : visible / width * width;
}

template <class T>
FOVEA_INLINE void blank(T* row, int64_t from, int64_t to) {
    for (int64_t i = from; i < to; i++) {
        row[i] = T{};
    }
}

// exp(scale * (score - top)) in place, 0 from `visible` on: a softmax that is still to be divided by its sum. Returns the log-sum-exp and the sum.
template <class T>
FOVEA_INLINE float row_exponents(T* scores, int64_t visible, int64_t columns, float scale, float* total) {
    const auto padded = whole_vectors(visible, columns);
    for (int64_t i = visible; i < padded; i++) {
        narrow(-std::numeric_limits<float>::infinity(), &scores[i]);
    }
    lanes tops = filled(-std::numeric_limits<float>::infinity());
    for (int64_t i = 0; i < padded; i += width) {
        tops = larger(load(scores + i), tops);
    }
    float top = largest_of(tops);
    for (int64_t i = padded; i < visible; i++) {
        top = widen(scores[i]) > top ? widen(scores[i]) : top;
    }
    const float shift = top * scale;
    lanes sums{};
    for (int64_t i = 0; i < padded; i += width) {
        const lanes e = exp_fast(load(scores + i) * scale - shift);
        sums += e;
        store(e, scores + i);
    }
    float sum = sum_of(sums);
    for (int64_t i = padded; i < visible; i++) {
        const float e = exp_fast(widen(scores[i]) * scale - shift);
        sum += e;
        narrow(e, &scores[i]);
    }
    blank(scores, visible, columns);
    *total = sum;
    return shift + std::log(sum);
}

FOVEA_CLONES float row_exponents_of(float* s, int64_t visible, int64_t width, float scale, float* sum) { return row_exponents(s, visible, width, scale, sum); }
FOVEA_CLONES float row_exponents_of(bf16* s, int64_t visible, int64_t width, float scale, float* sum) { return row_exponents(s, visible, width, scale, sum); }

// to = factor * from
template <class T>
FOVEA_INLINE void row_scaled(const T* from, float factor, T* to, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        narrow(widen(from[i]) * factor, &to[i]);
    }
}

FOVEA_CLONES void row_scaled_of(const float* from, float factor, float* to, int64_t count) { row_scaled(from, factor, to, count); }
FOVEA_CLONES void row_scaled_of(const bf16* from, float factor, bf16* to, int64_t count) { row_scaled(from, factor, to, count); }

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

// One row of scores and of dP, in place: p = exp(score * scale - lse), ds = p * (dp - delta) * scale; both 0 from `visible` on.
template <class T>
FOVEA_INLINE void row_gradient(T* scores, T* dp, int64_t visible, int64_t columns, float scale, float lse, float delta) {
    const auto padded = whole_vectors(visible, columns);
    for (int64_t i = 0; i < padded; i += width) {
        const lanes p = exp_fast(load(scores + i) * scale - lse);
        store(p, scores + i);
        store(p * (load(dp + i) - delta) * scale, dp + i);
    }
    for (int64_t i = padded; i < visible; i++) {
        const float p = exp_fast(widen(scores[i]) * scale - lse);
        narrow(p, &scores[i]);
        narrow(p * (widen(dp[i]) - delta) * scale, &dp[i]);
    }
    blank(scores, visible, columns);
    blank(dp, visible, columns);
}

FOVEA_CLONES void row_gradient_of(float* s, float* d, int64_t v, int64_t w, float scale, float lse, float delta) {
    row_gradient(s, d, v, w, scale, lse, delta);
}
FOVEA_CLONES void row_gradient_of(bf16* s, bf16* d, int64_t v, int64_t w, float scale, float lse, float delta) {
    row_gradient(s, d, v, w, scale, lse, delta);
}

// scores [B, R * rows, width] become exponents, sums [B, R * rows] their sums; lse [B, R, L] is filled in; the rows are queries first .. first + rows - 1.
void exponents_block(
    const at::Tensor& scores, const at::Tensor& sums, const at::Tensor& lse, int64_t first, int64_t rows, bool causal, double scale) {
    const auto width = scores.size(2), length = lse.size(2);
    by_type(scores, [&](auto zero) {
        auto* ps = mutable_data_of<decltype(zero)>(scores);
        auto *pl = mutable_data_of<float>(lse), *psum = mutable_data_of<float>(sums);
        at::parallel_for(0, scores.size(0) * scores.size(1), 16, [&](int64_t begin, int64_t end) {
            for (auto row = begin; row < end; row++) {
                const auto query = first + row % rows;
                const auto visible = causal ? std::min(width, query + 1) : width;
                pl[(row / rows) * length + query] = row_exponents_of(ps + row * width, visible, width, static_cast<float>(scale), psum + row);
            }
        });
    });
}

// The same rows in the backward pass: scores become probabilities, dp becomes the gradient of the scores.
void gradient_block(
    const at::Tensor& scores, const at::Tensor& dp, const at::Tensor& lse, const at::Tensor& delta, int64_t first, int64_t rows, bool causal, double scale) {
    const auto width = scores.size(2), length = lse.size(2);
    by_type(scores, [&](auto zero) {
        using T = decltype(zero);
        auto *ps = mutable_data_of<T>(scores), *pd = mutable_data_of<T>(dp);
        const auto *pl = data_of<float>(lse), *pdelta = data_of<float>(delta);
        at::parallel_for(0, scores.size(0) * scores.size(1), 16, [&](int64_t begin, int64_t end) {
            for (auto row = begin; row < end; row++) {
                const auto query = first + row % rows;
                const auto at = (row / rows) * length + query;
                const auto visible = causal ? std::min(width, query + 1) : width;
                row_gradient_of(ps + row * width, pd + row * width, visible, width, static_cast<float>(scale), pl[at], pdelta[at]);
            }
        });
    });
}

// a b^T for each of a batch [B, M, K] x [B, N, K]; a batch of one goes to the fastest two-dimensional product.
at::Tensor times_transposed_batch(const at::Tensor& a, const at::Tensor& b) {
    return a.size(0) == 1 ? times_transposed(a.select(0, 0), b.select(0, 0)).unsqueeze(0) : a.bmm(b.transpose(1, 2));
}

// Whether products of this size are worth a call each; then a block stays in the cache of the one processor that works on it.
bool one_by_one(const at::Tensor& x, int64_t length, int64_t ratio) {
    constexpr int64_t worth_a_call = 1 << 21;
    return std::min(length, query_block) * ratio * length * x.size(2) >= worth_a_call;
}

// A block of queries of some of the batch. B = N * G counts segments and key heads together.
struct Block {
    int64_t from, count;         // of the batch
    int64_t first, rows, width;  // queries, and the keys that they may see
    int64_t groups;

    // [N, G, R, L, D] as [count, R * rows, D].
    at::Tensor of_queries(const at::Tensor& x) const {
        return part(x).reshape({count, x.size(2) * rows, x.size(4)});
    }

    at::Tensor of_keys(const at::Tensor& x) const { return x.slice(0, from, from + count).slice(1, 0, width); }

    at::Tensor of_columns(const at::Tensor& x) const { return x.slice(0, from, from + count).slice(2, 0, width); } // [B, D, L]

    at::Tensor of_batch(const at::Tensor& x) const { return x.slice(0, from, from + count); }

    // Puts [count, R * rows, D] back where of_queries took it from, in a dense [T, H, D]; each row divided by its number of `sums`, when there are any.
    void write(const Run& run, const at::Tensor& x, const at::Tensor& value, const at::Tensor* sums = nullptr) const {
        const auto heads = x.size(1), size = x.size(2), ratio = heads / groups;
        by_type(value, [&](auto zero) {
            using T = decltype(zero);
            const auto* from = data_of<T>(value);
            const auto* divisors = sums == nullptr ? nullptr : data_of<float>(*sums);
            auto* to = mutable_data_of<T>(x);
            at::parallel_for(0, count * ratio * rows, 64, [&](int64_t begin, int64_t end) {
                for (auto row = begin; row < end; row++) {
                    const auto of_batch = from_batch(row / (ratio * rows));
                    const auto head = of_batch.second * ratio + row / rows % ratio;
                    const auto token = run.start + of_batch.first * run.length + first + row % rows;
                    row_scaled_of(from + row * size, divisors == nullptr ? 1.0f : 1.0f / divisors[row], to + (token * heads + head) * size, size);
                }
            });
        });
    }

private:
    // Segment and key head.
    std::pair<int64_t, int64_t> from_batch(int64_t index) const { return {(from + index) / groups, (from + index) % groups}; }

    at::Tensor part(const at::Tensor& x) const {
        const auto queries = x.slice(3, first, first + rows);
        // Either the whole batch, or one of it.
        return count == 1 ? queries.select(0, from / groups).select(0, from % groups).unsqueeze(0) : queries;
    }
};

// Calls body for every block: one of the batch at a time, side by side where there are enough for all threads, or the whole batch at once.
template <class Body>
void for_each_block(const Run& run, bool causal, bool one, int64_t batch, const Body& body) {
    const auto groups = batch / run.count, step = one ? 1 : batch;
    const auto work = [&](int64_t begin, int64_t end) {
        const at::NoGradGuard no_grad; // threads other than the caller's know of no mode
        for (auto from = begin; from < end; from += step) {
            for (int64_t first = 0; first < run.length; first += query_block) {
                const auto last = std::min(run.length, first + query_block);
                body(Block{from, step, first, last - first, causal ? last : run.length, groups});
            }
        }
    };
    if (one && batch >= at::get_num_threads()) {
        at::parallel_for(0, batch, 1, work);
    } else {
        work(0, batch);
    }
}

// The products of the rows of two dense [T, H, D], as [B, R, L] of the run: sum(dout * out), which is also sum(p * dp) of each query.
at::Tensor dots(const Run& run, const at::Tensor& a, const at::Tensor& b, int64_t groups) {
    const auto heads = a.size(1), size = a.size(2), ratio = heads / groups;
    auto found = at::empty({run.count * groups, ratio, run.length}, a.options().dtype(at::kFloat));
    by_type(a, [&](auto zero) {
        using T = decltype(zero);
        const auto *pa = data_of<T>(a), *pb = data_of<T>(b);
        auto* to = mutable_data_of<float>(found);
        at::parallel_for(0, run.count * heads, 1, [&](int64_t begin, int64_t end) {
            for (auto row = begin; row < end; row++) {
                const auto token = run.start + row / heads * run.length, head = row % heads;
                for (int64_t i = 0; i < run.length; i++) {
                    const auto at = ((token + i) * heads + head) * size;
                    to[row * run.length + i] = row_dot_of(pa + at, pb + at, size);
                }
            }
        });
    });
    return found;
}

struct PackedAttention : torch::autograd::Function<PackedAttention> {
    static at::Tensor forward(
        torch::autograd::AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries, bool causal,
        double scale) {
        auto out = at::empty({q.size(0), q.size(1), q.size(2)}, q.options());
        std::vector<at::Tensor> saved{q, k, v, out};
        for (const auto& run : runs_of(boundaries)) {
            saved.push_back(run_forward(run, q, k, v, causal, scale, out));
        }
        context->save_for_backward(saved);
        context->saved_data["boundaries"] = boundaries.vec();
        context->saved_data["causal"] = causal;
        context->saved_data["scale"] = scale;
        return out;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3];
        const auto causal = context->saved_data["causal"].toBool();
        const auto scale = context->saved_data["scale"].toDouble();
        const auto boundaries = context->saved_data["boundaries"].toIntVector();
        const auto dout = gradients[0].contiguous();
        auto dq = at::empty(q.sizes(), q.options()), dk = at::empty(k.sizes(), k.options()), dv = at::empty(v.sizes(), v.options());
        size_t next = 4;
        for (const auto& run : runs_of(boundaries)) {
            run_backward(run, q, k, v, out, saved[next++], dout, causal, scale, dq, dk, dv);
        }
        return {dq, dk, dv, at::Tensor(), at::Tensor(), at::Tensor()};
    }

    // Returns the log-sum-exp [B, R, L] with B = N * G.
    static at::Tensor run_forward(
        const Run& run, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool causal, double scale, const at::Tensor& out) {
        const auto groups = k.size(1), size = q.size(2), ratio = q.size(1) / groups, batch = run.count * groups;
        const auto q_run = batched(q, run).unflatten(1, {groups, ratio}); // [N, G, R, L, D]
        const auto k_run = batched(k, run).reshape({batch, run.length, size}), v_run = batched(v, run).reshape({batch, run.length, size});
        auto lse = at::empty({batch, ratio, run.length}, q.options().dtype(at::kFloat));
        for_each_block(run, causal, one_by_one(q, run.length, ratio), batch, [&](const Block& at) {
            const auto queries = at.of_queries(q_run);
            auto scores = times_transposed_batch(queries, at.of_keys(k_run));
            const auto sums = at::empty({scores.size(0), scores.size(1)}, lse.options());
            exponents_block(scores, sums, at.of_batch(lse), at.first, at.rows, causal, scale);
            at.write(run, out, times_transposed_batch(scores, at.of_keys(v_run).transpose(1, 2)), &sums);
        });
        return lse;
    }

    static void run_backward(
        const Run& run, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& out, const at::Tensor& lse,
        const at::Tensor& dout, bool causal, double scale, const at::Tensor& dq, const at::Tensor& dk, const at::Tensor& dv) {
        const auto heads = q.size(1), groups = k.size(1), size = q.size(2), ratio = heads / groups, batch = run.count * groups;
        const auto folded = [&](const at::Tensor& x) { return batched(x, run).unflatten(1, {groups, ratio}); }; // [N, G, R, L, D], a view
        const auto q_run = folded(q), dout_run = folded(dout);
        const auto delta = dots(run, dout, out, groups);
        const auto k_run = batched(k, run).reshape({batch, run.length, size}), v_run = batched(v, run).reshape({batch, run.length, size});
        auto dk_run = at::zeros({batch, size, run.length}, q.options().dtype(at::kFloat)), dv_run = at::zeros_like(dk_run);
        for_each_block(run, causal, one_by_one(q, run.length, ratio), batch, [&](const Block& at) {
            const auto queries = at.of_queries(q_run), douts = at.of_queries(dout_run), keys = at.of_keys(k_run);
            auto scores = times_transposed_batch(queries, keys);
            auto dp = times_transposed_batch(douts, at.of_keys(v_run));
            gradient_block(scores, dp, at.of_batch(lse), at.of_batch(delta), at.first, at.rows, causal, scale);
            at.of_columns(dv_run).add_(times_transposed_batch(douts.transpose(1, 2), scores.transpose(1, 2)));
            at.of_columns(dk_run).add_(times_transposed_batch(queries.transpose(1, 2), dp.transpose(1, 2)));
            at.write(run, dq, times_transposed_batch(dp, keys.transpose(1, 2)));
        });
        batched(dk, run).copy_(dk_run.view({run.count, groups, size, run.length}).transpose(2, 3));
        batched(dv, run).copy_(dv_run.view({run.count, groups, size, run.length}).transpose(2, 3));
    }
};

// q [T, H, D], k and v [T, G, D] with H a multiple of G; boundaries are cumulated lengths from 0 to T, offsets the same as int32 on the device of q, which
// only the CPU can do without. Returns [T, H, D].
at::Tensor attention(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries, bool causal, double scale,
    const std::optional<at::Tensor>& offsets) {
    TORCH_CHECK(
        q.dim() == 3 && k.dim() == 3 && v.sizes() == k.sizes() && q.size(1) % k.size(1) == 0 && q.size(2) == k.size(2) && q.size(0) == k.size(0),
        "attention: q ", q.sizes(), ", k ", k.sizes(), ", v ", v.sizes());
    TORCH_CHECK(
        boundaries.size() > 1 && boundaries.front() == 0 && boundaries.back() == q.size(0), "attention: boundaries must run from 0 to ", q.size(0));
    check_one_device("attention", {&q, &k, &v});
    if (!q.is_cpu()) {
        TORCH_CHECK(
            offsets && offsets->device() == q.device() && offsets->scalar_type() == at::kInt
                && offsets->numel() == static_cast<int64_t>(boundaries.size()),
            "attention: on ", q.device(), " the boundaries are needed there too, as 32-bit integers");
        return attention_varlen(q, k, v, *offsets, boundaries, causal, scale);
    }
    if (q.scalar_type() == at::kHalf) {
        // Scores are summed in fp32 in any case, and CPUs without instructions for fp16 products are the rule.
        return PackedAttention::apply(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat), boundaries, causal, scale).to(at::kHalf);
    }
    TORCH_CHECK(fused_on_cpu(q), "attention: fp32, bf16 or fp16 on the CPU");
    return PackedAttention::apply(q, k, v, boundaries, causal, scale);
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def(
        "attention(Tensor q, Tensor k, Tensor v, int[] boundaries, bool causal, float scale, Tensor? offsets=None) -> Tensor", fovea::attention);
}
