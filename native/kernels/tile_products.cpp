#include "tile_products.h"
#include "product_parts.h"
#include "workers.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <unistd.h>

namespace fovea {
namespace {

// The blocks of the result that a task computes, and both packed factors, stay in the second-level cache.
constexpr auto depth = product_depth;
constexpr int64_t least_work = 1 << 20; // multiplications that a task is worth

struct BlockSize {
    int64_t rows, columns;
};

template <class Tiles>
BlockSize largest_block() {
    static const auto cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
    const int64_t columns = cache >= (2 << 20) ? 512 : cache >= (1 << 20) ? 384 : 192;
    const int64_t rows = cache >= (2 << 20) ? 448 : cache >= (1 << 20) ? 224 : 144;
    return {rows / Tiles::rows * Tiles::rows, columns};
}

// The product of one pair of matrices, block by block.
template <class Tiles, class T, class B>
class Product {
public:
    Factors<T, B> factors, update;
    Matrix<const T> sum;
    Matrix<T> to;
    int64_t rows, columns;
    float beta, alpha;

    // What `block` needs for the largest one.
    static int64_t scratch_size(const BlockSize& most) { return Blocks(most).all; }

    void block(int64_t row, int64_t row_end, int64_t column, int64_t column_end, const BlockSize& most, float* memory) const {
        const Blocks place(most);
        auto* left = reinterpret_cast<word*>(memory);
        auto* right = left + place.left;
        auto* result = memory + place.left + place.right;
        const auto stride = up_to(column_end - column, Tiles::columns);
        bool add = false;
        for (const auto& [a, b, inner] : {factors, update}) {
            for (int64_t k = 0; k < inner; k += depth) {
                const auto count = std::min(depth, inner - k);
                pack_right(b, k, count, column, column_end, right);
                pack_left(a, row, row_end, k, count, left);
                multiply(left, right, row_end - row, column_end - column, Tiles::words(count), result, stride, add);
                add = true;
            }
        }
        for (auto r = row; r < row_end; r++) {
            const auto* s = sum.data == nullptr ? nullptr : sum.at(r, column);
            const float nothing[1] = {};
            if (!add) {
                for (auto c = column; c < column_end; c++) {
                    finish_row(nothing, alpha, s == nullptr ? s : sum.at(r, c), 1, beta, to.at(r, c), 1, 1);
                }
            } else {
                finish_row(result + (r - row) * stride, alpha, s, sum.by_column, beta, to.at(r, column), to.by_column, column_end - column);
            }
        }
    }

private:
    // Rows of a packed left factor: filled up to a whole vector where there is little to fill, so that no row straddles cache lines.
    static constexpr int step = Tiles::rows > 8 ? 16 : Tiles::rows;

    // Columns of a panel of the right factor: half a tile's where no more are left, as in the products of an adapter of low rank.
    static int64_t panel_width(int64_t left) { return left <= Tiles::columns / 2 ? Tiles::columns / 2 : Tiles::columns; }

    struct Blocks {
        explicit Blocks(const BlockSize& most)
            : left(up_to(pieces(most.rows, Tiles::rows) * step * Tiles::words(depth) + width, width)),
              right(up_to(most.columns, Tiles::columns) * Tiles::words(depth) + width),
              all(left + right + up_to(most.rows, Tiles::rows) * up_to(most.columns, Tiles::columns)) {}
        int64_t left, right, all;
    };

    void pack_left(const Matrix<const T>& a, int64_t row, int64_t row_end, int64_t k, int64_t count, word* to) const {
        for (auto r = row; r < row_end; r += Tiles::rows, to += Tiles::words(count) * step) {
            if (a.by_column == 1) {
                pack_lines(a.at(r, k), a.by_row, std::min<int64_t>(Tiles::rows, row_end - r), step, count, Tiles::pairs, to);
            } else {
                // Rows behind the tile's own fill a vector where there are some.
                pack_columns(a.at(r, k), a.by_column, std::min<int64_t>(step, rows - r), step, count, Tiles::pairs, to);
            }
        }
    }

    void pack_right(const Matrix<const B>& b, int64_t k, int64_t count, int64_t column, int64_t column_end, word* to) const {
        constexpr int64_t together = 16; // rows of b that are read along all panels, before the next ones
        const auto lines = [&](int64_t c) { return std::min<int64_t>(Tiles::columns, column_end - c); };
        if (b.by_column == 1) {
            for (int64_t i = 0; i < count; i += together) {
                auto* panel = to;
                for (auto c = column; c < column_end; c += Tiles::columns, panel += Tiles::words(count) * Tiles::columns) {
                    const auto wide = panel_width(lines(c));
                    pack_columns(b.at(k + i, c), b.by_row, lines(c), wide, std::min(together, count - i), Tiles::pairs, panel + Tiles::words(i) * wide);
                }
            }
        } else {
            for (auto c = column; c < column_end; c += Tiles::columns, to += Tiles::words(count) * Tiles::columns) {
                pack_lines(b.at(k, c), b.by_column, lines(c), panel_width(lines(c)), count, Tiles::pairs, to);
            }
        }
    }

    static void multiply(const word* left, const word* right, int64_t rows, int64_t columns, int64_t words, float* result, int64_t stride, bool add) {
        for (int64_t c = 0; c < columns; c += Tiles::columns) {
            for (int64_t r = 0; r < rows; r += Tiles::rows) {
                const auto* panel = left + r / Tiles::rows * step * words;
                if (panel_width(columns - c) == Tiles::columns) {
                    Tiles::template multiply<2, 1, step>(panel, right + c * words, words, result + r * stride + c, stride, add);
                } else {
                    Tiles::template multiply<1, 1, step>(panel, right + c * words, words, result + r * stride + c, stride, add);
                }
            }
        }
    }
};

// A factor as packing reads it: one of its last two strides is 1.
at::Tensor packable(const at::Tensor& x) {
    const auto row = x.stride(-2), column = x.stride(-1);
    return column == 1 || row == 1 ? x : x.contiguous();
}

template <class Tiles, class T, class B>
void all_blocks(const at::Tensor& a, const at::Tensor& b, const Update& update, const at::Tensor& sum, double beta, double alpha, const at::Tensor& to) {
    const auto batch = to.dim() == 3 ? to.size(0) : 1, rows = to.size(-2), columns = to.size(-1), inner = a.size(-1);
    const auto most = largest_block<Tiles>();
    auto by_rows = pieces(rows, most.rows), by_columns = pieces(columns, most.columns);
    // Enough tasks that threads of unequal speed end together.
    const auto wanted = std::min<int64_t>(at::get_num_threads() == 1 ? 1 : 4 * at::get_num_threads(), rows * columns / least_work * inner + 1);
    while (batch * by_rows * by_columns < wanted) {
        const auto height = rows / by_rows, breadth = columns / by_columns;
        if (height > breadth && height > 4 * Tiles::rows) {
            by_rows++;
        } else if (breadth > 4 * Tiles::columns) {
            by_columns++;
        } else {
            break;
        }
    }
    const BlockSize block{up_to(pieces(rows, by_rows), Tiles::rows), up_to(pieces(columns, by_columns), Tiles::columns)};
    by_rows = pieces(rows, block.rows);
    by_columns = pieces(columns, block.columns);
    const auto size = Product<Tiles, T, B>::scratch_size(block);
    const bool sums = sum.defined() && beta != 0;
    const auto task = [&](int64_t i, float* memory) {
        const auto index = i / (by_rows * by_columns), row = i % by_rows * block.rows, column = i / by_rows % by_columns * block.columns;
        const Product<Tiles, T, B> product{
            factors_of<T, B>(a, b, index), update.a.defined() ? factors_of<T, B>(update.a, update.b, index) : Factors<T, B>{},
            sums ? matrix_of<const T>(sum, index) : Matrix<const T>{}, matrix_of<T>(to, index), rows, columns, static_cast<float>(beta),
            static_cast<float>(alpha)};
        product.block(row, std::min(rows, row + block.rows), column, std::min(columns, column + block.columns), block, memory);
    };
    share_out(batch * by_rows * by_columns, [&] { return [&, memory = product_scratch(size)](int64_t i) { task(i, memory); }; });
}

template <class T, class B>
void by_kind(
    const at::Tensor& a, const at::Tensor& b, const Update& update, const at::Tensor& sum, double beta, double alpha, const at::Tensor& to, TileKind kind) {
    by_tiles<B>(kind, [&](auto tiles) { all_blocks<decltype(tiles), T, B>(a, b, update, sum, beta, alpha, to); });
}

} // namespace

bool has_pair_tiles() { return best_tiles() == TileKind::pairs; }

void tile_product(
    const at::Tensor& a, const at::Tensor& b, const Update& update, const at::Tensor& sum, double beta, double alpha, const at::Tensor& to, TileKind kind) {
    if (to.numel() == 0) {
        return;
    }
    const auto left = packable(a), right = packable(b);
    const auto behind = update.a.defined() ? Update{packable(update.a), packable(update.b)} : update;
    const auto run = b.scalar_type() == at::kFloat ? by_kind<float, float> : b.scalar_type() == at::kHalf ? by_kind<float, fp16> : by_kind<bf16, bf16>;
    run(left, right, behind, sum, beta, alpha, to, kind);
}

} // namespace fovea
