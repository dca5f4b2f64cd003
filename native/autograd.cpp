// Autograd: gradients, grad mode, and activation checkpointing on saved-tensor hooks.
#include "bridge.h"
#include "recompute.h"

#include <c10/core/AutogradState.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <torch/csrc/autograd/saved_variable_hooks.h>
#include <torch/csrc/autograd/variable.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <unordered_set>
#include <vector>

using namespace fovea;
using torch::autograd::SavedVariableHooks;

namespace {

using Recompute = int (*)(void* context); // 0 = done, otherwise the managed side keeps the exception
using Free = void (*)(void* context);

// One checkpointed block of one forward pass. Packing keeps an index only; the first unpack runs the block again and keeps its tensors.
struct Frame {
    Recompute recompute;
    Free free;
    void* context;
    int packed = 0;
    bool ready = false;
    std::vector<at::Tensor> slots;

    ~Frame() { free(context); }
};

// How to compute one dropped result again. It is held from the first saved tensor that needs it to the last.
struct Recipe {
    std::function<at::Tensor()> again;
    std::vector<at::Tensor> inputs; // what `again` holds
    at::Tensor known;
    int waiting = 0;

    at::Tensor take() {
        if (!known.defined()) {
            at::AutoGradMode grad(false);
            known = again();
        }
        return known;
    }

    void done() {
        if (--waiting <= 0) {
            known.reset();
        }
    }
};

// The cheap results of one selective block while it runs, known by their storage. The weak reference keeps the address from being given to another.
struct Recipes {
    struct Entry {
        c10::weak_intrusive_ptr<c10::StorageImpl> storage;
        at::ScalarType type;
        int64_t count;
        std::shared_ptr<Recipe> recipe;
    };
    std::vector<Entry> entries;

    std::shared_ptr<Recipe> find(const at::Tensor& tensor) const {
        if (!tensor.has_storage() || !tensor.is_contiguous() || tensor.storage_offset() != 0) {
            return nullptr;
        }
        const auto* storage = tensor.storage().unsafeGetStorageImpl();
        for (const auto& entry : entries) {
            if (entry.storage._unsafe_get_target() == storage && entry.type == tensor.scalar_type() && entry.count == tensor.numel()) {
                return entry.recipe;
            }
        }
        return nullptr;
    }
};

struct Mode {
    std::shared_ptr<Frame> frame; // null: nothing is checkpointed here, even inside a checkpointed block
    bool recomputing;
    std::shared_ptr<Recipes> recipes; // of a selective block
};

thread_local std::vector<Mode> modes;

// The memory that this thread's graphs keep for their backward passes, each piece once however many tensors lie in it. Pieces are held meanwhile, so that
// no address comes twice: for the meta device, whose tensors have storages of the right size and nothing behind them.
struct SavedMemory {
    std::unordered_set<const c10::StorageImpl*> known;
    std::vector<c10::Storage> held;
    int64_t bytes = 0;

    void note(const at::Tensor& tensor, bool counts) {
        if (!tensor.defined() || !tensor.has_storage() || !known.insert(tensor.storage().unsafeGetStorageImpl()).second) {
            return;
        }
        held.push_back(tensor.storage());
        if (counts) {
            bytes += static_cast<int64_t>(tensor.storage().nbytes());
        }
    }
};

thread_local std::unique_ptr<SavedMemory> saved;

void note_saved(const at::Tensor& tensor) {
    if (saved != nullptr) {
        saved->note(tensor, true);
    }
}

struct ModeScope {
    explicit ModeScope(Mode mode) { modes.push_back(std::move(mode)); }
    ~ModeScope() { modes.pop_back(); }
};

struct KeepHook final : SavedVariableHooks {
    std::shared_ptr<Frame> frame;
    at::Tensor kept;

    explicit KeepHook(std::shared_ptr<Frame> f) : frame(std::move(f)) {}

    void call_pack_hook(const at::Tensor& tensor) override {
        kept = tensor.detach();
        frame->slots.push_back(kept);
    }

    at::Tensor call_unpack_hook() override { return kept; }
};

// Outside of every block that drops anything, while what is saved is counted.
struct CountHook final : SavedVariableHooks {
    at::Tensor kept;

    void call_pack_hook(const at::Tensor& tensor) override {
        kept = tensor.detach();
        note_saved(kept);
    }

    at::Tensor call_unpack_hook() override { return kept; }
};

struct DiscardHook final : SavedVariableHooks {
    std::shared_ptr<Frame> frame;
    int index = -1;

    explicit DiscardHook(std::shared_ptr<Frame> f) : frame(std::move(f)) {}

    void call_pack_hook(const at::Tensor&) override { index = frame->packed++; }

    at::Tensor call_unpack_hook() override {
        if (!frame->ready) {
            frame->slots.clear();
            {
                ModeScope scope({frame, true, nullptr});
                at::AutoGradMode grad(true);
                if (frame->recompute(frame->context) != 0) {
                    throw std::runtime_error("the recomputation of a block failed");
                }
            }
            if (static_cast<int>(frame->slots.size()) != frame->packed) {
                throw std::runtime_error(
                    "the recomputation of a block saved " + std::to_string(frame->slots.size()) + " tensors, its forward pass " +
                    std::to_string(frame->packed));
            }
            frame->ready = true;
        }
        auto tensor = frame->slots.at(static_cast<size_t>(index));
        frame->slots[static_cast<size_t>(index)] = at::Tensor();
        return tensor;
    }
};

// In a selective block: what is cheap is dropped and computed again from its recipe, everything else is kept.
struct RecipeHook final : SavedVariableHooks {
    at::Tensor kept;
    std::shared_ptr<Recipe> recipe;
    std::vector<int64_t> sizes;
    bool taken = false;

    ~RecipeHook() override {
        if (recipe != nullptr && !taken) {
            recipe->done();
        }
    }

    void call_pack_hook(const at::Tensor& tensor) override {
        recipe = modes.back().recipes->find(tensor);
        if (recipe == nullptr) {
            kept = tensor.detach();
            note_saved(kept);
            return;
        }
        recipe->waiting++;
        sizes = tensor.sizes().vec();
        for (const auto& input : recipe->inputs) {
            note_saved(input);
        }
    }

    at::Tensor call_unpack_hook() override {
        if (recipe == nullptr) {
            return kept;
        }
        auto tensor = recipe->take().view(sizes);
        if (!taken) {
            taken = true;
            recipe->done();
        }
        return tensor;
    }
};

struct BlockEngine final : torch::autograd::Engine {
    ~BlockEngine() override { stop(); }

    std::unique_ptr<SavedVariableHooks> get_default_saved_variable_hooks() override {
        if (!modes.empty() && modes.back().recipes != nullptr) {
            return std::make_unique<RecipeHook>();
        }
        if (modes.empty() || modes.back().frame == nullptr) {
            return saved == nullptr ? nullptr : std::make_unique<CountHook>();
        }
        const auto& mode = modes.back();
        if (mode.recomputing) {
            return std::make_unique<KeepHook>(mode.frame);
        }
        return std::make_unique<DiscardHook>(mode.frame);
    }
};

torch::autograd::Engine& block_engine() {
    // Never destroyed: libtorch's own threads may outlive static destruction.
    static auto* engine = new BlockEngine();
    return *engine;
}

struct AccumulatedHook final : torch::autograd::PostAccumulateGradHook {
    Recompute call;
    Free free;
    void* context;

    AccumulatedHook(Recompute c, Free f, void* x) : call(c), free(f), context(x) {}
    ~AccumulatedHook() override { free(context); }

    void operator()(const torch::autograd::Variable&) override {
        if (call(context) != 0) {
            throw std::runtime_error("a gradient hook failed");
        }
    }
};

struct GradientHook final : torch::autograd::FunctionPreHook {
    Recompute call;
    Free free;
    void* context;

    GradientHook(Recompute c, Free f, void* x) : call(c), free(f), context(x) {}
    ~GradientHook() override { free(context); }

    torch::autograd::variable_list operator()(const torch::autograd::variable_list& gradients) override {
        if (call(context) != 0) {
            throw std::runtime_error("a gradient hook failed");
        }
        return gradients;
    }
};

// Backward runs on the calling thread, on every device: libtorch would give each card a thread, but recomputation calls back into managed code whose
// scopes belong to the thread of the step.
struct OneThread {
    const bool before = c10::AutogradState::get_tls_state().get_multithreading_enabled();

    OneThread() { c10::AutogradState::get_tls_state().set_multithreading_enabled(false); }
    ~OneThread() { c10::AutogradState::get_tls_state().set_multithreading_enabled(before); }
};

std::vector<at::Tensor> borrow_all(const Handle* handles, int count) {
    std::vector<at::Tensor> tensors;
    tensors.reserve(static_cast<size_t>(count));
    for (int i = 0; i < count; i++) {
        tensors.push_back(borrow(handles[i]));
    }
    return tensors;
}

} // namespace

bool fovea::wants_cheap_results() {
    return !modes.empty() && modes.back().recipes != nullptr;
}

void fovea::computed_cheaply(const at::Tensor& result, at::TensorList inputs, std::function<at::Tensor()> again) {
    if (wants_cheap_results()) {
        auto recipe = std::make_shared<Recipe>();
        recipe->again = std::move(again);
        for (const auto& input : inputs) {
            recipe->inputs.push_back(input.detach());
        }
        modes.back().recipes->entries.push_back(
            {result.storage().getWeakStorageImpl(), result.scalar_type(), result.numel(), std::move(recipe)});
    }
}

FOVEA_EXPORT int fovea_autograd_start() {
    return guarded([] { torch::autograd::set_default_engine_stub(block_engine); });
}

FOVEA_EXPORT int fovea_grad_mode(int enabled) {
    const bool before = at::GradMode::is_enabled();
    at::GradMode::set_enabled(enabled != 0);
    return before;
}

FOVEA_EXPORT int fovea_requires_grad(Handle handle, int value) {
    return guarded([&] { borrow(handle).requires_grad_(value != 0); });
}

// `gradients` may be null (scalar roots) or hold one handle a root.
FOVEA_EXPORT int fovea_backward(const Handle* roots, const Handle* gradients, int count, int retain_graph) {
    return guarded([&] {
        const OneThread thread;
        auto grads = gradients == nullptr ? std::vector<at::Tensor>() : borrow_all(gradients, count);
        torch::autograd::backward(borrow_all(roots, count), grads, retain_graph != 0);
    });
}

// Gradients of the roots with respect to `inputs`, without touching .grad; an input that was not used gives a null handle.
FOVEA_EXPORT int fovea_gradients(
    const Handle* roots, const Handle* gradients, int count, const Handle* inputs, int input_count, Handle* results) {
    return guarded([&] {
        const OneThread thread;
        auto grads = gradients == nullptr ? std::vector<at::Tensor>() : borrow_all(gradients, count);
        auto found = torch::autograd::grad(
            borrow_all(roots, count), borrow_all(inputs, input_count), grads, std::nullopt, false, true);
        for (int i = 0; i < input_count; i++) {
            results[i] = give(std::move(found[static_cast<size_t>(i)]));
        }
    });
}

FOVEA_EXPORT int fovea_get_grad(Handle handle, Handle* result) {
    return guarded([&] { *result = give(borrow(handle).grad()); });
}

FOVEA_EXPORT int fovea_set_grad(Handle handle, Handle gradient) {
    return guarded([&] { borrow(handle).mutable_grad() = borrow(gradient); });
}

FOVEA_EXPORT int fovea_on_accumulated(Handle handle, Recompute call, Free free, void* context) {
    return guarded([&] {
        torch::autograd::impl::set_post_acc_grad_hooks(borrow(handle), std::make_unique<AccumulatedHook>(call, free, context));
    });
}

// Calls when the whole gradient of a result is there, before that of anything it was computed from.
FOVEA_EXPORT int fovea_on_gradient(Handle handle, Recompute call, Free free, void* context) {
    return guarded([&] {
        auto hook = std::make_unique<GradientHook>(call, free, context);
        const auto function = borrow(handle).grad_fn();
        TORCH_CHECK(function != nullptr, "only the gradient of a result can be waited for");
        function->add_tensor_pre_hook(std::move(hook));
    });
}

// Until fovea_checkpoint_end on this thread, what autograd saves is dropped and recomputed by `recompute(context)` when first needed.
FOVEA_EXPORT int fovea_checkpoint_begin(Recompute recompute, Free free, void* context) {
    return guarded([&] {
        auto frame = std::make_shared<Frame>();
        frame->recompute = recompute;
        frame->free = free;
        frame->context = context;
        modes.push_back({std::move(frame), false, nullptr});
    });
}

// Until fovea_checkpoint_end on this thread, of what autograd saves the cheap results are dropped and computed again from what is kept.
FOVEA_EXPORT int fovea_selective_begin() {
    return guarded([] { modes.push_back({nullptr, false, std::make_shared<Recipes>()}); });
}

FOVEA_EXPORT int fovea_checkpoint_end() {
    return guarded([] {
        TORCH_CHECK(!modes.empty(), "no checkpointed block is open on this thread");
        modes.pop_back();
    });
}

// Counts what autograd saves on this thread until fovea_saved_stop.
FOVEA_EXPORT int fovea_saved_start() {
    return guarded([] {
        TORCH_CHECK(saved == nullptr, "what is saved on this thread is being counted already");
        saved = std::make_unique<SavedMemory>();
    });
}

// The memory of a tensor as if it had been saved (`counts`), or as something that is there anyway.
FOVEA_EXPORT int fovea_saved_note(Handle handle, int counts) {
    return guarded([&] {
        TORCH_CHECK(saved != nullptr, "what is saved on this thread is not being counted");
        saved->note(borrow(handle), counts != 0);
    });
}

// Bytes of what was noted since the last call.
FOVEA_EXPORT int fovea_saved_take(int64_t* bytes) {
    return guarded([&] {
        TORCH_CHECK(saved != nullptr, "what is saved on this thread is not being counted");
        *bytes = saved->bytes;
        saved->bytes = 0;
    });
}

FOVEA_EXPORT int fovea_saved_stop() {
    return guarded([] { saved = nullptr; });
}
