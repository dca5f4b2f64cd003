// CUDA's own kernels for weights in 4 bits, registered under the names that ../four_bit.cpp defines. Compiled only where nvcc compiled the .cu files beside it.
#ifdef FOVEA_NVCC
#include "register.h"

#include <ATen/ops/linear.h>
#include <torch/library.h>

namespace fovea::cuda {
namespace {

Type type_of(at::ScalarType type) {
    switch (type) {
        case at::kFloat: return Type::F32;
        case at::kBFloat16: return Type::BF16;
        case at::kHalf: return Type::F16;
        default: TORCH_CHECK(false, "weights in 4 bits are unpacked to fp32, bf16 and fp16, not to ", type);
    }
}

FourBitWeight weight_of(const at::Tensor& packed, const at::Tensor& scales, const at::Tensor& code, int64_t outputs, int64_t inputs, int64_t block) {
    TORCH_CHECK(
        packed.is_contiguous() && scales.is_contiguous() && code.is_contiguous() && scales.device() == packed.device() && code.device() == packed.device(),
        "four_bit: codes on ", packed.device(), ", scales on ", scales.device(), ", their values on ", code.device());
    return {packed.const_data_ptr<uint8_t>(), scales.const_data_ptr<float>(), code.const_data_ptr<float>(), outputs, inputs, block};
}

at::Tensor part(
    const at::Tensor& packed, const at::Tensor& scales, const at::Tensor& code, int64_t outputs, int64_t inputs, int64_t block, int64_t from, int64_t to,
    int64_t first, int64_t last, at::ScalarType type) {
    const c10::cuda::CUDAGuard guard(packed.device());
    auto y = at::empty({to - from, last - first}, scales.options().dtype(type));
    if (y.numel() > 0) {
        cuda::four_bit_unpack(
            type_of(type), weight_of(packed, scales, code, outputs, inputs, block), y.mutable_data_ptr(), from, to, first, last, stream());
        C10_CUDA_KERNEL_LAUNCH_CHECK();
    }
    return y;
}

at::Tensor few_rows(
    const at::Tensor& given, const std::optional<at::Tensor>& given_bias, const at::Tensor& packed, const at::Tensor& scales, const at::Tensor& code,
    int64_t outputs, int64_t inputs, int64_t block) {
    const c10::cuda::CUDAGuard guard(given.device());
    const auto x = given.contiguous(), bias = given_bias ? given_bias->to(x.scalar_type()).contiguous() : at::Tensor();
    const auto weight = weight_of(packed, scales, code, outputs, inputs, block);
    TORCH_CHECK(x.device() == packed.device() && (!bias.defined() || bias.device() == x.device()), "four_bit: x on ", x.device(), ", codes on ",
        packed.device());
    if (!four_bit_rows_fit(type_of(x.scalar_type()), weight, x.const_data_ptr(), x.size(0))) {
        const auto whole = part(packed, scales, code, outputs, inputs, block, 0, outputs, 0, inputs, x.scalar_type());
        return at::linear(x, whole, bias.defined() ? std::optional(bias) : std::nullopt);
    }
    auto y = at::empty({x.size(0), outputs}, x.options());
    if (y.numel() > 0) {
        cuda::four_bit_few_rows(
            type_of(x.scalar_type()), weight, x.const_data_ptr(), bias.defined() ? bias.const_data_ptr() : nullptr, y.mutable_data_ptr(), x.size(0), stream());
        C10_CUDA_KERNEL_LAUNCH_CHECK();
    }
    return y;
}

} // namespace
} // namespace fovea::cuda

TORCH_LIBRARY_IMPL(fovea, CUDA, library) {
    library.impl("four_bit_part", fovea::cuda::part);
    library.impl("four_bit_few_rows", fovea::cuda::few_rows);
}
#endif
