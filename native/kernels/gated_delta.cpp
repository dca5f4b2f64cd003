// fovea::delta_rule and fovea::short_convolution: what a Gated DeltaNet mixer does along the tokens of packed segments, with gradients.
#include "gated_delta.h"
#include "dispatch.h"
#include "slower_ways.h"
#include "tiles.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace fovea {
namespace {

using Optional = std::optional<at::Tensor>;

at::Tensor given(const Optional& x) { return x ? *x : at::Tensor(); }
Optional optional(const at::Tensor& x) { return x.defined() ? Optional(x) : std::nullopt; }

int64_t best_kind() { return static_cast<int64_t>(best_tiles()); }

at::Tensor state_shape(const DeltaInputs& x, bool wanted) {
    const auto type = x.v.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    return at::empty({wanted ? x.segments() : 0, x.heads(), x.keys(), x.values()}, x.v.options().dtype(type));
}

// What of `leaves` takes part in `ends` has a gradient; the rest has zeros.
std::vector<at::Tensor> differentiated(
    const std::vector<at::Tensor>& ends, const std::vector<at::Tensor>& gradients, const std::vector<at::Tensor>& leaves) {
    auto all = torch::autograd::grad(ends, leaves, gradients, false, false, true);
    for (size_t i = 0; i < all.size(); i++) {
        all[i] = all[i].defined() ? all[i] : at::zeros_like(leaves[i]);
    }
    return all;
}

at::Tensor leaf(const at::Tensor& x) { return x.defined() ? x.detach().requires_grad_(true) : x; }

DeltaGradientResults listed(const DeltaGradients& x, const at::Tensor& g) {
    return {x.q, x.k, x.v, x.g, x.beta, x.initial.defined() ? x.initial : at::empty({0}, g.options())};
}

std::tuple<at::Tensor, at::Tensor> rule_shapes(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta, at::IntArrayRef boundaries,
    const Optional& initial, bool wants_final) {
    const DeltaInputs x{q, k, v, g, beta, boundaries, given(initial)};
    return {at::empty(v.sizes(), v.options()), state_shape(x, wants_final)};
}

DeltaGradientResults rule_gradient_shapes(
    const Optional&, const Optional&, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta,
    at::IntArrayRef, const Optional& initial) {
    const auto like = [](const at::Tensor& x) { return at::empty(x.sizes(), x.options()); };
    return {like(q), like(k), like(v), like(g), like(beta), initial ? like(*initial) : at::empty({0}, g.options())};
}

struct DeltaRule : torch::autograd::Function<DeltaRule> {
    static torch::autograd::variable_list forward(
        torch::autograd::AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta,
        const Optional& initial, at::IntArrayRef boundaries, bool wants_final) {
        static const auto kernel = by_device("fovea::delta_rule_forward", delta_rule_forward);
        auto [out, last] = kernel.call(q, k, v, g, beta, boundaries, initial, wants_final);
        context->save_for_backward({q, k, v, g, beta, given(initial)});
        context->saved_data["boundaries"] = boundaries.vec();
        context->set_materialize_grads(false);
        return {out, last};
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        static const auto kernel = by_device("fovea::delta_rule_backward", delta_rule_backward);
        const auto saved = context->get_saved_variables();
        const auto boundaries = context->saved_data["boundaries"].toIntVector();
        const auto &dout = gradients[0], &dfinal = gradients[1];
        if (!dout.defined() && !dfinal.defined()) {
            return torch::autograd::variable_list(8);
        }
        auto [dq, dk, dv, dg, dbeta, dinitial] = kernel.call(
            optional(dout.defined() ? dout.contiguous() : dout), optional(dfinal.defined() && dfinal.size(0) > 0 ? dfinal.contiguous() : at::Tensor()),
            saved[0], saved[1], saved[2], saved[3], saved[4], boundaries, optional(saved[5]));
        return {dq, dk, dv, dg, dbeta, saved[5].defined() ? dinitial : at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

// As autograd takes what may be missing.
Optional dense(const at::Tensor& x) { return x.defined() ? Optional(x.contiguous()) : std::nullopt; }

// The numbers of a head side by side.
at::Tensor with_rows(const at::Tensor& x) { return x.stride(-1) == 1 ? x : x.contiguous(); }

std::tuple<at::Tensor, at::Tensor> delta_rule(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta, at::IntArrayRef boundaries,
    const Optional& initial, bool wants_final) {
    TORCH_CHECK(
        q.dim() == 3 && q.sizes() == k.sizes() && v.dim() == 3 && v.size(0) == q.size(0) && q.size(1) > 0 && v.size(1) % q.size(1) == 0 && g.dim() == 2
            && g.size(0) == v.size(0) && g.size(1) == v.size(1) && beta.sizes() == g.sizes(),
        "delta_rule: q ", q.sizes(), ", k ", k.sizes(), ", v ", v.sizes(), ", g ", g.sizes(), ", beta ", beta.sizes());
    TORCH_CHECK(
        q.scalar_type() == v.scalar_type() && k.scalar_type() == v.scalar_type() && g.scalar_type() == beta.scalar_type()
            && g.scalar_type() == (v.scalar_type() == at::kDouble ? at::kDouble : at::kFloat),
        "delta_rule: q, k and v of one element type, g and beta in fp32");
    check_delta_boundaries("delta_rule", boundaries, q.size(0));
    const auto before = given(initial);
    check_one_device("delta_rule", {&v, &q, &k, &g, &beta, &before});
    const DeltaInputs inputs{q, k, v, g, beta, boundaries, before};
    const auto states = state_shape(inputs, true);
    TORCH_CHECK(
        !before.defined() || (before.sizes() == states.sizes() && before.scalar_type() == states.scalar_type()), "delta_rule: initial states ",
        before.sizes(), " where ", states.sizes(), " are needed, in fp32");
    if (v.is_cpu() && v.scalar_type() == at::kHalf) {
        auto [out, last] = delta_rule(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat), g, beta, boundaries, initial, wants_final);
        return {out.to(at::kHalf), last};
    }
    auto results = DeltaRule::apply(
        with_rows(q), with_rows(k), with_rows(v), g.contiguous(), beta.contiguous(), dense(before), boundaries, wants_final);
    return {results[0], results[1]};
}

using ConvolutionGradients = std::tuple<at::Tensor, at::Tensor>;

std::tuple<at::Tensor, at::Tensor> convolution_shapes(
    const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef boundaries, const Optional&, bool wants_final) {
    const auto segments = static_cast<int64_t>(boundaries.size()) - 1;
    return {at::empty(x.sizes(), x.options()), at::empty({wants_final ? segments : 0, weight.size(1) - 1, x.size(1)}, x.options())};
}

ConvolutionGradients convolution_gradient_shapes(
    const at::Tensor&, const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef, const Optional&) {
    return {at::empty(x.sizes(), x.options()), at::empty(weight.sizes(), weight.options())};
}

struct ShortConvolution : torch::autograd::Function<ShortConvolution> {
    static torch::autograd::variable_list forward(
        torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, const Optional& initial, at::IntArrayRef boundaries,
        bool wants_final) {
        static const auto kernel = by_device("fovea::short_convolution_forward", convolution_forward);
        auto [y, last] = kernel.call(x, weight, boundaries, initial, wants_final);
        context->save_for_backward({x, weight, given(initial)});
        context->saved_data["boundaries"] = boundaries.vec();
        context->mark_non_differentiable({last});
        return {y, last};
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        static const auto kernel = by_device("fovea::short_convolution_backward", convolution_backward);
        const auto saved = context->get_saved_variables();
        const auto boundaries = context->saved_data["boundaries"].toIntVector();
        auto [dx, dweight] = kernel.call(gradients[0].contiguous(), saved[0], saved[1], boundaries, optional(saved[2]));
        return {dx, dweight, at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

std::tuple<at::Tensor, at::Tensor> short_convolution(
    const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef boundaries, const Optional& initial, bool wants_final) {
    TORCH_CHECK(
        x.dim() == 2 && weight.dim() == 2 && weight.size(0) == x.size(1) && weight.size(1) > 0 && weight.scalar_type() == x.scalar_type(),
        "short_convolution: x ", x.sizes(), ", weight ", weight.sizes());
    check_delta_boundaries("short_convolution", boundaries, x.size(0));
    const auto before = given(initial);
    check_one_device("short_convolution", {&x, &weight, &before});
    TORCH_CHECK(
        !before.defined()
            || (before.dim() == 3 && before.size(0) + 1 == static_cast<int64_t>(boundaries.size()) && before.size(1) + 1 == weight.size(1)
                && before.size(2) == x.size(1) && before.scalar_type() == x.scalar_type()),
        "short_convolution: ", weight.size(1) - 1, " rows of ", x.size(1), " are needed before each segment");
    if (x.is_cpu() && x.scalar_type() == at::kHalf) {
        const auto rows = before.defined() ? Optional(before.to(at::kFloat)) : std::nullopt;
        auto [y, last] = short_convolution(x.to(at::kFloat), weight.to(at::kFloat), boundaries, rows, wants_final);
        return {y.to(at::kHalf), last.to(at::kHalf)};
    }
    auto results = ShortConvolution::apply(with_rows(x), weight.contiguous(), dense(before), boundaries, wants_final);
    return {results[0], results[1]};
}

void check_slots(const char* what, at::IntArrayRef boundaries, at::IntArrayRef slots, const at::Tensor& pool) {
    TORCH_CHECK(slots.size() + 1 == boundaries.size(), what, ": ", slots.size(), " slots for ", boundaries.size() - 1, " sequences");
    for (size_t i = 0; i < slots.size(); i++) {
        TORCH_CHECK(slots[i] >= 0 && slots[i] < pool.size(0), what, ": slot ", slots[i], " of ", pool.size(0));
        TORCH_CHECK(std::find(slots.begin() + i + 1, slots.end(), slots[i]) == slots.end(), what, ": slot ", slots[i], " is given twice");
    }
}

at::Tensor on_device(at::IntArrayRef slots, const at::Tensor& like) { return at::tensor(slots, at::kLong).to(like.device()); }

// The rule without gradients from states [P, H, K, V] in fp32, segment n with states[slots[n]], which is left as it is behind the segment. On the CPU token by
// token: the bits of a token depend on its sequence alone.
at::Tensor delta_steps(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta, at::IntArrayRef boundaries,
    at::Tensor& states, at::IntArrayRef slots) {
    const at::NoGradGuard no_gradients;
    check_slots("delta_steps", boundaries, slots, states);
    TORCH_CHECK(
        states.dim() == 4 && states.size(1) == v.size(1) && states.size(2) == k.size(2) && states.size(3) == v.size(2) && states.is_contiguous()
            && states.scalar_type() == at::kFloat,
        "delta_steps: states ", states.sizes(), " for k ", k.sizes(), " and v ", v.sizes());
    check_delta_boundaries("delta_steps", boundaries, v.size(0));
    check_one_device("delta_steps", {&v, &q, &k, &g, &beta, &states});
    if (v.is_cpu() && v.scalar_type() == at::kHalf) {
        return delta_steps(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat), g, beta, boundaries, states, slots).to(at::kHalf);
    }
    static const auto kernel = by_device("fovea::delta_steps_forward", delta_steps_forward);
    return kernel.call(with_rows(q), with_rows(k), with_rows(v), g.contiguous(), beta.contiguous(), boundaries, states, slots);
}

// The convolution without gradients behind rows [P, K - 1, C], of which segment n has rows[slots[n]]; they become its own last ones.
at::Tensor convolution_steps(
    const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef boundaries, at::Tensor& rows, at::IntArrayRef slots) {
    const at::NoGradGuard no_gradients;
    check_slots("convolution_steps", boundaries, slots, rows);
    const auto places = on_device(slots, rows);
    auto [y, last] = short_convolution(x, weight, boundaries, rows.index_select(0, places), true);
    rows.index_copy_(0, places, last);
    return y;
}

} // namespace

void check_delta_boundaries(const char* what, at::IntArrayRef boundaries, int64_t tokens) {
    TORCH_CHECK(
        boundaries.size() > 1 && boundaries.front() == 0 && boundaries.back() == tokens && std::is_sorted(boundaries.begin(), boundaries.end()), what,
        ": boundaries must rise from 0 to ", tokens);
}

bool delta_fits_cpu(const DeltaInputs& inputs) { return fused_on_cpu(inputs.v) && inputs.keys() > 0 && inputs.values() > 0; }

DeltaResults delta_rule_forward(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta, at::IntArrayRef boundaries,
    const Optional& initial, bool wants_final) {
    const DeltaInputs inputs{q, k, v, g, beta, boundaries, given(initial)};
    if (delta_fits_cpu(inputs)) {
        return delta_on_cpu(inputs, wants_final, best_kind());
    }
    note_slower_way("the gated delta rule", v, "keys", inputs.keys());
    return delta_formula(inputs, wants_final);
}

// Elsewhere than on the CPU the forward pass again, and back through its operators.
DeltaGradientResults delta_rule_backward(
    const Optional& dout, const Optional& dfinal, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta,
    at::IntArrayRef boundaries, const Optional& initial) {
    const DeltaInputs inputs{q, k, v, g, beta, boundaries, given(initial)};
    if (delta_fits_cpu(inputs)) {
        return listed(delta_gradients_on_cpu(dout ? *dout : at::zeros_like(v), given(dfinal), inputs, best_kind()), g);
    }
    note_slower_way("the gated delta rule", v, "keys", inputs.keys());
    const at::AutoGradMode with_gradients(true);
    const DeltaInputs x{leaf(q), leaf(k), leaf(v), leaf(g), leaf(beta), boundaries, leaf(given(initial))};
    const auto [out, last] = delta_formula(x, dfinal.has_value());
    std::vector<at::Tensor> ends, gradients, leaves{x.q, x.k, x.v, x.g, x.beta};
    if (dout) {
        ends.push_back(out);
        gradients.push_back(*dout);
    }
    if (dfinal) {
        ends.push_back(last);
        gradients.push_back(*dfinal);
    }
    if (x.initial.defined()) {
        leaves.push_back(x.initial);
    }
    auto all = differentiated(ends, gradients, leaves);
    return {all[0], all[1], all[2], all[3], all[4], all.size() > 5 ? all[5] : at::empty({0}, g.options())};
}

at::Tensor delta_steps_forward(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta, at::IntArrayRef boundaries,
    at::Tensor& states, at::IntArrayRef slots) {
    const DeltaInputs inputs{q, k, v, g, beta, boundaries, at::Tensor()};
    if (delta_fits_cpu(inputs)) {
        return delta_steps_on_cpu(inputs, states, slots);
    }
    const auto places = on_device(slots, states);
    static const auto kernel = by_device("fovea::delta_rule_forward", delta_rule_forward);
    auto [out, last] = kernel.call(q, k, v, g, beta, boundaries, states.index_select(0, places), true);
    states.index_copy_(0, places, last);
    return out;
}

std::tuple<at::Tensor, at::Tensor> convolution_forward(
    const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef boundaries, const Optional& initial, bool wants_final) {
    if (convolution_fits_cpu(x)) {
        return convolution_on_cpu(x, weight, boundaries, given(initial), wants_final);
    }
    note_slower_way("the short convolution", x, "weights", weight.size(1));
    auto [y, last] = convolution_formula(x, weight, boundaries, given(initial));
    return {y, wants_final ? last : last.slice(0, 0, 0)};
}

std::tuple<at::Tensor, at::Tensor> convolution_backward(
    const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef boundaries, const Optional& initial) {
    if (convolution_fits_cpu(x)) {
        return convolution_gradients_on_cpu(dy, x, weight, boundaries, given(initial));
    }
    note_slower_way("the short convolution", x, "weights", weight.size(1));
    const at::AutoGradMode with_gradients(true);
    const auto leaf_x = leaf(x), leaf_weight = leaf(weight);
    const auto y = std::get<0>(convolution_formula(leaf_x, leaf_weight, boundaries, given(initial)));
    const auto all = differentiated({y}, {dy}, {leaf_x, leaf_weight});
    return {all[0], all[1]};
}

} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def(
        "delta_rule(Tensor q, Tensor k, Tensor v, Tensor g, Tensor beta, int[] boundaries, Tensor? initial=None, bool wants_final=False)"
        " -> (Tensor, Tensor)",
        fovea::delta_rule);
    // For tests: on any device the way without kernels.
    library.def(
        "delta_rule_formula(Tensor q, Tensor k, Tensor v, Tensor g, Tensor beta, int[] boundaries, Tensor? initial) -> (Tensor, Tensor)",
        [](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta, at::IntArrayRef boundaries,
           const std::optional<at::Tensor>& initial) {
            return fovea::delta_formula({q, k, v, g, beta, boundaries, fovea::given(initial)}, true);
        });
    fovea::define_kernel(
        library,
        "delta_rule_forward(Tensor q, Tensor k, Tensor v, Tensor g, Tensor beta, int[] boundaries, Tensor? initial, bool wants_final) -> (Tensor, Tensor)",
        fovea::delta_rule_forward);
    fovea::define_kernel(
        library,
        "delta_rule_backward(Tensor? dout, Tensor? dfinal, Tensor q, Tensor k, Tensor v, Tensor g, Tensor beta, int[] boundaries, Tensor? initial)"
        " -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
        fovea::delta_rule_backward);
    // For tests: on the CPU, with the tiles of a simpler processor (1 without AVX-512).
    library.def(
        "delta_rule_by_tiles(Tensor q, Tensor k, Tensor v, Tensor g, Tensor beta, int[] boundaries, Tensor? initial, int tiles) -> (Tensor, Tensor)",
        [](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta, at::IntArrayRef boundaries,
           const std::optional<at::Tensor>& initial, int64_t tiles) {
            return fovea::delta_on_cpu({q, k, v, g, beta, boundaries, fovea::given(initial)}, true, tiles);
        });
    library.def(
        "delta_rule_gradients_by_tiles(Tensor dout, Tensor dfinal, Tensor q, Tensor k, Tensor v, Tensor g, Tensor beta, int[] boundaries, Tensor? initial,"
        " int tiles) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
        [](const at::Tensor& dout, const at::Tensor& dfinal, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
           const at::Tensor& beta, at::IntArrayRef boundaries, const std::optional<at::Tensor>& initial, int64_t tiles) {
            return fovea::listed(fovea::delta_gradients_on_cpu(dout, dfinal, {q, k, v, g, beta, boundaries, fovea::given(initial)}, tiles), g);
        });
    library.def(
        "delta_steps(Tensor q, Tensor k, Tensor v, Tensor g, Tensor beta, int[] boundaries, Tensor(a!) states, int[] slots) -> Tensor", fovea::delta_steps);
    fovea::define_kernel(
        library,
        "delta_steps_forward(Tensor q, Tensor k, Tensor v, Tensor g, Tensor beta, int[] boundaries, Tensor(a!) states, int[] slots) -> Tensor",
        fovea::delta_steps_forward);
    library.def(
        "convolution_steps(Tensor x, Tensor weight, int[] boundaries, Tensor(a!) rows, int[] slots) -> Tensor", fovea::convolution_steps);
    library.def(
        "short_convolution(Tensor x, Tensor weight, int[] boundaries, Tensor? initial=None, bool wants_final=False) -> (Tensor, Tensor)",
        fovea::short_convolution);
    fovea::define_kernel(
        library, "short_convolution_forward(Tensor x, Tensor weight, int[] boundaries, Tensor? initial, bool wants_final) -> (Tensor, Tensor)",
        fovea::convolution_forward);
    fovea::define_kernel(
        library, "short_convolution_backward(Tensor dy, Tensor x, Tensor weight, int[] boundaries, Tensor? initial) -> (Tensor, Tensor)",
        fovea::convolution_backward);
}

TORCH_LIBRARY_IMPL(fovea, Meta, library) {
    library.impl("delta_rule_forward", fovea::rule_shapes);
    library.impl("delta_rule_backward", fovea::rule_gradient_shapes);
    library.impl("short_convolution_forward", fovea::convolution_shapes);
    library.impl("short_convolution_backward", fovea::convolution_gradient_shapes);
}
