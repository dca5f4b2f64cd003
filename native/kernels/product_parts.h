// What products in tiles have in common, whatever the shape of their blocks.
#pragma once
#include "tiles.h"

#include <ATen/core/Tensor.h>

namespace fovea {

// Numbers of K that are packed at a time.
constexpr int64_t product_depth = 192;

inline int64_t pieces(int64_t count, int64_t most) { return (count + most - 1) / most; }
inline int64_t up_to(int64_t count, int64_t step) { return pieces(count, step) * step; }

// One matrix of a batch.
template <class T>
struct Matrix {
    T* data;
    int64_t by_row, by_column;

    T* at(int64_t row, int64_t column) const { return data + row * by_row + column * by_column; }
};

template <class T>
Matrix<T> matrix_of(const at::Tensor& x, int64_t index = 0) {
    const auto d = x.dim();
    return {const_cast<T*>(static_cast<const T*>(x.const_data_ptr())) + (d == 3 ? index * x.stride(0) : 0), x.stride(d - 2), x.stride(d - 1)};
}

// A pair of factors whose product is part of the sum; without columns of `a` there is nothing to add.
template <class T, class B>
struct Factors {
    Matrix<const T> a;
    Matrix<const B> b;
    int64_t inner = 0;
};

template <class T, class B>
Factors<T, B> factors_of(const at::Tensor& a, const at::Tensor& b, int64_t index = 0) {
    return {matrix_of<const T>(a, index), matrix_of<const B>(b, index), a.size(-1)};
}

// Memory of a thread, kept for its next product.
float* product_scratch(int64_t count);

// to = beta * sum + alpha * x for one row of a block; no sum where it is null.
void finish_row(const float* x, float alpha, const float* sum, int64_t by_sum, float beta, float* to, int64_t by_to, int64_t count);
void finish_row(const float* x, float alpha, const bf16* sum, int64_t by_sum, float beta, bf16* to, int64_t by_to, int64_t count);

} // namespace fovea
