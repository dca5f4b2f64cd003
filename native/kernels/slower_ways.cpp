// Told once each, and counted for whoever reports what slows a run (Devices.Refusals).
#include "slower_ways.h"

#include <c10/util/Exception.h>

#include <map>
#include <mutex>
#include <tuple>

namespace fovea {
namespace {

#ifdef FOVEA_NVCC
constexpr auto why = "no kernel of ours takes such tensors";
#else
constexpr auto why = "built without nvcc, and so without kernels of its own";
#endif

using Case = std::tuple<std::string, at::ScalarType, std::string, int64_t>;
std::mutex gate;
std::map<Case, int64_t> times;

} // namespace

void note_slower_way(const char* name, const at::Tensor& x, const char* sizes, int64_t size) {
    if (x.is_cpu() || x.is_meta() || x.numel() == 0) {
        return;
    }
    const std::lock_guard lock(gate);
    if (times[{name, x.scalar_type(), sizes, size}]++ == 0) {
        TORCH_WARN(
            name, " takes a slower way on ", x.device().type(), " for ", x.scalar_type(), ", ", sizes, " of ", size, ": operators of libtorch, because ", why);
    }
}

std::string slower_ways() {
    const std::lock_guard lock(gate);
    std::string lines;
    for (const auto& [of, count] : times) {
        const auto& [name, type, sizes, size] = of;
        lines += c10::str(name, "\t", type, ", ", sizes, " of ", size, "\t", count, "\t", why, "\n");
    }
    return lines;
}

} // namespace fovea
