// fovea::attention: block-diagonal attention over packed tokens on the CPU. The forward pass is libtorch's flash kernel; the backward pass is written as
// batched products over blocks of queries from the forward's log-sum-exp (arXiv 2205.14135), with query heads that share a key head folded into rows and
// everything between the products in one pass. libtorch's own bf16 backward is an order of magnitude slower.
#include "simd.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
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

at::Tensor repeated(const at::Tensor& x, int64_t heads) {
    const auto groups = x.size(1);
    return groups == heads ? x : x.unsqueeze(2).expand({x.size(0), groups, heads / groups, x.size(2), x.size(3)}).flatten(1, 2);
}

// One row of scores and of dP, in place: p = exp(score * scale - lse), ds = p * (dp - delta) * scale; both 0 from `visible` on.
template <class T>
FOVEA_INLINE void row_gradient(T* scores, T* dp, int64_t visible, int64_t width, float scale, float lse, float delta) {
#pragma omp simd
    for (int64_t i = 0; i < visible; i++) {
        const float p = exp_fast(widen(scores[i]) * scale - lse);
        narrow(p, &scores[i]);
        narrow(p * (widen(dp[i]) - delta) * scale, &dp[i]);
    }
    for (int64_t i = visible; i < width; i++) {
        scores[i] = T{};
        dp[i] = T{};
    }
}

FOVEA_CLONES void row_gradient_of(float* s, float* d, int64_t v, int64_t w, float scale, float lse, float delta) {
    row_gradient(s, d, v, w, scale, lse, delta);
}
FOVEA_CLONES void row_gradient_of(bf16* s, bf16* d, int64_t v, int64_t w, float scale, float lse, float delta) {
    row_gradient(s, d, v, w, scale, lse, delta);
}

// scores and dp [B, R * rows, width]; lse and delta [B, R, L]; the rows are queries first .. first + rows - 1.
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

struct PackedAttention : torch::autograd::Function<PackedAttention> {
    static at::Tensor forward(
        torch::autograd::AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries, bool causal,
        double scale) {
        auto out = at::empty({q.size(0), q.size(1), q.size(2)}, q.options());
        std::vector<at::Tensor> saved{q, k, v, out};
        for (const auto& run : runs_of(boundaries)) {
            auto [part, lse] = at::_scaled_dot_product_flash_attention_for_cpu(
                batched(q, run), repeated(batched(k, run), q.size(1)), repeated(batched(v, run), q.size(1)), 0.0, causal, {}, scale);
            batched(out, run).copy_(part);
            saved.push_back(lse);
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
        const auto dout = gradients[0].view(out.sizes());
        auto dq = at::empty(q.sizes(), q.options()), dk = at::empty(k.sizes(), k.options()), dv = at::empty(v.sizes(), v.options());
        size_t next = 4;
        for (const auto& run : runs_of(boundaries)) {
            run_backward(run, q, k, v, out, saved[next++], dout, causal, scale, dq, dk, dv);
        }
        return {dq, dk, dv, at::Tensor(), at::Tensor(), at::Tensor()};
    }

    static void run_backward(
        const Run& run, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& out, const at::Tensor& lse_of_run,
        const at::Tensor& dout, bool causal, double scale, const at::Tensor& dq, const at::Tensor& dk, const at::Tensor& dv) {
        const auto heads = q.size(1), groups = k.size(1), size = q.size(2), ratio = heads / groups, batch = run.count * groups;
        // libtorch gives [N, H, L] or, in some releases, [N, L, H].
        const auto lse = (lse_of_run.size(1) == heads && lse_of_run.size(2) == run.length ? lse_of_run : lse_of_run.transpose(1, 2))
                             .contiguous().view({batch, ratio, run.length});
        const auto fold = [&](const at::Tensor& x) { return batched(x, run).unflatten(1, {groups, ratio}).flatten(0, 1); }; // [B, R, L, D]
        const auto q_run = fold(q), dout_run = fold(dout);
        const auto dq_run = batched(dq, run).unflatten(1, {groups, ratio}); // [N, G, R, L, D]: a view, because it is written
        const auto delta = (dout_run.to(at::kFloat) * fold(out).to(at::kFloat)).sum(-1).contiguous(); // [B, R, L]
        const auto k_run = batched(k, run).reshape({batch, run.length, size}), v_run = batched(v, run).reshape({batch, run.length, size});
        auto dk_run = at::zeros({batch, run.length, size}, q.options().dtype(at::kFloat)), dv_run = at::zeros_like(dk_run);
        for (int64_t first = 0; first < run.length; first += query_block) {
            const auto last = std::min(run.length, first + query_block), rows = last - first, width = causal ? last : run.length;
            const auto queries = q_run.slice(2, first, last).reshape({batch, ratio * rows, size});
            const auto douts = dout_run.slice(2, first, last).reshape({batch, ratio * rows, size});
            const auto keys = k_run.slice(1, 0, width), values = v_run.slice(1, 0, width);
            auto scores = queries.bmm(keys.transpose(1, 2));
            auto dp = douts.bmm(values.transpose(1, 2));
            gradient_block(scores, dp, lse, delta, first, rows, causal, scale);
            dv_run.slice(1, 0, width).add_(scores.transpose(1, 2).bmm(douts));
            dk_run.slice(1, 0, width).add_(dp.transpose(1, 2).bmm(queries));
            dq_run.slice(3, first, last).copy_(dp.bmm(keys).view({run.count, groups, ratio, rows, size}));
        }
        batched(dk, run).copy_(dk_run.view({run.count, groups, run.length, size}));
        batched(dv, run).copy_(dv_run.view({run.count, groups, run.length, size}));
    }
};

// q [T, H, D], k and v [T, G, D] with H a multiple of G; boundaries are cumulated lengths from 0 to T. Returns [T, H, D].
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries, bool causal, double scale) {
    TORCH_CHECK(
        q.dim() == 3 && k.dim() == 3 && v.sizes() == k.sizes() && q.size(1) % k.size(1) == 0 && q.size(2) == k.size(2) && q.size(0) == k.size(0),
        "attention: q ", q.sizes(), ", k ", k.sizes(), ", v ", v.sizes());
    TORCH_CHECK(
        boundaries.size() > 1 && boundaries.front() == 0 && boundaries.back() == q.size(0), "attention: boundaries must run from 0 to ", q.size(0));
    TORCH_CHECK(fused_on_cpu(q), "attention: fp32 or bf16 on the CPU");
    return PackedAttention::apply(q, k, v, boundaries, causal, scale);
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("attention(Tensor q, Tensor k, Tensor v, int[] boundaries, bool causal, float scale) -> Tensor", fovea::attention);
}
