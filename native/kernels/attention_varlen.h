// Attention over packed tokens on devices other than the CPU.
#pragma once
#include <ATen/core/Tensor.h>

#include <string>

namespace fovea {

// q [T, H, D], k and v [T, G, D]; offsets are the boundaries as int32 on the same device. Returns [T, H, D].
at::Tensor attention_varlen(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& offsets, at::IntArrayRef boundaries, bool causal, double scale);

// The plain formula: one product after another for each segment.
at::Tensor attention_by_segments(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries, bool causal, double scale);

// A line for each operator that was refused: its name, for what, and why, with tabs between.
std::string attention_refusals();

} // namespace fovea
