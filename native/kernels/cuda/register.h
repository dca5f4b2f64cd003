// What the files that register CUDA's kernels share.
#pragma once
#include "launch.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

namespace fovea::cuda {

inline Type type_of(const at::Tensor& x) {
    switch (x.scalar_type()) {
        case at::kFloat: return Type::F32;
        case at::kBFloat16: return Type::BF16;
        case at::kHalf: return Type::F16;
        default: TORCH_CHECK(false, "fovea's CUDA kernels compute in fp32, bf16 and fp16, not in ", x.scalar_type());
    }
}

inline CUstream_st* stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

inline void check_same(const char* what, const at::Tensor& a, const at::Tensor& b) {
    TORCH_CHECK(a.scalar_type() == b.scalar_type() && a.device() == b.device(), what, ": ", a.scalar_type(), " on ", a.device(), " and ", b.scalar_type(),
        " on ", b.device());
}

} // namespace fovea::cuda
