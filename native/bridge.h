// What every file of the bridge shares: the value that crosses the door, borrowed tensors, and the rule that no exception leaves.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <exception>
#include <string>

#define FOVEA_EXPORT extern "C" __attribute__((visibility("default")))

namespace fovea {

enum class Tag : int32_t {
    None = 0,
    Int = 1, // also element types, layouts and memory formats
    Double = 2,
    Bool = 3,
    String = 4,
    Device = 5, // i = type << 8 | (index & 0xff); index 255 means "no index"
    Tensor = 6,
    IntList = 7,
    DoubleList = 8,
    BoolList = 9,
    TensorList = 10,
    OptionalTensorList = 11,
};

// 16 bytes; mirrored by the managed side. Lists and strings are borrowed for the length of the call.
struct Value {
    Tag tag;
    int32_t count;
    union {
        int64_t i;
        double d;
        const void* p;
    };
};

// A handle is a TensorImpl with one reference that its holder owns.
using Handle = c10::TensorImpl*;

inline at::Tensor borrow(Handle handle) {
    return handle == nullptr
        ? at::Tensor()
        : at::Tensor(c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim_copy(handle));
}

inline Handle give(at::Tensor tensor) {
    return tensor.defined() ? tensor.unsafeReleaseTensorImpl() : nullptr;
}

inline c10::Device unpack_device(int64_t packed) {
    const auto index = static_cast<int>(packed & 0xff);
    return c10::Device(static_cast<c10::DeviceType>(packed >> 8), static_cast<c10::DeviceIndex>(index == 0xff ? -1 : index));
}

inline int64_t pack_device(c10::Device device) {
    return (static_cast<int64_t>(device.type()) << 8) | (device.index() & 0xff);
}

void set_error(std::string message);
std::string describe_current_exception();

// Runs body and turns anything it throws into a status: 0 is success, 1 means that fovea_last_error has the text.
template <class Body>
int guarded(Body&& body) noexcept {
    try {
        body();
        return 0;
    } catch (...) {
        set_error(describe_current_exception());
        return 1;
    }
}

} // namespace fovea
