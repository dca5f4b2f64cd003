#include "widened_products.h"

#include <ATen/ATen.h>
#include <ATen/CPUFunctions.h>

#include <algorithm>

namespace fovea {
namespace {

constexpr int64_t most_left = 1 << 23, most_right = 1 << 22; // numbers widened at a time: 32 and 16 MiB, whatever the size of the matrices
constexpr int64_t least_rows = 256, most_rows = 1 << 15;

int64_t rows_of(int64_t most, int64_t length) { return std::clamp(most / std::max<int64_t>(1, length), least_rows, most_rows); }

// to [M, N] = beta * sum + alpha * a [M, K] b [K, N]; the sum, of 2 dimensions, may be `to` itself, or missing.
void multiply(const at::Tensor& a, const at::Tensor& b, const at::Tensor& sum, double beta, double alpha, const at::Tensor& to) {
    const auto rows = a.size(0), inner = a.size(1), columns = b.size(1);
    const auto row_piece = std::min(rows, rows_of(most_left, inner));
    const auto column_piece = std::min(rows_of(most_right, inner), rows_of(most_left, row_piece)); // what comes of it is bounded too
    for (int64_t row = 0; row < rows; row += row_piece) {
        const auto row_end = std::min(rows, row + row_piece);
        const auto left = a.slice(0, row, row_end).to(at::kFloat);
        for (int64_t column = 0; column < columns; column += column_piece) {
            const auto column_end = std::min(columns, column + column_piece);
            auto product = at::cpu::mm(left, b.slice(1, column, column_end).to(at::kFloat));
            if (alpha != 1) {
                product.mul_(alpha);
            }
            const auto place = [&](const at::Tensor& whole) { return whole.slice(0, row, row_end).slice(1, column, column_end); };
            if (sum.defined() && beta != 0) {
                product.add_(place(sum), beta);
            }
            place(to).copy_(product);
        }
    }
}

// The same for each of a batch [B, M, K] x [B, K, N].
void multiply_batch(const at::Tensor& a, const at::Tensor& b, const at::Tensor& sum, double beta, double alpha, const at::Tensor& to) {
    const auto largest = std::max({a.size(1) * a.size(2), b.size(1) * b.size(2), a.size(1) * b.size(2)});
    const auto piece = std::max<int64_t>(1, most_right / std::max<int64_t>(1, largest));
    for (int64_t from = 0; from < a.size(0); from += piece) {
        const auto end = std::min(a.size(0), from + piece);
        if (end - from == 1) {
            multiply(a.select(0, from), b.select(0, from), sum.defined() ? sum.select(0, from) : sum, beta, alpha, to.select(0, from));
            continue;
        }
        auto product = at::cpu::bmm(a.slice(0, from, end).to(at::kFloat), b.slice(0, from, end).to(at::kFloat));
        if (alpha != 1) {
            product.mul_(alpha);
        }
        if (sum.defined() && beta != 0) {
            product.add_(sum.slice(0, from, end), beta);
        }
        to.slice(0, from, end).copy_(product);
    }
}

} // namespace

void widened_product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& sum, double beta, double alpha, const at::Tensor& to) {
    (to.dim() == 2 ? multiply : multiply_batch)(a, b, sum, beta, alpha, to);
}

} // namespace fovea
