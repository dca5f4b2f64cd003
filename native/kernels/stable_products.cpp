#include "stable_products.h"
#include "few_row_tiles.h"
#include "product_choice.h"

#include <ATen/ATen.h>
#include <torch/library.h>

namespace fovea {
namespace {

thread_local bool wanted_here = false;

// bf16 in pairs where those were chosen as the fastest for training's products too.
TileKind kind_of(at::ScalarType type) {
    return type == at::kBFloat16 && has_pair_tiles() && product_kernel(type) == ProductKernel::pairs ? TileKind::pairs : TileKind::wide;
}

at::Tensor wide(const at::Tensor& x) { return x.defined() ? x.to(at::kFloat) : x; }

} // namespace

bool row_stable() { return wanted_here; }

bool set_row_stable(bool wanted) { return std::exchange(wanted_here, wanted); }

bool stable_product_fits(const at::Tensor& a) {
    const auto type = a.scalar_type();
    return wanted_here && a.is_cpu() && (type == at::kFloat || type == at::kBFloat16 || type == at::kHalf);
}

void stable_product_by(
    const at::Tensor& a, const at::Tensor& b, const Update& update, const at::Tensor& sum, double beta, double alpha, const at::Tensor& to, TileKind kind,
    bool few) {
    if (a.scalar_type() == at::kHalf) {
        // The large factor stays as it is.
        const auto result = at::empty(to.sizes(), to.options().dtype(at::kFloat));
        (few ? few_row_tiles : tile_product)(wide(a), b, {wide(update.a), update.b}, wide(sum), beta, alpha, result, kind);
        to.copy_(result);
        return;
    }
    (few ? few_row_tiles : tile_product)(a, b, update, sum, beta, alpha, to, kind);
}

void stable_product(
    const at::Tensor& a, const at::Tensor& b, const Update& update, const at::Tensor& sum, double beta, double alpha, const at::Tensor& to) {
    stable_product_by(a, b, update, sum, beta, alpha, to, kind_of(a.scalar_type()), few_row_tiles_fit(a, b, update));
}

at::Tensor stable_linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
    TORCH_CHECK(
        x.dim() > 0 && weight.dim() == 2 && weight.size(1) == x.size(-1) && weight.scalar_type() == x.scalar_type(), "linear: weight ", weight.sizes(),
        " of ", weight.scalar_type(), " does not fit x ", x.sizes(), " of ", x.scalar_type());
    auto sizes = x.sizes().vec();
    sizes.back() = weight.size(0);
    const auto rows = x.dim() == 2 ? x : x.reshape({-1, x.size(-1)});
    auto y = at::empty({rows.size(0), weight.size(0)}, x.options());
    const auto given = bias.has_value() && bias->defined();
    stable_product(rows, weight.t(), {}, given ? bias->to(x.scalar_type()).expand(y.sizes()) : at::Tensor(), 1, 1, y);
    return y.view(sizes);
}

} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("set_row_stable(bool wanted) -> bool", fovea::set_row_stable);
    // For tests on every processor: a b + low up + sum with the tiles of a kind (1 without AVX-512, 2 without its bf16 products, 3 with both).
    library.def(
        "stable_product_by(Tensor a, Tensor b, Tensor? low, Tensor? up, Tensor? sum, int tiles, bool few) -> Tensor",
        [](const at::Tensor& a, const at::Tensor& b, const std::optional<at::Tensor>& low, const std::optional<at::Tensor>& up,
           const std::optional<at::Tensor>& sum, int64_t tiles, bool few) {
            const fovea::Update update{low.value_or(at::Tensor()), up.value_or(at::Tensor())};
            TORCH_CHECK(
                tiles >= 1 && tiles <= 3 && (!few || fovea::few_row_tiles_fit(a, b, update)), "stable_product_by: tiles from 1 to 3, and rows that fit");
            auto to = at::empty({a.size(0), b.size(1)}, a.options());
            fovea::stable_product_by(
                a, b, update, sum ? sum->expand(to.sizes()) : at::Tensor(), 1, 1, to, static_cast<fovea::TileKind>(tiles), few);
            return to;
        });
}
