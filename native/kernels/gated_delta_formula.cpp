// The gated delta rule and the short convolution in operators of libtorch: what the kernels are compared with, and what devices without them run.
#include "gated_delta.h"

#include <ATen/ATen.h>

#include <limits>
#include <vector>

namespace fovea {
namespace {

constexpr int64_t chunk = 64;

at::ScalarType wide_type(const at::Tensor& x) { return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat; }

at::Tensor normalised(const at::Tensor& x) { return x * at::rsqrt((x * x).sum(-1, true) + delta_epsilon); }

// [T, J, K] as [H, T, K], each key head repeated for its value heads.
at::Tensor by_head(const at::Tensor& x, int64_t heads) {
    const auto ratio = heads / x.size(1);
    return (ratio == 1 ? x : x.repeat_interleave(ratio, 1)).transpose(0, 1);
}

// With G the sums of g within the chunk and E[i][j] = exp(G[i] - G[j]) for j <= i, no power of which is above 1: the corrections d of a chunk solve
// (1 + tril(beta E k k^T, -1)) d = beta (v - exp(G) k S).
at::Tensor one_chunk(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta, at::Tensor& state) {
    const auto count = q.size(1);
    const auto sums = g.cumsum(-1), grown = sums.exp().unsqueeze(-1), factor = beta.unsqueeze(-1);
    const auto later = at::ones({count, count}, q.options().dtype(at::kBool)).triu(1);
    const auto decay = (sums.unsqueeze(-1) - sums.unsqueeze(-2)).masked_fill(later, -std::numeric_limits<double>::infinity()).exp();
    const auto identity = at::eye(count, q.options());
    const auto system = (factor * at::matmul(k, k.transpose(-2, -1)) * decay).tril(-1) + identity;
    const auto right = factor * (v - grown * at::matmul(k, state));
    const auto d = at::linalg_solve_triangular(system, right, false, true, true);
    const auto out = grown * at::matmul(q, state) + at::matmul(at::matmul(q, k.transpose(-2, -1)) * decay, d);
    const auto last = sums.slice(-1, count - 1);
    state = last.exp().unsqueeze(-1) * state + at::matmul((k * (last - sums).exp().unsqueeze(-1)).transpose(-2, -1), d);
    return out;
}

} // namespace

std::tuple<at::Tensor, at::Tensor> delta_formula(const DeltaInputs& inputs, bool wants_final) {
    const auto type = inputs.v.scalar_type(), wide = wide_type(inputs.v);
    const auto heads = inputs.heads(), keys = inputs.keys(), values = inputs.values();
    const auto q = by_head(normalised(inputs.q.to(wide)) * std::pow(static_cast<double>(keys), -0.5), heads);
    const auto k = by_head(normalised(inputs.k.to(wide)), heads), v = inputs.v.to(wide).transpose(0, 1);
    const auto g = inputs.g.to(wide).transpose(0, 1), beta = inputs.beta.to(wide).transpose(0, 1);
    const auto options = v.options();
    std::vector<at::Tensor> parts, states;
    for (int64_t n = 0; n < inputs.segments(); n++) {
        auto state = inputs.initial.defined() ? inputs.initial[n].to(wide) : at::zeros({heads, keys, values}, options);
        for (auto from = inputs.boundaries[n]; from < inputs.boundaries[n + 1]; from += chunk) {
            const auto end = std::min(from + chunk, inputs.boundaries[n + 1]);
            const auto of = [&](const at::Tensor& x) { return x.slice(1, from, end); };
            parts.push_back(one_chunk(of(q), of(k), of(v), of(g), of(beta), state));
        }
        if (wants_final) {
            states.push_back(state);
        }
    }
    auto out = parts.empty() ? at::empty({0, heads, values}, options) : at::cat(parts, 1).transpose(0, 1);
    const auto state_type = wide == at::kDouble ? at::kDouble : at::kFloat;
    auto last = states.empty() ? at::empty({0, heads, keys, values}, options.dtype(state_type)) : at::stack(states);
    return {out.to(type).contiguous(), last};
}

std::tuple<at::Tensor, at::Tensor> convolution_formula(
    const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef boundaries, const at::Tensor& initial) {
    const auto wide = wide_type(x);
    const auto before = weight.size(1) - 1;
    const auto w = weight.to(wide);
    const auto none = at::zeros({before, x.size(1)}, x.options());
    std::vector<at::Tensor> parts, last;
    for (size_t n = 0; n + 1 < boundaries.size(); n++) {
        const auto count = boundaries[n + 1] - boundaries[n];
        const auto head = initial.defined() ? initial[static_cast<int64_t>(n)] : none;
        const auto rows = at::cat({head, x.slice(0, boundaries[n], boundaries[n + 1])});
        const auto inputs = rows.to(wide);
        auto sum = at::zeros({count, x.size(1)}, x.options().dtype(wide));
        for (int64_t i = 0; i <= before; i++) {
            sum = sum + inputs.slice(0, i, i + count) * w.select(1, i);
        }
        parts.push_back(at::silu(sum));
        last.push_back(rows.slice(0, count));
    }
    return {at::cat(parts).to(x.scalar_type()), at::stack(last)};
}

} // namespace fovea
