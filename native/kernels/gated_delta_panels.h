// Products of the chunks of a gated delta rule. Every matrix lies in panels of as many columns as a tile has, [columns / W][rows][W], in which it can be the
// left factor, turned around or not, the right factor and the sum, so that nothing is packed between one product and the next.
#pragma once
#include "tiles.h"

#include <array>

namespace fovea {

// to [Rows, W] (+)= a b: number s of row r of the left factor is a[r * ARow + s * AStep] for W steps, then a moves on by `jump`; b is a panel [count][W].
template <class Vector, int Rows, int ARow, int AStep>
FOVEA_INLINE void panel_tile(const float* a, int64_t jump, const float* b, int64_t count, float* to, bool add) {
    constexpr int lanes_of = sizeof(Vector) / sizeof(float), columns = 2 * lanes_of;
    Vector sums[Rows][2] = {};
    if (add) {
#pragma GCC unroll 16
        for (int r = 0; r < Rows; r++) {
            std::memcpy(&sums[r], to + r * columns, sizeof sums[r]);
        }
    }
    for (; count > 0; count -= columns, a += jump) {
        const auto here = count < columns ? count : columns;
        const auto* left = a;
        for (int64_t i = 0; i < here; i++, left += AStep, b += columns) {
            Vector right[2];
            std::memcpy(right, b, sizeof right);
#pragma GCC unroll 16
            for (int r = 0; r < Rows; r++) {
                const auto number = left[r * ARow];
                sums[r][0] += right[0] * number;
                sums[r][1] += right[1] * number;
            }
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < Rows; r++) {
        std::memcpy(to + r * columns, &sums[r], sizeof sums[r]);
    }
}

struct NarrowPanels {
    static constexpr int rows = 6, columns = 16;
    using Vector = float __attribute__((vector_size(32)));
#if defined(__x86_64__)
    template <int Rows, int ARow, int AStep>
    FOVEA_X86(FOVEA_AVX2_TILES) static void tile_avx2(const float* a, int64_t jump, const float* b, int64_t count, float* to, bool add) {
        panel_tile<Vector, Rows, ARow, AStep>(a, jump, b, count, to, add);
    }
#endif
    template <int Rows, int ARow, int AStep>
    static void tile(const float* a, int64_t jump, const float* b, int64_t count, float* to, bool add) {
#if defined(__x86_64__)
        static const bool avx2 = __builtin_cpu_supports("x86-64-v3");
        if (avx2) {
            return tile_avx2<Rows, ARow, AStep>(a, jump, b, count, to, add);
        }
#endif
        panel_tile<Vector, Rows, ARow, AStep>(a, jump, b, count, to, add);
    }
};

#if defined(__x86_64__)
struct WidePanels {
    static constexpr int rows = 14, columns = 32;
    template <int Rows, int ARow, int AStep>
    FOVEA_X86(FOVEA_AVX512_TILES) static void tile(const float* a, int64_t jump, const float* b, int64_t count, float* to, bool add) {
        panel_tile<lanes, Rows, ARow, AStep>(a, jump, b, count, to, add);
    }
};
#endif

// A matrix in panels.
struct Panels {
    float* data;
    int64_t rows; // from panel to panel
};

template <class Tiles>
struct PanelProducts {
    static constexpr int64_t W = Tiles::columns;
    static constexpr int64_t part = (W + (W + Tiles::rows - 1) / Tiles::rows - 1) / ((W + Tiles::rows - 1) / Tiles::rows); // rows of a tile in one panel

    static int64_t panels(int64_t columns) { return (columns + W - 1) / W; }
    static float* panel(const Panels& x, int64_t p) { return x.data + p * x.rows * W; }

    // One panel of to: rows [first, end) (+)= those of a times b, `inner` numbers.
    static void rows_times(const Panels& a, int64_t first, int64_t end, int64_t inner, const float* b, float* to, bool add) {
        for (auto r = first; r < end; r += Tiles::rows) {
            tile<W, 1>(std::min<int64_t>(Tiles::rows, end - r), a.data + r * W, a.rows * W, b, inner, to + r * W, add);
        }
    }

    // to [rows, columns] (+)= a b.
    static void times(const Panels& a, int64_t rows, int64_t inner, const Panels& b, int64_t columns, const Panels& to, bool add) {
        for (int64_t p = 0; p < panels(columns); p++) {
            rows_times(a, 0, rows, inner, panel(b, p), panel(to, p), add);
        }
    }

    // The part of a square product to [rows, rows] = a b that is not above its diagonal; some of what is above is written too.
    static void lower_product(const Panels& a, int64_t rows, int64_t inner, const Panels& b, const Panels& to) {
        for (int64_t p = 0; p < panels(rows); p++) {
            rows_times(a, p * W / Tiles::rows * Tiles::rows, rows, inner, panel(b, p), panel(to, p), false);
        }
    }

    // to [rows, columns] (+)= a b where a is 0 above its diagonal.
    static void lower_times(const Panels& a, int64_t rows, const Panels& b, int64_t columns, const Panels& to, bool add) {
        for (int64_t p = 0; p < panels(columns); p++) {
            for (int64_t r = 0; r < rows; r += Tiles::rows) {
                const auto end = std::min(r + Tiles::rows, rows);
                rows_times(a, r, end, end, panel(b, p), panel(to, p), add);
            }
        }
    }

    // to [rows, columns] (+)= a^T b for a [count, rows].
    static void turned_times(const Panels& a, int64_t rows, int64_t count, const Panels& b, int64_t columns, const Panels& to, bool add) {
        for (int64_t p = 0; p < panels(columns); p++) {
            each_part(rows, [&](int64_t r, int64_t height) {
                tile<1, W>(height, panel(a, r / W) + r % W, W * W, panel(b, p), count, panel(to, p) + r * W, add);
            });
        }
    }

    // to [count, columns] (+)= a^T b for a [count, count] that is 0 above its diagonal.
    static void lower_turned_times(const Panels& a, int64_t count, const Panels& b, int64_t columns, const Panels& to, bool add) {
        for (int64_t p = 0; p < panels(columns); p++) {
            each_part(count, [&](int64_t r, int64_t height) {
                tile<1, W>(height, panel(a, r / W) + r * W + r % W, W * W, panel(b, p) + r * W, count - r, panel(to, p) + r * W, add);
            });
        }
    }

    // One panel of to: rows [r, r + height), which lie in one panel of a, += those columns of a, from row `first` to `end`, times b.
    static void turned_part(const Panels& a, int64_t r, int64_t height, int64_t first, int64_t end, const float* b, float* to) {
        tile<1, W>(height, panel(a, r / W) + first * W + r % W, W * W, b + first * W, end - first, to + r * W, true);
    }

    // to [columns, rows] = x [rows, columns]^T; columns of `to` behind the last are 0.
    static void turn(const Panels& x, int64_t rows, int64_t columns, const Panels& to) {
        for (int64_t p = 0; p < panels(rows); p++) {
            for (int64_t c = 0; c < columns; c += W) {
                pack_lines(
                    panel(x, c / W) + p * W * W, W, std::min(W, rows - p * W), W, std::min(W, columns - c), false,
                    reinterpret_cast<word*>(panel(to, p) + c * W));
            }
        }
    }

    // Calls with stretches of rows [0, count) that lie in one panel each.
    template <class Body>
    static void each_part(int64_t count, const Body& body) {
        for (int64_t first = 0; first < count; first += W) {
            const auto end = std::min(first + W, count);
            for (auto r = first; r < end; r += part) {
                body(r, std::min(part, end - r));
            }
        }
    }

private:
    template <int ARow, int AStep>
    static void tile(int64_t rows, const float* a, int64_t jump, const float* b, int64_t count, float* to, bool add) {
        static constexpr auto by_rows = []<int... R>(std::integer_sequence<int, R...>) {
            return std::array{&Tiles::template tile<R + 1, ARow, AStep>...};
        }(std::make_integer_sequence<int, Tiles::rows>{});
        by_rows[rows - 1](a, jump, b, count, to, add);
    }
};

} // namespace fovea
