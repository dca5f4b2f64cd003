// fovea::grouped_linear: the linear layer of a mixture of experts. Rows sorted by expert; each stretch of them is multiplied by its own weight, all into one
// result, so that buffers have the same sizes in every step however the tokens fell.
#include "dispatch.h"
#include "few_rows.h"
#include "products.h"
#include "stable_products.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace fovea {
namespace {

using Tensors = std::vector<at::Tensor>;

// a b^T into rows of a larger result.
void times_transposed_into(const at::Tensor& to, const at::Tensor& a, const at::Tensor& b) {
    if (stable_product_fits(a)) {
        stable_product(a, b.t(), {}, {}, 0, 1, to);
        return;
    }
    if (a.is_cpu() && (a.scalar_type() == at::kFloat || few_rows_fit(a, b, std::nullopt))) {
        to.copy_(times_transposed(a, b)); // the faster products have no result to write into
        return;
    }
    auto target = to;
    at::mm_out(target, a, b.t());
}

struct GroupedLinear : torch::autograd::Function<GroupedLinear> {
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, at::TensorList weights, const std::vector<int64_t>& starts) {
        Tensors saved{x};
        saved.insert(saved.end(), weights.begin(), weights.end());
        context->save_for_backward(saved);
        context->saved_data["starts"] = starts;
        auto y = at::empty({x.size(0), weights[0].size(0)}, x.options());
        for (size_t i = 0; i < weights.size(); i++) {
            if (starts[i + 1] > starts[i]) {
                times_transposed_into(y.slice(0, starts[i], starts[i + 1]), x.slice(0, starts[i], starts[i + 1]), weights[i]);
            }
        }
        return y;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto starts = context->saved_data["starts"].toIntVector();
        const auto& x = saved[0];
        const auto dy = gradients[0].contiguous();
        const auto count = saved.size() - 1;
        torch::autograd::variable_list results(count + 2);
        if (context->needs_input_grad(0)) {
            results[0] = at::empty_like(x);
        }
        for (size_t i = 0; i < count; i++) {
            const auto& weight = saved[i + 1];
            const auto rows = dy.slice(0, starts[i], starts[i + 1]);
            if (starts[i + 1] == starts[i]) {
                // Nothing fell on it: its gradient is zero, not absent.
                results[i + 1] = context->needs_input_grad(i + 1) ? at::zeros_like(weight) : at::Tensor();
                continue;
            }
            if (results[0].defined()) {
                times_transposed_into(results[0].slice(0, starts[i], starts[i + 1]), rows, weight.t());
            }
            if (context->needs_input_grad(i + 1)) {
                results[i + 1] = weight_gradient(rows, x.slice(0, starts[i], starts[i + 1]));
            }
        }
        return results;
    }
};

at::Tensor grouped_linear(const at::Tensor& x, at::TensorList weights, at::IntArrayRef starts) {
    TORCH_CHECK(
        x.dim() == 2 && !weights.empty() && starts.size() == weights.size() + 1 && starts.front() == 0 && starts.back() == x.size(0),
        "grouped_linear: x ", x.sizes(), ", ", weights.size(), " weights, stretches ", starts);
    for (size_t i = 0; i < weights.size(); i++) {
        TORCH_CHECK(
            weights[i].sizes() == weights[0].sizes() && weights[i].dim() == 2 && weights[i].size(1) == x.size(1) && starts[i] <= starts[i + 1]
                && weights[i].scalar_type() == x.scalar_type(),
            "grouped_linear: x ", x.sizes(), " of ", x.scalar_type(), ", weight ", i, " ", weights[i].sizes(), " of ", weights[i].scalar_type(),
            ", stretches ", starts);
        check_one_device("grouped_linear", {&x, &weights[i]});
    }
    return GroupedLinear::apply(x.contiguous(), weights, starts.vec());
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("grouped_linear(Tensor x, Tensor[] weights, int[] starts) -> Tensor", fovea::grouped_linear);
}
