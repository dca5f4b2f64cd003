// A step of autograd's graph that managed code computes in both directions: what ranks exchange within a forward pass, and its gradient on the way back.
#include "bridge.h"

#include <ATen/core/ivalue.h>
#include <torch/csrc/autograd/custom_function.h>

#include <stdexcept>
#include <utility>

using namespace fovea;

namespace {

using Backward = int (*)(void* context, Handle gradient, Handle* result); // takes the gradient, gives the result; 0 = done
using Free = void (*)(void* context);

// Held by the graph until it is freed.
struct Callback final : torch::CustomClassHolder {
    Backward call;
    Free free;
    void* context;

    Callback(Backward call, Free free, void* context) : call(call), free(free), context(context) {}
    ~Callback() override { free(context); }
};

// What forward came to; in a type of its own, because autograd takes every tensor among the arguments for an input.
struct Computed {
    at::Tensor result;
    c10::intrusive_ptr<Callback> callback;
};

struct ManagedStep : torch::autograd::Function<ManagedStep> {
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor&, const Computed& computed) {
        context->saved_data["callback"] = c10::IValue::make_capsule(computed.callback);
        return computed.result;
    }

    // Also where no gradient came: the other ranks wait for this one's part.
    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto held = context->saved_data["callback"].toCapsule();
        const auto& callback = static_cast<const Callback&>(*held);
        Handle result = nullptr;
        if (callback.call(callback.context, give(std::move(gradients[0])), &result) != 0) {
            throw std::runtime_error("the gradient of a managed step failed");
        }
        return {at::Tensor(c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim(result)), at::Tensor()};
    }
};

} // namespace

// `result`, which was computed from `input` without autograd's knowledge, as a result of it: its gradient goes through `call`.
FOVEA_EXPORT int fovea_managed_step(Handle input, Handle result, Backward call, Free free, void* context, Handle* made) {
    return guarded([&] {
        const Computed computed{borrow(result), c10::make_intrusive<Callback>(call, free, context)};
        *made = give(ManagedStep::apply(borrow(input), computed));
    });
}
