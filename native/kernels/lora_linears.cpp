// fovea::lora_linears: y_i = x W_i^T + b_i + scale * (x A_i^T) B_i^T for all linears of one input, the W_i and b_i frozen. The low-rank parts are added
// inside the products, no gradient of a W is ever formed, the small products of all adapters run as one where they share an input, and the
// gradients with respect to x are summed inside the products too. With dropout each adapter sees an x of its own, which is drawn anew in the backward pass
// instead of being kept.
#include "dropout.h"
#include "few_rows.h"
#include "products.h"
#include "skinny.h"
#include "stable_products.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <vector>

namespace fovea {
namespace {

using Tensors = std::vector<at::Tensor>;

// How the adapters' inputs are dropped: by the keys of the rows, each adapter with a number of its own.
struct Dropping {
    at::Tensor keys; // undefined: nothing is dropped
    std::vector<int64_t> modules;
    double probability;

    bool drops() const { return keys.defined(); }
    at::Tensor of(const at::Tensor& x, size_t i) const { return dropped(x, keys, modules[i], probability); }
};

// [sum r, in] of several [r, in]: a view where they lie side by side.
at::Tensor joined(at::TensorList parts) {
    auto end = parts[0].storage_offset();
    int64_t rows = 0;
    for (const auto& part : parts) {
        if (!part.is_contiguous() || part.storage_offset() != end || !part.storage().is_alias_of(parts[0].storage())) {
            return at::cat(parts);
        }
        end += part.numel();
        rows += part.size(0);
    }
    const auto width = parts[0].size(1);
    return parts[0].as_strided({rows, width}, {width, 1});
}

struct LoraLinears : torch::autograd::Function<LoraLinears> {
    // x [T, in], weights [out_i, in], biases [out_i] or none at all, a [r_i, in], b [out_i, r_i]. The adapters may be fp32 masters of a narrower x:
    // products run in the type of x, their gradients stay fp32. `used`: all a, then all b in the type of x, where somebody has them already.
    static torch::autograd::variable_list forward(
        torch::autograd::AutogradContext* context, const at::Tensor& x, const Tensors& weights, const Tensors& biases, at::TensorList a, at::TensorList b,
        const Tensors& used, double scale, const Dropping& dropping) {
        const auto type = x.scalar_type();
        const auto count = weights.size();
        const auto all_a = used.empty() ? (count == 1 ? a[0] : at::cat(a)).to(type) : joined(at::TensorList(used).slice(0, count)); // [sum r, in]
        auto low = dropping.drops() ? at::empty({x.size(0), all_a.size(0)}, x.options()) : times_transposed(x, all_a);
        Tensors saved{x, all_a, low, dropping.keys}, outputs;
        int64_t from = 0;
        for (size_t i = 0; i < count; i++) {
            const auto to = from + a[i].size(0);
            const auto narrow = used.empty() ? b[i].to(type) : used[count + i];
            const auto own = low.slice(1, from, to);
            if (dropping.drops()) {
                own.copy_(times_transposed(dropping.of(x, i), all_a.slice(0, from, to)));
            }
            auto y = times_transposed(x, weights[i], biases.empty() ? std::nullopt : std::optional(biases[i]));
            y.addmm_(own, narrow.t(), 1, scale);
            from = to;
            outputs.push_back(y);
            saved.push_back(weights[i]);
            saved.push_back(narrow);
        }
        context->save_for_backward(saved);
        context->saved_data["scale"] = scale;
        context->saved_data["master"] = a[0].scalar_type();
        context->saved_data["modules"] = dropping.modules;
        context->saved_data["probability"] = dropping.probability;
        return outputs;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &all_a = saved[1], &low = saved[2];
        const Dropping dropping{saved[3], context->saved_data["modules"].toIntVector(), context->saved_data["probability"].toDouble()};
        const auto scale = context->saved_data["scale"].toDouble();
        const auto master = context->saved_data["master"].toScalarType();
        const auto count = gradients.size();
        const auto wants_a = context->needs_input_grad(1), wants_x = context->needs_input_grad(0);
        Tensors da(count), db(count);
        auto dlow = at::empty_like(low);
        at::Tensor dx;
        int64_t from = 0;
        for (size_t i = 0; i < count; i++) {
            const auto &weight = saved[4 + 2 * i], &b = saved[5 + 2 * i];
            const auto dy = gradients[i].stride(1) == 1 ? gradients[i] : gradients[i].contiguous();
            const auto to = from + b.size(1);
            const auto own = dlow.slice(1, from, to);
            own.copy_(dy.mm(b).mul_(scale));
            if (context->needs_input_grad(1 + count + i)) {
                db[i] = skinny_product(low.slice(1, from, to), dy).mul_(scale).t().to(master);
            }
            if (wants_x) {
                if (dx.defined()) {
                    add_product(dx, dy, weight);
                } else {
                    dx = times_transposed(dy, weight.t());
                }
            }
            if (dropping.drops() && wants_a) {
                da[i] = skinny_product(own, dropping.of(x, i)).to(master);
            }
            if (dropping.drops() && wants_x) {
                dropped(own.mm(all_a.slice(0, from, to)), dropping.keys, dropping.modules[i], dropping.probability, dx);
            }
            from = to;
        }
        if (wants_x && !dropping.drops()) {
            dx.addmm_(dlow, all_a);
        }
        if (wants_a && !dropping.drops()) {
            const auto all = skinny_product(dlow, x).to(master);
            from = 0;
            for (size_t i = 0; i < count; i++) {
                const auto rank = saved[5 + 2 * i].size(1);
                da[i] = all.slice(0, from, from + rank);
                from += rank;
            }
        }
        torch::autograd::variable_list results{dx, at::Tensor(), at::Tensor()};
        results.insert(results.end(), da.begin(), da.end());
        results.insert(results.end(), db.begin(), db.end());
        results.resize(results.size() + 3);
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
Tensors of_few_rows(
    const at::Tensor& x, const Tensors& weights, const Tensors& biases, const Tensors& a, const Tensors& b, const Tensors& used, double scale) {
    if (!few_rows_fit(x, weights[0], std::nullopt)) {
        return {}; // before anything is converted
    }
    Tensors results;
    const auto count = weights.size();
    for (size_t i = 0; i < count; i++) {
        const auto bias = biases.empty() ? std::nullopt : std::optional(biases[i]);
        const auto type = x.scalar_type();
        const LowRank adapter{used.empty() ? a[i].to(type) : used[i], used.empty() ? b[i].to(type) : used[count + i], scale};
        if (!few_rows_fit(x, weights[i], bias, adapter)) {
            return {};
        }
        results.push_back(few_rows(x, weights[i], bias, adapter));
    }
    return results;
}

bool learn(const Tensors& all) {
    return std::any_of(all.begin(), all.end(), [](const at::Tensor& x) { return x.requires_grad(); });
}

// Row by row the same bits, each sum rounded once, behind its adapter.
Tensors of_stable_rows(
    const at::Tensor& x, const Tensors& weights, const Tensors& biases, const Tensors& a, const Tensors& b, const Tensors& used, double scale) {
    const auto type = x.scalar_type();
    const auto count = weights.size();
    const auto rows = x.reshape({-1, x.size(-1)});
    const auto all_a = used.empty() ? (count == 1 ? a[0] : at::cat(a)).to(type) : joined(at::TensorList(used).slice(0, count));
    const auto low = at::empty({rows.size(0), all_a.size(0)}, x.options());
    stable_product(rows, all_a.t(), {}, {}, 0, scale, low);
    Tensors results;
    int64_t from = 0;
    for (size_t i = 0; i < count; i++) {
        const auto rank = a[i].size(0), outputs = weights[i].size(0);
        const auto up = used.empty() ? b[i].to(type) : used[count + i];
        const auto y = at::empty({rows.size(0), outputs}, x.options());
        stable_product(
            rows, weights[i].t(), {low.slice(1, from, from + rank), up.t()}, biases.empty() ? at::Tensor() : biases[i].to(type).expand(y.sizes()), 1, 1, y);
        from += rank;
        auto sizes = x.sizes().vec();
        sizes.back() = outputs;
        results.push_back(y.view(sizes));
    }
    return results;
}

Tensors lora_linears(
    const at::Tensor& x, const Tensors& weights, const Tensors& biases, const Tensors& a, const Tensors& b, const Tensors& used, double scale,
    const Dropping& dropping) {
    const auto count = weights.size();
    TORCH_CHECK(
        count > 0 && a.size() == count && b.size() == count && (biases.empty() || biases.size() == count) && (used.empty() || used.size() == 2 * count)
            && (!dropping.drops() || dropping.modules.size() == count),
        "lora_linears: ", count, " weights, ", biases.size(), " biases, ", a.size(), " A, ", b.size(), " B, ", used.size(), " used, ",
        dropping.modules.size(), " modules");
    for (size_t i = 0; i < count; i++) {
        TORCH_CHECK(!weights[i].requires_grad() && (biases.empty() || !biases[i].requires_grad()), "lora_linears: the base weights must be frozen");
        TORCH_CHECK(
            weights[i].dim() == 2 && a[i].dim() == 2 && b[i].dim() == 2 && weights[i].size(1) == x.size(-1) && a[i].size(1) == x.size(-1)
                && b[i].size(0) == weights[i].size(0) && b[i].size(1) == a[i].size(0),
            "lora_linears: x ", x.sizes(), ", weight ", weights[i].sizes(), ", A ", a[i].sizes(), ", B ", b[i].sizes());
        TORCH_CHECK(
            used.empty()
                || (used[i].sizes() == a[i].sizes() && used[count + i].sizes() == b[i].sizes() && used[i].scalar_type() == x.scalar_type()
                    && used[count + i].scalar_type() == x.scalar_type()),
            "lora_linears: copies of A and B that do not fit them and x");
    }
    if (!dropping.drops()) {
        const auto learns = c10::GradMode::is_enabled() && (x.requires_grad() || learn(a) || learn(b));
        if (stable_product_fits(x) && !learns) {
            return of_stable_rows(x, weights, biases, a, b, used, scale);
        }
        if (auto few = of_few_rows(x, weights, biases, a, b, used, scale); !few.empty()) {
            return few;
        }
    }
    auto results = LoraLinears::apply(x.reshape({-1, x.size(-1)}), weights, biases, at::TensorList(a), at::TensorList(b), used, scale, dropping);
    if (x.dim() != 2) {
        for (auto& y : results) {
            auto sizes = x.sizes().vec();
            sizes.back() = y.size(1);
            y = y.view(sizes);
        }
    }
    return results;
}

// What low-rank updates of runs of rows have in common: which one works on which rows, starts[i] to starts[i + 1].
struct Runs {
    Tensors a, b;
    std::vector<double> scales;
    std::vector<int64_t> starts, adapters; // -1: none

    template <class Each>
    void each(const at::Tensor& x, const Each& run) const {
        for (size_t i = 0; i < adapters.size(); i++) {
            if (adapters[i] >= 0 && starts[i] < starts[i + 1]) {
                run(x.slice(0, starts[i], starts[i + 1]), static_cast<size_t>(adapters[i]), starts[i], starts[i + 1]);
            }
        }
    }
};

// All updates as one, side by side: a row is 0 where another's lies, which adds nothing to its sums. Each begins at an even place, as it would alone, for
// tiles of pairs.
at::Tensor stable_runs(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const Runs& runs) {
    std::vector<int64_t> places;
    int64_t width = 0;
    for (const auto& a : runs.a) {
        places.push_back(width);
        width += (a.size(0) + 1) / 2 * 2;
    }
    const auto low = at::zeros({x.size(0), width}, x.options()), up = at::zeros({weight.size(0), width}, x.options());
    for (size_t i = 0; i < places.size(); i++) {
        up.slice(1, places[i], places[i] + runs.b[i].size(1)).copy_(runs.b[i]);
    }
    runs.each(x, [&](const at::Tensor& rows, size_t i, int64_t from, int64_t end) {
        const auto& a = runs.a[i];
        stable_product(rows, a.t(), {}, {}, 0, runs.scales[i], low.slice(0, from, end).slice(1, places[i], places[i] + a.size(0)));
    });
    const auto y = at::empty({x.size(0), weight.size(0)}, x.options());
    stable_product(x, weight.t(), {low, up.t()}, bias.defined() ? bias.expand(y.sizes()) : bias, 1, 1, y);
    return y;
}

// y = x W^T + b, and for each run of rows scale * (x A^T) B^T of its own A and B, without gradients.
at::Tensor lora_runs(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, const Runs& runs) {
    const auto rows = x.reshape({-1, x.size(-1)});
    const auto fits = [&](const at::Tensor& t, int64_t outputs, int64_t inputs) {
        return t.dim() == 2 && t.size(0) == outputs && t.size(1) == inputs && t.scalar_type() == x.scalar_type();
    };
    const auto count = runs.a.size();
    TORCH_CHECK(
        count > 0 && runs.b.size() == count && runs.scales.size() == count && runs.starts.size() == runs.adapters.size() + 1 && runs.starts.front() == 0
            && runs.starts.back() == rows.size(0) && std::is_sorted(runs.starts.begin(), runs.starts.end()) && fits(weight, weight.size(0), rows.size(1)),
        "lora_runs: x ", x.sizes(), ", weight ", weight.sizes(), ", ", count, " A, ", runs.b.size(), " B, ", runs.scales.size(), " scales, runs from ",
        runs.starts, " of adapters ", runs.adapters);
    for (size_t i = 0; i < count; i++) {
        TORCH_CHECK(
            fits(runs.a[i], runs.a[i].size(0), rows.size(1)) && fits(runs.b[i], weight.size(0), runs.a[i].size(0)), "lora_runs: x ", x.sizes(), ", weight ",
            weight.sizes(), ", A ", runs.a[i].sizes(), ", B ", runs.b[i].sizes());
    }
    for (const auto adapter : runs.adapters) {
        TORCH_CHECK(adapter < static_cast<int64_t>(count), "lora_runs: adapter ", adapter, " of ", count);
    }
    const at::NoGradGuard no_grad;
    at::Tensor y;
    if (stable_product_fits(x)) {
        y = stable_runs(rows, weight, bias ? bias->to(x.scalar_type()) : at::Tensor(), runs);
    } else {
        y = times_transposed(rows, weight, bias);
        runs.each(rows, [&](const at::Tensor& own, size_t i, int64_t from, int64_t end) {
            y.slice(0, from, end).addmm_(times_transposed(own, runs.a[i]), runs.b[i].t(), 1, runs.scales[i]);
        });
    }
    auto sizes = x.sizes().vec();
    sizes.back() = weight.size(0);
    return y.view(sizes);
}

// A weight as its copy in another type, made earlier; the gradient goes to the weight in the weight's type.
struct UsedAs : torch::autograd::Function<UsedAs> {
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& weight, const Tensors& copy) {
        context->saved_data["type"] = weight.scalar_type();
        return copy[0].detach();
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        return {gradients[0].to(context->saved_data["type"].toScalarType()), at::Tensor()};
    }
};

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def(
        "lora_linears(Tensor x, Tensor[] weights, Tensor[] biases, Tensor[] a, Tensor[] b, Tensor[] used, float scale, Tensor? keys, int[] modules, "
        "float dropout) -> Tensor[]",
        [](const at::Tensor& x, at::TensorList weights, at::TensorList biases, at::TensorList a, at::TensorList b, at::TensorList used, double scale,
           const std::optional<at::Tensor>& keys, at::IntArrayRef modules, double dropout) {
            const fovea::Dropping dropping{keys.value_or(at::Tensor()), modules.vec(), dropout};
            return fovea::lora_linears(x, weights.vec(), biases.vec(), a.vec(), b.vec(), used.vec(), scale, dropping);
        });
    library.def(
        "lora_runs(Tensor x, Tensor weight, Tensor? bias, Tensor[] a, Tensor[] b, float[] scales, int[] starts, int[] adapters) -> Tensor",
        [](const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, at::TensorList a, at::TensorList b,
           at::ArrayRef<double> scales, at::IntArrayRef starts, at::IntArrayRef adapters) {
            return fovea::lora_runs(x, weight, bias, {a.vec(), b.vec(), scales.vec(), starts.vec(), adapters.vec()});
        });
    library.def("used_as(Tensor weight, Tensor copy) -> Tensor", [](const at::Tensor& weight, const at::Tensor& copy) {
        TORCH_CHECK(weight.sizes() == copy.sizes(), "used_as: a copy ", copy.sizes(), " of a weight ", weight.sizes());
        return fovea::UsedAs::apply(weight, std::vector<at::Tensor>{copy});
    });
}
