// Memory of tensors on the CPU. A training step makes and frees the same large buffers again and again: fresh pages for each cost more than some of the
// arithmetic (a fifth of a step of a mixture of experts), and malloc's heap is full of holes once sizes change from step to step. Large blocks therefore
// live in a stretch of addresses of their own. What is free there keeps its pages, joins with its neighbours and is cut again, but blocks in use and free
// pages together are never more than the most that was in use at one time (and a thirty-second): beyond that, pages that have been free longest go back to the
// system, and only their addresses stay. Small blocks are malloc's. FOVEA_BLOCKS=off leaves everything to libtorch's own allocator.
#include "bridge.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/Exception.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

using namespace fovea;

namespace {

constexpr size_t least = 256 << 10, unit = 16 << 10, colours = 4 << 10, huge_page = 2 << 20, least_slack = 4 << 20, chunk = 64 << 20;

size_t round_up(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// Free addresses of one kind: with pages, or without.
class FreeList {
public:
    struct Range {
        size_t size;
        uint64_t age;
    };

    size_t bytes = 0;

    // Joins with what lies beside it.
    void add(char* base, size_t size, uint64_t age) {
        bytes += size;
        if (const auto after = ranges.find(base + size); after != ranges.end()) {
            size += after->second.size;
            erase(after);
        }
        if (auto before = ranges.lower_bound(base); before != ranges.begin()) {
            before = std::prev(before);
            if (before->first + before->second.size == base) {
                base = before->first;
                size += before->second.size;
                erase(before);
            }
        }
        insert(base, size, age);
    }

    // The front of the smallest range that is large enough; null when there is none.
    char* take(size_t size) {
        const auto found = by_size.lower_bound({size, nullptr});
        if (found == by_size.end()) {
            return nullptr;
        }
        auto* base = found->second;
        cut(base, size);
        return base;
    }

    // As much as `most` bytes of the oldest range.
    std::pair<char*, size_t> take_oldest(size_t most) {
        auto* base = by_age.begin()->second;
        const auto size = std::min(ranges.at(base).size, most);
        cut(base, size);
        return {base, size};
    }

private:
    std::map<char*, Range> ranges;
    std::set<std::pair<size_t, char*>> by_size;
    std::map<uint64_t, char*> by_age; // ages are all different

    void insert(char* base, size_t size, uint64_t age) {
        ranges.emplace(base, Range{size, age});
        by_size.emplace(size, base);
        by_age.emplace(age, base);
    }

    void erase(std::map<char*, Range>::iterator range) {
        by_size.erase({range->second.size, range->first});
        by_age.erase(range->second.age);
        ranges.erase(range);
    }

    void cut(char* base, size_t size) {
        const auto found = ranges.find(base);
        const auto range = found->second;
        erase(found);
        bytes -= size;
        if (range.size > size) {
            insert(base + size, range.size - size, range.age);
        }
    }
};

class Blocks final : public c10::Allocator {
public:
    c10::DataPtr allocate(size_t bytes) override {
        void* data = bytes < least ? nullptr : take(bytes);
        if (data == nullptr) {
            data = c10::alloc_cpu(bytes);
        }
        c10::profiledCPUMemoryReporter().New(data, bytes);
        return {data, data, &Blocks::free, c10::Device(c10::DeviceType::CPU)};
    }

    c10::DeleterFnPtr raw_deleter() const override { return &Blocks::free; }

    void copy_data(void* to, const void* from, size_t count) const override { default_copy_data(to, from, count); }

    void read(int64_t* live_bytes, int64_t* kept_bytes, int64_t* peak_bytes) {
        const std::lock_guard lock(mutex);
        *live_bytes = static_cast<int64_t>(live);
        *kept_bytes = static_cast<int64_t>(kept.bytes);
        *peak_bytes = static_cast<int64_t>(peak);
    }

    // Gives all free pages back, and forgets how many there were.
    void trim() {
        const std::lock_guard lock(mutex);
        peak = live;
        shrink(0);
    }

    static Blocks& instance() {
        static auto* blocks = new Blocks(); // to the end of the process: tensors outlive static destruction
        return *blocks;
    }

private:
    struct Block {
        char* base;
        size_t size;
    };

    std::mutex mutex;
    std::unordered_map<void*, Block> used; // by where its data begins
    FreeList kept, dropped;                // free, with and without pages
    char *top = nullptr, *end = nullptr;   // addresses that were never used
    char* ready = nullptr;                 // up to here they may be
    size_t live = 0, peak = 0;
    uint64_t serial = 0;

    // A stretch of addresses, which is not memory yet: four times the machine's memory, or what the system grants of it.
    Blocks() {
        auto size = round_up(4 * static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE)), huge_page);
        for (; size >= chunk; size = round_up(size / 2, huge_page)) {
            auto* place = mmap(nullptr, size + huge_page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (place != MAP_FAILED) {
                top = static_cast<char*>(place);
                top += round_up(reinterpret_cast<size_t>(top), huge_page) - reinterpret_cast<size_t>(top);
                end = top + size;
                ready = top;
                madvise(top, size, MADV_HUGEPAGE); // where the system allows it: one fault for 2 MiB
                return;
            }
        }
    }

    static void free(void* data) {
        if (data != nullptr) {
            c10::profiledCPUMemoryReporter().Delete(data);
            instance().give(data);
        }
    }

    // Null when the addresses have run out, or the system has no more memory.
    void* take(size_t bytes) {
        // Blocks that all began at a page's start would meet in the same lines of the cache.
        const auto size = round_up(bytes + colours, unit);
        const std::lock_guard lock(mutex);
        auto* base = kept.take(size);
        if (base == nullptr) {
            shrink_for(live + size);
            base = dropped.take(size);
        }
        if (base == nullptr) {
            base = extend(size);
        }
        if (base == nullptr) {
            return nullptr;
        }
        live += size;
        peak = std::max(peak, live);
        auto* data = base + serial++ * 320 % colours;
        used.emplace(data, Block{base, size});
        return data;
    }

    char* extend(size_t size) {
        if (static_cast<size_t>(end - top) < size) {
            return nullptr;
        }
        if (const auto needed = top + size; needed > ready) {
            const auto more = std::min(round_up(static_cast<size_t>(needed - ready), chunk), static_cast<size_t>(end - ready));
            if (mprotect(ready, more, PROT_READ | PROT_WRITE) != 0) {
                return nullptr;
            }
            ready += more;
        }
        return std::exchange(top, top + size);
    }

    void give(void* data) {
        std::unique_lock lock(mutex);
        const auto found = used.find(data);
        if (found == used.end()) {
            lock.unlock();
            c10::free_cpu(data);
            return;
        }
        const auto block = found->second;
        used.erase(found);
        live -= block.size;
        kept.add(block.base, block.size, serial++);
        shrink_for(live);
    }

    void shrink_for(size_t in_use) {
        const auto most = std::max(peak, in_use), bound = most + std::max(least_slack, most / 32);
        shrink(bound - in_use);
    }

    // Gives pages back until no more than this is kept.
    void shrink(size_t most) {
        while (kept.bytes > most) {
            const auto [base, size] = kept.take_oldest(round_up(kept.bytes - most, unit));
            madvise(base, size, MADV_DONTNEED);
            dropped.add(base, size, serial++);
        }
    }
};

[[maybe_unused]] const bool installed = [] {
    const auto* wish = std::getenv("FOVEA_BLOCKS");
    if (wish != nullptr && std::string_view(wish) == "off") {
        return false;
    }
    c10::SetCPUAllocator(&Blocks::instance(), 1);
    return true;
}();

} // namespace

// Bytes of large CPU blocks in use, of free pages that are kept, and the most in use at one time.
FOVEA_EXPORT int fovea_blocks_read(int64_t* live, int64_t* kept, int64_t* peak) {
    return guarded([&] { Blocks::instance().read(live, kept, peak); });
}

// Gives free pages back to the system, and forgets how many there were.
FOVEA_EXPORT int fovea_blocks_trim() {
    return guarded([] { Blocks::instance().trim(); });
}
