// The linear layers of a mixture of experts. Rows sorted by expert; each stretch of them is multiplied by its own weight, all into one result, so that
// buffers have the same sizes in every step however the tokens fell. fovea::grouped_linear takes a weight for each expert, fovea::stacked_linear one tensor
// with all of them.
#include "dispatch.h"
#include "few_rows.h"
#include "products.h"
#include "stable_products.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>

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

// As above over one weight [E, out, in], which may lie in memory with the inputs first: its gradient then lies alike.
struct StackedLinear : torch::autograd::Function<StackedLinear> {
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, const std::vector<int64_t>& starts) {
        // The input serves the weight's gradient alone, and frozen experts have a copy of every token for each of its experts to lose.
        context->save_for_backward({weight.requires_grad() ? x : at::Tensor(), weight});
        context->saved_data["starts"] = starts;
        auto y = at::empty({x.size(0), weight.size(1)}, x.options());
        each_stretch(starts, [&](int64_t i, int64_t from, int64_t end) {
            if (end > from) {
                times_transposed_into(y.slice(0, from, end), x.slice(0, from, end), weight.select(0, i));
            }
        });
        return y;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto starts = context->saved_data["starts"].toIntVector();
        const auto &x = saved[0], &weight = saved[1];
        const auto dy = gradients[0].contiguous();
        at::Tensor dx, dw;
        if (context->needs_input_grad(0)) {
            dx = at::empty({dy.size(0), weight.size(2)}, dy.options());
        }
        if (context->needs_input_grad(1)) {
            dw = at::empty_like(weight);
        }
        each_stretch(starts, [&](int64_t i, int64_t from, int64_t end) {
            const auto rows = dy.slice(0, from, end);
            if (dx.defined() && end > from) {
                times_transposed_into(dx.slice(0, from, end), rows, weight.select(0, i).t());
            }
            if (dw.defined()) {
                auto target = dw.select(0, i);
                if (end == from) {
                    target.zero_(); // nothing fell on it: its gradient is zero
                } else {
                    at::mm_out(target, rows.t(), x.slice(0, from, end));
                }
            }
        });
        return {dx, dw, at::Tensor()};
    }

private:
    template <class Work>
    static void each_stretch(const std::vector<int64_t>& starts, const Work& work) {
        for (size_t i = 0; i + 1 < starts.size(); i++) {
            work(static_cast<int64_t>(i), starts[i], starts[i + 1]);
        }
    }
};

at::Tensor stacked_linear(const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef starts) {
    TORCH_CHECK(
        x.dim() == 2 && weight.dim() == 3 && weight.size(2) == x.size(1) && weight.scalar_type() == x.scalar_type()
            && static_cast<int64_t>(starts.size()) == weight.size(0) + 1 && starts.front() == 0 && starts.back() == x.size(0)
            && std::is_sorted(starts.begin(), starts.end()),
        "stacked_linear: x ", x.sizes(), " of ", x.scalar_type(), ", weight ", weight.sizes(), " of ", weight.scalar_type(), ", stretches ", starts);
    check_one_device("stacked_linear", {&x, &weight});
    return StackedLinear::apply(x.contiguous(), weight, starts.vec());
}

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
    library.def("stacked_linear(Tensor x, Tensor weight, int[] starts) -> Tensor", fovea::stacked_linear);
}
