// Which kernel multiplies matrices of an element type on the CPU. The managed side decides, from a measurement, a checkpoint or the environment; until it
// does, a rule by processor holds.
#pragma once
#include <ATen/core/Tensor.h>

namespace fovea {

enum class ProductKernel : int64_t {
    library = 0, // what libtorch brings: oneDNN or OpenBLAS
    widened = 1, // 16 bits widened to fp32 piece by piece, multiplied by the BLAS
    tiles = 2,   // our own tiles, 16 bits widened as they are packed
    pairs = 3,   // our own tiles of bf16 pairs, where the processor multiplies those
};

// fp32: library or tiles; fp16: library or widened; bf16: all of them. Pairs need a processor that has them.
bool product_kernel_fits(at::ScalarType type, ProductKernel kernel);

ProductKernel product_kernel(at::ScalarType type);

// The process's choice from now on; refuses what does not fit.
void choose_product_kernel(at::ScalarType type, ProductKernel kernel);

} // namespace fovea
