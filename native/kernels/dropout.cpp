// fovea::dropout: x * mask in one pass, forward and backward; two neighbouring places in a row share 64 random bits.
#include "dropout.h"
#include "dispatch.h"
#include "simd.h"
#include "split_mix.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace fovea {
namespace {

typedef uint64_t wide_lanes __attribute__((vector_size(64)));

// The mask at places i to i + 15 of a row, i even; or at i alone.
FOVEA_INLINE lanes mask_at(uint64_t key, int64_t i, uint32_t threshold, float keep, const lanes&) {
    const wide_lanes pairs = {0, 2, 4, 6, 8, 10, 12, 14};
    const auto bits = same_bits<word_lanes>(mixed(key, pairs + static_cast<uint64_t>(i)));
    return bits < threshold ? lanes{} : filled(keep);
}

FOVEA_INLINE float mask_at(uint64_t key, int64_t i, uint32_t threshold, float keep, float) {
    const auto bits = mixed(key, static_cast<uint64_t>(i & ~int64_t{1}));
    return static_cast<uint32_t>(i & 1 ? bits >> 32 : bits) < threshold ? 0.0f : keep;
}

template <class T>
FOVEA_INLINE void row(const T* x, T* y, int64_t count, uint64_t key, uint32_t threshold, float keep, bool adds) {
    if (adds) {
        each_of(count, FOVEA_EACH { write(read(y + i, zero) + read(x + i, zero) * mask_at(key, i, threshold, keep, zero), y + i); });
    } else {
        each_of(count, FOVEA_EACH { write(read(x + i, zero) * mask_at(key, i, threshold, keep, zero), y + i); });
    }
}

FOVEA_CLONES void row_of(const float* x, float* y, int64_t n, uint64_t k, uint32_t t, float keep, bool adds) { row(x, y, n, k, t, keep, adds); }
FOVEA_CLONES void row_of(const bf16* x, bf16* y, int64_t n, uint64_t k, uint32_t t, float keep, bool adds) { row(x, y, n, k, t, keep, adds); }

// For each place 0 or 1 / (1 - probability), fp32 on the CPU.
at::Tensor mask_of(const at::Tensor& keys, int64_t width, int64_t module, uint32_t threshold, float keep) {
    auto mask = at::ones({keys.numel(), width}, at::kFloat);
    const auto* k = data_of<int64_t>(keys);
    auto* m = mutable_data_of<float>(mask);
    at::parallel_for(0, keys.numel(), 8, [&](int64_t begin, int64_t end) {
        for (auto t = begin; t < end; t++) {
            row_of(m + t * width, m + t * width, width, mixed(static_cast<uint64_t>(k[t]), static_cast<uint64_t>(module)), threshold, keep, false);
        }
    });
    return mask;
}

at::Tensor masked(const at::Tensor& given, const at::Tensor& keys, int64_t module, double probability, const std::optional<at::Tensor>& onto) {
    const auto threshold = static_cast<uint32_t>(probability * 4294967296.0);
    const auto keep = static_cast<float>(1 / (1 - probability));
    const auto tokens = given.size(0), width = given.size(1);
    if (!fused_on_cpu(given)) {
        const auto mask = given.is_meta() ? at::empty_like(given) : mask_of(keys.cpu(), width, module, threshold, keep).to(given.options());
        const auto product = given.mul(mask);
        return onto ? onto->add_(product) : product;
    }
    const auto x = given.contiguous();
    auto y = onto ? *onto : at::empty_like(x);
    by_type(x, [&](auto zero) {
        using T = decltype(zero);
        T rounded;
        narrow(keep, &rounded);
        const auto* px = data_of<T>(x);
        const auto* pk = data_of<int64_t>(keys);
        auto* py = mutable_data_of<T>(y);
        at::parallel_for(0, tokens, 8, [&](int64_t begin, int64_t end) {
            for (auto t = begin; t < end; t++) {
                const auto key = mixed(static_cast<uint64_t>(pk[t]), static_cast<uint64_t>(module));
                row_of(px + t * width, py + t * width, width, key, threshold, widen(rounded), onto.has_value());
            }
        });
    });
    return y;
}

struct Dropout : torch::autograd::Function<Dropout> {
    static at::Tensor forward(
        torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& keys, int64_t module, double probability) {
        context->save_for_backward({keys});
        context->saved_data["module"] = module;
        context->saved_data["probability"] = probability;
        return dropped(x, keys, module, probability);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto keys = context->get_saved_variables()[0];
        const auto dx = dropped(gradients[0], keys, context->saved_data["module"].toInt(), context->saved_data["probability"].toDouble());
        return {dx, at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

} // namespace

at::Tensor dropped(const at::Tensor& x, const at::Tensor& keys, int64_t module, double probability, const std::optional<at::Tensor>& onto) {
    TORCH_CHECK(x.dim() == 2 && keys.dim() == 1 && keys.size(0) == x.size(0), "dropout was told of ", keys.numel(), " rows and met ", x.sizes());
    TORCH_CHECK(
        keys.scalar_type() == at::kLong && keys.is_contiguous() && probability >= 0 && probability < 1, "dropout: keys of ", keys.scalar_type(),
        ", probability ", probability);
    TORCH_CHECK(
        !onto || (onto->sizes() == x.sizes() && onto->scalar_type() == x.scalar_type() && onto->is_contiguous()), "dropout: a sum that x does not fit");
    check_one_device("dropout", {&x, &keys});
    static const auto kernel = by_device("fovea::dropped", masked);
    return kernel.call(x, keys, module, probability, onto);
}

} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def(
        "dropout(Tensor x, Tensor keys, int module, float probability) -> Tensor",
        [](const at::Tensor& x, const at::Tensor& keys, int64_t module, double probability) {
            return fovea::Dropout::apply(x, keys, module, probability);
        });
    fovea::define_kernel(library, "dropped(Tensor x, Tensor keys, int module, float probability, Tensor(a!)? onto) -> Tensor", fovea::masked);
}
