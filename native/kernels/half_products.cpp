// Products of matrices in 16 bits on processors that cannot multiply them. libtorch hands bf16 and fp16 products to oneDNN where the processor has
// AVX-512; elsewhere it multiplies number by number, 6 to 8 times slower than in fp32 (9 against 50 to 75 GFLOP/s on an EPYC with AVX2). There,
// its operators (mm, addmm, bmm, baddbmm) are replaced for these types: a piece of each matrix at a time is widened to fp32 and multiplied by the BLAS,
// and the sum is rounded once. Every other type goes where it went before.
#include <ATen/ATen.h>
#include <ATen/CPUFunctions.h>
#include <c10/util/Exception.h>
#include <torch/library.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace fovea {
namespace {

constexpr int64_t most_left = 1 << 23, most_right = 1 << 22; // numbers widened at a time: 32 and 16 MiB, whatever the size of the matrices
constexpr int64_t least_rows = 256, most_rows = 1 << 15;

// What a processor multiplies in hardware or oneDNN emulates well. FOVEA_HALF_PRODUCTS=widened or library overrules it.
bool widens(at::ScalarType type) {
    if (type != at::kBFloat16 && type != at::kHalf) {
        return false;
    }
    static const std::string_view wish = [] {
        const auto* given = std::getenv("FOVEA_HALF_PRODUCTS");
        return given == nullptr ? "" : given;
    }();
    if (wish == "widened" || wish == "library") {
        return wish == "widened";
    }
#if defined(__x86_64__)
    const bool avx512 = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    return type == at::kBFloat16 ? !avx512 : !(avx512 && __builtin_cpu_supports("avx512fp16"));
#else
    return false;
#endif
}

int64_t rows_of(int64_t most, int64_t length) { return std::clamp(most / std::max<int64_t>(1, length), least_rows, most_rows); }

// to [M, N] = beta * sum + alpha * a [M, K] b [K, N]; the sum, of 2 dimensions, may be `to` itself, or missing.
void multiply(const at::Tensor& a, const at::Tensor& b, const at::Tensor& sum, const at::Scalar& beta, const at::Scalar& alpha, const at::Tensor& to) {
    const auto rows = a.size(0), inner = a.size(1), columns = b.size(1);
    const auto row_piece = std::min(rows, rows_of(most_left, inner));
    const auto column_piece = std::min(rows_of(most_right, inner), rows_of(most_left, row_piece)); // what comes of it is bounded too
    for (int64_t row = 0; row < rows; row += row_piece) {
        const auto row_end = std::min(rows, row + row_piece);
        const auto left = a.slice(0, row, row_end).to(at::kFloat);
        for (int64_t column = 0; column < columns; column += column_piece) {
            const auto column_end = std::min(columns, column + column_piece);
            auto product = at::cpu::mm(left, b.slice(1, column, column_end).to(at::kFloat));
            if (alpha.toDouble() != 1) {
                product.mul_(alpha);
            }
            const auto place = [&](const at::Tensor& whole) { return whole.slice(0, row, row_end).slice(1, column, column_end); };
            if (sum.defined() && beta.toDouble() != 0) {
                product.add_(place(sum), beta);
            }
            place(to).copy_(product);
        }
    }
}

// The same for each of a batch [B, M, K] x [B, K, N].
void multiply_batch(const at::Tensor& a, const at::Tensor& b, const at::Tensor& sum, const at::Scalar& beta, const at::Scalar& alpha, const at::Tensor& to) {
    const auto largest = std::max({a.size(1) * a.size(2), b.size(1) * b.size(2), a.size(1) * b.size(2)});
    const auto piece = std::max<int64_t>(1, most_right / std::max<int64_t>(1, largest));
    for (int64_t from = 0; from < a.size(0); from += piece) {
        const auto end = std::min(a.size(0), from + piece);
        if (end - from == 1) {
            multiply(a.select(0, from), b.select(0, from), sum.defined() ? sum.select(0, from) : sum, beta, alpha, to.select(0, from));
            continue;
        }
        auto product = at::cpu::bmm(a.slice(0, from, end).to(at::kFloat), b.slice(0, from, end).to(at::kFloat));
        if (alpha.toDouble() != 1) {
            product.mul_(alpha);
        }
        if (sum.defined() && beta.toDouble() != 0) {
            product.add_(sum.slice(0, from, end), beta);
        }
        to.slice(0, from, end).copy_(product);
    }
}

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

at::Tensor& widened_into(
    const char* name, const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha, int64_t dimensions,
    at::Tensor& to) {
    check(name, a, b, dimensions);
    const auto shape = product_shape(a, b);
    if (to.sizes() != at::IntArrayRef(shape)) {
        to.resize_(shape);
    }
    const auto added = sum.defined() ? sum.expand(shape) : sum;
    // Only the in-place forms may read what they write.
    const auto target = to.is_same(a) || to.is_same(b) ? at::empty(shape, to.options()) : to;
    (dimensions == 2 ? multiply : multiply_batch)(a, b, added, beta, alpha, target);
    if (!target.is_same(to)) {
        to.copy_(target);
    }
    return to;
}

at::Tensor widened(
    const char* name, const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha, int64_t dimensions) {
    check(name, a, b, dimensions);
    auto to = at::empty(product_shape(a, b), a.options());
    return widened_into(name, sum, a, b, beta, alpha, dimensions, to);
}

at::Tensor mm(const at::Tensor& a, const at::Tensor& b) {
    return widens(a.scalar_type()) ? widened("mm", {}, a, b, 0, 1, 2) : at::cpu::mm(a, b);
}

at::Tensor& mm_out(const at::Tensor& a, const at::Tensor& b, at::Tensor& to) {
    return widens(a.scalar_type()) ? widened_into("mm", {}, a, b, 0, 1, 2, to) : at::cpu::mm_outf(a, b, to);
}

at::Tensor bmm(const at::Tensor& a, const at::Tensor& b) {
    return widens(a.scalar_type()) ? widened("bmm", {}, a, b, 0, 1, 3) : at::cpu::bmm(a, b);
}

at::Tensor& bmm_out(const at::Tensor& a, const at::Tensor& b, at::Tensor& to) {
    return widens(a.scalar_type()) ? widened_into("bmm", {}, a, b, 0, 1, 3, to) : at::cpu::bmm_outf(a, b, to);
}

at::Tensor addmm(const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha) {
    return widens(a.scalar_type()) ? widened("addmm", sum, a, b, beta, alpha, 2) : at::cpu::addmm(sum, a, b, beta, alpha);
}

at::Tensor& addmm_out(
    const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha, at::Tensor& to) {
    return widens(a.scalar_type()) ? widened_into("addmm", sum, a, b, beta, alpha, 2, to) : at::cpu::addmm_outf(sum, a, b, beta, alpha, to);
}

at::Tensor& addmm_(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha) {
    return widens(a.scalar_type()) ? widened_into("addmm_", sum, a, b, beta, alpha, 2, sum) : at::cpu::addmm_(sum, a, b, beta, alpha);
}

at::Tensor baddbmm(const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha) {
    return widens(a.scalar_type()) ? widened("baddbmm", sum, a, b, beta, alpha, 3) : at::cpu::baddbmm(sum, a, b, beta, alpha);
}

at::Tensor& baddbmm_out(
    const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha, at::Tensor& to) {
    return widens(a.scalar_type()) ? widened_into("baddbmm", sum, a, b, beta, alpha, 3, to) : at::cpu::baddbmm_outf(sum, a, b, beta, alpha, to);
}

at::Tensor& baddbmm_(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, const at::Scalar& beta, const at::Scalar& alpha) {
    return widens(a.scalar_type()) ? widened_into("baddbmm_", sum, a, b, beta, alpha, 3, sum) : at::cpu::baddbmm_(sum, a, b, beta, alpha);
}

// libtorch warns of every replaced operator; here that is the intention.
struct Silent : c10::WarningHandler {
    void process(const c10::Warning&) override {}
};

torch::Library* replace() {
    if (!widens(at::kBFloat16) && !widens(at::kHalf)) {
        return nullptr;
    }
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
    // For tests on every processor: beta * sum + alpha * a b of 2 or 3 dimensions, by the path above.
    library.def(
        "widened_product(Tensor sum, Tensor a, Tensor b, float beta, float alpha) -> Tensor",
        [](const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, double beta, double alpha) {
            return fovea::widened("widened_product", sum, a, b, beta, alpha, a.dim());
        });
}
