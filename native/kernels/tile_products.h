// Products of whole matrices in tiles of our own. 16-bit factors are widened to fp32 once for a block of the result, while they are copied into the order
// in which tiles read them, so that weights stay 16 bits wide in memory and the processor multiplies at the rate of fp32.
#pragma once
#include "tiles.h"

#include <ATen/core/Tensor.h>

namespace fovea {

// Whether this processor multiplies pairs of bf16 numbers, and tiles of them exist.
bool has_pair_tiles();

// Factors a [M, R] and b [R, N] of a product that is summed behind the main one, as an adapter's is; undefined where there is none.
struct Update {
    at::Tensor a, b;
};

// to [.., M, N] = beta * sum + alpha * (a [.., M, K] b [.., K, N] + the update) on the CPU, with 2 or 3 dimensions and any strides: all of fp32, all of bf16,
// or b alone of fp16 and the rest of fp32. `sum` has the shape of `to`, may be `to` itself, and is not read where undefined or beta is 0. Summed in fp32 in
// the order of K, rounded once: the bits of a number depend on its row of a and its column of b alone, neither on the number of rows, columns and threads
// nor, without pairs, on the processor.
void tile_product(
    const at::Tensor& a, const at::Tensor& b, const Update& update, const at::Tensor& sum, double beta, double alpha, const at::Tensor& to, TileKind kind);

} // namespace fovea
