// Matrix products on the fastest library at hand.
#pragma once
#include <ATen/core/Tensor.h>

namespace fovea {

// a b^T for a [M, K] and b [N, K], b with any strides; plus bias [N]. fp32 on a CPU with AVX-512 goes through oneDNN, which was measured
// up to twice as fast as OpenBLAS on one such CPU and as fast on another (Zen 4); everything else through at::linear.
at::Tensor times_transposed(const at::Tensor& a, const at::Tensor& b, const std::optional<at::Tensor>& bias = std::nullopt);

// dy^T x for dy [R, out] and x [R, in]: the gradient of a weight. OpenBLAS reads both as they lie; oneDNN would turn dy around first, which cost a quarter
// of the product's rate (97 against 75 GFLOP/s in fp32 on a Zen 4).
at::Tensor weight_gradient(const at::Tensor& dy, const at::Tensor& x);

} // namespace fovea
