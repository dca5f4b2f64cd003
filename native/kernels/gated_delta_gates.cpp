// fovea::delta_gates: what a gated delta rule keeps of its state, g = -exp(rate) softplus(a + step), and how much it writes, beta = sigmoid(b). On the CPU
// number by number with the C library's functions, so that no number's bits depend on its neighbours.
#include "dispatch.h"
#include "slower_ways.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace fovea {
namespace {

constexpr int64_t grain = 1024; // numbers that a thread takes at least
constexpr float linear_above = 20;

std::vector<float> factors_of(const at::Tensor& rate) {
    std::vector<float> factors(rate.numel());
    const auto* of = rate.const_data_ptr<float>();
    std::transform(of, of + rate.numel(), factors.begin(), [](float x) { return -std::exp(x); });
    return factors;
}

float sigmoid_of(float x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

// All fp32, side by side: a, b [T, H], rate, step [H].
std::tuple<at::Tensor, at::Tensor> gates_forward(const at::Tensor& a, const at::Tensor& b, const at::Tensor& rate, const at::Tensor& step) {
    if (!a.is_cpu()) {
        note_slower_way("the gates of the delta rule", a, "heads", rate.numel());
        return {-rate.exp() * at::softplus(a + step), at::sigmoid(b)};
    }
    auto g = at::empty_like(a), beta = at::empty_like(b);
    const auto heads = rate.numel();
    const auto *pa = a.const_data_ptr<float>(), *pb = b.const_data_ptr<float>(), *ps = step.const_data_ptr<float>();
    const auto factors = factors_of(rate);
    auto *pg = g.mutable_data_ptr<float>(), *pbeta = beta.mutable_data_ptr<float>();
    at::parallel_for(0, a.numel(), grain, [&](int64_t begin, int64_t end) {
        for (auto i = begin; i < end; i++) {
            const auto x = pa[i] + ps[i % heads];
            pg[i] = factors[i % heads] * (x > linear_above ? x : std::log1p(std::exp(x)));
            pbeta[i] = sigmoid_of(pb[i]);
        }
    });
    return {g, beta};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> gates_backward(
    const at::Tensor& dg, const at::Tensor& dbeta, const at::Tensor& a, const at::Tensor& rate, const at::Tensor& step, const at::Tensor& g,
    const at::Tensor& beta) {
    if (!a.is_cpu()) {
        note_slower_way("the gates of the delta rule", a, "heads", rate.numel());
        const auto of_a = dg * -rate.exp() * at::sigmoid(a + step);
        return {of_a, dbeta * beta * (1 - beta), (dg * g).sum(0), of_a.sum(0)};
    }
    const auto heads = rate.numel();
    const auto factors = factors_of(rate);
    const auto *pa = a.const_data_ptr<float>(), *ps = step.const_data_ptr<float>(), *pg = g.const_data_ptr<float>();
    const auto *pbeta = beta.const_data_ptr<float>(), *pdg = dg.const_data_ptr<float>(), *pdbeta = dbeta.const_data_ptr<float>();
    auto da = at::empty_like(a), db = at::empty_like(beta), drate = at::empty_like(rate), dstep = at::empty_like(step);
    auto *pda = da.mutable_data_ptr<float>(), *pdb = db.mutable_data_ptr<float>();
    at::parallel_for(0, da.numel(), grain, [&](int64_t begin, int64_t end) {
        for (auto i = begin; i < end; i++) {
            pda[i] = pdg[i] * factors[i % heads] * sigmoid_of(pa[i] + ps[i % heads]);
            pdb[i] = pdbeta[i] * pbeta[i] * (1 - pbeta[i]);
        }
    });
    for (int64_t h = 0; h < heads; h++) {
        double of_rate = 0, of_step = 0;
        for (auto i = h; i < da.numel(); i += heads) {
            of_rate += static_cast<double>(pdg[i]) * pg[i];
            of_step += pda[i];
        }
        drate.mutable_data_ptr<float>()[h] = static_cast<float>(of_rate);
        dstep.mutable_data_ptr<float>()[h] = static_cast<float>(of_step);
    }
    return {da, db, drate, dstep};
}

struct DeltaGates : torch::autograd::Function<DeltaGates> {
    static torch::autograd::variable_list forward(
        torch::autograd::AutogradContext* context, const at::Tensor& a, const at::Tensor& b, const at::Tensor& rate, const at::Tensor& step) {
        static const auto kernel = by_device("fovea::delta_gates_forward", gates_forward);
        auto [g, beta] = kernel.call(a, b, rate, step);
        context->save_for_backward({a, rate, step, g, beta});
        return {g, beta};
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        static const auto kernel = by_device("fovea::delta_gates_backward", gates_backward);
        const auto saved = context->get_saved_variables();
        auto [da, db, drate, dstep] =
            kernel.call(gradients[0].contiguous(), gradients[1].contiguous(), saved[0], saved[1], saved[2], saved[3], saved[4]);
        return {da, db, drate, dstep};
    }
};

std::tuple<at::Tensor, at::Tensor> delta_gates(const at::Tensor& a, const at::Tensor& b, const at::Tensor& rate, const at::Tensor& step) {
    TORCH_CHECK(
        a.dim() == 2 && b.sizes() == a.sizes() && rate.dim() == 1 && rate.size(0) == a.size(1) && step.sizes() == rate.sizes(), "delta_gates: a ",
        a.sizes(), ", b ", b.sizes(), ", rate ", rate.sizes(), ", step ", step.sizes());
    check_one_device("delta_gates", {&a, &b, &rate, &step});
    const auto wide = [](const at::Tensor& x) { return x.to(at::kFloat).contiguous(); };
    auto results = DeltaGates::apply(wide(a), wide(b), wide(rate), wide(step));
    return {results[0], results[1]};
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("delta_gates(Tensor a, Tensor b, Tensor rate, Tensor step) -> (Tensor, Tensor)", fovea::delta_gates);
    fovea::define_kernel(library, "delta_gates_forward(Tensor a, Tensor b, Tensor rate, Tensor step) -> (Tensor, Tensor)", fovea::gates_forward);
    fovea::define_kernel(
        library,
        "delta_gates_backward(Tensor dg, Tensor dbeta, Tensor a, Tensor rate, Tensor step, Tensor g, Tensor beta) -> (Tensor, Tensor, Tensor, Tensor)",
        fovea::gates_backward);
}
