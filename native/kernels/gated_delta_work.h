// How the gated delta rule is shared out among threads.
#pragma once
#include "gated_delta.h"
#include "workers.h"

#include <algorithm>
#include <numeric>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fovea {

// While one lives on a thread, numbers too small for all their bits count as 0: with a strong decay they took ten times as long as all others.
struct SmallAreZero {
#if defined(__x86_64__)
    const unsigned before = _mm_getcsr();
    SmallAreZero() { _mm_setcsr(before | 0x8040); }
    ~SmallAreZero() { _mm_setcsr(before); }
#endif
};

// Segments and key heads, and with few heads parts of the columns of v, which know nothing of one another but the keys. How many parts there are depends on
// the shape of a head alone.
struct DeltaWork {
    const DeltaInputs& inputs;
    std::vector<int64_t> order; // of the segments, the longest first
    int64_t parts, part_size;

    explicit DeltaWork(const DeltaInputs& inputs) : inputs(inputs), order(inputs.segments()) {
        constexpr int64_t least_columns = 32, enough_heads = 4;
        const auto heads = inputs.key_heads(), most = (inputs.values() + least_columns - 1) / least_columns;
        const auto wanted = std::clamp<int64_t>(enough_heads / heads, 1, std::max<int64_t>(most, 1));
        part_size = std::max<int64_t>((most + wanted - 1) / wanted, 1) * least_columns;
        parts = std::max<int64_t>((inputs.values() + part_size - 1) / part_size, 1);
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return length(a) > length(b); });
    }

    int64_t length(int64_t segment) const { return inputs.boundaries[segment + 1] - inputs.boundaries[segment]; }
    int64_t longest() const { return length(order.front()); }
    struct Task {
        int64_t segment, start, length, key_head, part, column, columns; // columns of v
    };

    template <class MakeWorker>
    void share_out(const MakeWorker& make) const {
        fovea::share_out(inputs.segments() * inputs.key_heads() * parts, [&] {
            return [&, this, worker = make()](int64_t i) {
                const auto heads = inputs.key_heads(), segment = order[i / (heads * parts)], part = i % parts, column = part * part_size;
                worker->run(Task{
                    segment, inputs.boundaries[segment], length(segment), i / parts % heads, part, column, std::min(part_size, inputs.values() - column)});
            };
        });
    }
};

} // namespace fovea
