// fovea::lora_linears: y_i = x W_i^T + b_i + scale * (x A_i^T) B_i^T for all linears of one input, the W_i and b_i frozen. The low-rank parts are added
// inside the products, no gradient of a W is ever formed, the small products of all adapters run as one where they share an input, and the
// gradients with respect to x are summed inside the products too.
#include "few_rows.h"
#include "products.h"
#include "skinny.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace fovea {
namespace {

using Tensors = std::vector<at::Tensor>;

struct LoraLinears : torch::autograd::Function<LoraLinears> {
    // x [T, in], weights [out_i, in], biases [out_i] or none at all, a [r_i, in], b [out_i, r_i]. The adapters may be fp32 masters of a narrower x:
    // products run in the type of x, their gradients stay fp32.
    static torch::autograd::variable_list forward(
        torch::autograd::AutogradContext* context, const at::Tensor& x, const Tensors& weights, const Tensors& biases, at::TensorList a, at::TensorList b,
        double scale) {
        const auto type = x.scalar_type();
        const auto all_a = (a.size() == 1 ? a[0] : at::cat(a)).to(type); // [sum r, in]
        const auto low = times_transposed(x, all_a);
        Tensors saved{x, all_a, low}, outputs;
        int64_t from = 0;
        for (size_t i = 0; i < weights.size(); i++) {
            const auto narrow = b[i].to(type);
            auto y = times_transposed(x, weights[i], biases.empty() ? std::nullopt : std::optional(biases[i]));
            y.addmm_(low.slice(1, from, from + a[i].size(0)), narrow.t(), 1, scale);
            from += a[i].size(0);
            outputs.push_back(y);
            saved.push_back(weights[i]);
            saved.push_back(narrow);
        }
        context->save_for_backward(saved);
        context->saved_data["scale"] = scale;
        context->saved_data["master"] = a[0].scalar_type();
        return outputs;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &all_a = saved[1], &low = saved[2];
        const auto scale = context->saved_data["scale"].toDouble();
        const auto master = context->saved_data["master"].toScalarType();
        const auto count = gradients.size();
        Tensors da(count), db(count);
        auto dlow = at::empty_like(low);
        at::Tensor dx;
        int64_t from = 0;
        for (size_t i = 0; i < count; i++) {
            const auto &weight = saved[3 + 2 * i], &b = saved[4 + 2 * i];
            const auto dy = gradients[i].stride(1) == 1 ? gradients[i] : gradients[i].contiguous();
            const auto rank = b.size(1);
            dlow.slice(1, from, from + rank).copy_(dy.mm(b).mul_(scale));
            if (context->needs_input_grad(1 + count + i)) {
                db[i] = skinny_product(low.slice(1, from, from + rank), dy).mul_(scale).t().to(master);
            }
            if (context->needs_input_grad(0)) {
                if (dx.defined()) {
                    add_product(dx, dy, weight);
                } else {
                    dx = times_transposed(dy, weight.t());
                }
            }
            from += rank;
        }
        if (dx.defined()) {
            dx.addmm_(dlow, all_a);
        }
        if (context->needs_input_grad(1)) {
            const auto all = skinny_product(dlow, x).to(master);
            from = 0;
            for (size_t i = 0; i < count; i++) {
                const auto rank = saved[4 + 2 * i].size(1);
                da[i] = all.slice(0, from, from + rank);
                from += rank;
            }
        }
        torch::autograd::variable_list results{dx, at::Tensor(), at::Tensor()};
        results.insert(results.end(), da.begin(), da.end());
        results.insert(results.end(), db.begin(), db.end());
        results.emplace_back();
        return results;
    }

private:
    // sum += dy W
    static void add_product(at::Tensor& sum, const at::Tensor& dy, const at::Tensor& weight) {
        if (sum.is_cpu() && sum.scalar_type() == at::kFloat) {
            sum.add_(times_transposed(dy, weight.t())); // the library with the faster product has no sum in it
        } else {
            sum.addmm_(dy, weight);
        }
    }
};

// Empty where the kernel for few rows does not take them.
Tensors of_few_rows(const at::Tensor& x, const Tensors& weights, const Tensors& biases, const Tensors& a, const Tensors& b, double scale) {
    if (!few_rows_fit(x, weights[0], std::nullopt)) {
        return {}; // before anything is converted
    }
    Tensors results;
    for (size_t i = 0; i < weights.size(); i++) {
        const auto bias = biases.empty() ? std::nullopt : std::optional(biases[i]);
        const LowRank adapter{a[i].to(x.scalar_type()), b[i].to(x.scalar_type()), scale};
        if (!few_rows_fit(x, weights[i], bias, adapter)) {
            return {};
        }
        results.push_back(few_rows(x, weights[i], bias, adapter));
    }
    return results;
}

Tensors lora_linears(
    const at::Tensor& x, const Tensors& weights, const Tensors& biases, const Tensors& a, const Tensors& b, double scale) {
    const auto count = weights.size();
    TORCH_CHECK(
        count > 0 && a.size() == count && b.size() == count && (biases.empty() || biases.size() == count),
        "lora_linears: ", count, " weights, ", biases.size(), " biases, ", a.size(), " A, ", b.size(), " B");
    for (size_t i = 0; i < count; i++) {
        TORCH_CHECK(!weights[i].requires_grad() && (biases.empty() || !biases[i].requires_grad()), "lora_linears: the base weights must be frozen");
        TORCH_CHECK(
            weights[i].dim() == 2 && a[i].dim() == 2 && b[i].dim() == 2 && weights[i].size(1) == x.size(-1) && a[i].size(1) == x.size(-1)
                && b[i].size(0) == weights[i].size(0) && b[i].size(1) == a[i].size(0),
            "lora_linears: x ", x.sizes(), ", weight ", weights[i].sizes(), ", A ", a[i].sizes(), ", B ", b[i].sizes());
    }
    if (auto few = of_few_rows(x, weights, biases, a, b, scale); !few.empty()) {
        return few;
    }
    auto results = LoraLinears::apply(x.reshape({-1, x.size(-1)}), weights, biases, at::TensorList(a), at::TensorList(b), scale);
    if (x.dim() != 2) {
        for (auto& y : results) {
            auto sizes = x.sizes().vec();
            sizes.back() = y.size(1);
            y = y.view(sizes);
        }
    }
    return results;
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def(
        "lora_linears(Tensor x, Tensor[] weights, Tensor[] biases, Tensor[] a, Tensor[] b, float scale) -> Tensor[]",
        [](const at::Tensor& x, at::TensorList weights, at::TensorList biases, at::TensorList a, at::TensorList b, double scale) {
            return fovea::lora_linears(x, weights.vec(), biases.vec(), a.vec(), b.vec(), scale);
        });
}
