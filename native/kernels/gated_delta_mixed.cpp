// fovea::delta_rule_mixed: the gated delta rule of queries, keys and values that lie side by side in one tensor, as the short convolution leaves them. Their
// gradient is one tensor as well: nothing is taken apart on the way there or joined on the way back.
#include "dispatch.h"
#include "gated_delta.h"
#include "tiles.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <tuple>

namespace fovea {
namespace {

using Optional = std::optional<at::Tensor>;
using RuleForward = std::tuple<at::Tensor, at::Tensor>(
    const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, at::IntArrayRef, const Optional&, bool);
using RuleBackward = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>(
    const Optional&, const Optional&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, at::IntArrayRef,
    const Optional&);

// The parts of mixed [T, 2 J K + H V].
std::array<at::Tensor, 3> parts_of(const at::Tensor& mixed, int64_t key_heads, int64_t key_size, int64_t heads) {
    const auto keys = key_heads * key_size, columns = mixed.size(1);
    return {
        mixed.slice(1, 0, keys).unflatten(1, {key_heads, key_size}), mixed.slice(1, keys, 2 * keys).unflatten(1, {key_heads, key_size}),
        mixed.slice(1, 2 * keys, columns).unflatten(1, {heads, (columns - 2 * keys) / heads})};
}

struct MixedDeltaRule : torch::autograd::Function<MixedDeltaRule> {
    static at::Tensor forward(
        torch::autograd::AutogradContext* context, const at::Tensor& mixed, const at::Tensor& g, const at::Tensor& beta, int64_t key_heads, int64_t key_size,
        at::IntArrayRef boundaries) {
        static const auto kernel = c10::Dispatcher::singleton().findSchemaOrThrow("fovea::delta_rule_forward", "").typed<RuleForward>();
        const auto [q, k, v] = parts_of(mixed, key_heads, key_size, g.size(1));
        auto out = std::get<0>(kernel.call(q, k, v, g, beta, boundaries, std::nullopt, false));
        context->save_for_backward({mixed, g, beta});
        context->saved_data["boundaries"] = boundaries.vec();
        context->saved_data["key_heads"] = key_heads;
        context->saved_data["key_size"] = key_size;
        return out;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto &mixed = saved[0], &g = saved[1], &beta = saved[2];
        const auto boundaries = context->saved_data["boundaries"].toIntVector();
        const auto key_heads = context->saved_data["key_heads"].toInt(), key_size = context->saved_data["key_size"].toInt();
        const auto dout = gradients[0].contiguous();
        const auto [q, k, v] = parts_of(mixed, key_heads, key_size, g.size(1));
        const DeltaInputs inputs{q, k, v, g, beta, boundaries, at::Tensor()};
        at::Tensor dmixed, dg, dbeta;
        if (delta_fits_cpu(inputs) || mixed.is_meta()) {
            dmixed = at::empty(mixed.sizes(), mixed.options());
            dg = at::empty_like(g);
            dbeta = at::empty_like(beta);
            if (!mixed.is_meta()) {
                const auto [dq, dk, dv] = parts_of(dmixed, key_heads, key_size, g.size(1));
                delta_gradients_on_cpu(dout, at::Tensor(), inputs, static_cast<int64_t>(best_tiles()), {dq, dk, dv, dg, dbeta, at::Tensor()});
            }
        } else {
            static const auto kernel = c10::Dispatcher::singleton().findSchemaOrThrow("fovea::delta_rule_backward", "").typed<RuleBackward>();
            const auto all = kernel.call(dout, std::nullopt, q, k, v, g, beta, boundaries, std::nullopt);
            dmixed = at::cat({std::get<0>(all).flatten(1), std::get<1>(all).flatten(1), std::get<2>(all).flatten(1)}, 1);
            dg = std::get<3>(all);
            dbeta = std::get<4>(all);
        }
        return {dmixed, dg, dbeta, at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

at::Tensor delta_rule_mixed(
    const at::Tensor& mixed, const at::Tensor& g, const at::Tensor& beta, int64_t key_heads, int64_t key_size, at::IntArrayRef boundaries) {
    TORCH_CHECK(
        mixed.dim() == 2 && key_heads > 0 && key_size > 0 && g.dim() == 2 && g.size(0) == mixed.size(0) && g.size(1) > 0 && g.size(1) % key_heads == 0
            && beta.sizes() == g.sizes() && mixed.size(1) > 2 * key_heads * key_size && (mixed.size(1) - 2 * key_heads * key_size) % g.size(1) == 0,
        "delta_rule_mixed: mixed ", mixed.sizes(), " of ", key_heads, " key heads of ", key_size, ", g ", g.sizes(), ", beta ", beta.sizes());
    TORCH_CHECK(
        g.scalar_type() == beta.scalar_type() && g.scalar_type() == (mixed.scalar_type() == at::kDouble ? at::kDouble : at::kFloat),
        "delta_rule_mixed: g and beta in fp32");
    check_delta_boundaries("delta_rule_mixed", boundaries, mixed.size(0));
    check_one_device("delta_rule_mixed", {&mixed, &g, &beta});
    if (mixed.is_cpu() && mixed.scalar_type() == at::kHalf) {
        return delta_rule_mixed(mixed.to(at::kFloat), g, beta, key_heads, key_size, boundaries).to(at::kHalf);
    }
    return MixedDeltaRule::apply(mixed.stride(1) == 1 ? mixed : mixed.contiguous(), g.contiguous(), beta.contiguous(), key_heads, key_size, boundaries);
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def(
        "delta_rule_mixed(Tensor mixed, Tensor g, Tensor beta, int key_heads, int key_size, int[] boundaries) -> Tensor", fovea::delta_rule_mixed);
}
