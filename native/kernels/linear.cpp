// fovea::linear: x W^T + b with its gradients, on the fastest product at hand (products.h).
#include "few_rows.h"
#include "product_choice.h"
#include "products.h"
#include "stable_products.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace fovea {

namespace {

const c10::OperatorHandle* onednn_linear() {
    static const auto found = at::hasMKLDNN() ? c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""}) : std::nullopt;
    return found.has_value() ? &*found : nullptr;
}

// oneDNN compiles a kernel for each new shape, which takes longer than a small product itself.
constexpr int64_t least_multiplications = 1 << 24;

// With AVX-512 oneDNN was measured as fast as OpenBLAS or twice as fast; with AVX2 alone OpenBLAS is 7 to 50 % faster.
bool has_avx512() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f");
#else
    return false;
#endif
}

bool on_onednn(const at::Tensor& x, const at::Tensor& weight) {
    static const bool faster = has_avx512();
    return faster && x.is_cpu() && x.scalar_type() == at::kFloat && product_kernel(at::kFloat) == ProductKernel::library
        && x.numel() * weight.size(0) >= least_multiplications && onednn_linear() != nullptr;
}

struct Linear : torch::autograd::Function<Linear> {
    static at::Tensor forward(
        torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
        // As libtorch's own: the input serves the weight's gradient alone.
        context->save_for_backward({weight.requires_grad() ? x : at::Tensor(), weight});
        context->saved_data["bias"] = bias.has_value();
        return times_transposed(x, weight, bias);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &weight = saved[1];
        const auto& dy = gradients[0];
        at::Tensor dx, dw, db;
        if (context->needs_input_grad(0)) {
            dx = times_transposed(dy, weight.t());
        }
        if (context->needs_input_grad(1)) {
            dw = weight_gradient(dy, x);
        }
        if (context->saved_data["bias"].toBool() && context->needs_input_grad(2)) {
            db = dy.sum(0);
        }
        return {dx, dw, db};
    }
};

bool learns(const at::Tensor& x) { return x.defined() && x.requires_grad(); }

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
    if (stable_product_fits(x) && !(c10::GradMode::is_enabled() && (learns(x) || learns(weight) || learns(bias.value_or(at::Tensor()))))) {
        return stable_linear(x, weight, bias);
    }
    if (few_rows_fit(x, weight, bias)) {
        return few_rows(x, weight, bias);
    }
    if (!on_onednn(x, weight)) {
        return at::linear(x, weight, bias);
    }
    TORCH_CHECK(weight.dim() == 2 && weight.size(1) == x.size(-1), "linear: weight ", weight.sizes(), " does not fit x ", x.sizes());
    if (x.dim() == 2) {
        return Linear::apply(x, weight, bias);
    }
    auto sizes = x.sizes().vec();
    sizes.back() = weight.size(0);
    return Linear::apply(x.reshape({-1, x.size(-1)}), weight, bias).view(sizes);
}

} // namespace

at::Tensor times_transposed(const at::Tensor& a, const at::Tensor& b, const std::optional<at::Tensor>& bias) {
    if (stable_product_fits(a)) {
        return stable_linear(a, b, bias);
    }
    if (few_rows_fit(a, b, bias)) {
        return few_rows(a, b, bias);
    }
    if (!on_onednn(a, b)) {
        return at::linear(a, b, bias);
    }
    torch::jit::Stack stack{a, b, bias, "none", c10::List<std::optional<at::Scalar>>(), c10::IValue()};
    onednn_linear()->callBoxed(&stack);
    return std::move(stack[0]).toTensor();
}

at::Tensor weight_gradient(const at::Tensor& dy, const at::Tensor& x) { return dy.t().mm(x); }

} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("linear(Tensor x, Tensor weight, Tensor? bias=None) -> Tensor", fovea::linear);
}
