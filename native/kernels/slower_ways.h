// Operators of this library that had no kernel for what they were given on a device that has kernels of its own.
#pragma once
#include <ATen/core/Tensor.h>

#include <string>

namespace fovea {

// Says by name that an operator takes a slower way for x, with sizes (of heads, ...) of `size`: once for each element type and size. On the CPU and without
// memory, where those ways are meant, it says nothing.
void note_slower_way(const char* name, const at::Tensor& x, const char* sizes, int64_t size);

// A line for each: the name, for what, how often, and why, with tabs between.
std::string slower_ways();

} // namespace fovea
