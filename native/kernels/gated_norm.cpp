// fovea::gated_norm: silu(gate) * x / sqrt(mean(x^2) + epsilon) * weight over the last dimension of x, the end of a Gated DeltaNet mixer, forward and backward
// in one pass each; the norm alone is never kept.
#include "dispatch.h"
#include "recompute.h"
#include "simd.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

namespace fovea {
namespace {

template <class T>
FOVEA_INLINE float forward_row(const T* x, const T* gate, const T* w, T* y, int64_t size, float epsilon) {
    lanes squares{};
    float rest = 0;
    each_of(size, [&](int64_t i, auto zero) __attribute__((always_inline)) {
        const auto v = read(x + i, zero);
        if constexpr (std::is_same_v<decltype(zero), float>) {
            rest += v * v;
        } else {
            squares += v * v;
        }
    });
    const float scale = 1.0f / std::sqrt((sum_of(squares) + rest) / static_cast<float>(size) + epsilon);
    each_of(size, [&](int64_t i, auto zero) __attribute__((always_inline)) {
        const auto g = read(gate + i, zero);
        write(g * sigmoid_fast(g) * (read(x + i, zero) * scale * read(w + i, zero)), y + i);
    });
    return scale;
}

// With n = x scale w, dn = dy silu(gate) and u = dn w: dgate = dy n silu'(gate), dx = scale (u - x scale^2 mean(u x)), dw += dn x scale.
template <class T>
FOVEA_INLINE void backward_row(
    const T* dy, const T* x, const T* gate, const T* w, float scale, T* dx, T* dgate, float* dw, float* u, int64_t size) {
    lanes dots{};
    float rest = 0;
    each_of(size, [&](int64_t i, auto zero) __attribute__((always_inline)) {
        const auto d = read(dy + i, zero), g = read(gate + i, zero), s = sigmoid_fast(g), wide = read(x + i, zero), factor = read(w + i, zero);
        const auto dn = d * g * s, normed = wide * scale;
        write(d * (normed * factor) * s * (1.0f + g * (1.0f - s)), dgate + i);
        write(read(dw + i, zero) + dn * normed, dw + i);
        write(dn * factor, u + i);
        if constexpr (std::is_same_v<decltype(zero), float>) {
            rest += dn * factor * wide;
        } else {
            dots += dn * factor * wide;
        }
    });
    const float back = (sum_of(dots) + rest) * scale * scale / static_cast<float>(size);
    each_of(size, [&](int64_t i, auto zero) __attribute__((always_inline)) {
        write(scale * (read(u + i, zero) - read(x + i, zero) * back), dx + i);
    });
}

template <class T>
FOVEA_INLINE void forward_rows(const T* x, const T* gate, const T* w, T* y, float* scales, int64_t rows, int64_t size, float epsilon) {
    for (int64_t r = 0; r < rows; r++) {
        scales[r] = forward_row(x + r * size, gate + r * size, w, y + r * size, size, epsilon);
    }
}

template <class T>
FOVEA_INLINE void backward_rows(
    const T* dy, const T* x, const T* gate, const T* w, const float* scales, T* dx, T* dgate, float* dw, float* u, int64_t rows, int64_t size) {
    for (int64_t r = 0; r < rows; r++) {
        const auto at = r * size;
        backward_row(dy + at, x + at, gate + at, w, scales[r], dx + at, dgate + at, dw, u, size);
    }
}

FOVEA_CLONES void forward_of(const float* x, const float* g, const float* w, float* y, float* s, int64_t r, int64_t n, float e) {
    forward_rows(x, g, w, y, s, r, n, e);
}
FOVEA_CLONES void forward_of(const bf16* x, const bf16* g, const bf16* w, bf16* y, float* s, int64_t r, int64_t n, float e) {
    forward_rows(x, g, w, y, s, r, n, e);
}
FOVEA_CLONES void backward_of(
    const float* dy, const float* x, const float* g, const float* w, const float* s, float* dx, float* dg, float* dw, float* u, int64_t r, int64_t n) {
    backward_rows(dy, x, g, w, s, dx, dg, dw, u, r, n);
}
FOVEA_CLONES void backward_of(
    const bf16* dy, const bf16* x, const bf16* g, const bf16* w, const float* s, bf16* dx, bf16* dg, float* dw, float* u, int64_t r, int64_t n) {
    backward_rows(dy, x, g, w, s, dx, dg, dw, u, r, n);
}

constexpr int64_t block_rows = 512; // a thread takes at least; the weight's gradient is summed block by block, so that threads do not change its bits

bool fits_cpu(const at::Tensor& x, const at::Tensor& weight) { return fused_on_cpu(x) && weight.scalar_type() == x.scalar_type(); }

std::tuple<at::Tensor, at::Tensor> normed(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
    using Norm = std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&, double, double);
    static const auto norm = c10::Dispatcher::singleton().findSchemaOrThrow("fovea::rms_norm_forward", "").typed<Norm>();
    return norm.call(x, weight, epsilon, 0);
}

// x [.., D] and gate [.., D] of as many numbers, side by side; weight [D].
std::tuple<at::Tensor, at::Tensor> norm_forward(const at::Tensor& x, const at::Tensor& gate, const at::Tensor& weight, double epsilon) {
    if (!fits_cpu(x, weight)) {
        using Gate = at::Tensor(const at::Tensor&, const at::Tensor&);
        static const auto gated = c10::Dispatcher::singleton().findSchemaOrThrow("fovea::silu_mul_forward", "").typed<Gate>();
        const auto [y, scale] = normed(x, weight, epsilon);
        return {gated.call(gate, y.view(gate.sizes())), scale};
    }
    const auto size = x.size(-1), rows = x.numel() / size;
    auto y = at::empty(gate.sizes(), gate.options()), scale = at::empty({rows}, x.options().dtype(at::kFloat));
    by_type(x, [&](auto zero) {
        using T = decltype(zero);
        const auto *px = data_of<T>(x), *pg = data_of<T>(gate), *pw = data_of<T>(weight);
        auto *py = mutable_data_of<T>(y);
        auto *ps = mutable_data_of<float>(scale);
        at::parallel_for(0, rows, block_rows, [&](int64_t begin, int64_t end) {
            const auto at = begin * size;
            forward_of(px + at, pg + at, pw, py + at, ps + begin, end - begin, size, static_cast<float>(epsilon));
        });
    });
    return {y, scale};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> norm_backward(
    const at::Tensor& dy, const at::Tensor& x, const at::Tensor& gate, const at::Tensor& weight, const at::Tensor& scale, double epsilon) {
    const auto size = x.size(-1), rows = x.numel() / size;
    if (!fits_cpu(x, weight)) {
        using Gate = std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&, const at::Tensor&);
        using Norm = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, double);
        static const auto gated = c10::Dispatcher::singleton().findSchemaOrThrow("fovea::silu_mul_backward", "").typed<Gate>();
        static const auto norm = c10::Dispatcher::singleton().findSchemaOrThrow("fovea::rms_norm_backward", "").typed<Norm>();
        const auto y = std::get<0>(normed(x, weight, epsilon));
        auto [dgate, dnormed] = gated.call(dy, gate, y.view(gate.sizes()));
        const auto of_norm = dnormed.view(x.sizes());
        const auto flat = x.reshape({-1, size}).to(at::kFloat) * scale.reshape({-1, 1});
        auto dweight = (of_norm.reshape({-1, size}).to(at::kFloat) * flat).sum(0).to(weight.scalar_type());
        return {norm.call(of_norm, x, weight, scale, 0), dgate, dweight};
    }
    const auto blocks = (rows + block_rows - 1) / block_rows;
    auto dx = at::empty(x.sizes(), x.options()), dgate = at::empty(gate.sizes(), gate.options());
    const auto sums = at::zeros({blocks, size}, scale.options());
    by_type(x, [&](auto zero) {
        using T = decltype(zero);
        const auto *pdy = data_of<T>(dy), *px = data_of<T>(x), *pg = data_of<T>(gate), *pw = data_of<T>(weight);
        const auto* ps = data_of<float>(scale);
        auto *pdx = mutable_data_of<T>(dx), *pdg = mutable_data_of<T>(dgate);
        auto* pdw = mutable_data_of<float>(sums);
        at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
            std::vector<float> u(size);
            for (auto block = begin; block < end; block++) {
                const auto first = block * block_rows, at = first * size, count = std::min(block_rows, rows - first);
                backward_of(pdy + at, px + at, pg + at, pw, ps + first, pdx + at, pdg + at, pdw + block * size, u.data(), count, size);
            }
        });
    });
    return {dx, dgate, sums.sum(0).to(weight.scalar_type())};
}

std::tuple<at::Tensor, at::Tensor> forward_shapes(const at::Tensor& x, const at::Tensor& gate, const at::Tensor&, double) {
    return {at::empty(gate.sizes(), gate.options()), at::empty({x.numel() / x.size(-1)}, x.options().dtype(at::kFloat))};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> backward_shapes(
    const at::Tensor&, const at::Tensor& x, const at::Tensor& gate, const at::Tensor& weight, const at::Tensor&, double) {
    return {at::empty(x.sizes(), x.options()), at::empty(gate.sizes(), gate.options()), at::empty(weight.sizes(), weight.options())};
}

struct GatedNorm : torch::autograd::Function<GatedNorm> {
    static at::Tensor forward(
        torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& gate, const at::Tensor& weight, double epsilon) {
        static const auto kernel = by_device("fovea::gated_norm_forward", norm_forward);
        auto [y, scale] = kernel.call(x, gate, weight, epsilon);
        context->save_for_backward({x, gate, weight, scale});
        context->saved_data["epsilon"] = epsilon;
        if (wants_cheap_results()) {
            computed_cheaply(y, {x, gate, weight}, [x = x.detach(), gate = gate.detach(), weight = weight.detach(), epsilon] {
                return std::get<0>(kernel.call(x, gate, weight, epsilon));
            });
        }
        return y;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        static const auto kernel = by_device("fovea::gated_norm_backward", norm_backward);
        const auto saved = context->get_saved_variables();
        const auto epsilon = context->saved_data["epsilon"].toDouble();
        auto [dx, dgate, dweight] = kernel.call(gradients[0].contiguous(), saved[0], saved[1], saved[2], saved[3], epsilon);
        return {dx, dgate, context->needs_input_grad(2) ? dweight : at::Tensor(), at::Tensor()};
    }
};

at::Tensor gated_norm(const at::Tensor& x, const at::Tensor& gate, const at::Tensor& weight, double epsilon) {
    TORCH_CHECK(
        x.dim() > 0 && weight.dim() == 1 && weight.size(0) == x.size(-1) && x.size(-1) > 0 && gate.numel() == x.numel()
            && gate.scalar_type() == x.scalar_type(),
        "gated_norm: x ", x.sizes(), ", gate ", gate.sizes(), ", weight ", weight.sizes());
    check_one_device("gated_norm", {&x, &gate, &weight});
    return GatedNorm::apply(x.contiguous(), gate.contiguous(), weight.contiguous(), epsilon);
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("gated_norm(Tensor x, Tensor gate, Tensor weight, float epsilon) -> Tensor", fovea::gated_norm);
    fovea::define_kernel(library, "gated_norm_forward(Tensor x, Tensor gate, Tensor weight, float epsilon) -> (Tensor, Tensor)", fovea::norm_forward);
    fovea::define_kernel(
        library, "gated_norm_backward(Tensor dy, Tensor x, Tensor gate, Tensor weight, Tensor scale, float epsilon) -> (Tensor, Tensor, Tensor)",
        fovea::norm_backward);
}

TORCH_LIBRARY_IMPL(fovea, Meta, library) {
    library.impl("gated_norm_forward", fovea::forward_shapes);
    library.impl("gated_norm_backward", fovea::backward_shapes);
}
