// libtorch's products of matrices on the CPU (mm, addmm, bmm, baddbmm), replaced so that the chosen kernel serves each element type
// (product_choice.h), or a row-stable one where the thread asked for that (stable_products.h). Where the choice is the library's own, and for every other
// type, the call goes where it went before.
#include "product_choice.h"
#include "stable_products.h"
#include "widened_products.h"

#include <ATen/ATen.h>
#include <ATen/CPUFunctions.h>
#include <c10/util/Exception.h>
#include <torch/library.h>

namespace fovea {
namespace {

bool ours(const at::Tensor& a) { return stable_product_fits(a) || product_kernel(a.scalar_type()) != ProductKernel::library; }

void check(const char* name, const at::Tensor& a, const at::Tensor& b, int64_t dimensions) {
    TORCH_CHECK(
        a.dim() == dimensions && b.dim() == dimensions && a.size(-1) == b.size(-2) && (dimensions == 2 || a.size(0) == b.size(0)), name, ": shapes ",
        a.sizes(), " and ", b.sizes(), " cannot be multiplied");
    TORCH_CHECK(a.scalar_type() == b.scalar_type(), name, ": expected one type, found ", a.scalar_type(), " and ", b.scalar_type());
}

std::vector<int64_t> product_shape(const at::Tensor& a, const at::Tensor& b) {
    auto shape = a.sizes().vec();
    shape.back() = b.size(-1);
    return shape;
}

// Without a kernel, the row-stable one.
at::Tensor& product_into(
    const char* name, std::optional<ProductKernel> kernel, const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, double beta, double alpha,
    int64_t dimensions, at::Tensor& to) {
    check(name, a, b, dimensions);
    const auto shape = product_shape(a, b);
    if (to.sizes() != at::IntArrayRef(shape)) {
        to.resize_(shape);
    }
    const auto added = sum.defined() ? sum.expand(shape) : sum;
    // Only the in-place forms may read what they write.
    const auto target = to.is_same(a) || to.is_same(b) ? at::empty(shape, to.options()) : to;
    if (kernel == ProductKernel::widened) {
        widened_product(a, b, added, beta, alpha, target);
    } else {
        const auto own = added.defined() ? added.to(a.scalar_type()) : added; // a sum may be wider than the product: fp32 bias of bf16 factors
        if (kernel) {
            tile_product(a, b, {}, own, beta, alpha, target, kernel == ProductKernel::pairs ? TileKind::pairs : TileKind::wide);
        } else {
            stable_product(a, b, {}, own, beta, alpha, target);
        }
    }
    if (!target.is_same(to)) {
        to.copy_(target);
    }
    return to;
}

at::Tensor& chosen_into(
    const char* name, const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha, int64_t dimensions,
    at::Tensor& to) {
    const auto kernel = stable_product_fits(a) ? std::nullopt : std::optional(product_kernel(a.scalar_type()));
    return product_into(name, kernel, sum, a, b, beta.toDouble(), alpha.toDouble(), dimensions, to);
}

at::Tensor chosen(
    const char* name, const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha, int64_t dimensions) {
    check(name, a, b, dimensions);
    auto to = at::empty(product_shape(a, b), a.options());
    return chosen_into(name, sum, a, b, beta, alpha, dimensions, to);
}

at::Tensor mm(const at::Tensor& a, const at::Tensor& b) {
    return ours(a) ? chosen("mm", {}, a, b, 0, 1, 2) : at::cpu::mm(a, b);
}

at::Tensor& mm_out(const at::Tensor& a, const at::Tensor& b, at::Tensor& to) {
    return ours(a) ? chosen_into("mm", {}, a, b, 0, 1, 2, to) : at::cpu::mm_outf(a, b, to);
}

at::Tensor bmm(const at::Tensor& a, const at::Tensor& b) {
    return ours(a) ? chosen("bmm", {}, a, b, 0, 1, 3) : at::cpu::bmm(a, b);
}

at::Tensor& bmm_out(const at::Tensor& a, const at::Tensor& b, at::Tensor& to) {
    return ours(a) ? chosen_into("bmm", {}, a, b, 0, 1, 3, to) : at::cpu::bmm_outf(a, b, to);
}

at::Tensor addmm(const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha) {
    return ours(a) ? chosen("addmm", sum, a, b, beta, alpha, 2) : at::cpu::addmm(sum, a, b, beta, alpha);
}

at::Tensor& addmm_out(
    const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha, at::Tensor& to) {
    return ours(a) ? chosen_into("addmm", sum, a, b, beta, alpha, 2, to) : at::cpu::addmm_outf(sum, a, b, beta, alpha, to);
}

at::Tensor& addmm_(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha) {
    return ours(a) ? chosen_into("addmm_", sum, a, b, beta, alpha, 2, sum) : at::cpu::addmm_(sum, a, b, beta, alpha);
}

at::Tensor baddbmm(const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha) {
    return ours(a) ? chosen("baddbmm", sum, a, b, beta, alpha, 3) : at::cpu::baddbmm(sum, a, b, beta, alpha);
}

at::Tensor& baddbmm_out(
    const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha, at::Tensor& to) {
    return ours(a) ? chosen_into("baddbmm", sum, a, b, beta, alpha, 3, to) : at::cpu::baddbmm_outf(sum, a, b, beta, alpha, to);
}

at::Tensor& baddbmm_(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha) {
    return ours(a) ? chosen_into("baddbmm_", sum, a, b, beta, alpha, 3, sum) : at::cpu::baddbmm_(sum, a, b, beta, alpha);
}

// libtorch warns of every replaced operator; here that is the intention.
struct Silent : c10::WarningHandler {
    void process(const c10::Warning&) override {}
};

torch::Library* replace() {
    Silent silent;
    const c10::WarningUtils::WarningHandlerGuard guard(&silent);
    auto* library = new torch::Library(torch::Library::IMPL, "aten", c10::DispatchKey::CPU, __FILE__, __LINE__); // to the end of the process
    library->impl("mm", mm);
    library->impl("mm.out", mm_out);
    library->impl("bmm", bmm);
    library->impl("bmm.out", bmm_out);
    library->impl("addmm", addmm);
    library->impl("addmm.out", addmm_out);
    library->impl("addmm_", addmm_);
    library->impl("baddbmm", baddbmm);
    library->impl("baddbmm.out", baddbmm_out);
    library->impl("baddbmm_", baddbmm_);
    return library;
}

[[maybe_unused]] const auto* const replaced = replace();

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    // For tests on every processor: beta * sum + alpha * a b of 2 or 3 dimensions by one of our kernels, with the tiles of simple processors if asked.
    library.def(
        "product_by(Tensor sum, Tensor a, Tensor b, float beta, float alpha, int kernel, bool narrow=False) -> Tensor",
        [](const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, double beta, double alpha, int64_t kernel, bool narrow) {
            fovea::check("product_by", a, b, a.dim());
            auto to = at::empty(fovea::product_shape(a, b), a.options());
            if (narrow) {
                fovea::tile_product(a, b, {}, sum.expand(to.sizes()), beta, alpha, to, fovea::TileKind::narrow);
                return to;
            }
            return fovea::product_into("product_by", static_cast<fovea::ProductKernel>(kernel), sum, a, b, beta, alpha, a.dim(), to);
        });
}
