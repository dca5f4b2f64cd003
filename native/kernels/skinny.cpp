#include "skinny.h"
#include "simd.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>

namespace fovea {
namespace {

constexpr int64_t columns = 3 * width; // of one block: 24 sums of 16 lanes fit the registers of AVX-512
constexpr int64_t ranks = 8;
constexpr int64_t rows = 64; // of x that stay in the second-level cache while the columns are walked

// sums [8, N] += l [count, 8]^T x [count, N] for one block of columns.
template <class T>
FOVEA_INLINE void block(const float* l, const T* x, int64_t stride, int64_t count, float* sums, int64_t sums_stride) {
    lanes s[ranks][3];
    for (int r = 0; r < ranks; r++) {
        for (int j = 0; j < 3; j++) {
            s[r][j] = load(sums + r * sums_stride + j * width);
        }
    }
    for (int64_t t = 0; t < count; t++) {
        const lanes x0 = load(x + t * stride), x1 = load(x + t * stride + width), x2 = load(x + t * stride + 2 * width);
        for (int r = 0; r < ranks; r++) {
            const float factor = l[t * ranks + r];
            s[r][0] += x0 * factor;
            s[r][1] += x1 * factor;
            s[r][2] += x2 * factor;
        }
    }
    for (int r = 0; r < ranks; r++) {
        for (int j = 0; j < 3; j++) {
            store(s[r][j], sums + r * sums_stride + j * width);
        }
    }
}

FOVEA_CLONES void block_of(const float* l, const float* x, int64_t stride, int64_t count, float* sums, int64_t to) { block(l, x, stride, count, sums, to); }
FOVEA_CLONES void block_of(const float* l, const bf16* x, int64_t stride, int64_t count, float* sums, int64_t to) { block(l, x, stride, count, sums, to); }

template <class T>
void products(const float* l, const T* x, int64_t stride, int64_t tokens, int64_t rank_blocks, int64_t whole, float* sums, int64_t sums_stride) {
    // Threads share columns, not rows: no sum depends on their number.
    at::parallel_for(0, whole / columns, 4, [&](int64_t begin, int64_t end) {
        for (int64_t t = 0; t < tokens; t += rows) {
            const auto count = std::min(rows, tokens - t);
            for (auto c = begin; c < end; c++) {
                for (int64_t b = 0; b < rank_blocks; b++) {
                    block_of(l + (b * tokens + t) * ranks, x + t * stride + c * columns, stride, count, sums + b * ranks * sums_stride + c * columns,
                        sums_stride);
                }
            }
        }
    });
}

// l^T x with sums that are not rounded to 16 bits, on cards of a libtorch that has such a product (2.8); undefined elsewhere.
at::Tensor wide_product(const at::Tensor& l, const at::Tensor& x) {
    static const auto product = c10::Dispatcher::singleton().findSchema({"aten::mm", "dtype"});
    return x.is_cuda() && x.scalar_type() != at::kFloat && product
        ? product->typed<at::Tensor(const at::Tensor&, const at::Tensor&, at::ScalarType)>().call(l.t(), x, at::kFloat)
        : at::Tensor();
}

} // namespace

at::Tensor skinny_product(const at::Tensor& l, const at::Tensor& x) {
    const auto tokens = x.size(0), wide = x.size(1), rank = l.size(1);
    const auto whole = wide / columns * columns;
    constexpr int64_t most_ranks = 32; // beyond this, a library's product of matrices is faster
    if (!fused_on_cpu(x) || x.stride(1) != 1 || rank > most_ranks || whole == 0) {
        const auto narrow = l.to(x.scalar_type());
        const auto wide = wide_product(narrow, x);
        return wide.defined() ? wide : narrow.t().mm(x).to(at::kFloat);
    }
    const auto rank_blocks = (rank + ranks - 1) / ranks;
    auto sums = at::zeros({rank_blocks * ranks, wide}, x.options().dtype(at::kFloat));
    // [blocks, T, 8], the last block filled up with zeros.
    auto padded = at::zeros({rank_blocks * ranks, tokens}, sums.options());
    padded.slice(0, 0, rank).copy_(l.t());
    padded = padded.view({rank_blocks, ranks, tokens}).transpose(1, 2).contiguous();
    by_type(x, [&](auto zero) {
        products(data_of<float>(padded), data_of<decltype(zero)>(x), x.stride(0), tokens, rank_blocks, whole, mutable_data_of<float>(sums), wide);
    });
    if (whole < wide) {
        sums.slice(0, 0, rank).slice(1, whole).copy_(l.to(x.scalar_type()).t().mm(x.slice(1, whole)));
    }
    return sums.slice(0, 0, rank);
}

} // namespace fovea
