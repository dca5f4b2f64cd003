// The gated delta rule on the CPU token by token, for generation: a block of columns of a state stays in the first-level cache for all tokens of a pass. The
// bits of a token depend on its sequence alone: neither on what is beside it, nor on how its tokens were cut into passes, nor on the number of threads.
#include "gated_delta.h"
#include "simd.h"
#include "tile_blocks.h"
#include "workers.h"

#include <cmath>

namespace fovea {
namespace {

constexpr int64_t columns = 32, tokens_together = 64;

template <class T>
FOVEA_INLINE void any_unit(const T* x, int64_t size, float scale, float* to) {
    lanes squares{};
    float rest = 0;
    const auto whole = size / width * width;
    for (int64_t i = 0; i < whole; i += width) {
        const auto v = load(x + i);
        squares += v * v;
    }
    for (auto i = whole; i < size; i++) {
        rest += widen(x[i]) * widen(x[i]);
    }
    const auto factor = scale / std::sqrt(sum_of(squares) + rest + static_cast<float>(delta_epsilon));
    for (int64_t i = 0; i < size; i++) {
        to[i] = widen(x[i]) * factor;
    }
}

FOVEA_CLONES void unit(const float* x, int64_t size, float scale, float* to) { any_unit(x, size, scale, to); }
FOVEA_CLONES void unit(const bf16* x, int64_t size, float scale, float* to) { any_unit(x, size, scale, to); }

// One token of a block of columns: state [keys, 32] is read and written, v [32] becomes the output.
FOVEA_CLONES void step(const float* q, const float* k, float decay, float beta, int64_t keys, float* state, float* v) {
    lanes sums[4][2] = {};
    const auto whole = keys / 4 * 4;
    for (int64_t i = 0; i < whole; i += 4) {
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            sums[j][0] += load(state + (i + j) * columns) * k[i + j];
            sums[j][1] += load(state + (i + j) * columns + width) * k[i + j];
        }
    }
    for (auto i = whole; i < keys; i++) {
        sums[0][0] += load(state + i * columns) * k[i];
        sums[0][1] += load(state + i * columns + width) * k[i];
    }
    lanes d[2], outs[2][2] = {};
    for (int c = 0; c < 2; c++) {
        d[c] = beta * (load(v + c * width) - decay * ((sums[0][c] + sums[1][c]) + (sums[2][c] + sums[3][c])));
    }
    const auto even = keys / 2 * 2;
    for (int64_t i = 0; i < even; i += 2) {
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            for (int c = 0; c < 2; c++) {
                auto* at = state + (i + j) * columns + c * width;
                const lanes now = load(at) * decay + d[c] * k[i + j];
                store(now, at);
                outs[j][c] += now * q[i + j];
            }
        }
    }
    for (auto i = even; i < keys; i++) {
        for (int c = 0; c < 2; c++) {
            auto* at = state + i * columns + c * width;
            const lanes now = load(at) * decay + d[c] * k[i];
            store(now, at);
            outs[0][c] += now * q[i];
        }
    }
    store(outs[0][0] + outs[1][0], v);
    store(outs[0][1] + outs[1][1], v + width);
}

// Rows of up to 32 columns into rows of 32, and back.
FOVEA_CLONES void take(const float* from, int64_t stride, int64_t rows, int64_t count, float* to) {
    for (int64_t i = 0; i < rows; i++, from += stride, to += columns) {
        if (count == columns) {
            store(load(from), to);
            store(load(from + width), to + width);
            continue;
        }
        for (int64_t c = 0; c < columns; c++) {
            to[c] = c < count ? from[c] : 0;
        }
    }
}

FOVEA_CLONES void put(const float* from, int64_t stride, int64_t rows, int64_t count, float* to) {
    for (int64_t i = 0; i < rows; i++, from += columns, to += stride) {
        if (count == columns) {
            store(load(from), to);
            store(load(from + width), to + width);
            continue;
        }
        for (int64_t c = 0; c < count; c++) {
            to[c] = from[c];
        }
    }
}

template <class T>
class Steps {
public:
    Steps(const DeltaInputs& inputs, const at::Tensor& states, at::IntArrayRef slots, const at::Tensor& out)
        : inputs(inputs), states(states), slots(slots), out(out), q(scratch.numbers(tokens_together * inputs.keys())),
          k(scratch.numbers(tokens_together * inputs.keys())), block(scratch.numbers(inputs.keys() * columns)) {}

    // A value head of a segment.
    void run(int64_t segment, int64_t head) {
        const auto keys = inputs.keys(), values = inputs.values();
        const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(keys)));
        const auto key_head = head / (inputs.heads() / inputs.key_heads());
        auto* state = mutable_data_of<float>(states) + (slots[segment] * inputs.heads() + head) * keys * values;
        const auto *g = data_of<float>(inputs.g), *beta = data_of<float>(inputs.beta);
        for (auto from = inputs.boundaries[segment]; from < inputs.boundaries[segment + 1]; from += tokens_together) {
            const auto count = std::min(tokens_together, inputs.boundaries[segment + 1] - from);
            const auto of_q = head_of<T>(inputs.q, from, key_head), of_k = head_of<T>(inputs.k, from, key_head);
            for (int64_t t = 0; t < count; t++) {
                unit(of_q.at(t), keys, scale, q + t * keys);
                unit(of_k.at(t), keys, 1, k + t * keys);
            }
            const auto of_v = head_of<T>(inputs.v, from, head), of_out = head_of<T>(out, from, head);
            for (int64_t column = 0; column < values; column += columns) {
                const auto here = std::min(columns, values - column);
                take(state + column, values, keys, here, block);
                for (int64_t t = 0; t < count; t++) {
                    alignas(64) float v[columns] = {};
                    for (int64_t c = 0; c < here; c++) {
                        v[c] = widen(of_v.at(t)[column + c]);
                    }
                    const auto at = (from + t) * inputs.heads() + head;
                    step(q + t * keys, k + t * keys, std::exp(g[at]), beta[at], keys, block, v);
                    for (int64_t c = 0; c < here; c++) {
                        narrow(v[c], &of_out.at(t)[column + c]);
                    }
                }
                put(block, values, keys, here, state + column);
            }
        }
    }

private:
    const DeltaInputs& inputs;
    const at::Tensor& states;
    const at::IntArrayRef slots;
    const at::Tensor& out;
    Scratch scratch;
    float *q, *k, *block;
};

} // namespace

at::Tensor delta_steps_on_cpu(const DeltaInputs& inputs, const at::Tensor& states, at::IntArrayRef slots) {
    auto out = at::empty(inputs.v.sizes(), inputs.v.options());
    by_type(inputs.v, [&](auto zero) {
        using T = decltype(zero);
        share_out(inputs.segments() * inputs.heads(), [&] {
            return [&, worker = std::make_shared<Steps<T>>(inputs, states, slots, out)](int64_t i) { worker->run(i / inputs.heads(), i % inputs.heads()); };
        });
    });
    return out;
}

} // namespace fovea
