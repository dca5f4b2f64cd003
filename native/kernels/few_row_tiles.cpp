#include "few_row_tiles.h"
#include "line_tiles.h"
#include "product_parts.h"
#include "workers.h"

#include <algorithm>
#include <vector>

namespace fovea {
namespace {

constexpr int64_t most_rows = 48; // beyond this, tile_product, which packs more columns at a time, was measured as fast
constexpr int64_t least_work = 1 << 17; // weights that a task reads at least

// What is read of b at a time, and how it meets the rows: columns turned around in registers where there are AVX-512 kernels for that.
template <class Tiles, class B, int Height>
struct Lines {
    static constexpr int64_t columns = Tiles::columns, scratch = product_depth * columns + width;

    // sums [panels][Height][columns] (+)= the packed rows times `lines` columns of b, from `from` on.
    static void multiply(
        const word* left, int64_t by_panel, int64_t panels, const Matrix<const B>& b, int64_t inner, int64_t from, int64_t lines, float* sums, bool add,
        word* memory) {
        for (int64_t k = 0; k < inner; k += product_depth) {
            const auto count = std::min(product_depth, inner - k);
            pack_lines(b.at(k, from), b.by_column, lines, columns, count, Tiles::pairs, memory);
            for (int64_t p = 0; p < panels; p++) {
                Tiles::template multiply<2, 1, Height, Height>(
                    left + p * by_panel, memory, Tiles::words(count), sums + p * Height * columns, columns, add);
            }
            left += Tiles::words(count) * Height;
            add = true;
        }
    }
};

#if defined(__x86_64__)
template <bool Pairs, class B, int Height>
struct LinesInRegisters {
    static constexpr int64_t columns = width, scratch = width;

    static void multiply(
        const word* left, int64_t by_panel, int64_t panels, const Matrix<const B>& b, int64_t inner, int64_t from, int64_t lines, float* sums, bool add,
        word*) {
        multiply_lines<Pairs, B, Height>(left, by_panel, panels, b.at(0, from), b.by_column, inner, lines, sums, add);
    }
};

template <class B, int Height>
struct Lines<WideTiles, B, Height> : LinesInRegisters<false, B, Height> {};
template <class B, int Height>
struct Lines<PairTiles, B, Height> : LinesInRegisters<true, B, Height> {};
#endif

template <class Tiles, class T, class B, int Height>
class FewRows {
    using Way = Lines<Tiles, B, Height>;

public:
    FewRows(const Factors<T, B>& factors, const Factors<T, B>& update, int64_t rows)
        : all{factors, update}, rows(rows), panels(pieces(rows, Height)) {
        left.resize(panels * Height * words() + width);
        for (int64_t p = 0; p < panels; p++) {
            auto* to = left.data() + p * Height * words();
            for (const auto& [a, b, inner] : all) {
                pack_left(a, p * Height, inner, to);
                to += Tiles::words(inner) * Height;
            }
        }
    }

    // Columns [begin, end) of the result.
    template <class Finish>
    void operator()(int64_t begin, int64_t end, float* memory, const Finish& finish) const {
        auto* sums = memory + Way::scratch;
        for (auto c = begin; c < end; c += Way::columns) {
            const auto lines = std::min(Way::columns, end - c);
            const auto* from = left.data();
            bool add = false;
            for (const auto& [a, b, inner] : all) {
                if (inner > 0) {
                    Way::multiply(from, Height * words(), panels, b, inner, c, lines, sums, add, reinterpret_cast<word*>(memory));
                    from += Tiles::words(inner) * Height;
                    add = true;
                }
            }
            for (int64_t r = 0; r < rows; r++) {
                finish(r, c, lines, sums + r * Way::columns, add);
            }
        }
    }

    int64_t scratch_size() const { return Way::scratch + panels * Height * Way::columns; }

private:
    int64_t words() const { return Tiles::words(all[0].inner) + Tiles::words(all[1].inner); }

    void pack_left(const Matrix<const T>& a, int64_t row, int64_t inner, word* to) const {
        const auto lines = std::min<int64_t>(Height, rows - row);
        if (inner == 0) {
            return;
        }
        if (a.by_column != 1) {
            pack_columns(a.at(row, 0), a.by_column, lines, Height, inner, Tiles::pairs, to);
        } else if constexpr (Height == 1 && Tiles::words(2) * sizeof(word) == 2 * sizeof(T)) {
            if constexpr (Tiles::pairs) {
                to[Tiles::words(inner) - 1] = 0; // the second of an odd last pair
            }
            std::memcpy(to, a.at(row, 0), inner * sizeof(T));
        } else {
            pack_lines(a.at(row, 0), a.by_row, lines, Height, inner, Tiles::pairs, to);
        }
    }

    Factors<T, B> all[2];
    int64_t rows, panels;
    std::vector<word> left; // of each panel of rows the words of both products, [words][Height]
};

template <class Tiles, class T, class B>
void product(const at::Tensor& a, const at::Tensor& b, const Update& update, const at::Tensor& sum, float beta, float alpha, const at::Tensor& to) {
    const auto rows = to.size(0), columns = to.size(1);
    const auto factors = factors_of<T, B>(a, b), behind = update.a.defined() ? factors_of<T, B>(update.a, update.b) : Factors<T, B>{};
    const auto sums = sum.defined() && beta != 0 ? matrix_of<const T>(sum) : Matrix<const T>{};
    const auto target = matrix_of<T>(to);
    const auto finish = [&](int64_t r, int64_t c, int64_t count, const float* x, bool some) {
        const auto* s = sums.data == nullptr ? nullptr : sums.at(r, c);
        const float nothing[Tiles::columns] = {};
        finish_row(some ? x : nothing, alpha, s, sums.by_column, beta, target.at(r, c), target.by_column, count);
    };
    by_rows<Tiles>(pieces(rows, pieces(rows, Tiles::rows)), [&](auto height) {
        const FewRows<Tiles, T, B, height> few(factors, behind, rows);
        const auto step = up_to(std::max<int64_t>(1, least_work / std::max<int64_t>(1, factors.inner)), Tiles::columns);
        share_out(pieces(columns, step), [&] {
            return [&, memory = product_scratch(few.scratch_size())](int64_t i) { few(i * step, std::min(columns, (i + 1) * step), memory, finish); };
        });
    });
}

bool reads_columns(const at::Tensor& b) { return b.stride(0) == 1; }

} // namespace

bool few_row_tiles_fit(const at::Tensor& a, const at::Tensor& b, const Update& update) {
    const auto plain = [](const at::Tensor& x) { return x.stride(0) == 1 || x.stride(1) == 1; };
    return a.dim() == 2 && a.size(0) <= most_rows && reads_columns(b) && plain(a) && (!update.a.defined() || (plain(update.a) && reads_columns(update.b)));
}

void few_row_tiles(
    const at::Tensor& a, const at::Tensor& b, const Update& update, const at::Tensor& sum, double beta, double alpha, const at::Tensor& to, TileKind kind) {
    if (to.numel() == 0) {
        return;
    }
    const auto run = [&]<class T, class B>(T, B) {
        by_tiles<B>(kind, [&](auto tiles) {
            product<decltype(tiles), T, B>(a, b, update, sum, static_cast<float>(beta), static_cast<float>(alpha), to);
        });
    };
    b.scalar_type() == at::kFloat ? run(float{}, float{}) : b.scalar_type() == at::kHalf ? run(float{}, fp16{}) : run(bf16{}, bf16{});
}

} // namespace fovea
