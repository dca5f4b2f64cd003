// Blocks of threads on one CPU thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

struct CUstream_st;

namespace emulated {

struct Place {
    unsigned x = 0, y = 0, z = 0;
};
struct Extent {
    unsigned x = 1, y = 1, z = 1;
};

extern Place thread_index, block_index;
extern Extent block_size, grid_size;

// A kernel did what a card would not forgive.
struct Fault : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Counts {
    long launches = 0, blocks = 0, switches = 0;
};
extern Counts counts;

// The order of blocks and threads, and the errors of fast_exp, are drawn from here on.
void seed(uint64_t number);

// Whether fast_exp errs as far as CUDA's documentation allows __expf to: 2 + |1.173 x| units in the last place.
extern bool rough_exp;
float fast_exp(float x);

// __syncthreads: every thread of the block must come, and to the same one.
void barrier(const char* file, int line);

// __shfl_xor_sync over a whole warp.
uint32_t exchange(uint32_t mask, uint32_t bits, int lanes);

// Memory that the threads of a block share, filled with bytes that are no number; `place` tells one declaration from another.
void* shared_bytes(const char* file, int line, size_t bytes);

template <class Array>
Array& shared(const char* file, int line) {
    return *static_cast<Array*>(shared_bytes(file, line, sizeof(Array)));
}

// Runs `thread` once for each thread of each block.
void run(unsigned blocks, unsigned threads, const std::function<void()>& thread);

// What kernel<<<blocks, threads, shared, stream>>>(arguments) becomes.
template <class... Parameters>
auto launch(void (*kernel)(Parameters...), unsigned blocks, int threads, int, CUstream_st*) {
    return [=](std::type_identity_t<Parameters>... arguments) {
        run(blocks, static_cast<unsigned>(threads), [&] { kernel(arguments...); });
    };
}

} // namespace emulated
