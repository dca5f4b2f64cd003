#include "product_choice.h"
#include "tile_products.h"

#include <c10/util/Exception.h>
#include <torch/library.h>

#include <atomic>

namespace fovea {
namespace {

struct Choice {
    std::atomic<ProductKernel> fp32, bf16, fp16;
};

// oneDNN multiplies bf16 where the processor has AVX-512, and fp16 where it has that type; elsewhere libtorch multiplies number by number, 6 to 8 times
// slower than in fp32 (9 against 50 to 75 GFLOP/s on an EPYC with AVX2).
Choice& choice() {
#if defined(__x86_64__)
    static const bool avx512 = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    static const bool halves = avx512 && __builtin_cpu_supports("avx512fp16");
#else
    constexpr bool avx512 = true, halves = true;
#endif
    static Choice made{
        ProductKernel::library, avx512 ? ProductKernel::library : ProductKernel::widened, halves ? ProductKernel::library : ProductKernel::widened};
    return made;
}

std::atomic<ProductKernel>* chosen(at::ScalarType type) {
    auto& all = choice();
    return type == at::kFloat ? &all.fp32 : type == at::kBFloat16 ? &all.bf16 : type == at::kHalf ? &all.fp16 : nullptr;
}

} // namespace

bool product_kernel_fits(at::ScalarType type, ProductKernel kernel) {
    switch (kernel) {
    case ProductKernel::library:
        return true;
    case ProductKernel::widened:
        return type == at::kBFloat16 || type == at::kHalf;
    case ProductKernel::tiles:
        return type == at::kFloat || type == at::kBFloat16;
    case ProductKernel::pairs:
        return type == at::kBFloat16 && has_pair_tiles();
    }
    return false;
}

ProductKernel product_kernel(at::ScalarType type) {
    const auto* place = chosen(type);
    return place == nullptr ? ProductKernel::library : place->load(std::memory_order_relaxed);
}

void choose_product_kernel(at::ScalarType type, ProductKernel kernel) {
    auto* place = chosen(type);
    TORCH_CHECK(
        place != nullptr && product_kernel_fits(type, kernel), "products of ", type, " have no kernel ", static_cast<int64_t>(kernel), " on this processor");
    place->store(kernel, std::memory_order_relaxed);
}

} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("product_kernel(ScalarType type) -> int", [](at::ScalarType type) { return static_cast<int64_t>(fovea::product_kernel(type)); });
    library.def("product_kernel_fits(ScalarType type, int kernel) -> bool", [](at::ScalarType type, int64_t kernel) {
        return fovea::product_kernel_fits(type, static_cast<fovea::ProductKernel>(kernel));
    });
    library.def("choose_product_kernel(ScalarType type, int kernel) -> ()", [](at::ScalarType type, int64_t kernel) {
        fovea::choose_product_kernel(type, static_cast<fovea::ProductKernel>(kernel));
    });
}
