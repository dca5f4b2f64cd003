// Tensor handles: life, facts, and memory that belongs to somebody else.
#include "bridge.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>

#include <vector>

using namespace fovea;

namespace {
constexpr int max_dims = 8;

// Mirrored by the managed side.
struct Facts {
    int64_t dtype;
    int64_t device;
    int64_t dims;
    int64_t requires_grad;
    int64_t contiguous;
    const void* data; // null without storage (meta)
    int64_t storage; // identity of the storage, to tell shared memory
    int64_t sizes[max_dims];
    int64_t strides[max_dims];
};
} // namespace

FOVEA_EXPORT void fovea_release(Handle handle) {
    if (handle != nullptr) {
        c10::raw::intrusive_ptr::decref(handle);
    }
}

FOVEA_EXPORT Handle fovea_retain(Handle handle) {
    c10::raw::intrusive_ptr::incref(handle);
    return handle;
}

FOVEA_EXPORT int fovea_facts(Handle handle, Facts* facts) {
    return guarded([&] {
        const auto t = borrow(handle);
        TORCH_CHECK(t.dim() <= max_dims, "a tensor of ", t.dim(), " dimensions; at most ", max_dims, " cross the door");
        facts->dtype = static_cast<int64_t>(t.scalar_type());
        facts->device = pack_device(t.device());
        facts->dims = t.dim();
        facts->requires_grad = t.requires_grad();
        facts->contiguous = t.is_contiguous();
        const bool stored = t.has_storage() && !t.is_meta() && t.unsafeGetTensorImpl()->storage_initialized();
        facts->data = stored ? t.const_data_ptr() : nullptr;
        facts->storage = t.has_storage() && !t.is_meta() ? reinterpret_cast<int64_t>(t.storage().unsafeGetStorageImpl()) : 0;
        for (int64_t i = 0; i < t.dim(); i++) {
            facts->sizes[i] = t.size(i);
            facts->strides[i] = t.stride(i);
        }
    });
}

// Wraps memory owned by the caller; `release(context)` runs when the last view of it is gone.
FOVEA_EXPORT int fovea_from_memory(
    void* data, const int64_t* sizes, int dims, int dtype, void (*release)(void*), void* context, Handle* result) {
    return guarded([&] {
        auto t = at::from_blob(
            data, c10::IntArrayRef(sizes, static_cast<size_t>(dims)), [release, context](void*) { release(context); },
            at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype)));
        *result = give(std::move(t));
    });
}

// A tensor of its own over a part of another's memory: no view for autograd, with its own count of writes. `start` is in elements.
FOVEA_EXPORT int fovea_over(Handle handle, int64_t start, const int64_t* sizes, int dims, Handle* result) {
    return guarded([&] {
        const auto whole = borrow(handle);
        const c10::IntArrayRef shape(sizes, static_cast<size_t>(dims));
        TORCH_CHECK(
            start >= 0 && start + c10::multiply_integers(shape) <= whole.numel() && whole.is_contiguous(), "no part of ", whole.sizes(), ": ", shape,
            " from ", start);
        std::vector<int64_t> strides(static_cast<size_t>(dims), 1);
        for (int i = dims - 2; i >= 0; i--) {
            strides[static_cast<size_t>(i)] = strides[static_cast<size_t>(i) + 1] * shape[static_cast<size_t>(i) + 1];
        }
        const c10::NoGradGuard no_grad;
        auto part = at::empty({0}, whole.options().requires_grad(false));
        part.set_(whole.storage(), whole.storage_offset() + start, shape, strides);
        *result = give(std::move(part));
    });
}

// Frees the memory of a dense tensor that others look into, or gives it memory again, with whatever is in there. The tensors stay what they are.
FOVEA_EXPORT int fovea_hold(Handle handle, int hold) {
    return guarded([&] {
        const auto t = borrow(handle);
        auto* storage = t.storage().unsafeGetStorageImpl();
        TORCH_CHECK(storage->allocator() != nullptr && t.storage_offset() == 0, "this memory is not libtorch's to free");
        const auto bytes = hold != 0 ? static_cast<size_t>(t.nbytes()) : 0;
        if ((storage->data() != nullptr) == (hold != 0)) {
            return;
        }
        const c10::DeviceGuard guard(t.device()); // the allocator of a card serves the current one
        storage->set_data_ptr_noswap(storage->allocator()->allocate(bytes));
        storage->set_nbytes(bytes);
    });
}
