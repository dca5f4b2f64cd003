// Products whose every row has the same bits alone and among others, however many. They serve all products of a thread that asked for it, so that what a
// model says of a token depends neither on the rest of a batch nor on how a prompt was cut.
#pragma once
#include "tile_products.h"

namespace fovea {

// Whether this thread asked for it.
bool row_stable();

// The thread's wish from now on; returns the one before.
bool set_row_stable(bool wanted);

// Whether the thread asked for it, and the product can have it: fp32, bf16 or fp16 on the CPU.
bool stable_product_fits(const at::Tensor& a);

// to [.., M, N] = beta * sum + alpha * (a [.., M, K] b [.., K, N] + the update), 2 or 3 dimensions of one element type.
void stable_product(
    const at::Tensor& a, const at::Tensor& b, const Update& update, const at::Tensor& sum, double beta, double alpha, const at::Tensor& to);

// x W^T + bias for x [..., in] and weight [out, in], without a gradient.
at::Tensor stable_linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias);

// For tests: as stable_product in tiles of a kind, always by the kernel for few rows or never.
void stable_product_by(
    const at::Tensor& a, const at::Tensor& b, const Update& update, const at::Tensor& sum, double beta, double alpha, const at::Tensor& to, TileKind kind,
    bool few);

} // namespace fovea
