// fovea::linear_cross_entropy: cross-entropy of x W^T and the gradient of x for a frozen W, on the CPU, without logits in memory. It is attention of the rows
// of x to the rows of W, which are keys and values at once: the softmax is corrected from block to block (arXiv 1805.02867) while p W is summed. The target
// stays out of these sums: with p the probability of all others together, the loss is -log(1 - p) and the gradient p (mean of the others' rows - W[target]),
// and neither cancels where a target is nearly certain. Stretches of W are worked on apart and added in their order, so that no result depends on the number
// of threads, and none on the other rows of x.
#include "dispatch.h"
#include "tile_blocks.h"
#include "workers.h"

#include <ATen/ATen.h>

#include <cmath>
#include <memory>

namespace fovea {
namespace {

constexpr int64_t stretches = 32;               // of W
constexpr int64_t block_columns = 512;          // most rows of W in a block
constexpr int64_t block_words = 1 << 16;        // of one packing of a block: both stay in the second-level cache
constexpr int64_t sums_bytes = 16 << 20;        // of all stretches, for as many rows of x as are worked on at a time
constexpr float out_of_the_sum = -1e30f;        // a score that adds nothing, but is still a number

template <class Tiles, class T>
class Worker {
    using Scores = ScorePanel<Tiles, block_columns>;

public:
    Worker(int64_t size, bool gradient)
        : blocks{size},
          columns(std::clamp<int64_t>(block_words / blocks.size_words() / Tiles::columns, 1, block_columns / Tiles::columns) * Tiles::columns),
          gradient(gradient),
          keys(scratch.words(columns * blocks.size_words())),
          rows(gradient ? scratch.words(Tiles::words(columns) * blocks.padded()) : nullptr),
          scores(scratch) {}

    // Rows [first, last) of the weight against `count` rows of x, packed as left factors.
    void run(const Head<T>& weight, int64_t first, int64_t last, const word* left, const int64_t* targets, int64_t count, Softmax* softmax, float* sums) {
        for (auto column = first; column < last; column += columns) {
            const auto here = std::min(columns, last - column);
            if (gradient) {
                blocks.pack_rows(weight, column, here, rows); // first: it reads memory in one stream
            }
            blocks.pack_keys({weight.at(column), weight.stride}, here, keys);
            for (int64_t row = 0; row < count; row += Tiles::rows) {
                blocks.times_keys(left + row * blocks.size_words(), keys, 0, here, scores.row(0), Scores::stride);
                for (auto r = row; r < std::min<int64_t>(row + Tiles::rows, count); r++) {
                    if (targets[r] >= column && targets[r] < column + here) {
                        scores.row(r - row)[targets[r] - column] = out_of_the_sum;
                    }
                    auto* before = gradient && column > first ? sums + r * blocks.padded() : nullptr;
                    scores.exponents(r - row, here, here, 1, softmax[r], before, blocks.padded());
                }
                if (gradient) {
                    blocks.template times_rows<Scores::row_words, 1>(
                        scores.factors(), rows, Tiles::words(here), 0, Tiles::words(here), sums + row * blocks.padded(), column > first);
                }
            }
        }
    }

private:
    Scratch scratch;
    Blocks<Tiles, T> blocks;
    int64_t columns;
    bool gradient;
    word *keys, *rows;
    Scores scores;
};

// Loss of one row from what the stretches have found, their softmax and sums each `apart` behind the one before. With somewhere to put it, weight times the
// gradient of x.
template <class T>
float conclude(
    const Softmax* softmax, int64_t apart, const float* sums, int64_t sums_apart, const T* x, const T* target, float weight, int64_t size, T* gradient) {
    float top = softmax[0].top;
    for (int64_t s = 1; s < stretches; s++) {
        top = std::max(top, softmax[s * apart].top);
    }
    double part[stretches], others = 0;
    for (int64_t s = 0; s < stretches; s++) {
        part[s] = std::exp(static_cast<double>(softmax[s * apart].top) - top);
        others += part[s] * softmax[s * apart].sum;
    }
    const double odds = top + std::log(others) - row_dot(x, target, size); // log of those against the target
    const double smaller = std::exp(-std::abs(odds)), p = (odds < 0 ? smaller : 1) / (1 + smaller);
    if (gradient != nullptr) {
        std::vector<float> mean(size);
        for (int64_t s = 0; s < stretches; s++) {
            const auto factor = static_cast<float>(part[s] / others);
            for (int64_t i = 0; factor > 0 && i < size; i++) { // a stretch without rows has left its sums as they were
                mean[i] += factor * sums[s * sums_apart + i];
            }
        }
        for (int64_t i = 0; i < size; i++) {
            narrow((mean[i] - widen(target[i])) * static_cast<float>(p * weight), &gradient[i]);
        }
    }
    return static_cast<float>(std::max(odds, 0.0) + std::log1p(smaller));
}

template <class Tiles, class T>
void rows_of(
    const Head<T>& x, const Head<T>& weight, int64_t classes, int64_t size, const int64_t* targets, const float* weights, int64_t count, float* losses,
    T* gradient) {
    const Blocks<Tiles, T> blocks{size};
    const auto whole = blocks.row_panels(count) * Tiles::rows, stretch = (classes + stretches - 1) / stretches;
    Scratch scratch;
    auto* left = scratch.words(whole * blocks.size_words());
    auto* sums = gradient != nullptr ? scratch.numbers(stretches * whole * blocks.padded()) : nullptr;
    std::vector<Softmax> softmax(stretches * count);
    blocks.pack_left(x, 0, count, left);
    share_out(stretches, [&] {
        return [&, worker = std::make_shared<Worker<Tiles, T>>(size, gradient != nullptr)](int64_t s) {
            worker->run(
                weight, std::min(s * stretch, classes), std::min((s + 1) * stretch, classes), left, targets, count, &softmax[s * count],
                sums + s * whole * blocks.padded());
        };
    });
    at::parallel_for(0, count, 16, [&](int64_t begin, int64_t end) {
        for (auto r = begin; r < end; r++) {
            losses[r] = conclude(
                &softmax[r], count, sums + r * blocks.padded(), whole * blocks.padded(), x.at(r), weight.at(targets[r]), weights[r], size,
                gradient != nullptr ? gradient + r * size : nullptr);
        }
    });
}

// x [N, E] and weight [V, E], fp32 or bf16; targets [N] of 64-bit ids; weights fp32 [N]. Returns the losses [N] in fp32 and the gradient of
// sum(weights * losses) with respect to x, [N, E], or [0, E] where it is not asked for. `tiles` as in attention_by_tiles.
std::tuple<at::Tensor, at::Tensor> linear_cross_entropy(
    const at::Tensor& x, const at::Tensor& weight, const at::Tensor& targets, const at::Tensor& weights, bool gradient, int64_t tiles) {
    TORCH_CHECK(
        x.dim() == 2 && weight.dim() == 2 && x.size(1) == weight.size(1) && weight.size(0) > 0 && targets.dim() == 1 && targets.size(0) == x.size(0)
            && weights.sizes() == targets.sizes() && tiles >= 1 && tiles <= 3,
        "linear_cross_entropy: x ", x.sizes(), ", weight ", weight.sizes(), ", targets ", targets.sizes(), ", weights ", weights.sizes(), ", tiles ", tiles);
    check_one_device("linear_cross_entropy", {&x, &weight, &targets, &weights});
    TORCH_CHECK(fused_on_cpu(x) && x.scalar_type() == weight.scalar_type(), "linear_cross_entropy: fp32 or bf16 on the CPU");
    const auto rows = x.contiguous(), head = weight.contiguous(), ids = targets.contiguous(), factors = weights.contiguous();
    const auto count = x.size(0), classes = weight.size(0), size = x.size(1);
    const auto* t = checked_targets("linear_cross_entropy", ids, classes);
    auto losses = at::empty({count}, x.options().dtype(at::kFloat)), dx = at::empty({gradient ? count : 0, size}, x.options());
    by_type(x, [&](auto zero) {
        using T = decltype(zero);
        by_tiles<T>(static_cast<TileKind>(tiles), [&](auto shape) {
            using Tiles = decltype(shape);
            const auto most = std::max<int64_t>(1, sums_bytes / (stretches * size * sizeof(float)) / Tiles::rows) * Tiles::rows;
            for (int64_t first = 0; first < count; first += most) {
                rows_of<Tiles, T>(
                    {const_cast<T*>(data_of<T>(rows)) + first * size, size}, {const_cast<T*>(data_of<T>(head)), size}, classes, size, t + first,
                    factors.const_data_ptr<float>() + first, std::min(most, count - first), losses.mutable_data_ptr<float>() + first,
                    gradient ? mutable_data_of<T>(dx) + first * size : nullptr);
            }
        });
    });
    return {losses, dx};
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    fovea::define_kernel(
        library, "linear_cross_entropy(Tensor x, Tensor weight, Tensor targets, Tensor weights, bool gradient, int tiles=3) -> (Tensor, Tensor)",
        fovea::linear_cross_entropy);
}
