// Counts the bytes of tensors that this thread makes and frees, on any device, through the reports of libtorch's own allocators.
#include "bridge.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <cstdint>
#include <memory>

using namespace fovea;

namespace {

struct Count final : c10::MemoryReportingInfoBase {
    int64_t live = 0, peak = 0;

    void reportMemoryUsage(void*, int64_t size, size_t, size_t, c10::Device) override {
        live += size;
        peak = std::max(peak, live);
    }

    void reportOutOfMemory(int64_t, size_t, size_t, c10::Device) override {}

    bool memoryProfilingEnabled() const override { return true; }
};

thread_local std::shared_ptr<Count> count;

} // namespace

// What was made before the start is not known when it is freed, so start before the tensors that matter.
FOVEA_EXPORT int fovea_count_start() {
    return guarded([] {
        TORCH_CHECK(count == nullptr, "the memory of this thread is being counted already");
        count = std::make_shared<Count>();
        c10::ThreadLocalDebugInfo::_push(c10::DebugInfoKind::PROFILER_STATE, count);
    });
}

FOVEA_EXPORT int fovea_count_read(int64_t* live, int64_t* peak, int restart) {
    return guarded([&] {
        TORCH_CHECK(count != nullptr, "the memory of this thread is not being counted");
        *live = count->live;
        *peak = count->peak;
        if (restart != 0) {
            count->peak = count->live;
        }
    });
}

FOVEA_EXPORT int fovea_count_stop() {
    return guarded([] {
        if (count != nullptr) {
            c10::ThreadLocalDebugInfo::_pop(c10::DebugInfoKind::PROFILER_STATE);
            count = nullptr;
        }
    });
}
