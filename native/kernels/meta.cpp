// Shapes of libtorch's operators that have none of their own outside Python: the meta device runs whole training steps with them, without memory.
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <optional>
#include <tuple>

namespace fovea {
namespace {

at::Tensor index_select(const at::Tensor& x, int64_t dim, const at::Tensor& index) {
    TORCH_CHECK(index.device() == x.device(), "index_select: a tensor on ", x.device(), " and an index on ", index.device());
    auto sizes = x.sizes().vec();
    sizes.at(static_cast<size_t>(dim < 0 ? dim + x.dim() : dim)) = index.numel();
    return at::empty(sizes, x.options());
}

std::tuple<at::Tensor, at::Tensor> fused_attention(
    const at::Tensor& q, const at::Tensor&, const at::Tensor&, double, bool, const std::optional<at::Tensor>&, std::optional<double>) {
    return {at::empty(q.sizes(), q.options()), at::empty({q.size(0), q.size(1), q.size(2)}, q.options().dtype(at::kFloat))};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> layer_norm(
    const at::Tensor& x, at::IntArrayRef normalised, const std::optional<at::Tensor>&, const std::optional<at::Tensor>&, double) {
    auto rows = x.sizes().vec();
    std::fill(rows.end() - static_cast<int64_t>(normalised.size()), rows.end(), 1);
    const auto options = x.options().dtype(at::kFloat);
    return {at::empty(x.sizes(), x.options()), at::empty(rows, options), at::empty(rows, options)};
}

// An update in place changes no shape and returns nothing.
void update(const c10::OperatorHandle& op, torch::jit::Stack* stack) { torch::jit::drop(*stack, op.schema().arguments().size()); }

bool lacks_shapes(const char* name) {
    const auto op = c10::Dispatcher::singleton().findSchema({name, ""});
    return op && !op->hasKernelForDispatchKey(c10::DispatchKey::Meta);
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_IMPL(aten, Meta, library) {
    if (fovea::lacks_shapes("aten::index_select")) {
        library.impl("index_select", fovea::index_select);
    }
    if (fovea::lacks_shapes("aten::_scaled_dot_product_flash_attention_for_cpu")) {
        library.impl("_scaled_dot_product_flash_attention_for_cpu", fovea::fused_attention);
    }
    if (fovea::lacks_shapes("aten::native_layer_norm")) {
        library.impl("native_layer_norm", fovea::layer_norm);
    }
    if (fovea::lacks_shapes("aten::_fused_adamw_")) {
        library.impl("_fused_adamw_", torch::CppFunction::makeFromBoxedFunction<&fovea::update>());
    }
}
