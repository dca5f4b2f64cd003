// Streams, memory and names of devices. Without a device (CPU, meta) streams do nothing, so that one code serves all.
#include "bridge.h"

#include <ATen/Context.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

#ifdef FOVEA_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#endif

using namespace fovea;

namespace {

// Mirrored by the managed side; all zero where the device has no streams.
struct PackedStream {
    int64_t id, index, type;
};

PackedStream pack(c10::Stream stream) {
    const auto parts = stream.pack3();
    return {parts.stream_id, parts.device_index, static_cast<int64_t>(parts.device_type)};
}

bool is_real(const PackedStream& stream) { return stream.type == static_cast<int64_t>(c10::DeviceType::CUDA); }

c10::Stream unpack(const PackedStream& stream) {
    return c10::Stream::unpack3(stream.id, static_cast<c10::DeviceIndex>(stream.index), static_cast<c10::DeviceType>(stream.type));
}

// The device with a number: "cuda" alone is the current one.
c10::Device numbered(const c10::impl::VirtualGuardImpl& guard, c10::Device device) { return device.has_index() ? device : guard.getDevice(); }

// What a stream held when it was made; null where there are no streams.
struct Event {
    void* event;
    c10::DeviceIndex device;

    ~Event() { c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA).destroyEvent(event, device); }
};

#ifdef FOVEA_CUDA
c10::DeviceIndex index_of(int64_t device) { return numbered(c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA), unpack_device(device)).index(); }
#endif

} // namespace

// Makes the card the one that "cuda" alone means, on this thread.
FOVEA_EXPORT int fovea_use_device(int64_t device) {
    return guarded([&] {
        const auto d = unpack_device(device);
        if (!d.is_cuda()) {
            return;
        }
        at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
        // Recent builds prefer cuDNN's attention on Hopper, which makes a plan for each new shape: every generated token has one.
        at::globalContext().setSDPUseCuDNN(false);
        if (d.has_index()) {
            c10::impl::VirtualGuardImpl(d.type()).setDevice(d);
        }
    });
}

// A stream of the device's pool, beside the one that computes.
FOVEA_EXPORT int fovea_stream_new(int64_t device, PackedStream* stream) {
    return guarded([&] {
        const auto d = unpack_device(device);
        *stream = {0, 0, 0};
        if (d.is_cuda()) {
            const c10::impl::VirtualGuardImpl guard(d.type());
            *stream = pack(guard.getStreamFromGlobalPool(numbered(guard, d)));
        }
    });
}

FOVEA_EXPORT int fovea_stream_current(int64_t device, PackedStream* stream) {
    return guarded([&] {
        const auto d = unpack_device(device);
        *stream = {0, 0, 0};
        if (d.is_cuda()) {
            const c10::impl::VirtualGuardImpl guard(d.type());
            *stream = pack(guard.getStream(numbered(guard, d)));
        }
    });
}

// Work that this thread queues from now on goes there.
FOVEA_EXPORT int fovea_stream_use(const PackedStream* stream) {
    return guarded([&] {
        if (is_real(*stream)) {
            c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA).exchangeStream(unpack(*stream));
        }
    });
}

// What is queued on `waiter` from now on starts after all that is queued on `awaited` now. The host does not wait.
FOVEA_EXPORT int fovea_stream_wait(const PackedStream* waiter, const PackedStream* awaited) {
    return guarded([&] {
        if (!is_real(*waiter) || !is_real(*awaited)) {
            return;
        }
        const c10::impl::VirtualGuardImpl guard(c10::DeviceType::CUDA);
        const auto stream = unpack(*awaited);
        void* event = nullptr;
        guard.record(&event, stream, stream.device_index(), c10::EventFlag::PYTORCH_DEFAULT);
        guard.block(event, unpack(*waiter));
        guard.destroyEvent(event, stream.device_index());
    });
}

// Marks what the stream holds now; null without streams.
FOVEA_EXPORT int fovea_event_record(const PackedStream* stream, void** made) {
    return guarded([&] {
        *made = nullptr;
        if (is_real(*stream)) {
            const auto on = unpack(*stream);
            auto event = std::make_unique<Event>(Event{nullptr, on.device_index()});
            c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA).record(&event->event, on, on.device_index(), c10::EventFlag::PYTORCH_DEFAULT);
            *made = event.release();
        }
    });
}

// Waits for at most so long until the device has come there. The wait is a question now and then: one that blocks could not be given up.
FOVEA_EXPORT int fovea_event_wait(void* event, int64_t slice_us, int* done) {
    return guarded([&] {
        const auto* e = static_cast<Event*>(event);
        if (e == nullptr) {
            *done = 1;
            return;
        }
        const c10::impl::VirtualGuardImpl guard(c10::DeviceType::CUDA);
        const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(slice_us);
        constexpr auto pause = std::chrono::microseconds(50);
        while ((*done = guard.queryEvent(e->event)) == 0 && std::chrono::steady_clock::now() < end) {
            std::this_thread::sleep_for(pause);
        }
    });
}

FOVEA_EXPORT void fovea_event_close(void* event) {
    guarded([&] { delete static_cast<Event*>(event); });
}

// The memory of a tensor made on another stream stays its own until what `stream` has queued by the time it is freed is done.
FOVEA_EXPORT int fovea_stream_keeps(Handle tensor, const PackedStream* stream) {
    return guarded([&] {
        if (is_real(*stream)) {
            borrow(tensor).record_stream(unpack(*stream));
        }
    });
}

// Waits until the device has done all that was queued.
FOVEA_EXPORT int fovea_synchronize(int64_t device) {
    return guarded([&] {
        const auto d = unpack_device(device);
        if (d.is_cuda()) {
            const c10::impl::VirtualGuardImpl guard(d.type());
            guard.synchronizeDevice(numbered(guard, d).index());
        }
    });
}

// Bytes: in tensors now, the most there ever were, held by the allocator, free on the card, on the card at all. Zeros where nobody counts.
FOVEA_EXPORT int fovea_device_memory(int64_t device, int64_t* bytes) {
    return guarded([&] {
        std::fill(bytes, bytes + 5, 0);
#ifdef FOVEA_CUDA
        if (unpack_device(device).is_cuda()) {
            at::globalContext().lazyInitDevice(c10::DeviceType::CUDA); // before it the allocator counts nothing
            const auto index = index_of(device);
            const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(index);
            const c10::cuda::CUDAGuard guard(index);
            size_t free = 0, total = 0;
            C10_CUDA_CHECK(cudaMemGetInfo(&free, &total));
            bytes[0] = stats.allocated_bytes[0].current;
            bytes[1] = stats.allocated_bytes[0].peak;
            bytes[2] = stats.reserved_bytes[0].current;
            bytes[3] = static_cast<int64_t>(free);
            bytes[4] = static_cast<int64_t>(total);
        }
#endif
    });
}

FOVEA_EXPORT int fovea_reset_peak_memory(int64_t device) {
    return guarded([&] {
#ifdef FOVEA_CUDA
        if (unpack_device(device).is_cuda()) {
            at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
            c10::cuda::CUDACachingAllocator::resetPeakStats(index_of(device));
        }
#endif
    });
}

// The card's name; empty where nobody knows it.
FOVEA_EXPORT int fovea_device_name(int64_t device, char* buffer, int capacity) {
    return guarded([&] {
        buffer[0] = '\0';
#ifdef FOVEA_CUDA
        if (unpack_device(device).is_cuda()) {
            cudaDeviceProp properties{};
            C10_CUDA_CHECK(cudaGetDeviceProperties(&properties, index_of(device)));
            std::strncpy(buffer, properties.name, static_cast<size_t>(capacity) - 1);
            buffer[capacity - 1] = '\0';
        }
#endif
    });
}

// 0: this bridge knows nothing of CUDA; 1: libtorch's operators serve; 2: with kernels of its own.
FOVEA_EXPORT int fovea_cuda_level() {
#ifdef FOVEA_NVCC
    return 2;
#elif defined(FOVEA_CUDA)
    return 1;
#else
    return 0;
#endif
}
