// fovea::rotary: rotary position embedding in its rotate-half form (arXiv 2104.09864), computed in fp32, forward and backward in one pass each. As many of a
// head's first values are turned as there are angles; the others pass.
#include "dispatch.h"
#include "simd.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace fovea {
namespace {

// y1 = x1 cos1 - x2 sin1, y2 = x2 cos2 + x1 sin2; the inverse (transpose) with sign = -1 swaps which sine goes where.
template <class T>
FOVEA_INLINE void rotate(const T* x, const float* cos, const float* sin, T* y, int64_t half, bool inverse) {
    const float* low = inverse ? sin + half : sin;
    const float* high = inverse ? sin : sin + half;
    const float sign = inverse ? -1.0f : 1.0f;
#pragma omp simd
    for (int64_t i = 0; i < half; i++) {
        const float a = widen(x[i]), b = widen(x[i + half]);
        narrow(a * cos[i] - sign * b * low[i], &y[i]);
        narrow(b * cos[i + half] + sign * a * high[i], &y[i + half]);
    }
}

FOVEA_CLONES void rotate_of(const float* x, const float* c, const float* s, float* y, int64_t h, bool inverse) { rotate(x, c, s, y, h, inverse); }
FOVEA_CLONES void rotate_of(const bf16* x, const float* c, const float* s, bf16* y, int64_t h, bool inverse) { rotate(x, c, s, y, h, inverse); }

constexpr int64_t grain = 64; // tokens a thread takes at least

// x [T, H, D] with D dense; token and head strides as they come, so that a slice of a fused projection needs no copy.
at::Tensor turn(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, bool inverse) {
    const auto heads = x.size(1), size = x.size(2), turns = cos.size(1);
    if (!fused_on_cpu(x)) {
        const auto c = cos.view({-1, 1, turns}), s = sin.view({-1, 1, turns});
        const auto wide = x.slice(2, 0, turns).to(at::kFloat);
        const auto a = wide.slice(2, 0, turns / 2), b = wide.slice(2, turns / 2);
        const auto s1 = s.slice(2, 0, turns / 2), s2 = s.slice(2, turns / 2);
        const auto turned = inverse ? at::cat({b * s2, -(a * s1)}, 2) : at::cat({-(b * s1), a * s2}, 2);
        const auto y = (wide * c + turned).to(x.scalar_type());
        return turns == size ? y : at::cat({y, x.slice(2, turns)}, 2);
    }
    auto y = at::empty({x.size(0), heads, size}, x.options());
    by_type(x, [&](auto zero) {
        using T = decltype(zero);
        const auto* px = data_of<T>(x);
        const auto *pc = data_of<float>(cos), *ps = data_of<float>(sin);
        auto* py = mutable_data_of<T>(y);
        const auto by_token = x.stride(0), by_head = x.stride(1);
        at::parallel_for(0, x.size(0), grain, [&](int64_t begin, int64_t end) {
            for (auto t = begin; t < end; t++) {
                for (int64_t h = 0; h < heads; h++) {
                    const auto* from = px + t * by_token + h * by_head;
                    auto* to = py + (t * heads + h) * size;
                    rotate_of(from, pc + t * turns, ps + t * turns, to, turns / 2, inverse);
                    std::copy(from + turns, from + size, to + turns);
                }
            }
        });
    });
    return y;
}

at::Tensor dense_rows(const at::Tensor& x) {
    return x.stride(2) == 1 ? x : x.contiguous();
}

at::Tensor turn_on_device(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, bool inverse) {
    static const auto kernel = by_device("fovea::rotate", turn);
    return kernel.call(dense_rows(x), cos, sin, inverse);
}

struct Rotary : torch::autograd::Function<Rotary> {
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
        context->save_for_backward({cos, sin});
        return turn_on_device(x, cos, sin, false);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        return {turn_on_device(gradients[0], saved[0], saved[1], true), at::Tensor(), at::Tensor()};
    }
};

// cos and sin are fp32 [T, R], R at most D.
at::Tensor rotary(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
    TORCH_CHECK(
        x.dim() == 3 && cos.dim() == 2 && cos.size(0) == x.size(0) && cos.size(1) <= x.size(2) && cos.size(1) % 2 == 0 && sin.sizes() == cos.sizes(),
        "rotary: x ", x.sizes(), ", cos ", cos.sizes(), ", sin ", sin.sizes());
    TORCH_CHECK(cos.scalar_type() == at::kFloat && sin.scalar_type() == at::kFloat, "rotary: cos and sin must be fp32");
    check_one_device("rotary", {&x, &cos, &sin});
    return Rotary::apply(x, cos.contiguous(), sin.contiguous());
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("rotary(Tensor x, Tensor cos, Tensor sin) -> Tensor", fovea::rotary);
    fovea::define_kernel(library, "rotate(Tensor x, Tensor cos, Tensor sin, bool inverse) -> Tensor", fovea::turn);
}
