// A linear layer of a few rows, as one generated token needs it: bound by reading the weight once, not by multiplications.
#pragma once
#include <ATen/core/Tensor.h>

namespace fovea {

// The low-rank update of an adapter: scale (x a^T) b^T with a [r, in], b [out, r]; both undefined when there is none.
struct LowRank {
    at::Tensor a, b;
    double scale = 1;
};

// Whether `few_rows` takes these: at most 8 rows of fp32 or bf16 on the CPU, dense rows of x and weight, one element type, no gradient asked for.
bool few_rows_fit(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, const LowRank& adapter = {});

// x W^T + bias + adapter for x [..., in] and weight [out, in], accumulated in fp32 and rounded once. A row's result depends on that row alone, neither
// on the others nor on the number of threads.
at::Tensor few_rows(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, const LowRank& adapter = {});

} // namespace fovea
