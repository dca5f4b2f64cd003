// fovea::attend_pages: attention of the new tokens of many sequences over pages of their keys and values, one call a layer for decoding and prefill alike.
// A token's result depends on its sequence up to itself alone: neither on how many tokens came in one pass, nor on other sequences, nor on threads.
#include "attend_pages.h"
#include "page_heads.h"
#include "product_choice.h"
#include "workers.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace fovea {
namespace {

template <class T>
Pool<T> pool_of(const at::Tensor& x) {
    return {static_cast<T*>(x.mutable_data_ptr()), x.stride(0), x.stride(1)};
}

// Every page that gets something new is written by one thread.
template <class Tiles, class T>
void write(const PageBatch& batch, const at::Tensor& k, const at::Tensor& v, const Pool<T>& keys, const Pool<T>& values) {
    struct Part {
        int64_t page, first, count, slot; // tokens of the pass
    };
    std::vector<Part> parts;
    for (int64_t i = 0; i < batch.count; i++) {
        for (int64_t done = 0; done < batch.fresh(i);) {
            const auto place = batch.past[i] + done, slot = place % page_tokens, here = std::min(page_tokens - slot, batch.fresh(i) - done);
            parts.push_back({batch.table(i)[place / page_tokens], batch.offsets[i] + done, here, slot});
            done += here;
        }
    }
    const auto groups = k.size(1), size = k.size(2);
    at::parallel_for(0, static_cast<int64_t>(parts.size()) * groups, 8, [&](int64_t begin, int64_t end) {
        for (auto task = begin; task < end; task++) {
            const auto& part = parts[task / groups];
            const auto group = task % groups;
            write_keys<Tiles, T>(head_of<T>(k, 0, group), part.first, part.count, part.slot, size, keys.at(part.page, group));
            write_values<Tiles, T>(head_of<T>(v, 0, group), part.first, part.count, part.slot, size, values.at(part.page, group));
        }
    });
}

template <class Tiles, class T>
void attend(
    const PageBatch& batch, const at::Tensor& q, int64_t groups, const Pool<T>& keys, const Pool<T>& values, float scale, const at::Tensor& out) {
    struct Part {
        int64_t sequence, group, first, count, cost;
    };
    const auto heads = q.size(1), size = q.size(2), ratio = heads / groups;
    // Rows of a task: several tiles, which find the keys in the caches; fewer where that leaves threads idle.
    const auto parts_of = [&](int64_t rows) {
        std::vector<Part> parts;
        for (int64_t i = 0; i < batch.count; i++) {
            const auto all = batch.fresh(i) * ratio;
            for (int64_t group = 0; group < groups; group++) {
                for (int64_t first = 0; first < all; first += rows) {
                    const auto count = std::min(rows, all - first);
                    parts.push_back({i, group, first, count, count * (batch.past[i] + (first + count) / ratio)});
                }
            }
        }
        return parts;
    };
    const auto threads = static_cast<size_t>(at::get_num_threads());
    int64_t rows = 4 * Tiles::rows;
    auto parts = parts_of(rows);
    while (parts.size() < threads && rows > 1) {
        rows = (rows + 1) / 2;
        parts = parts_of(rows);
    }
    std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.cost > b.cost; });
    const auto* pq = data_of<T>(q);
    auto* po = mutable_data_of<T>(out);
    share_out(static_cast<int64_t>(parts.size()), [&] {
        return [&, worker = std::make_shared<PageHead<Tiles, T>>(size)](int64_t task) {
            const auto& part = parts[task];
            const auto start = batch.offsets[part.sequence], head = static_cast<int32_t>(part.group * ratio);
            const typename PageHead<Tiles, T>::Task mine{
                pq + start * q.stride(0) + head * q.stride(1), po + (start * heads + head) * size, q.stride(0), q.stride(1), heads * size, ratio,
                batch.past[part.sequence], batch.table(part.sequence), part.group};
            for (int64_t row = 0; row < part.count; row += Tiles::rows) {
                worker->attend(mine, part.first + row, std::min<int64_t>(Tiles::rows, part.count - row), scale, keys, values);
            }
        };
    });
}

void check(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& keys, const at::Tensor& values) {
    TORCH_CHECK(
        q.dim() == 3 && k.dim() == 3 && v.sizes() == k.sizes() && k.size(1) > 0 && q.size(1) % k.size(1) == 0 && q.size(2) == k.size(2)
            && q.size(0) == k.size(0) && q.size(2) > 0,
        "attend_pages: q ", q.sizes(), ", k ", k.sizes(), ", v ", v.sizes());
    TORCH_CHECK(
        k.scalar_type() == q.scalar_type() && v.scalar_type() == q.scalar_type(), "attend_pages: q of ", q.scalar_type(), ", k of ", k.scalar_type(),
        ", v of ", v.scalar_type());
    TORCH_CHECK(
        keys.sizes() == values.sizes() && keys.scalar_type() == values.scalar_type() && keys.is_contiguous() && values.is_contiguous(),
        "attend_pages: pages of keys ", keys.sizes(), " and of values ", values.sizes(), " must be alike and dense");
}

// What pages hold on the CPU: fp16 as fp32.
at::ScalarType stored_type(at::ScalarType type) { return type == at::kHalf ? at::kFloat : type; }

std::vector<int64_t> shape_on_cpu(int64_t groups, int64_t size, int64_t pages) { return {pages, groups, page_tokens, page_numbers(size)}; }

// Pages for the keys, or the values, of one layer, all 0, of the element type and on the device of `like`. A page is a row: copied, it is the same page.
at::Tensor new_pages(const at::Tensor& like, int64_t groups, int64_t size, int64_t pages) {
    TORCH_CHECK(groups > 0 && size > 0 && pages >= 0, "new_pages: ", pages, " pages of ", groups, " heads of ", size);
    if (!like.is_cpu()) {
        return at::zeros(plain_page_shape(groups, size, pages), like.options());
    }
    return at::zeros(shape_on_cpu(groups, size, pages), like.options().dtype(stored_type(like.scalar_type())));
}

at::Tensor with_rows(const at::Tensor& x) { return x.stride(2) == 1 ? x : x.contiguous(); }

at::Tensor on_cpu(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& keys, const at::Tensor& values, const PageBatch& batch, double scale,
    TileKind tiles) {
    if (q.scalar_type() == at::kHalf) {
        return on_cpu(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat), keys, values, batch, scale, tiles).to(at::kHalf);
    }
    TORCH_CHECK(
        fused_on_cpu(q) && k.is_cpu() && v.is_cpu() && keys.is_cpu() && values.is_cpu() && keys.scalar_type() == q.scalar_type()
            && keys.sizes() == at::IntArrayRef(shape_on_cpu(k.size(1), k.size(2), keys.size(0))),
        "attend_pages: pages ", keys.sizes(), " of ", keys.scalar_type(), " are not those of ", k.size(1), " heads of ", k.size(2), " numbers of ",
        q.scalar_type());
    auto out = at::empty({q.size(0), q.size(1) * q.size(2)}, q.options());
    const auto rows = with_rows(q), new_keys = with_rows(k), new_values = with_rows(v);
    by_type(q, [&](auto zero) {
        using T = decltype(zero);
        by_tiles<T>(tiles, [&](auto shape) {
            using Tiles = decltype(shape);
            const auto key_pool = pool_of<T>(keys), value_pool = pool_of<T>(values);
            write<Tiles, T>(batch, new_keys, new_values, key_pool, value_pool);
            attend<Tiles, T>(batch, rows, k.size(1), key_pool, value_pool, static_cast<float>(scale), out);
        });
    });
    return out;
}

// Pairs where those were chosen for products too. Pages are the same with and without.
TileKind chosen_tiles(at::ScalarType type) {
    return type == at::kBFloat16 && best_tiles() == TileKind::pairs && product_kernel(type) != ProductKernel::pairs ? TileKind::wide : best_tiles();
}

at::Tensor attend_pages(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& keys, const at::Tensor& values, const at::Tensor& tables,
    const at::Tensor& offsets, const at::Tensor& past, double scale) {
    check(q, k, v, keys, values);
    const PageBatch batch(offsets, past, tables, q.size(0), keys.size(0));
    const at::NoGradGuard no_grad;
    if (!q.is_cpu()) {
        return attend_plain_pages(q, k, v, keys, values, batch, scale);
    }
    return on_cpu(q, k, v, keys, values, batch, scale, chosen_tiles(q.scalar_type()));
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def("new_pages(Tensor like, int groups, int size, int pages) -> Tensor", fovea::new_pages);
    library.def(
        "attend_pages(Tensor q, Tensor k, Tensor v, Tensor(a!) keys, Tensor(b!) values, Tensor tables, Tensor offsets, Tensor past, float scale) -> Tensor",
        fovea::attend_pages);
    // For tests: on the CPU, with the tiles of a simpler processor (1 without AVX-512, 2 without its bf16 products, 3 with both). Pages fit those of the same
    // number, and those of 2 and 3 each other.
    library.def(
        "attend_pages_by_tiles(Tensor q, Tensor k, Tensor v, Tensor(a!) keys, Tensor(b!) values, Tensor tables, Tensor offsets, Tensor past, float scale, "
        "int tiles) -> Tensor",
        [](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& keys, const at::Tensor& values, const at::Tensor& tables,
           const at::Tensor& offsets, const at::Tensor& past, double scale, int64_t tiles) {
            fovea::check(q, k, v, keys, values);
            TORCH_CHECK(q.is_cpu() && tiles >= 1 && tiles <= 3, "attend_pages_by_tiles: the CPU, and tiles from 1 to 3");
            const at::NoGradGuard no_grad;
            return fovea::on_cpu(
                q, k, v, keys, values, fovea::PageBatch(offsets, past, tables, q.size(0), keys.size(0)), scale, static_cast<fovea::TileKind>(tiles));
        });
    // For tests: on any device the way that cards go, over pages [pages, 64, groups, D].
    library.def(
        "attend_plain_pages(Tensor q, Tensor k, Tensor v, Tensor(a!) keys, Tensor(b!) values, Tensor tables, Tensor offsets, Tensor past, float scale)"
        " -> Tensor",
        [](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& keys, const at::Tensor& values, const at::Tensor& tables,
           const at::Tensor& offsets, const at::Tensor& past, double scale) {
            fovea::check(q, k, v, keys, values);
            return fovea::attend_plain_pages(q, k, v, keys, values, fovea::PageBatch(offsets, past, tables, q.size(0), keys.size(0)), scale);
        });
}
