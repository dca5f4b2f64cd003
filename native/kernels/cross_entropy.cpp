// fovea::cross_entropy_in_place: weighted cross-entropy of a chunk of logits whose gradient replaces the logits, in one pass over memory.
#include "dispatch.h"
#include "simd.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

namespace fovea {
namespace {

// Returns the loss of the row; the row becomes weight * (softmax - onehot). bf16 rows are read three times, so that nothing is rounded twice.
template <class T>
FOVEA_INLINE float row_loss(T* z, int64_t classes, int64_t target, float weight) {
    const auto whole = classes / width * width;
    lanes tops = filled(-std::numeric_limits<float>::infinity());
    for (int64_t i = 0; i < whole; i += width) {
        tops = larger(load(z + i), tops);
    }
    float top = largest_of(tops);
    for (int64_t i = whole; i < classes; i++) {
        top = widen(z[i]) > top ? widen(z[i]) : top;
    }
    const float picked = widen(z[target]) - top;
    lanes sums{};
    for (int64_t i = 0; i < whole; i += width) {
        sums += exp_fast(load(z + i) - top);
    }
    float sum = sum_of(sums);
    for (int64_t i = whole; i < classes; i++) {
        sum += exp_fast(widen(z[i]) - top);
    }
    const float factor = weight / sum;
    const float at_target = exp_fast(picked) * factor - weight;
    for (int64_t i = 0; i < whole; i += width) {
        store(exp_fast(load(z + i) - top) * factor, z + i);
    }
    for (int64_t i = whole; i < classes; i++) {
        narrow(exp_fast(widen(z[i]) - top) * factor, &z[i]);
    }
    narrow(at_target, &z[target]);
    return std::log(sum) - picked;
}

FOVEA_CLONES float row_loss_of(float* z, int64_t classes, int64_t target, float weight) { return row_loss(z, classes, target, weight); }
FOVEA_CLONES float row_loss_of(bf16* z, int64_t classes, int64_t target, float weight) { return row_loss(z, classes, target, weight); }

// logits [N, V], overwritten with the gradient of sum(weights * losses); targets [N] of 64-bit ids; weights fp32 [N]. Returns the losses [N].
at::Tensor cross_entropy_in_place(at::Tensor& logits, const at::Tensor& targets, const at::Tensor& weights) {
    TORCH_CHECK(
        logits.dim() == 2 && logits.is_contiguous() && targets.sizes() == weights.sizes()
            && targets.numel() == logits.size(0),
        "cross_entropy_in_place: logits ", logits.sizes(), ", targets ", targets.sizes(), ", weights ", weights.sizes());
    check_one_device("cross_entropy_in_place", {&logits, &targets, &weights});
    if (!fused_on_cpu(logits)) {
        if (logits.is_cpu()) {
            checked_targets("cross_entropy_in_place", targets, logits.size(1));
        }
        // As cuda/cross_entropy.cu: a target outside the classes has no number for a loss. An index outside would end all that the card has to do.
        const auto known = targets.clamp(0, logits.size(1) - 1);
        const auto index = known.unsqueeze(1);
        const auto log_probabilities = at::log_softmax(logits, 1, at::kFloat);
        const auto losses = log_probabilities.gather(1, index).neg().squeeze(1).masked_fill_(known.ne(targets), std::numeric_limits<float>::quiet_NaN());
        auto gradient = log_probabilities.exp();
        gradient.scatter_add_(1, index, known.eq(targets).unsqueeze(1).to(gradient.scalar_type()).neg());
        logits.copy_(gradient.mul_(weights.unsqueeze(1)));
        return losses;
    }
    const auto classes = logits.size(1);
    auto losses = at::empty({logits.size(0)}, weights.options());
    const auto* t = checked_targets("cross_entropy_in_place", targets, classes);
    const auto* w = weights.const_data_ptr<float>();
    auto* out = losses.mutable_data_ptr<float>();
    by_type(logits, [&](auto zero) {
        auto* z = mutable_data_of<decltype(zero)>(logits);
        at::parallel_for(0, logits.size(0), 1, [&](int64_t begin, int64_t end) {
            for (auto row = begin; row < end; row++) {
                out[row] = row_loss_of(z + row * classes, classes, t[row], w[row]);
            }
        });
    });
    return losses;
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    fovea::define_kernel(
        library, "cross_entropy_in_place(Tensor(a!) logits, Tensor targets, Tensor weights) -> Tensor", fovea::cross_entropy_in_place);
}
