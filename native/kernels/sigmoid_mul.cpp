// fovea::sigmoid_mul: x * sigmoid(gate), the gate of an attention's output (arXiv 2505.06708), forward and backward in one pass each. x is dense; the gate
// may be a slice of a fused projection, whose heads lie apart.
#include "dispatch.h"
#include "recompute.h"
#include "simd.h"
#include "slower_ways.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace fovea {
namespace {

template <class T>
FOVEA_INLINE void forward_span(const T* x, const T* gate, T* y, int64_t count) {
    each_of(count, FOVEA_EACH { write(read(x + i, zero) * sigmoid_fast(read(gate + i, zero)), y + i); });
}

template <class T>
FOVEA_INLINE void backward_span(const T* dy, const T* x, const T* gate, T* dx, T* dgate, int64_t count) {
    each_of(count, FOVEA_EACH {
        const auto d = read(dy + i, zero), s = sigmoid_fast(read(gate + i, zero));
        write(d * s, dx + i);
        write(d * read(x + i, zero) * s * (1.0f - s), dgate + i);
    });
}

FOVEA_CLONES void forward_span_of(const float* x, const float* g, float* y, int64_t n) { forward_span(x, g, y, n); }
FOVEA_CLONES void forward_span_of(const bf16* x, const bf16* g, bf16* y, int64_t n) { forward_span(x, g, y, n); }
FOVEA_CLONES void backward_span_of(const float* d, const float* x, const float* g, float* dx, float* dg, int64_t n) { backward_span(d, x, g, dx, dg, n); }
FOVEA_CLONES void backward_span_of(const bf16* d, const bf16* x, const bf16* g, bf16* dx, bf16* dg, int64_t n) { backward_span(d, x, g, dx, dg, n); }

constexpr int64_t grain = 16; // tokens a thread takes at least

// gate [T, H, D] with D dense; body is called with the offset of each head in x and in the gate.
template <class Body>
void each_head(const at::Tensor& gate, Body&& body) {
    const auto heads = gate.size(1), size = gate.size(2), by_token = gate.stride(0), by_head = gate.stride(1);
    at::parallel_for(0, gate.size(0), grain, [&](int64_t begin, int64_t end) {
        for (auto t = begin; t < end; t++) {
            for (int64_t h = 0; h < heads; h++) {
                body((t * heads + h) * size, t * by_token + h * by_head, size);
            }
        }
    });
}

// Plain arithmetic, as libtorch's sigmoid rounds the last numbers of a thread's part in a way of their own.
at::Tensor wide_sigmoid(const at::Tensor& gate) {
    return at::reciprocal(at::exp(-gate.to(at::kFloat)) + 1);
}

at::Tensor opened(const at::Tensor& x, const at::Tensor& gate) {
    if (!fused_on_cpu(x)) {
        note_slower_way("the gate of attention's output", x, "heads", gate.size(2));
        return (x.view(gate.sizes()).to(at::kFloat) * wide_sigmoid(gate)).to(x.scalar_type()).view(x.sizes());
    }
    auto y = at::empty_like(x);
    by_type(x, [&](auto zero) {
        using T = decltype(zero);
        const auto *px = data_of<T>(x), *pg = data_of<T>(gate);
        auto* py = mutable_data_of<T>(y);
        each_head(gate, [&](int64_t at, int64_t in_gate, int64_t size) { forward_span_of(px + at, pg + in_gate, py + at, size); });
    });
    return y;
}

std::tuple<at::Tensor, at::Tensor> opened_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& gate) {
    if (!fused_on_cpu(x)) {
        note_slower_way("the gate of attention's output", x, "heads", gate.size(2));
        const auto s = wide_sigmoid(gate), d = dy.view(gate.sizes()).to(at::kFloat);
        return {(d * s).to(x.scalar_type()).view(x.sizes()), (d * x.view(gate.sizes()).to(at::kFloat) * s * (1 - s)).to(x.scalar_type())};
    }
    auto dx = at::empty_like(x), dgate = at::empty(gate.sizes(), gate.options());
    by_type(x, [&](auto zero) {
        using T = decltype(zero);
        const auto *pd = data_of<T>(dy), *px = data_of<T>(x), *pg = data_of<T>(gate);
        auto *pdx = mutable_data_of<T>(dx), *pdg = mutable_data_of<T>(dgate);
        each_head(gate, [&](int64_t at, int64_t in_gate, int64_t size) {
            backward_span_of(pd + at, px + at, pg + in_gate, pdx + at, pdg + at, size);
        });
    });
    return {dx, dgate};
}

struct SigmoidMul : torch::autograd::Function<SigmoidMul> {
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& gate) {
        context->save_for_backward({x, gate});
        static const auto kernel = by_device("fovea::sigmoid_mul_forward", opened);
        auto y = kernel.call(x, gate);
        if (wants_cheap_results()) {
            computed_cheaply(y, {x, gate}, [x = x.detach(), gate = gate.detach()] { return kernel.call(x, gate); });
        }
        return y;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        static const auto kernel = by_device("fovea::sigmoid_mul_backward", opened_backward);
        auto [dx, dgate] = kernel.call(gradients[0].contiguous(), saved[0], saved[1]);
        return {dx, dgate};
    }
};

// x [T, H * D], gate [T, H, D].
at::Tensor sigmoid_mul(const at::Tensor& x, const at::Tensor& gate) {
    TORCH_CHECK(
        x.dim() == 2 && gate.dim() == 3 && x.size(0) == gate.size(0) && x.size(1) == gate.size(1) * gate.size(2) && x.scalar_type() == gate.scalar_type(),
        "sigmoid_mul: x ", x.sizes(), " and gate ", gate.sizes(), " differ");
    check_one_device("sigmoid_mul", {&x, &gate});
    return SigmoidMul::apply(x.contiguous(), gate.stride(2) == 1 ? gate : gate.contiguous());
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("sigmoid_mul(Tensor x, Tensor gate) -> Tensor", fovea::sigmoid_mul);
    fovea::define_kernel(library, "sigmoid_mul_forward(Tensor x, Tensor gate) -> Tensor", fovea::opened);
    fovea::define_kernel(library, "sigmoid_mul_backward(Tensor dy, Tensor x, Tensor gate) -> (Tensor, Tensor)", fovea::opened_backward);
}
