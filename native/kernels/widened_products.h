// Products of matrices in 16 bits by the BLAS of fp32: a piece of each matrix at a time is widened, multiplied, and the sum is rounded once.
#pragma once
#include <ATen/core/Tensor.h>

namespace fovea {

// to [.., M, N] = beta * sum + alpha * a [.., M, K] b [.., K, N] with 2 or 3 dimensions; `sum` may be `to` itself, or missing.
void widened_product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& sum, double beta, double alpha, const at::Tensor& to);

} // namespace fovea
