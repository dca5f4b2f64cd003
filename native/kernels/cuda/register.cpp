// CUDA's own kernels, registered under the names that dispatch.h explains. Compiled only where nvcc compiled the .cu files beside it.
#ifdef FOVEA_NVCC
#include "register.h"

#include <torch/library.h>

namespace fovea::cuda {
namespace {

std::tuple<at::Tensor, at::Tensor> norm(const at::Tensor& given, const at::Tensor& weight, double epsilon, double shift) {
    const c10::cuda::CUDAGuard guard(given.device());
    const auto x = given.contiguous(), w = weight.to(given.scalar_type()).contiguous();
    check_same("rms_norm", x, w);
    const auto width = x.size(-1), rows = width == 0 ? 0 : x.numel() / width;
    auto y = at::empty_like(x, at::MemoryFormat::Contiguous);
    auto scale = at::empty({rows}, x.options().dtype(at::kFloat));
    if (rows > 0) {
        cuda::rms_norm_forward(
            type_of(x), x.const_data_ptr(), w.const_data_ptr(), y.mutable_data_ptr(), scale.mutable_data_ptr<float>(), rows, width,
            static_cast<float>(epsilon), static_cast<float>(shift), stream());
        C10_CUDA_KERNEL_LAUNCH_CHECK();
    }
    return {y, scale};
}

at::Tensor norm_gradient(const at::Tensor& given, const at::Tensor& rows_of_x, const at::Tensor& weight, const at::Tensor& scale, double shift) {
    const c10::cuda::CUDAGuard guard(rows_of_x.device());
    const auto dy = given.contiguous(), x = rows_of_x.contiguous(), w = weight.to(x.scalar_type()).contiguous();
    check_same("rms_norm", dy, x);
    const auto width = x.size(-1), rows = scale.numel();
    auto dx = at::empty_like(x, at::MemoryFormat::Contiguous);
    if (rows > 0) {
        cuda::rms_norm_backward(
            type_of(x), dy.const_data_ptr(), x.const_data_ptr(), w.const_data_ptr(), scale.const_data_ptr<float>(), dx.mutable_data_ptr(), rows, width,
            static_cast<float>(shift), stream());
        C10_CUDA_KERNEL_LAUNCH_CHECK();
    }
    return dx;
}

at::Tensor turned(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, bool inverse) {
    const c10::cuda::CUDAGuard guard(x.device());
    TORCH_CHECK(x.stride(2) == 1 && cos.is_contiguous() && sin.is_contiguous(), "rotary: dense heads and angles are needed");
    check_same("rotary", cos, sin);
    TORCH_CHECK(cos.device() == x.device(), "rotary: angles on ", cos.device(), " and vectors on ", x.device());
    auto y = at::empty({x.size(0), x.size(1), x.size(2)}, x.options());
    if (cos.size(1) < x.size(2)) {
        y.slice(2, cos.size(1)).copy_(x.slice(2, cos.size(1)));
    }
    if (x.numel() > 0) {
        cuda::rotate(
            type_of(x), x.const_data_ptr(), cos.const_data_ptr<float>(), sin.const_data_ptr<float>(), y.mutable_data_ptr(), x.size(0), x.size(1), x.size(2),
            cos.size(1), x.stride(0), x.stride(1), inverse, stream());
        C10_CUDA_KERNEL_LAUNCH_CHECK();
    }
    return y;
}

at::Tensor gated(const at::Tensor& given_gate, const at::Tensor& given_up) {
    const c10::cuda::CUDAGuard guard(given_gate.device());
    const auto gate = given_gate.contiguous(), up = given_up.contiguous();
    check_same("silu_mul", gate, up);
    auto y = at::empty_like(gate, at::MemoryFormat::Contiguous);
    if (y.numel() > 0) {
        cuda::silu_mul_forward(type_of(gate), gate.const_data_ptr(), up.const_data_ptr(), y.mutable_data_ptr(), y.numel(), stream());
        C10_CUDA_KERNEL_LAUNCH_CHECK();
    }
    return y;
}

std::tuple<at::Tensor, at::Tensor> gated_gradient(const at::Tensor& given, const at::Tensor& given_gate, const at::Tensor& given_up) {
    const c10::cuda::CUDAGuard guard(given.device());
    const auto dy = given.contiguous(), gate = given_gate.contiguous(), up = given_up.contiguous();
    check_same("silu_mul", dy, gate);
    auto dgate = at::empty_like(gate, at::MemoryFormat::Contiguous), dup = at::empty_like(up, at::MemoryFormat::Contiguous);
    if (dy.numel() > 0) {
        cuda::silu_mul_backward(
            type_of(dy), dy.const_data_ptr(), gate.const_data_ptr(), up.const_data_ptr(), dgate.mutable_data_ptr(), dup.mutable_data_ptr(), dy.numel(),
            stream());
        C10_CUDA_KERNEL_LAUNCH_CHECK();
    }
    return {dgate, dup};
}

at::Tensor losses_of(at::Tensor& logits, const at::Tensor& targets, const at::Tensor& weights) {
    const c10::cuda::CUDAGuard guard(logits.device());
    TORCH_CHECK(
        logits.dim() == 2 && logits.is_contiguous() && targets.is_contiguous() && weights.is_contiguous() && targets.sizes() == weights.sizes()
            && targets.numel() == logits.size(0) && targets.device() == logits.device() && weights.device() == logits.device(),
        "cross_entropy_in_place: logits ", logits.sizes(), " on ", logits.device(), ", targets ", targets.sizes(), " on ", targets.device(), ", weights ",
        weights.sizes(), " on ", weights.device());
    auto losses = at::empty({logits.size(0)}, weights.options());
    if (logits.numel() > 0) {
        cuda::cross_entropy_in_place(
            type_of(logits), logits.mutable_data_ptr(), targets.const_data_ptr<int64_t>(), weights.const_data_ptr<float>(),
            losses.mutable_data_ptr<float>(), logits.size(0), logits.size(1), stream());
        C10_CUDA_KERNEL_LAUNCH_CHECK();
    }
    return losses;
}

at::Tensor masked(const at::Tensor& given, const at::Tensor& keys, int64_t module, double probability, const std::optional<at::Tensor>& onto) {
    const c10::cuda::CUDAGuard guard(given.device());
    const auto x = given.contiguous();
    auto y = onto ? *onto : at::empty_like(x);
    check_same("dropout", x, y);
    if (x.numel() > 0) {
        cuda::dropped(
            type_of(x), x.const_data_ptr(), keys.const_data_ptr<int64_t>(), y.mutable_data_ptr(), x.size(0), x.size(1), module,
            static_cast<uint32_t>(probability * 4294967296.0), static_cast<float>(1 / (1 - probability)), onto.has_value(), stream());
        C10_CUDA_KERNEL_LAUNCH_CHECK();
    }
    return y;
}

} // namespace
} // namespace fovea::cuda

TORCH_LIBRARY_IMPL(fovea, CUDA, library) {
    using namespace fovea;
    library.impl("rms_norm_forward", cuda::norm);
    library.impl("rms_norm_backward", cuda::norm_gradient);
    library.impl("rotate", cuda::turned);
    library.impl("silu_mul_forward", cuda::gated);
    library.impl("silu_mul_backward", cuda::gated_gradient);
    library.impl("cross_entropy_in_place", cuda::losses_of);
    library.impl("dropped", cuda::masked);
}
#endif
