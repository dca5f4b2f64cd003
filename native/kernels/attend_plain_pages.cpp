// fovea::attend_pages away from the CPU: the tokens of the sequences are gathered from their pages and go through libtorch's attention, all sequences that
// bring one token in one call, the others one after another.
#include "attend_pages.h"
#include "dispatch.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

namespace fovea {
namespace {

// Where the tokens of a pass lie, on the device. The layers of a pass ask for the same.
struct Places {
    std::vector<int32_t> asked;
    at::Device device = at::kCPU;
    at::Tensor fresh;          // of each new token its place in the pages
    at::Tensor single;         // of the sequences that bring one token: which rows of the pass those are,
    at::Tensor seen, hidden;   // the places of everything they see [N, L], and an addend [N, 1, 1, L] that hides what is filled up
    std::vector<int64_t> long_ones;
    std::vector<at::Tensor> rows; // of each of the others: the places of everything so far
};

std::vector<int32_t> question(const PageBatch& batch) {
    std::vector<int32_t> all{static_cast<int32_t>(batch.count), static_cast<int32_t>(batch.most)};
    all.insert(all.end(), batch.offsets, batch.offsets + batch.count + 1);
    all.insert(all.end(), batch.past, batch.past + batch.count);
    all.insert(all.end(), batch.tables, batch.tables + batch.count * batch.most);
    return all;
}

at::Tensor on(at::Device device, const std::vector<int64_t>& numbers) { return at::tensor(numbers, at::kLong).to(device); }

Places places_of(const PageBatch& batch, at::Device device) {
    Places places;
    places.asked = question(batch);
    places.device = device;
    const auto place = [&](int64_t i, int64_t token) { return batch.table(i)[token / page_tokens] * page_tokens + token % page_tokens; };
    std::vector<int64_t> fresh, single;
    int64_t longest = 0;
    for (int64_t i = 0; i < batch.count; i++) {
        for (int64_t t = 0; t < batch.fresh(i); t++) {
            fresh.push_back(place(i, batch.past[i] + t));
        }
        if (batch.fresh(i) == 1) {
            single.push_back(i);
            longest = std::max<int64_t>(longest, batch.past[i] + 1);
            continue;
        }
        std::vector<int64_t> all(batch.past[i] + batch.fresh(i));
        for (size_t t = 0; t < all.size(); t++) {
            all[t] = place(i, static_cast<int64_t>(t));
        }
        places.long_ones.push_back(i);
        places.rows.push_back(on(device, all));
    }
    places.fresh = on(device, fresh);
    if (!single.empty()) {
        const auto count = static_cast<int64_t>(single.size());
        auto seen = at::zeros({count, longest}, at::kLong), hidden = at::full({count, longest}, -std::numeric_limits<float>::infinity(), at::kFloat);
        std::vector<int64_t> rows;
        for (int64_t j = 0; j < count; j++) {
            const auto i = single[j];
            rows.push_back(batch.offsets[i]);
            auto* to = seen.mutable_data_ptr<int64_t>() + j * longest;
            auto* addend = hidden.mutable_data_ptr<float>() + j * longest;
            for (int64_t t = 0; t <= batch.past[i]; t++) {
                to[t] = place(i, t);
                addend[t] = 0;
            }
        }
        places.single = on(device, rows);
        places.seen = seen.to(device);
        places.hidden = hidden.view({count, 1, 1, longest}).to(device);
    }
    return places;
}

const Places& remembered(const PageBatch& batch, at::Device device) {
    static thread_local Places last;
    if (last.device != device || last.asked != question(batch)) {
        last = places_of(batch, device);
    }
    return last;
}

// The query heads of a group as rows that meet the group's keys: q [N, H, D], keys and values [N, L, G, D].
at::Tensor single_tokens(const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values, const at::Tensor& hidden, double scale) {
    const auto count = q.size(0), heads = q.size(1), size = q.size(2), groups = keys.size(2);
    const auto mixed = at::scaled_dot_product_attention(
        q.reshape({count, groups, heads / groups, size}), keys.transpose(1, 2), values.transpose(1, 2), hidden.to(q.scalar_type()), 0.0, false, scale);
    return mixed.reshape({count, heads * size});
}

// q [T, H, D], the last T of keys and values [L, G, D].
at::Tensor many_tokens(const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values, double scale) {
    const auto tokens = q.size(0), heads = q.size(1), all = keys.size(0), ratio = heads / keys.size(1);
    const auto spread = [&](const at::Tensor& x) { return (ratio == 1 ? x : x.repeat_interleave(ratio, 1)).transpose(0, 1).unsqueeze(0); };
    std::optional<at::Tensor> mask;
    if (all > tokens) {
        mask = at::ones({tokens, all}, q.options().dtype(at::kBool)).tril(all - tokens);
    }
    const auto mixed = at::scaled_dot_product_attention(q.transpose(0, 1).unsqueeze(0), spread(keys), spread(values), mask, 0.0, !mask, scale);
    return mixed.squeeze(0).transpose(0, 1).reshape({tokens, heads * q.size(2)});
}

} // namespace

std::vector<int64_t> plain_page_shape(int64_t groups, int64_t size, int64_t pages) { return {pages, page_tokens, groups, size}; }

at::Tensor attend_plain_pages(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& keys, const at::Tensor& values, const PageBatch& batch, double scale) {
    check_one_device("attend_pages", {&q, &k, &v, &keys, &values});
    const auto groups = k.size(1), size = k.size(2);
    TORCH_CHECK(
        keys.scalar_type() == q.scalar_type() && keys.sizes() == at::IntArrayRef(plain_page_shape(groups, size, keys.size(0))), "attend_pages: pages ",
        keys.sizes(), " of ", keys.scalar_type(), " are not those of ", groups, " heads of ", size, " numbers of ", q.scalar_type());
    const at::NoGradGuard no_grad;
    auto out = at::empty({q.size(0), q.size(1) * size}, q.options());
    if (batch.count == 0) {
        return out;
    }
    const auto& places = remembered(batch, q.device());
    const auto all_keys = keys.view({-1, groups, size}), all_values = values.view({-1, groups, size});
    all_keys.index_copy_(0, places.fresh, k);
    all_values.index_copy_(0, places.fresh, v);
    if (places.single.defined()) {
        const auto gathered = [&](const at::Tensor& x) {
            return x.index_select(0, places.seen.view({-1})).view({places.seen.size(0), places.seen.size(1), groups, size});
        };
        out.index_copy_(
            0, places.single, single_tokens(q.index_select(0, places.single), gathered(all_keys), gathered(all_values), places.hidden, scale));
    }
    for (size_t j = 0; j < places.long_ones.size(); j++) {
        const auto i = places.long_ones[j];
        const auto start = batch.offsets[i], end = batch.offsets[i + 1];
        out.slice(0, start, end).copy_(
            many_tokens(q.slice(0, start, end), all_keys.index_select(0, places.rows[j]), all_values.index_select(0, places.rows[j]), scale));
    }
    return out;
}

} // namespace fovea
