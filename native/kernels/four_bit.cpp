// Weights in 4 bits, as bitsandbytes keeps them (QLoRA, arXiv 2305.14314): 16 codes, two to a byte, the first in the high half; every `block` numbers in a row
// share a scale, their largest magnitude. Scales may themselves be bytes (double quantisation): a map's value times a scale of 256, plus an offset.
//   four_bit_pack / four_bit_unpack    to and from this form
//   four_bit_linear                    x W^T + b and the gradient to x; W is unpacked a few rows or columns at a time, never as a whole
//   four_bit_row_norms                 lengths of the rows of W, a few rows at a time
#include "dispatch.h"
#include "dynamic_map.h"
#include "products.h"
#include "simd.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace fovea {
namespace {

constexpr int64_t codes = 16, nested_block = 256;
constexpr float least_scale = 1e-38f; // what a block of zeros is divided by
constexpr int64_t tile_bytes = 4 << 20; // of the weight unpacked at a time: it stays in the cache of a core or two

// The scales in fp32, one to a block, whichever way they are kept.
at::Tensor restored(const at::Tensor& scales, const at::Tensor& nested, const at::Tensor& map, double offset) {
    if (!nested.defined()) {
        return scales;
    }
    const auto blocks = scales.numel();
    auto values = map.index_select(0, scales.to(at::kInt));
    const auto own = nested.repeat_interleave(nested_block).slice(0, 0, blocks);
    return values.mul_(own).add_(offset); // rounded after each, as the original does
}

// The codes in ascending order, with the place of each in the table.
std::array<int, codes> ascending(const float* table) {
    std::array<int, codes> order{};
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return table[a] < table[b]; });
    return order;
}

// Divides by the scale: whole blocks by its reciprocal, the shorter one at the end itself, as the original does.
template <class T>
FOVEA_INLINE void pack_block(const T* x, int64_t count, bool whole, const float* bounds, const uint8_t* order, float* scale, uint8_t* chosen) {
    float top = 0;
    for (int64_t i = 0; i < count; i++) {
        top = std::max(top, std::abs(widen(x[i])));
    }
    const float divisor = std::max(top, least_scale), factor = 1.0f / divisor;
    *scale = top;
    for (int64_t i = 0; i < count; i++) {
        const float value = whole ? widen(x[i]) * factor : widen(x[i]) / divisor;
        int place = 0;
        for (int64_t t = 0; t < codes - 1; t++) {
            place += value > bounds[t];
        }
        chosen[i] = order[place];
    }
}

FOVEA_CLONES void pack_block_of(const float* x, int64_t n, bool w, const float* b, const uint8_t* o, float* s, uint8_t* c) { pack_block(x, n, w, b, o, s, c); }
FOVEA_CLONES void pack_block_of(const bf16* x, int64_t n, bool w, const float* b, const uint8_t* o, float* s, uint8_t* c) { pack_block(x, n, w, b, o, s, c); }

std::tuple<at::Tensor, at::Tensor> pack(const at::Tensor& given, const at::Tensor& code, int64_t block) {
    TORCH_CHECK(
        given.is_cpu() && code.is_cpu() && code.numel() == codes && code.scalar_type() == at::kFloat, "four_bit_pack: not on the CPU, or no 16 codes");
    TORCH_CHECK(block > 0 && block % 2 == 0, "four_bit_pack: blocks of ", block);
    const auto x = (given.scalar_type() == at::kHalf ? given.to(at::kFloat) : given).contiguous();
    TORCH_CHECK(fused_on_cpu(x), "four_bit_pack: a tensor of ", given.scalar_type());
    const auto count = x.numel(), blocks = (count + block - 1) / block;
    auto scales = at::empty({blocks}, x.options().dtype(at::kFloat)), packed = at::empty({(count + 1) / 2}, x.options().dtype(at::kByte));
    const auto* table = code.const_data_ptr<float>();
    const auto sorted = ascending(table);
    std::array<float, codes> bounds{};
    std::array<uint8_t, codes> order{};
    for (int64_t i = 0; i < codes; i++) {
        order[i] = static_cast<uint8_t>(sorted[i]);
        bounds[i] = i + 1 < codes ? (table[sorted[i]] + table[sorted[i + 1]]) / 2 : 0;
    }
    // An odd number of values is filled up with the code of zero.
    const auto zero = static_cast<uint8_t>(std::find(table, table + codes, 0.0f) - table);
    auto* bytes = packed.mutable_data_ptr<uint8_t>();
    auto* tops = scales.mutable_data_ptr<float>();
    by_type(x, [&](auto type) {
        const auto* values = data_of<decltype(type)>(x);
        at::parallel_for(0, blocks, 256, [&](int64_t begin, int64_t end) {
            std::vector<uint8_t> chosen(static_cast<size_t>(block + 1));
            for (auto i = begin; i < end; i++) {
                const auto from = i * block, own = std::min(block, count - from);
                pack_block_of(values + from, own, own == block, bounds.data(), order.data(), tops + i, chosen.data());
                chosen[static_cast<size_t>(own)] = zero;
                for (int64_t j = 0; j < own; j += 2) {
                    bytes[(from + j) / 2] = static_cast<uint8_t>(chosen[static_cast<size_t>(j)] << 4 | chosen[static_cast<size_t>(j + 1)]);
                }
            }
        });
    });
    return {packed, scales};
}

// Double quantisation of the scales, their mean taken off first: bytes, and a scale for each 256 of them.
std::tuple<at::Tensor, at::Tensor> pack_scales(const at::Tensor& scales, const at::Tensor& map, const at::Tensor& mean) {
    TORCH_CHECK(
        scales.scalar_type() == at::kFloat && map.scalar_type() == at::kFloat && map.numel() == 256, "four_bit_pack_scales: not fp32, or no 256 values");
    const auto count = scales.numel(), blocks = (count + nested_block - 1) / nested_block;
    const auto padded = at::constant_pad_nd(scales - mean, {0, blocks * nested_block - count}).view({blocks, nested_block});
    const auto nested = std::get<0>(padded.abs().max(1)).clamp_min(least_scale);
    const auto last = count - (blocks - 1) * nested_block;
    const auto divisor = nested.unsqueeze(1);
    auto values = padded * divisor.reciprocal();
    if (last < nested_block) {
        values.select(0, blocks - 1).copy_(padded.select(0, blocks - 1) / divisor.select(0, blocks - 1));
    }
    const auto bounds = (map.slice(0, 1) + map.slice(0, 0, 255)) / 2;
    return {at::bucketize(values.view({-1}).slice(0, 0, count), bounds).to(at::kByte), nested};
}

// What a linear needs of its weight [outputs, inputs].
struct FourBit {
    at::Tensor packed, scales, code; // scales in fp32
    int64_t outputs, inputs, block;
};

template <class T>
FOVEA_INLINE void unpack_run(const uint8_t* bytes, const float* scales, const float* table, int64_t block, int64_t begin, int64_t count, T* to) {
    const auto codes_of = load(table);
    const int_lanes halves = {4, 0, 12, 8, 20, 16, 28, 24, 4, 0, 12, 8, 20, 16, 28, 24};
    for (auto i = begin, end = begin + count; i < end;) {
        const auto scale = scales[i / block];
        const auto stop = std::min(end, (i / block + 1) * block);
        if (i % 2 == 1) {
            narrow(table[bytes[i / 2] & 15] * scale, to++);
            i++;
        }
        for (; i + width <= stop; i += width, to += width) {
            uint32_t words[2];
            std::memcpy(words, bytes + i / 2, sizeof words);
            const word_lanes spread = {words[0], words[0], words[0], words[0], words[0], words[0], words[0], words[0],
                                       words[1], words[1], words[1], words[1], words[1], words[1], words[1], words[1]};
            const auto places = same_bits<int_lanes>((spread >> same_bits<word_lanes>(halves)) & 15);
            store(__builtin_shuffle(codes_of, places) * scale, to);
        }
        for (; i < stop; i++) {
            const auto byte = bytes[i / 2];
            narrow(table[i % 2 == 0 ? byte >> 4 : byte & 15] * scale, to++);
        }
    }
}

FOVEA_CLONES void unpack_run_of(const uint8_t* b, const float* s, const float* t, int64_t k, int64_t i, int64_t n, float* to) {
    unpack_run(b, s, t, k, i, n, to);
}
FOVEA_CLONES void unpack_run_of(const uint8_t* b, const float* s, const float* t, int64_t k, int64_t i, int64_t n, bf16* to) {
    unpack_run(b, s, t, k, i, n, to);
}

// Anywhere: by libtorch's operators.
at::Tensor unpack_plainly(const FourBit& weight, at::ScalarType type) {
    const auto count = weight.outputs * weight.inputs;
    const auto places = at::stack({weight.packed.bitwise_right_shift(4), weight.packed.bitwise_and(15)}, 1).view({-1}).slice(0, 0, count);
    const auto scales = weight.scales.repeat_interleave(weight.block).slice(0, 0, count);
    return weight.code.index_select(0, places.to(at::kInt)).mul_(scales).to(type).view({weight.outputs, weight.inputs});
}

// A part of it where it is not on the CPU: CUDA has a kernel of its own.
at::Tensor part_anywhere(
    const at::Tensor& packed, const at::Tensor& scales, const at::Tensor& code, int64_t outputs, int64_t inputs, int64_t block, int64_t from, int64_t to,
    int64_t first, int64_t last, at::ScalarType type) {
    return unpack_plainly({packed, scales, code, outputs, inputs, block}, type).slice(0, from, to).slice(1, first, last);
}

// x W^T + b of a few rows, as in generation.
at::Tensor few_rows_anywhere(
    const at::Tensor& x, const std::optional<at::Tensor>& bias, const at::Tensor& packed, const at::Tensor& scales, const at::Tensor& code, int64_t outputs,
    int64_t inputs, int64_t block) {
    static const auto kernel = by_device("fovea::four_bit_part", part_anywhere);
    return times_transposed(x, kernel.call(packed, scales, code, outputs, inputs, block, 0, outputs, 0, inputs, x.scalar_type()), bias);
}

// Rows [from, to) and columns [first, last) of the weight.
at::Tensor unpack_part(const FourBit& weight, at::ScalarType type, int64_t from, int64_t to, int64_t first, int64_t last) {
    if (!weight.packed.is_cpu()) {
        static const auto kernel = by_device("fovea::four_bit_part", part_anywhere);
        return kernel.call(weight.packed, weight.scales, weight.code, weight.outputs, weight.inputs, weight.block, from, to, first, last, type);
    }
    const auto columns = last - first;
    auto part = at::empty({to - from, columns}, weight.scales.options().dtype(type == at::kBFloat16 ? at::kBFloat16 : at::kFloat));
    const auto* bytes = weight.packed.const_data_ptr<uint8_t>();
    const auto *scales = weight.scales.const_data_ptr<float>(), *table = weight.code.const_data_ptr<float>();
    by_type(part, [&](auto zero) {
        auto* values = mutable_data_of<decltype(zero)>(part);
        at::parallel_for(0, to - from, std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, columns)), [&](int64_t begin, int64_t end) {
            if (columns == weight.inputs) {
                unpack_run_of(bytes, scales, table, weight.block, (from + begin) * weight.inputs, (end - begin) * columns, values + begin * columns);
            } else {
                for (auto row = begin; row < end; row++) {
                    unpack_run_of(bytes, scales, table, weight.block, (from + row) * weight.inputs + first, columns, values + row * columns);
                }
            }
        });
    });
    return part.to(type);
}

FourBit checked(
    const char* what, const at::Tensor& packed, const at::Tensor& scales, const std::optional<at::Tensor>& nested, const std::optional<at::Tensor>& map,
    double offset, const at::Tensor& code, int64_t outputs, int64_t inputs, int64_t block) {
    const auto count = outputs * inputs, blocks = (count + block - 1) / block;
    TORCH_CHECK(
        packed.scalar_type() == at::kByte && packed.numel() == (count + 1) / 2 && scales.numel() == blocks && code.numel() == codes
            && code.scalar_type() == at::kFloat && nested.has_value() == map.has_value() && scales.scalar_type() == (nested ? at::kByte : at::kFloat)
            && (!nested || (nested->numel() == (blocks + nested_block - 1) / nested_block && map->numel() == 256)),
        what, ": ", packed.numel(), " bytes, ", scales.numel(), " scales and ", nested ? nested->numel() : 0, " of theirs for [", outputs, ", ", inputs,
        "] in blocks of ", block);
    return {packed.contiguous().view({-1}), restored(scales.contiguous(), nested.value_or(at::Tensor()), map.value_or(at::Tensor()), offset), code.contiguous(),
            outputs, inputs, block};
}

// Rows of x that a kernel multiplies without writing the weight down.
constexpr int64_t few = 4;

int64_t tile(int64_t length, int64_t other, at::ScalarType type, int64_t multiple) {
    const auto fitting = tile_bytes / std::max<int64_t>(1, other * static_cast<int64_t>(c10::elementSize(type)));
    return std::clamp<int64_t>(fitting / multiple * multiple, multiple, std::max(length, multiple));
}

at::Tensor times(const at::Tensor& x, const FourBit& weight, const std::optional<at::Tensor>& bias) {
    if (!x.is_cpu() && x.size(0) <= few) {
        static const auto kernel = by_device("fovea::four_bit_few_rows", few_rows_anywhere);
        return kernel.call(x, bias, weight.packed, weight.scales, weight.code, weight.outputs, weight.inputs, weight.block);
    }
    const auto step = x.is_cpu() ? tile(weight.outputs, weight.inputs, x.scalar_type(), 64) : weight.outputs;
    if (step >= weight.outputs) {
        return times_transposed(x, unpack_part(weight, x.scalar_type(), 0, weight.outputs, 0, weight.inputs), bias);
    }
    auto y = at::empty({x.size(0), weight.outputs}, x.options());
    for (int64_t from = 0; from < weight.outputs; from += step) {
        const auto to = std::min(weight.outputs, from + step);
        y.slice(1, from, to).copy_(times_transposed(
            x, unpack_part(weight, x.scalar_type(), from, to, 0, weight.inputs), bias ? std::optional(bias->slice(0, from, to)) : std::nullopt));
    }
    return y;
}

at::Tensor times_backward(const at::Tensor& dy, const FourBit& weight) {
    const auto step = dy.is_cpu() ? tile(weight.inputs, weight.outputs, dy.scalar_type(), weight.block) : weight.inputs;
    if (step >= weight.inputs) {
        return times_transposed(dy, unpack_part(weight, dy.scalar_type(), 0, weight.outputs, 0, weight.inputs).t());
    }
    auto dx = at::empty({dy.size(0), weight.inputs}, dy.options());
    for (int64_t first = 0; first < weight.inputs; first += step) {
        const auto last = std::min(weight.inputs, first + step);
        dx.slice(1, first, last).copy_(times_transposed(dy, unpack_part(weight, dy.scalar_type(), 0, weight.outputs, first, last).t()));
    }
    return dx;
}

// In fp32, of the numbers that a product in the type sees.
at::Tensor row_norms(const FourBit& weight, at::ScalarType type) {
    auto norms = at::empty({weight.outputs}, weight.scales.options());
    const auto step = weight.packed.is_cpu() ? tile(weight.outputs, weight.inputs, type, 64) : weight.outputs;
    for (int64_t from = 0; from < weight.outputs; from += step) {
        const auto to = std::min(weight.outputs, from + step);
        norms.slice(0, from, to).copy_(at::norm(unpack_part(weight, type, from, to, 0, weight.inputs), 2, {1}, false, at::kFloat));
    }
    return norms;
}

// Kept for the backward pass is the packed weight, which lives anyway; the scales are restored anew.
struct FourBitLinear : torch::autograd::Function<FourBitLinear> {
    static at::Tensor forward(
        torch::autograd::AutogradContext* context, const at::Tensor& x, const std::optional<at::Tensor>& bias, const std::vector<at::Tensor>& kept,
        double offset, int64_t outputs, int64_t block) {
        context->save_for_backward({kept[0], kept[1], kept[2], kept[3], kept[4]});
        context->saved_data["bias"] = bias.has_value();
        context->saved_data["offset"] = offset;
        context->saved_data["block"] = block;
        context->saved_data["sizes"] = std::vector<int64_t>{outputs, x.size(1)};
        return x.is_meta() ? at::empty({x.size(0), outputs}, x.options()) : times(x, opened(kept, offset, outputs, x.size(1), block), bias);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto sizes = context->saved_data["sizes"].toIntVector();
        const auto dy = gradients[0].contiguous();
        at::Tensor dx, db;
        if (context->needs_input_grad(0) && dy.is_meta()) {
            dx = at::empty({dy.size(0), sizes[1]}, dy.options());
        } else if (context->needs_input_grad(0)) {
            dx = times_backward(
                dy, opened(context->get_saved_variables(), context->saved_data["offset"].toDouble(), sizes[0], sizes[1], context->saved_data["block"].toInt()));
        }
        if (context->saved_data["bias"].toBool() && context->needs_input_grad(1)) {
            db = dy.sum(0);
        }
        return {dx, db, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
    }

    static FourBit opened(const std::vector<at::Tensor>& kept, double offset, int64_t outputs, int64_t inputs, int64_t block) {
        const auto given = [](const at::Tensor& t) { return t.defined() ? std::optional(t) : std::nullopt; };
        return checked("four_bit_linear", kept[0], kept[1], given(kept[2]), given(kept[3]), offset, kept[4], outputs, inputs, block);
    }
};

at::Tensor linear(
    const at::Tensor& x, const std::optional<at::Tensor>& bias, const at::Tensor& packed, const at::Tensor& scales, const std::optional<at::Tensor>& nested,
    const std::optional<at::Tensor>& map, double offset, const at::Tensor& code, int64_t outputs, int64_t block) {
    auto sizes = x.sizes().vec();
    sizes.back() = outputs;
    const std::vector<at::Tensor> kept{packed, scales, nested.value_or(at::Tensor()), map.value_or(at::Tensor()), code};
    return FourBitLinear::apply(x.reshape({-1, x.size(-1)}), bias, kept, offset, outputs, block).view(sizes);
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    fovea::define_kernel(
        library,
        "four_bit_part(Tensor packed, Tensor scales, Tensor code, int outputs, int inputs, int block, int from, int to, int first, int last, ScalarType type) "
        "-> Tensor",
        fovea::part_anywhere);
    fovea::define_kernel(
        library,
        "four_bit_few_rows(Tensor x, Tensor? bias, Tensor packed, Tensor scales, Tensor code, int outputs, int inputs, int block) -> Tensor",
        fovea::few_rows_anywhere);
    library.def("four_bit_pack(Tensor x, Tensor code, int block) -> (Tensor, Tensor)", fovea::pack);
    library.def("four_bit_pack_scales(Tensor scales, Tensor map, Tensor mean) -> (Tensor, Tensor)", fovea::pack_scales);
    library.def("four_bit_scale_map() -> Tensor", [] { return fovea::dynamic_map(true); });
    library.def(
        "four_bit_unpack(Tensor packed, Tensor scales, Tensor? nested, Tensor? map, float offset, Tensor code, int outputs, int inputs, int block, "
        "ScalarType type) -> Tensor",
        [](const at::Tensor& packed, const at::Tensor& scales, const std::optional<at::Tensor>& nested, const std::optional<at::Tensor>& map, double offset,
           const at::Tensor& code, int64_t outputs, int64_t inputs, int64_t block, at::ScalarType type) {
            const auto weight = fovea::checked("four_bit_unpack", packed, scales, nested, map, offset, code, outputs, inputs, block);
            return fovea::unpack_part(weight, type, 0, outputs, 0, inputs);
        });
    library.def(
        "four_bit_row_norms(Tensor packed, Tensor scales, Tensor? nested, Tensor? map, float offset, Tensor code, int outputs, int inputs, int block, "
        "ScalarType type) -> Tensor",
        [](const at::Tensor& packed, const at::Tensor& scales, const std::optional<at::Tensor>& nested, const std::optional<at::Tensor>& map, double offset,
           const at::Tensor& code, int64_t outputs, int64_t inputs, int64_t block, at::ScalarType type) {
            return fovea::row_norms(fovea::checked("four_bit_row_norms", packed, scales, nested, map, offset, code, outputs, inputs, block), type);
        });
    library.def(
        "four_bit_linear(Tensor x, Tensor? bias, Tensor packed, Tensor scales, Tensor? nested, Tensor? map, float offset, Tensor code, int outputs, int block) "
        "-> Tensor",
        fovea::linear);
}
