// The 256 values that bitsandbytes lets a byte stand for, closer together the smaller they are (arXiv 2110.02861).
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace fovea {

// For each power of ten from -6 to 0 twice as many values as for the one before, in the middles of equal parts of [0.1, 1], with both signs or twice as many
// of one; then 0 and 1. Ascending, fp32.
inline at::Tensor dynamic_map(bool with_signs) {
    std::vector<at::Tensor> values{at::tensor({0.0f, 1.0f})};
    for (int64_t i = 0; i < 7; i++) {
        const auto parts = int64_t{1} << (with_signs ? i : i + 1);
        const auto bounds = at::linspace(0.1, 1, parts + 1);
        const auto middles = ((bounds.slice(0, 0, parts) + bounds.slice(0, 1)) / 2.0) * std::pow(10.0, static_cast<double>(i - 6));
        values.push_back(middles);
        if (with_signs) {
            values.push_back(-middles);
        }
    }
    return std::get<0>(at::cat(values).sort());
}

} // namespace fovea
