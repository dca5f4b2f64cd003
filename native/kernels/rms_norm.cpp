// fovea::rms_norm: x / sqrt(mean(x^2) + epsilon) * weight over the last dimension (arXiv 1910.07467), forward and backward in one pass each.
#include "dispatch.h"
#include "recompute.h"
#include "simd.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

namespace fovea {
namespace {

template <class T>
FOVEA_INLINE float forward_row(const T* x, const T* w, T* y, int64_t width, float epsilon) {
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < width; i++) {
        const float v = widen(x[i]);
        squares += v * v;
    }
    const float scale = 1.0f / std::sqrt(squares / static_cast<float>(width) + epsilon);
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
        narrow(widen(x[i]) * scale * widen(w[i]), &y[i]);
    }
    return scale;
}

// With u = dy * w: dx = scale * (u - x * scale^2 * mean(u * x)).
template <class T>
FOVEA_INLINE void backward_row(const T* dy, const T* x, const T* w, float scale, T* dx, int64_t width) {
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < width; i++) {
        dot += widen(dy[i]) * widen(w[i]) * widen(x[i]);
    }
    const float back = dot * scale * scale / static_cast<float>(width);
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
        narrow(scale * (widen(dy[i]) * widen(w[i]) - widen(x[i]) * back), &dx[i]);
    }
}

FOVEA_CLONES float forward_row_of(const float* x, const float* w, float* y, int64_t n, float e) { return forward_row(x, w, y, n, e); }
FOVEA_CLONES float forward_row_of(const bf16* x, const bf16* w, bf16* y, int64_t n, float e) { return forward_row(x, w, y, n, e); }
FOVEA_CLONES void backward_row_of(const float* dy, const float* x, const float* w, float s, float* dx, int64_t n) { backward_row(dy, x, w, s, dx, n); }
FOVEA_CLONES void backward_row_of(const bf16* dy, const bf16* x, const bf16* w, float s, bf16* dx, int64_t n) { backward_row(dy, x, w, s, dx, n); }

constexpr int64_t grain = 16; // rows a thread takes at least

at::Tensor scales_of(const at::Tensor& x, double epsilon) {
    return at::rsqrt(x.to(at::kFloat).pow(2).mean(-1, true) + epsilon);
}

std::tuple<at::Tensor, at::Tensor> norm_forward(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
    if (!fused_on_cpu(x) || weight.scalar_type() != x.scalar_type()) {
        const auto scale = scales_of(x, epsilon);
        return {(x.to(at::kFloat) * scale).to(x.scalar_type()) * weight, scale};
    }
    auto y = at::empty_like(x, at::MemoryFormat::Contiguous);
    auto scale = at::empty({x.numel() / x.size(-1)}, x.options().dtype(at::kFloat));
    by_type(x, [&](auto zero) {
        using T = decltype(zero);
        const auto width = x.size(-1);
        const auto *px = data_of<T>(x), *pw = data_of<T>(weight);
        auto* py = mutable_data_of<T>(y);
        auto* ps = mutable_data_of<float>(scale);
        at::parallel_for(0, scale.numel(), grain, [&](int64_t begin, int64_t end) {
            for (auto row = begin; row < end; row++) {
                ps[row] = forward_row_of(px + row * width, pw, py + row * width, width, static_cast<float>(epsilon));
            }
        });
    });
    return {y, scale};
}

at::Tensor input_gradient(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& scale) {
    if (!fused_on_cpu(x) || weight.scalar_type() != x.scalar_type()) {
        const auto s = scale.view(x.sizes().slice(0, x.dim() - 1).vec()).unsqueeze(-1);
        const auto u = dy.to(at::kFloat) * weight.to(at::kFloat);
        const auto wide = x.to(at::kFloat);
        return (s * (u - wide * s * s * (u * wide).mean(-1, true))).to(x.scalar_type());
    }
    auto dx = at::empty_like(x, at::MemoryFormat::Contiguous);
    by_type(x, [&](auto zero) {
        using T = decltype(zero);
        const auto width = x.size(-1);
        const auto *pdy = data_of<T>(dy), *px = data_of<T>(x), *pw = data_of<T>(weight);
        const auto* ps = data_of<float>(scale);
        auto* pdx = mutable_data_of<T>(dx);
        at::parallel_for(0, scale.numel(), grain, [&](int64_t begin, int64_t end) {
            for (auto row = begin; row < end; row++) {
                backward_row_of(pdy + row * width, px + row * width, pw, ps[row], pdx + row * width, width);
            }
        });
    });
    return dx;
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, double epsilon) {
        static const auto kernel = by_device("fovea::rms_norm_forward", norm_forward);
        auto [y, scale] = kernel.call(x, weight, epsilon);
        context->save_for_backward({x, weight, scale});
        if (wants_cheap_results()) {
            computed_cheaply(y, [x = x.detach(), weight = weight.detach(), epsilon] { return std::get<0>(kernel.call(x, weight, epsilon)); });
        }
        return y;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &weight = saved[1], &scale = saved[2];
        const auto dy = gradients[0].contiguous();
        at::Tensor dx, dw;
        if (context->needs_input_grad(0)) {
            static const auto kernel = by_device("fovea::rms_norm_backward", input_gradient);
            dx = kernel.call(dy, x, weight, scale);
        }
        if (context->needs_input_grad(1)) {
            const auto flat = x.reshape({-1, x.size(-1)}).to(at::kFloat) * scale.view({-1, 1});
            dw = (dy.reshape({-1, x.size(-1)}).to(at::kFloat) * flat).sum(0).to(weight.scalar_type());
        }
        return {dx, dw, at::Tensor()};
    }
};

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
    TORCH_CHECK(weight.dim() == 1 && weight.size(0) == x.size(-1), "rms_norm: weight ", weight.sizes(), " does not fit x ", x.sizes());
    check_one_device("rms_norm", {&x, &weight});
    return RmsNorm::apply(x.contiguous(), weight.contiguous(), epsilon);
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("rms_norm(Tensor x, Tensor weight, float epsilon) -> Tensor", fovea::rms_norm);
    fovea::define_kernel(library, "rms_norm_forward(Tensor x, Tensor weight, float epsilon) -> (Tensor, Tensor)", fovea::norm_forward);
    fovea::define_kernel(library, "rms_norm_backward(Tensor dy, Tensor x, Tensor weight, Tensor scale) -> Tensor", fovea::input_gradient);
}
