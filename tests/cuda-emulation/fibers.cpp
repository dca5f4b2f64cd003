#include "fibers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <numeric>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

// Saves the registers that a called function must keep, and goes on where the other stack stopped.
extern "C" void emulated_switch(void** from, void* to);
asm(R"(
.text
.globl emulated_switch
.type emulated_switch, @function
emulated_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulated_switch, .-emulated_switch
)");

namespace emulated {

Place thread_index, block_index;
Extent block_size, grid_size;
Counts counts;
bool rough_exp;

namespace {

constexpr unsigned warp = 32;
constexpr size_t stack_bytes = 64 << 10;

uint64_t state = 1;

uint64_t draw() {
    state += 0x9E3779B97F4A7C15u;
    auto z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void shuffle(std::vector<unsigned>& order) {
    for (size_t i = order.size(); i > 1; i--) {
        std::swap(order[i - 1], order[draw() % i]);
    }
}

enum class Wait { None, Barrier, Warp, Ended };

struct Fiber {
    std::unique_ptr<char[]> stack{new char[stack_bytes]};
    void* at = nullptr;
    void* fake = nullptr; // of the address sanitizer
    Wait wait = Wait::None;
    const char* file = nullptr;
    int line = 0;
};

struct Warp {
    unsigned arrived = 0;
    uint32_t slots[2][warp];
    unsigned turn = 0;
};

struct Shared {
    std::unique_ptr<char[]> bytes;
    size_t count;
};

std::vector<Fiber> fibers;
std::vector<Warp> warps;
std::map<std::pair<const char*, int>, Shared> arrays;
const std::function<void()>* work;
Fiber* current;
void* scheduler;
std::string fault;
#if defined(__SANITIZE_ADDRESS__)
void* scheduler_fake;
const void* scheduler_stack;
size_t scheduler_size;
#endif

void to_scheduler(bool ends) {
    counts.switches++;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(ends ? nullptr : &current->fake, scheduler_stack, scheduler_size);
#endif
    auto* self = current;
    emulated_switch(&self->at, scheduler);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(self->fake, nullptr, nullptr);
#endif
    (void)ends;
}

void to_fiber(Fiber& fiber, unsigned thread) {
    current = &fiber;
    thread_index.x = thread;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&scheduler_fake, fiber.stack.get(), stack_bytes);
#endif
    emulated_switch(&scheduler, fiber.at);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(scheduler_fake, nullptr, nullptr);
#endif
}

void begin() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_size);
#endif
    (*work)();
    current->wait = Wait::Ended;
    to_scheduler(true);
    std::abort();
}

void prepare(Fiber& fiber) {
    // As if emulated_switch had been called from begin's first instruction: six registers, then where to go. A called function finds its stack 8 bytes past
    // a multiple of 16.
    auto top = reinterpret_cast<uintptr_t>(fiber.stack.get() + stack_bytes) & ~static_cast<uintptr_t>(15);
    auto* frame = reinterpret_cast<void**>(top) - 8;
    std::memset(frame, 0, 8 * sizeof(void*));
    frame[6] = reinterpret_cast<void*>(&begin);
    fiber.at = frame;
    fiber.wait = Wait::None;
}

std::string place(const Fiber& fiber) { return std::string(fiber.file) + ":" + std::to_string(fiber.line); }

// Lets those go on for whom a whole block or warp has come; says whether there were any.
bool release(unsigned threads) {
    const auto waiting = std::count_if(fibers.begin(), fibers.begin() + threads, [](const Fiber& f) { return f.wait == Wait::Barrier; });
    if (waiting != threads) {
        return false;
    }
    for (unsigned i = 0; i < threads; i++) {
        if (fibers[i].line != fibers[0].line || std::strcmp(fibers[i].file, fibers[0].file) != 0) {
            throw Fault("threads wait at two barriers, " + place(fibers[0]) + " and " + place(fibers[i]));
        }
    }
    for (unsigned i = 0; i < threads; i++) {
        fibers[i].wait = Wait::None;
    }
    return true;
}

void run_block(unsigned threads, std::vector<unsigned>& order) {
    arrays.clear();
    std::fill(warps.begin(), warps.end(), Warp{});
    for (unsigned i = 0; i < threads; i++) {
        prepare(fibers[i]);
    }
    for (unsigned ended = 0; ended < threads;) {
        shuffle(order);
        bool ran = false;
        for (const auto i : order) {
            auto& fiber = fibers[i];
            if (fiber.wait != Wait::None) {
                continue;
            }
            ran = true;
            to_fiber(fiber, i);
            if (!fault.empty()) {
                throw Fault(std::exchange(fault, {}));
            }
            ended += fiber.wait == Wait::Ended;
        }
        if (!release(threads) && !ran) {
            const auto stuck = std::find_if(fibers.begin(), fibers.begin() + threads, [](const Fiber& f) { return f.wait != Wait::Ended; });
            throw Fault(
                "thread " + std::to_string(stuck - fibers.begin()) + " waits for others that never come"
                + (stuck->wait == Wait::Barrier ? " at " + place(*stuck) : " in a shuffle"));
        }
    }
}

} // namespace

void seed(uint64_t number) { state = number; }

float fast_exp(float x) {
    const float y = std::exp(x);
    if (!rough_exp || y == 0 || !std::isfinite(y)) {
        return y;
    }
    const double unit = std::ldexp(1.0, std::ilogb(y) - 23), share = static_cast<double>(draw() >> 11) / (1ull << 52) - 1;
    return static_cast<float>(y + share * (2 + std::floor(std::fabs(1.173 * x))) * unit);
}

void barrier(const char* file, int line) {
    current->wait = Wait::Barrier;
    current->file = file;
    current->line = line;
    to_scheduler(false);
}

uint32_t exchange(uint32_t mask, uint32_t bits, int lanes) {
    const auto thread = thread_index.x, lane = thread % warp;
    auto& mine = warps[thread / warp];
    auto& slots = mine.slots[mine.turn % 2];
    if (mask != 0xffffffffu) {
        fault = "a shuffle of part of a warp, which is not emulated";
    }
    slots[lane] = bits;
    if (++mine.arrived < warp) {
        current->wait = Wait::Warp;
        to_scheduler(false);
    } else {
        // The last one lets the others go on. They read before any of them can have come to the turn after the next.
        mine.arrived = 0;
        mine.turn++;
        for (auto i = thread - lane; i < thread - lane + warp; i++) {
            fibers[i].wait = Wait::None;
        }
    }
    return slots[lane ^ static_cast<unsigned>(lanes)];
}

void* shared_bytes(const char* file, int line, size_t bytes) {
    auto& array = arrays[{file, line}];
    if (!array.bytes) {
        array = {std::unique_ptr<char[]>(new char[bytes]), bytes};
        std::memset(array.bytes.get(), 0xff, bytes);
    }
    return array.bytes.get();
}

void run(unsigned blocks, unsigned threads, const std::function<void()>& thread) {
    if (blocks == 0 || threads == 0 || threads > 1024 || threads % warp != 0) {
        throw Fault("a launch of " + std::to_string(blocks) + " blocks of " + std::to_string(threads) + " threads");
    }
    counts.launches++;
    counts.blocks += blocks;
    while (fibers.size() < threads) {
        fibers.emplace_back();
    }
    warps.resize(threads / warp);
    work = &thread;
    block_size = {threads, 1, 1};
    grid_size = {blocks, 1, 1};
    std::vector<unsigned> order(threads), grid(blocks);
    std::iota(order.begin(), order.end(), 0u);
    std::iota(grid.begin(), grid.end(), 0u);
    shuffle(grid);
    for (const auto block : grid) {
        block_index.x = block;
        run_block(threads, order);
    }
}

} // namespace emulated
