// Products in which one side is as narrow as an adapter.
#pragma once
#include <ATen/core/Tensor.h>

namespace fovea {

// l^T x for l [T, R] and x [T, N], both with dense rows: what an adapter's gradients are made of. fp32 [R, N], summed in fp32.
// Libraries were measured up to four times slower than one pass over x.
at::Tensor skinny_product(const at::Tensor& l, const at::Tensor& x);

} // namespace fovea
