#include "product_parts.h"

#include <c10/util/Exception.h>

#include <cstdlib>
#include <memory>

namespace fovea {
namespace {

template <class T>
FOVEA_INLINE void finish(const float* x, float alpha, const T* sum, int64_t by_sum, float beta, T* to, int64_t by_to, int64_t count) {
    if (by_to == 1 && (sum == nullptr || by_sum == 1)) {
        each_of(count, FOVEA_EACH {
            const auto value = read(x + i, zero) * alpha;
            write(sum == nullptr ? value : value + read(sum + i, zero) * beta, to + i);
        });
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        const auto value = x[i] * alpha;
        narrow(sum == nullptr ? value : value + widen(sum[i * by_sum]) * beta, to + i * by_to);
    }
}

} // namespace

float* product_scratch(int64_t count) {
    struct Free {
        void operator()(float* memory) const { std::free(memory); }
    };
    static thread_local std::unique_ptr<float, Free> memory;
    static thread_local int64_t size = 0;
    if (size < count) {
        memory.reset(static_cast<float*>(std::aligned_alloc(64, up_to(count * static_cast<int64_t>(sizeof(float)), 64))));
        size = memory == nullptr ? 0 : count;
        TORCH_CHECK(memory != nullptr, "no memory for a block of ", count, " numbers");
    }
    return memory.get();
}

FOVEA_CLONES void finish_row(const float* x, float a, const float* s, int64_t bs, float b, float* to, int64_t bt, int64_t n) {
    finish(x, a, s, bs, b, to, bt, n);
}
FOVEA_CLONES void finish_row(const float* x, float a, const bf16* s, int64_t bs, float b, bf16* to, int64_t bt, int64_t n) {
    finish(x, a, s, bs, b, to, bt, n);
}

} // namespace fovea
