// fovea::delta_gates: what a gated delta rule keeps of its state, g = -exp(rate) softplus(a + step), and how much it writes, beta = sigmoid(b). On the CPU
// number by number with the C library's functions, so that no number's bits depend on its neighbours.
#include "dispatch.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

namespace fovea {
namespace {

constexpr int64_t grain = 1024; // numbers that a thread takes at least
constexpr float linear_above = 20;

float sigmoid_of(float x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

// All fp32 on the CPU, side by side: a, b [T, H], rate, step [H].
struct DeltaGates : torch::autograd::Function<DeltaGates> {
    static torch::autograd::variable_list forward(
        torch::autograd::AutogradContext* context, const at::Tensor& a, const at::Tensor& b, const at::Tensor& rate, const at::Tensor& step) {
        auto g = at::empty_like(a), beta = at::empty_like(b);
        const auto heads = rate.numel();
        const auto *pa = a.const_data_ptr<float>(), *pb = b.const_data_ptr<float>(), *ps = step.const_data_ptr<float>();
        const auto factors = at::empty_like(rate);
        auto *pf = factors.mutable_data_ptr<float>(), *pg = g.mutable_data_ptr<float>(), *pbeta = beta.mutable_data_ptr<float>();
        for (int64_t h = 0; h < heads; h++) {
            pf[h] = -std::exp(rate.const_data_ptr<float>()[h]);
        }
        at::parallel_for(0, a.numel(), grain, [&](int64_t begin, int64_t end) {
            for (auto i = begin; i < end; i++) {
                const auto x = pa[i] + ps[i % heads];
                pg[i] = pf[i % heads] * (x > linear_above ? x : std::log1p(std::exp(x)));
                pbeta[i] = sigmoid_of(pb[i]);
            }
        });
        context->save_for_backward({a, step, factors, g, beta});
        return {g, beta};
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto dg = gradients[0].contiguous(), dbeta = gradients[1].contiguous();
        const auto heads = saved[1].numel();
        const auto *pa = saved[0].const_data_ptr<float>(), *ps = saved[1].const_data_ptr<float>(), *pf = saved[2].const_data_ptr<float>();
        const auto *pg = saved[3].const_data_ptr<float>(), *pbeta = saved[4].const_data_ptr<float>();
        const auto *pdg = dg.const_data_ptr<float>(), *pdbeta = dbeta.const_data_ptr<float>();
        auto da = at::empty_like(saved[0]), db = at::empty_like(saved[4]), drate = at::empty_like(saved[1]), dstep = at::empty_like(saved[1]);
        auto *pda = da.mutable_data_ptr<float>(), *pdb = db.mutable_data_ptr<float>();
        at::parallel_for(0, da.numel(), grain, [&](int64_t begin, int64_t end) {
            for (auto i = begin; i < end; i++) {
                pda[i] = pdg[i] * pf[i % heads] * sigmoid_of(pa[i] + ps[i % heads]);
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
};

std::tuple<at::Tensor, at::Tensor> delta_gates(const at::Tensor& a, const at::Tensor& b, const at::Tensor& rate, const at::Tensor& step) {
    TORCH_CHECK(
        a.dim() == 2 && b.sizes() == a.sizes() && rate.dim() == 1 && rate.size(0) == a.size(1) && step.sizes() == rate.sizes(), "delta_gates: a ",
        a.sizes(), ", b ", b.sizes(), ", rate ", rate.sizes(), ", step ", step.sizes());
    check_one_device("delta_gates", {&a, &b, &rate, &step});
    const auto wide = [](const at::Tensor& x) { return x.to(at::kFloat).contiguous(); };
    if (!a.is_cpu()) {
        return {-wide(rate).exp() * at::softplus(wide(a) + wide(step)), at::sigmoid(wide(b))};
    }
    auto results = DeltaGates::apply(wide(a), wide(b), wide(rate), wide(step));
    return {results[0], results[1]};
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) { library.def("delta_gates(Tensor a, Tensor b, Tensor rate, Tensor step) -> (Tensor, Tensor)", fovea::delta_gates); }
