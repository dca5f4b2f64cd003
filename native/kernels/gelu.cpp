// fovea::gelu_tanh: the tanh form of GELU (arXiv 1606.08415), 0.5 x (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3), as x * sigmoid(2 u): one
// exponential for each number, forward and backward.
#include "simd.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace fovea {
namespace {

constexpr float root = 1.5957691216f, cube = 0.044715f; // 2 sqrt(2 / pi)

template <class X>
FOVEA_INLINE X gate_of(const X& x) {
    return sigmoid_fast(x * root * (x * x * cube + 1.0f));
}

template <class X>
FOVEA_INLINE X slope_of(const X& x) {
    const X s = gate_of(x);
    return s + x * s * (1.0f - s) * root * (x * x * (3 * cube) + 1.0f);
}

template <class T>
FOVEA_INLINE void forward_span(const T* x, T* y, int64_t count) {
    each_of(count, FOVEA_EACH {
        const auto v = read(x + i, zero);
        write(v * gate_of(v), y + i);
    });
}

template <class T>
FOVEA_INLINE void backward_span(const T* dy, const T* x, T* dx, int64_t count) {
    each_of(count, FOVEA_EACH { write(read(dy + i, zero) * slope_of(read(x + i, zero)), dx + i); });
}

FOVEA_CLONES void forward_span_of(const float* x, float* y, int64_t n) { forward_span(x, y, n); }
FOVEA_CLONES void forward_span_of(const bf16* x, bf16* y, int64_t n) { forward_span(x, y, n); }
FOVEA_CLONES void backward_span_of(const float* dy, const float* x, float* dx, int64_t n) { backward_span(dy, x, dx, n); }
FOVEA_CLONES void backward_span_of(const bf16* dy, const bf16* x, bf16* dx, int64_t n) { backward_span(dy, x, dx, n); }

constexpr int64_t grain = 1 << 14; // elements a thread takes at least

struct GeluTanh : torch::autograd::Function<GeluTanh> {
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x) {
        context->save_for_backward({x});
        auto y = at::empty_like(x);
        by_type(x, [&](auto zero) {
            const auto* from = data_of<decltype(zero)>(x);
            auto* to = mutable_data_of<decltype(zero)>(y);
            at::parallel_for(0, x.numel(), grain, [&](int64_t b, int64_t e) { forward_span_of(from + b, to + b, e - b); });
        });
        return y;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto x = context->get_saved_variables()[0], dy = gradients[0].contiguous();
        auto dx = at::empty_like(x);
        by_type(x, [&](auto zero) {
            const auto *px = data_of<decltype(zero)>(x), *pdy = data_of<decltype(zero)>(dy);
            auto* to = mutable_data_of<decltype(zero)>(dx);
            at::parallel_for(0, x.numel(), grain, [&](int64_t b, int64_t e) { backward_span_of(pdy + b, px + b, to + b, e - b); });
        });
        return {dx};
    }
};

at::Tensor gelu_tanh(const at::Tensor& x) { return fused_on_cpu(x) ? GeluTanh::apply(x.contiguous()) : at::gelu(x, "tanh"); }

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) { library.def("gelu_tanh(Tensor x) -> Tensor", fovea::gelu_tanh); }
