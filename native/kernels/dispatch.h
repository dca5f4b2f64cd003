// Kernels by device. What a model calls (fovea::rms_norm, ...) is a formula with its gradient; the passes over memory below it are operators of their own,
// defined once for every device (the CPU's fused form, the plain formula elsewhere) and again for CUDA in cuda/ where nvcc was at hand.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

namespace fovea {

// The operator of this name with the signature of `like`, the function that serves every device.
template <class... Arguments, class Result>
c10::TypedOperatorHandle<Result(Arguments...)> by_device(const char* name, Result (*)(Arguments...)) {
    return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Result(Arguments...)>();
}

// Defines a kernel for every device. It has no gradient of its own: autograd looks through it.
template <class Function>
void define_kernel(torch::Library& library, const char* schema, Function* for_every_device) {
    auto parsed = torch::jit::parseSchema(schema);
    const auto name = parsed.name();
    library.def(std::move(parsed));
    library.impl(name.c_str(), torch::dispatch(c10::DispatchKey::CompositeExplicitAutograd, for_every_device));
    library.impl(name.c_str(), torch::dispatch(c10::DispatchKey::Autograd, torch::CppFunction::makeFallthrough()));
    library.impl(name.c_str(), torch::dispatch(c10::DispatchKey::ADInplaceOrView, torch::CppFunction::makeFallthrough()));
}

// Everything that takes part must be on one device; a number (no dimensions) may come from the CPU.
inline void check_one_device(const char* what, std::initializer_list<const at::Tensor*> tensors) {
    const auto& first = **tensors.begin();
    for (const auto* tensor : tensors) {
        TORCH_CHECK(
            !tensor->defined() || tensor->device() == first.device() || (tensor->dim() == 0 && tensor->is_cpu()), what, ": tensors on ", first.device(),
            " and ", tensor->device());
    }
}

// The ids of classes on the CPU, side by side, none outside them.
inline const int64_t* checked_targets(const char* what, const at::Tensor& targets, int64_t classes) {
    const auto* ids = targets.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < targets.numel(); i++) {
        TORCH_CHECK(ids[i] >= 0 && ids[i] < classes, what, ": target ", ids[i], " is not one of ", classes, " classes");
    }
    return ids;
}

} // namespace fovea
