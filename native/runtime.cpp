// Facts about the libtorch at hand, threads, random numbers.
#include "bridge.h"
#include "kernels/attention_varlen.h"
#include "kernels/slower_ways.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include <cstdlib>
#include <cstring>
#include <mutex>

using namespace fovea;

FOVEA_EXPORT const char* fovea_torch_version() {
    return TORCH_VERSION;
}

FOVEA_EXPORT int fovea_build_report(char* buffer, int capacity) {
    return guarded([&] {
        const auto text = at::show_config() + "\n" + at::get_parallel_info();
        std::strncpy(buffer, text.c_str(), static_cast<size_t>(capacity) - 1);
        buffer[capacity - 1] = '\0';
    });
}

// A line for each operator that this GPU or build refused so far, or that has no kernel there: its name, for what, how often, and why, with tabs between.
// Returns their length.
FOVEA_EXPORT int fovea_kernel_state(char* buffer, int capacity) {
    int length = 0;
    const int status = guarded([&] {
        const auto text = attention_refusals() + slower_ways();
        length = static_cast<int>(text.size());
        std::strncpy(buffer, text.c_str(), static_cast<size_t>(capacity) - 1);
        buffer[capacity - 1] = '\0';
    });
    return status == 0 ? length : -1;
}

FOVEA_EXPORT int fovea_threads(int wanted) {
    return guarded([&] {
              if (wanted > 0) {
                  at::set_num_threads(wanted);
              }
          }) == 0
        ? at::get_num_threads()
        : -1;
}

FOVEA_EXPORT int fovea_device_count(int device_type) {
    int count = 1;
    const int status = guarded([&] { count = device_type == static_cast<int>(c10::DeviceType::CUDA) ? static_cast<int>(at::getNumGPUs()) : 1; });
    return status == 0 ? count : 0;
}

FOVEA_EXPORT int fovea_seed(uint64_t seed) {
    return guarded([&] { at::manual_seed(seed); });
}

FOVEA_EXPORT int fovea_rng_state(Handle* state) {
    return guarded([&] { *state = give(at::detail::getDefaultCPUGenerator().get_state()); });
}

FOVEA_EXPORT int fovea_set_rng_state(Handle state) {
    return guarded([&] {
        auto generator = at::detail::getDefaultCPUGenerator();
        const std::lock_guard<std::mutex> lock(generator.mutex());
        generator.set_state(borrow(state));
    });
}

FOVEA_EXPORT void fovea_deterministic(int enabled) {
    if (enabled != 0) {
        setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0); // without it cuBLAS may add in another order, and libtorch then refuses every product
    }
    at::globalContext().setDeterministicFillUninitializedMemory(false); // nobody reads before writing
    at::globalContext().setDeterministicAlgorithms(enabled != 0, false);
}
