// fovea::rms_norm: x / sqrt(mean(x^2) + epsilon) * (weight + shift) over the last dimension (arXiv 1910.07467), forward and backward in one pass each.
// The shift is 1 where weights lie around 0; the sum is fp32 whatever the element type, so that a small weight is not rounded away.
#include "dispatch.h"
#include "recompute.h"
#include "simd.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

namespace fovea {
namespace {

template <class T>
FOVEA_INLINE float forward_row(const T* x, const T* w, T* y, int64_t width, float epsilon, float shift) {
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < width; i++) {
        const float v = widen(x[i]);
        squares += v * v;
    }
    const float scale = 1.0f / std::sqrt(squares / static_cast<float>(width) + epsilon);
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
        narrow(widen(x[i]) * scale * (widen(w[i]) + shift), &y[i]);
    }
    return scale;
}

// With u = dy * (w + shift): dx = scale * (u - x * scale^2 * mean(u * x)).
template <class T>
FOVEA_INLINE void backward_row(const T* dy, const T* x, const T* w, float scale, T* dx, int64_t width, float shift) {
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < width; i++) {
        dot += widen(dy[i]) * (widen(w[i]) + shift) * widen(x[i]);
    }
    const float back = dot * scale * scale / static_cast<float>(width);
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
        narrow(scale * (widen(dy[i]) * (widen(w[i]) + shift) - widen(x[i]) * back), &dx[i]);
    }
}

FOVEA_CLONES float forward_row_of(const float* x, const float* w, float* y, int64_t n, float e, float b) { return forward_row(x, w, y, n, e, b); }
FOVEA_CLONES float forward_row_of(const bf16* x, const bf16* w, bf16* y, int64_t n, float e, float b) { return forward_row(x, w, y, n, e, b); }
FOVEA_CLONES void backward_row_of(const float* dy, const float* x, const float* w, float s, float* dx, int64_t n, float b) {
    backward_row(dy, x, w, s, dx, n, b);
}
FOVEA_CLONES void backward_row_of(const bf16* dy, const bf16* x, const bf16* w, float s, bf16* dx, int64_t n, float b) {
    backward_row(dy, x, w, s, dx, n, b);
}

constexpr int64_t grain = 16; // rows a thread takes at least

at::Tensor scales_of(const at::Tensor& x, double epsilon) {
    return at::rsqrt(x.to(at::kFloat).pow(2).mean(-1, true) + epsilon);
}

// From one row of the last dimension to the next, where all are equally far apart; -1 where they are not. A head's slice of a fused projection is not copied.
int64_t distance_of_rows(const at::Tensor& x) {
    if (x.size(-1) != 1 && x.stride(-1) != 1) {
        return -1;
    }
    int64_t distance = x.size(-1), rows = 1;
    for (auto d = x.dim() - 2; d >= 0; d--) {
        if (x.size(d) == 1) {
            continue;
        }
        if (rows == 1) {
            distance = x.stride(d);
        } else if (x.stride(d) != distance * rows) {
            return -1;
        }
        rows *= x.size(d);
    }
    return distance;
}

at::Tensor in_rows(const at::Tensor& x) {
    return distance_of_rows(x) < 0 ? x.contiguous() : x;
}

std::tuple<at::Tensor, at::Tensor> norm_forward(const at::Tensor& x, const at::Tensor& weight, double epsilon, double shift) {
    if (!fused_on_cpu(x) || weight.scalar_type() != x.scalar_type()) {
        const auto scale = scales_of(x, epsilon);
        const auto normed = x.to(at::kFloat) * scale;
        return {shift == 0 ? normed.to(x.scalar_type()) * weight : (normed * (weight.to(at::kFloat) + shift)).to(x.scalar_type()), scale};
    }
    auto y = at::empty(x.sizes(), x.options());
    auto scale = at::empty({x.numel() / x.size(-1)}, x.options().dtype(at::kFloat));
    by_type(x, [&](auto zero) {
        using T = decltype(zero);
        const auto width = x.size(-1), next = distance_of_rows(x);
        const auto *px = data_of<T>(x), *pw = data_of<T>(weight);
        auto* py = mutable_data_of<T>(y);
        auto* ps = mutable_data_of<float>(scale);
        at::parallel_for(0, scale.numel(), grain, [&](int64_t begin, int64_t end) {
            for (auto row = begin; row < end; row++) {
                ps[row] = forward_row_of(px + row * next, pw, py + row * width, width, static_cast<float>(epsilon), static_cast<float>(shift));
            }
        });
    });
    return {y, scale};
}

at::Tensor input_gradient(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& scale, double shift) {
    if (!fused_on_cpu(x) || weight.scalar_type() != x.scalar_type()) {
        const auto s = scale.view(x.sizes().slice(0, x.dim() - 1).vec()).unsqueeze(-1);
        const auto u = dy.to(at::kFloat) * (weight.to(at::kFloat) + shift);
        const auto wide = x.to(at::kFloat);
        return (s * (u - wide * s * s * (u * wide).mean(-1, true))).to(x.scalar_type());
    }
    auto dx = at::empty(x.sizes(), x.options());
    by_type(x, [&](auto zero) {
        using T = decltype(zero);
        const auto width = x.size(-1), next = distance_of_rows(x);
        const auto *pdy = data_of<T>(dy), *px = data_of<T>(x), *pw = data_of<T>(weight);
        const auto* ps = data_of<float>(scale);
        auto* pdx = mutable_data_of<T>(dx);
        at::parallel_for(0, scale.numel(), grain, [&](int64_t begin, int64_t end) {
            for (auto row = begin; row < end; row++) {
                backward_row_of(pdy + row * width, px + row * next, pw, ps[row], pdx + row * width, width, static_cast<float>(shift));
            }
        });
    });
    return dx;
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, double epsilon, double shift) {
        static const auto kernel = by_device("fovea::rms_norm_forward", norm_forward);
        auto [y, scale] = kernel.call(x, weight, epsilon, shift);
        context->save_for_backward({x, weight, scale});
        context->saved_data["shift"] = shift;
        if (wants_cheap_results()) {
            computed_cheaply(y, {x, weight}, [x = x.detach(), weight = weight.detach(), epsilon, shift] {
                return std::get<0>(kernel.call(x, weight, epsilon, shift));
            });
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
            dx = kernel.call(dy, x, weight, scale, context->saved_data["shift"].toDouble());
        }
        if (context->needs_input_grad(1)) {
            const auto flat = x.reshape({-1, x.size(-1)}).to(at::kFloat) * scale.view({-1, 1});
            dw = (dy.reshape({-1, x.size(-1)}).to(at::kFloat) * flat).sum(0).to(weight.scalar_type());
        }
        return {dx, dw, at::Tensor(), at::Tensor()};
    }
};

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon, double shift) {
    TORCH_CHECK(weight.dim() == 1 && weight.size(0) == x.size(-1), "rms_norm: weight ", weight.sizes(), " does not fit x ", x.sizes());
    check_one_device("rms_norm", {&x, &weight});
    return RmsNorm::apply(in_rows(x), weight.contiguous(), epsilon, shift);
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("rms_norm(Tensor x, Tensor weight, float epsilon, float shift) -> Tensor", fovea::rms_norm);
    fovea::define_kernel(library, "rms_norm_forward(Tensor x, Tensor weight, float epsilon, float shift) -> (Tensor, Tensor)", fovea::norm_forward);
    fovea::define_kernel(library, "rms_norm_backward(Tensor dy, Tensor x, Tensor weight, Tensor scale, float shift) -> Tensor", fovea::input_gradient);
}
