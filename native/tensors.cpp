// Tensor handles: life, facts, and memory that belongs to somebody else.
#include "bridge.h"

#include <ATen/ops/from_blob.h>

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
        const bool stored = t.has_storage() && !t.is_meta();
        facts->data = stored ? t.const_data_ptr() : nullptr;
        facts->storage = stored ? reinterpret_cast<int64_t>(t.storage().unsafeGetStorageImpl()) : 0;
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
