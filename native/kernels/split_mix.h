// SplitMix64's finalizer over a Weyl sequence: the same numbers as SplitMix.cs gives, on the CPU and in CUDA's kernels.
#pragma once
#include <cstdint>

#ifdef __CUDACC__
#define FOVEA_EVERYWHERE __host__ __device__ inline
#else
#define FOVEA_EVERYWHERE inline __attribute__((always_inline))
#endif

namespace fovea {

// T is uint64_t or a vector of them.
template <class T>
FOVEA_EVERYWHERE T mixed(uint64_t key, T counter) {
    T z = key + (counter + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

} // namespace fovea
