// Dropout whose mask depends only on the keys of the rows, a module's number and the place in the row (DropoutStream.cs).
#pragma once
#include <ATen/core/Tensor.h>

namespace fovea {

// x * mask, or onto += x * mask where `onto` is given: for x [T, N] and keys [T], 64-bit. Of the mask a share of `probability` is 0 and the rest
// 1 / (1 - probability), rounded to the type of x. Not recorded: the gradient is the same function of the gradient.
at::Tensor dropped(const at::Tensor& x, const at::Tensor& keys, int64_t module, double probability, const std::optional<at::Tensor>& onto = std::nullopt);

} // namespace fovea
