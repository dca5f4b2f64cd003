// fovea::lora_linear: x W^T + b + scale * (x A^T) B^T with a frozen W. The low-rank part is added inside the product, without a second [T, out] tensor,
// and no gradient of W is ever formed.
#include "few_rows.h"
#include "products.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace fovea {
namespace {

struct LoraLinear : torch::autograd::Function<LoraLinear> {
    // x [T, in], weight [out, in], bias [out] or undefined, a [r, in], b [out, r]; a and b in the element type of x.
    static at::Tensor forward(
        torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
        const at::Tensor& a, const at::Tensor& b, double scale) {
        auto y = times_transposed(x, weight, bias);
        const auto low = times_transposed(x, a);
        y.addmm_(low, b.t(), 1, scale);
        context->save_for_backward({x, weight, a, b, low});
        context->saved_data["scale"] = scale;
        context->saved_data["first_adapter"] = bias.has_value() ? 3 : 2; // an absent tensor has no place among the inputs
        return y;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &weight = saved[1], &a = saved[2], &b = saved[3], &low = saved[4];
        const auto scale = context->saved_data["scale"].toDouble();
        const auto dy = gradients[0].contiguous();
        const auto dlow = dy.mm(b).mul_(scale);
        at::Tensor dx, da, db;
        if (context->needs_input_grad(0)) {
            dx = times_transposed(dy, weight.t());
            dx.addmm_(dlow, a);
        }
        const auto first_adapter = static_cast<size_t>(context->saved_data["first_adapter"].toInt());
        if (context->needs_input_grad(first_adapter)) {
            da = dlow.t().mm(x);
        }
        if (context->needs_input_grad(first_adapter + 1)) {
            db = dy.t().mm(low).mul_(scale);
        }
        return {dx, at::Tensor(), at::Tensor(), da, db, at::Tensor()};
    }
};

at::Tensor lora_linear(
    const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, const at::Tensor& a, const at::Tensor& b, double scale) {
    TORCH_CHECK(!weight.requires_grad() && !(bias && bias->requires_grad()), "lora_linear: the base weight must be frozen");
    if (const LowRank adapter{a, b, scale}; few_rows_fit(x, weight, bias, adapter)) {
        return few_rows(x, weight, bias, adapter);
    }
    const auto flat = x.dim() == 2 ? x : x.reshape({-1, x.size(-1)});
    const auto y = LoraLinear::apply(flat, weight, bias, a, b, scale);
    return x.dim() == 2 ? y : y.view([&] {
        auto sizes = x.sizes().vec();
        sizes.back() = weight.size(0);
        return sizes;
    }());
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("lora_linear(Tensor x, Tensor weight, Tensor? bias, Tensor a, Tensor b, float scale) -> Tensor", fovea::lora_linear);
}
