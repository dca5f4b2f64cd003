// Tasks of unequal length on all threads.
#pragma once
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <atomic>

namespace fovea {

// Gives every thread a worker of its own, and the workers the tasks 0 to count - 1, one after another as they become free.
template <class MakeWorker>
void share_out(int64_t count, const MakeWorker& make) {
    std::atomic<int64_t> next{0};
    const auto run = [&] {
        const at::NoGradGuard no_grad; // threads other than the caller's know of no mode
        const auto worker = make();
        for (int64_t i; (i = next.fetch_add(1)) < count;) {
            worker(i);
        }
    };
    const auto threads = std::min<int64_t>(at::get_num_threads(), count);
    if (threads > 1 && !at::in_parallel_region()) {
        at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
            for (auto i = begin; i < end; i++) {
                run();
            }
        });
    } else {
        run();
    }
}

} // namespace fovea
