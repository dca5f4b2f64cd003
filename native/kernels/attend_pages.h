// What the ways of fovea::attend_pages have in common.
#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

namespace fovea {

constexpr int64_t page_tokens = 64;

// The sequences of a pass: lists on the host.
struct PageBatch {
    int64_t count, most;
    const int32_t *offsets, *past, *tables;

    PageBatch(const at::Tensor& given_offsets, const at::Tensor& given_past, const at::Tensor& given_tables, int64_t tokens, int64_t pages)
        : count(given_past.numel()), most(given_tables.dim() == 2 ? given_tables.size(1) : 0) {
        for (const auto* list : {&given_offsets, &given_past, &given_tables}) {
            TORCH_CHECK(
                list->is_cpu() && list->scalar_type() == at::kInt && list->is_contiguous(),
                "attend_pages: offsets, past and tables are dense 32-bit integers on the host");
        }
        TORCH_CHECK(
            given_offsets.dim() == 1 && given_offsets.size(0) == count + 1 && given_past.dim() == 1 && given_tables.dim() == 2
                && given_tables.size(0) == count,
            "attend_pages: offsets ", given_offsets.sizes(), ", past ", given_past.sizes(), ", tables ", given_tables.sizes());
        offsets = given_offsets.const_data_ptr<int32_t>();
        past = given_past.const_data_ptr<int32_t>();
        tables = given_tables.const_data_ptr<int32_t>();
        TORCH_CHECK(offsets[0] == 0 && offsets[count] == tokens, "attend_pages: offsets must run from 0 to ", tokens);
        for (int64_t i = 0; i < count; i++) {
            TORCH_CHECK(fresh(i) > 0 && past[i] >= 0, "attend_pages: sequence ", i, " brings ", fresh(i), " tokens behind ", past[i]);
            const auto used = (past[i] + fresh(i) + page_tokens - 1) / page_tokens;
            TORCH_CHECK(used <= most, "attend_pages: sequence ", i, " needs ", used, " pages, and its table has room for ", most);
            for (int64_t p = 0; p < used; p++) {
                TORCH_CHECK(
                    table(i)[p] >= 0 && table(i)[p] < pages, "attend_pages: page ", table(i)[p], " of sequence ", i, " is none of ", pages);
            }
        }
    }

    int64_t fresh(int64_t i) const { return offsets[i + 1] - offsets[i]; }
    const int32_t* table(int64_t i) const { return tables + i * most; }
};

// Pages as they lie away from the CPU: [pages, tokens, groups, D].
std::vector<int64_t> plain_page_shape(int64_t groups, int64_t size, int64_t pages);

// fovea::attend_pages over those, by libtorch's operators on any device.
at::Tensor attend_plain_pages(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& keys, const at::Tensor& values, const PageBatch& batch, double scale);

} // namespace fovea
