// fovea::silu_mul: silu(gate) * up, the gate of a SwiGLU layer (arXiv 2002.05202), forward and backward in one pass each.
#include "dispatch.h"
#include "recompute.h"
#include "simd.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace fovea {
namespace {

template <class T>
FOVEA_INLINE void forward_span(const T* gate, const T* up, T* y, int64_t count) {
    each_of(count, FOVEA_EACH {
        const auto g = read(gate + i, zero);
        write(g * sigmoid_fast(g) * read(up + i, zero), y + i);
    });
}

template <class T>
FOVEA_INLINE void backward_span(const T* dy, const T* gate, const T* up, T* dgate, T* dup, int64_t count) {
    each_of(count, FOVEA_EACH {
        const auto g = read(gate + i, zero), d = read(dy + i, zero), s = sigmoid_fast(g);
        write(d * read(up + i, zero) * s * (1.0f + g * (1.0f - s)), dgate + i);
        write(d * g * s, dup + i);
    });
}

FOVEA_CLONES void forward_span_of(const float* g, const float* u, float* y, int64_t n) { forward_span(g, u, y, n); }
FOVEA_CLONES void forward_span_of(const bf16* g, const bf16* u, bf16* y, int64_t n) { forward_span(g, u, y, n); }
FOVEA_CLONES void backward_span_of(const float* d, const float* g, const float* u, float* dg, float* du, int64_t n) { backward_span(d, g, u, dg, du, n); }
FOVEA_CLONES void backward_span_of(const bf16* d, const bf16* g, const bf16* u, bf16* dg, bf16* du, int64_t n) { backward_span(d, g, u, dg, du, n); }

constexpr int64_t grain = 1 << 14; // elements a thread takes at least

at::Tensor gated(const at::Tensor& gate, const at::Tensor& up) {
    if (!fused_on_cpu(gate)) {
        return at::silu(gate) * up;
    }
    auto y = at::empty_like(gate);
    by_type(gate, [&](auto zero) {
        using T = decltype(zero);
        const auto *pg = data_of<T>(gate), *pu = data_of<T>(up);
        auto* py = mutable_data_of<T>(y);
        at::parallel_for(0, gate.numel(), grain, [&](int64_t b, int64_t e) { forward_span_of(pg + b, pu + b, py + b, e - b); });
    });
    return y;
}

std::tuple<at::Tensor, at::Tensor> gated_backward(const at::Tensor& dy, const at::Tensor& gate, const at::Tensor& up) {
    if (!fused_on_cpu(gate)) {
        return {at::silu_backward(dy * up, gate), dy * at::silu(gate)};
    }
    auto dgate = at::empty_like(gate), dup = at::empty_like(up);
    by_type(gate, [&](auto zero) {
        using T = decltype(zero);
        const auto *pd = data_of<T>(dy), *pg = data_of<T>(gate), *pu = data_of<T>(up);
        auto *pdg = mutable_data_of<T>(dgate), *pdu = mutable_data_of<T>(dup);
        at::parallel_for(0, gate.numel(), grain, [&](int64_t b, int64_t e) { backward_span_of(pd + b, pg + b, pu + b, pdg + b, pdu + b, e - b); });
    });
    return {dgate, dup};
}

struct SiluMul : torch::autograd::Function<SiluMul> {
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& gate, const at::Tensor& up) {
        context->save_for_backward({gate, up});
        static const auto kernel = by_device("fovea::silu_mul_forward", gated);
        auto y = kernel.call(gate, up);
        if (wants_cheap_results()) {
            computed_cheaply(y, {gate, up}, [gate = gate.detach(), up = up.detach()] { return kernel.call(gate, up); });
        }
        return y;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        static const auto kernel = by_device("fovea::silu_mul_backward", gated_backward);
        auto [dgate, dup] = kernel.call(gradients[0].contiguous(), saved[0], saved[1]);
        return {dgate, dup};
    }
};

at::Tensor silu_mul(const at::Tensor& gate, const at::Tensor& up) {
    TORCH_CHECK(gate.sizes() == up.sizes() && gate.scalar_type() == up.scalar_type(), "silu_mul: gate ", gate.sizes(), " and up ", up.sizes(), " differ");
    check_one_device("silu_mul", {&gate, &up});
    return SiluMul::apply(gate.contiguous(), up.contiguous());
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("silu_mul(Tensor gate, Tensor up) -> Tensor", fovea::silu_mul);
    fovea::define_kernel(library, "silu_mul_forward(Tensor gate, Tensor up) -> Tensor", fovea::gated);
    fovea::define_kernel(library, "silu_mul_backward(Tensor dy, Tensor gate, Tensor up) -> (Tensor, Tensor)", fovea::gated_backward);
}
