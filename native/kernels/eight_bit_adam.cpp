// AdamW whose two moments are bytes, as in bitsandbytes (arXiv 2110.02861): every 256 numbers in a row of a flattened weight share a scale, their largest
// magnitude, and a byte stands for one of 256 values between -1 (or 0) and 1, which lie closer together the smaller they are. A step widens a block to fp32,
// updates it as AdamW does, and takes the value nearest to each new number.
#include "dispatch.h"
#include "dynamic_map.h"
#include "simd.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

// A product and a sum are rounded each by itself on every processor: a byte must not depend on the instruction set.
#pragma GCC optimize("fp-contract=off")

namespace fovea {
namespace {

constexpr int64_t block = 256, codes = 256, grain = 64;

// The values of a map, the middles between them, and for each short range of numbers the first code that can be nearest to one of them: the next is the only
// other. A range is a sign, an exponent from 2^-24 on and the first seven bits behind it.
struct Codes {
    static constexpr int32_t least = 103 << 7, ranges = (127 << 7) - least + 1;

    std::array<float, codes> values, bounds;
    std::array<uint8_t, 2 * ranges> first;

    explicit Codes(bool with_signs) {
        const auto map = dynamic_map(with_signs);
        std::copy_n(map.const_data_ptr<float>(), codes, values.begin());
        for (int64_t i = 0; i + 1 < codes; i++) {
            bounds[i] = (values[i] + values[i + 1]) / 2;
        }
        bounds[codes - 1] = std::numeric_limits<float>::infinity();
        for (int32_t i = 0; i < ranges; i++) {
            const auto low = i == 0 ? 0.0f : edge(i), high = std::nextafter(edge(i + 1), 0.0f);
            first[i] = begin(low, high);
            first[ranges + i] = begin(-high, -low);
        }
    }

    static float edge(int32_t range) { return std::bit_cast<float>(static_cast<uint32_t>(range + least) << 16); }

    uint8_t begin(float low, float high) const {
        const auto place = std::lower_bound(bounds.begin(), bounds.end() - 1, low) - bounds.begin();
        TORCH_CHECK(place + 1 >= codes || high <= bounds[static_cast<size_t>(place + 1)], "eight_bit_adamw: two codes begin within ", low, " and ", high);
        return static_cast<uint8_t>(place);
    }

    uint8_t nearest(float x) const {
        const auto bits = std::bit_cast<uint32_t>(x);
        const auto range = std::clamp(static_cast<int32_t>((bits & 0x7fffffff) >> 16) - least, 0, ranges - 1);
        const auto place = first[static_cast<size_t>(bits >> 31 ? ranges + range : range)];
        return static_cast<uint8_t>(place + (x > bounds[place]));
    }
};

const Codes& codes_of(bool with_signs) {
    static const Codes with(true), without(false);
    return with_signs ? with : without;
}

// The numbers of a step, alike for all elements of a weight.
struct Step {
    float beta1, fresh1, beta2, fresh2, kept, rate, root, epsilon, divisor;

    Step(double beta1, double beta2, double rate, double decay, double epsilon, double count, double divisor)
        : beta1(static_cast<float>(beta1)), fresh1(static_cast<float>(1 - beta1)), beta2(static_cast<float>(beta2)), fresh2(static_cast<float>(1 - beta2)),
          kept(static_cast<float>(1 - rate * decay)), rate(static_cast<float>(-rate / (1 - std::pow(beta1, count)))),
          root(static_cast<float>(std::sqrt(1 - std::pow(beta2, count)))), epsilon(static_cast<float>(epsilon)), divisor(static_cast<float>(divisor)) {}
};

FOVEA_INLINE float largest(const float* x) {
    lanes top{};
    for (int64_t i = 0; i < block; i += width) {
        const auto one = load(x + i);
        top = larger(one < 0 ? -one : one, top);
    }
    return largest_of(top);
}

FOVEA_INLINE void widen_block(const uint8_t* bytes, float scale, const Codes& map, int64_t count, float* to) {
    for (int64_t i = 0; i < count; i++) {
        to[i] = map.values[bytes[i]] * scale;
    }
}

FOVEA_INLINE void narrow_block(const float* x, const Codes& map, int64_t count, uint8_t* bytes, float* scale) {
    const auto top = largest(x);
    *scale = top;
    for (int64_t i = 0; i < count; i++) {
        bytes[i] = top > 0 ? map.nearest(x[i] / top) : 0;
    }
}

template <class T>
FOVEA_INLINE void update_block(
    T* weight, const T* gradient, int64_t count, uint8_t* mean, float* mean_scale, uint8_t* square, float* square_scale, const Step& step,
    const Codes& with_signs, const Codes& without) {
    float m[block] = {}, v[block] = {}, p[block] = {}, g[block] = {};
    for (int64_t i = 0; i < count; i++) {
        p[i] = widen(weight[i]);
        g[i] = widen(gradient[i]);
    }
    widen_block(mean, *mean_scale, with_signs, count, m);
    widen_block(square, *square_scale, without, count, v);
    for (int64_t i = 0; i < block; i++) {
        const auto x = g[i] / step.divisor;
        m[i] = m[i] * step.beta1 + step.fresh1 * x;
        v[i] = v[i] * step.beta2 + step.fresh2 * x * x;
        p[i] = p[i] * step.kept + step.rate * m[i] / (std::sqrt(v[i]) / step.root + step.epsilon);
    }
    for (int64_t i = 0; i < count; i++) {
        narrow(p[i], weight + i);
    }
    narrow_block(m, with_signs, count, mean, mean_scale);
    narrow_block(v, without, count, square, square_scale);
}

#define FOVEA_UPDATE_BLOCK(T)                                                                                                                        \
    FOVEA_CLONES void update_block_of(                                                                                                               \
        T* w, const T* g, int64_t n, uint8_t* m, float* ms, uint8_t* v, float* vs, const Step& s, const Codes& a, const Codes& b) {                    \
        update_block(w, g, n, m, ms, v, vs, s, a, b);                                                                                                \
    }
FOVEA_UPDATE_BLOCK(float)
FOVEA_UPDATE_BLOCK(bf16)

// The same with libtorch's operators, for other devices and types: bytes to fp32 numbers and back.
at::Tensor widened(const at::Tensor& bytes, const at::Tensor& scales, const at::Tensor& map) {
    return map.index_select(0, bytes.view({-1}).to(at::kInt)).mul_(scales.repeat_interleave(block).slice(0, 0, bytes.numel()));
}

void narrow_into(const at::Tensor& x, const at::Tensor& bounds, const at::Tensor& counts, const at::Tensor& bytes, const at::Tensor& scales) {
    const auto blocks = scales.numel();
    const auto padded = at::constant_pad_nd(x, {0, blocks * block - x.numel()}).view({blocks, block});
    const auto tops = padded.abs().amax(1);
    const auto places = at::bucketize(padded.div(tops.unsqueeze(1)), bounds).masked_fill_(tops.unsqueeze(1).eq(0), 0);
    const auto fresh = places.view({-1}).slice(0, 0, x.numel()).to(at::kByte).view_as(bytes);
    bytes.copy_(at::where(counts, fresh, bytes));
    scales.copy_(at::where(counts, tops, scales));
}

struct Maps {
    at::Tensor values, bounds;

    Maps(bool with_signs, const at::Device& device) : values(dynamic_map(with_signs).to(device)) {
        bounds = (values.slice(0, 1) + values.slice(0, 0, codes - 1)) / 2;
    }
};

// So many elements at a time, whole blocks: the fp32 copies of one slice are alive, 150 MB, rather than those of a whole table.
constexpr int64_t slice = int64_t{1} << 22;

void update_plainly(
    const at::Tensor& weight, const at::Tensor& gradient, const at::Tensor& mean, const at::Tensor& mean_scales, const at::Tensor& square,
    const at::Tensor& square_scales, const at::Tensor& count, const at::Tensor& counts, const at::Tensor& divisor, double rate, double beta1, double beta2,
    double decay, double epsilon, const Maps& with_signs, const Maps& without) {
    const auto steps = count.to(at::kDouble);
    const auto root = (1 - at::pow(beta2, steps)).sqrt_().to(at::kFloat), size = (-rate / (1 - at::pow(beta1, steps))).to(at::kFloat);
    const auto all_weights = weight.view({-1}), all_gradients = gradient.reshape({-1}), all_means = mean.view({-1}), all_squares = square.view({-1});
    for (int64_t begin = 0; begin < weight.numel(); begin += slice) {
        const auto part = [begin](const at::Tensor& x, int64_t unit = 1) { return x.slice(0, begin / unit, (begin + slice) / unit); };
        const auto w = part(all_weights), means = part(all_means), squares = part(all_squares);
        const auto mean_tops = part(mean_scales, block), square_tops = part(square_scales, block);
        auto g = part(all_gradients).to(at::kFloat);
        g = divisor.defined() ? g / divisor : g;
        const auto m = widened(means, mean_tops, with_signs.values).mul_(beta1).add_(g * (1 - beta1));
        const auto v = widened(squares, square_tops, without.values).mul_(beta2).add_((g * (1 - beta2)).mul_(g));
        const auto update = (m * size).div_((v.sqrt() / root).add_(epsilon));
        const auto moved = (w.to(at::kFloat) * (1 - rate * decay)).add_(update).to(w.scalar_type());
        w.copy_(at::where(counts, moved, w));
        narrow_into(m, with_signs.bounds, counts, means, mean_tops);
        narrow_into(v, without.bounds, counts, squares, square_tops);
    }
}

// One step of every weight in place. means and squares are bytes, one for each element, their scales fp32, one for each block; steps hold the number of this
// step, counted from 1; gradients are divided by the divisor, a number; skip, a number, is 1 where nothing may change.
void eight_bit_adamw(
    at::TensorList weights, at::TensorList gradients, at::TensorList means, at::TensorList mean_scales, at::TensorList squares,
    at::TensorList square_scales, at::TensorList steps, double rate, double beta1, double beta2, double decay, double epsilon,
    const std::optional<at::Tensor>& divisor, const at::Tensor& skip) {
    const auto all = weights.size();
    TORCH_CHECK(
        gradients.size() == all && means.size() == all && mean_scales.size() == all && squares.size() == all && square_scales.size() == all
            && steps.size() == all,
        "eight_bit_adamw: lists of different lengths");
    const auto given = divisor.value_or(at::Tensor());
    std::optional<Maps> with_signs, without;
    at::Tensor counts;
    for (size_t i = 0; i < all; i++) {
        const auto &weight = weights[i], &gradient = gradients[i], &mean = means[i], &square = squares[i];
        const auto count = weight.numel(), blocks = (count + block - 1) / block;
        TORCH_CHECK(
            gradient.numel() == count && mean.numel() == count && square.numel() == count && mean_scales[i].numel() == blocks
                && square_scales[i].numel() == blocks && weight.is_contiguous() && mean.is_contiguous() && square.is_contiguous(),
            "eight_bit_adamw: a weight of ", count, " elements, ", gradient.numel(), " gradients, ", mean.numel(), " bytes, ", mean_scales[i].numel(),
            " scales");
        check_one_device("eight_bit_adamw", {&weight, &gradient, &mean, &mean_scales[i], &square, &square_scales[i], &steps[i], &given, &skip});
        if (!fused_on_cpu(weight) || gradient.scalar_type() != weight.scalar_type()) {
            if (!with_signs) {
                with_signs.emplace(true, weight.device());
                without.emplace(false, weight.device());
                counts = skip.eq(0);
            }
            update_plainly(
                weight, gradient, mean, mean_scales[i], square, square_scales[i], steps[i], counts, given, rate, beta1, beta2, decay, epsilon, *with_signs,
                *without);
            continue;
        }
        if (skip.item<double>() != 0) {
            return;
        }
        const Step step(beta1, beta2, rate, decay, epsilon, steps[i].item<double>(), given.defined() ? given.item<double>() : 1);
        const auto flat = gradient.contiguous();
        auto *m = mean.mutable_data_ptr<uint8_t>(), *v = square.mutable_data_ptr<uint8_t>();
        auto *ms = mean_scales[i].mutable_data_ptr<float>(), *vs = square_scales[i].mutable_data_ptr<float>();
        by_type(weight, [&](auto zero) {
            auto* w = mutable_data_of<decltype(zero)>(weight);
            const auto* g = data_of<decltype(zero)>(flat);
            const auto &a = codes_of(true), &b = codes_of(false);
            at::parallel_for(0, blocks, grain, [&](int64_t begin, int64_t end) {
                for (auto k = begin; k < end; k++) {
                    const auto at = k * block;
                    update_block_of(w + at, g + at, std::min(block, count - at), m + at, ms + k, v + at, vs + k, step, a, b);
                }
            });
        });
    }
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("eight_bit_map(bool with_signs) -> Tensor", fovea::dynamic_map);
    fovea::define_kernel(
        library,
        "eight_bit_adamw_(Tensor(a!)[] weights, Tensor[] gradients, Tensor(b!)[] means, Tensor(c!)[] mean_scales, Tensor(d!)[] squares, "
        "Tensor(e!)[] square_scales, Tensor[] steps, float rate, float beta1, float beta2, float decay, float epsilon, Tensor? divisor, Tensor skip) -> ()",
        fovea::eight_bit_adamw);
}
