// Products of a few rows with a large matrix that is read once: the bits of tile_product (tile_products.h), at the speed of memory.
#pragma once
#include "tile_products.h"

namespace fovea {

// Whether these are few rows, and columns of b whose numbers lie side by side, as those of a transposed weight do. Of 2 dimensions.
bool few_row_tiles_fit(const at::Tensor& a, const at::Tensor& b, const Update& update);

// As tile_product. Sixteen columns of b at a time are turned around while they are read, and meet all rows before the next ones.
void few_row_tiles(
    const at::Tensor& a, const at::Tensor& b, const Update& update, const at::Tensor& sum, double beta, double alpha, const at::Tensor& to, TileKind kind);

} // namespace fovea
