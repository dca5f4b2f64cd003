// Results that are cheap to compute again: in a selective block (autograd.cpp) their bytes are not kept for the backward pass.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

namespace fovea {

// Says that `again` computes `result` anew, bit for bit, from tensors that the backward pass keeps anyway; `again` must hold them detached.
// Does nothing outside a selective block. `result` is dense. `inputs` are what `again` holds: with the result they count as kept, even one
// that is itself cheap.
void computed_cheaply(const at::Tensor& result, at::TensorList inputs, std::function<at::Tensor()> again);

// Whether a selective block runs on this thread, so that it is worth preparing the call above.
bool wants_cheap_results();

} // namespace fovea
