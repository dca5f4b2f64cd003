// What attention does to one row of a block between the products.
#pragma once
#include "tiles.h"

#include <limits>

namespace fovea {

// The softmax of one query so far, for scores times scale: the largest, and the sum of exp(score - largest).
struct Softmax {
    float top = -std::numeric_limits<float>::infinity(), sum = 0;
};

// What the backward pass knows of a query: how many keys of the block it sees, its log-sum-exp and its sum(dout * out), which is also sum(p * dp).
struct Query {
    int64_t visible;
    float lse, delta;
};

inline int64_t whole_vectors(int64_t count) { return (count + width - 1) / width * width; }

// Scores become exp(score * scale - top), as fp32 in place or as bf16 in `to`, 0 from `visible` up to `columns`. Rows have room for whole vectors.
// Returns by how much what was summed before has shrunk.
float row_exponents(float* scores, float* to, int64_t visible, int64_t columns, float scale, Softmax& softmax);
float row_exponents(float* scores, bf16* to, int64_t visible, int64_t columns, float scale, Softmax& softmax);

// Scores become probabilities p = exp(score * scale - lse), dp becomes the gradient of the scores p * (dp - delta) * scale; both 0 from `visible` up to
// `columns`, whole vectors.
void row_gradient(float* scores, float* dp, int64_t columns, float scale, const Query& query);

// The same of two neighbouring queries at once, to bf16: p and ds as pairs of the two, and ds of each along the keys.
void pair_gradient(
    const float* scores, const float* dp, int64_t stride, int64_t columns, float scale, const Query* query, word* p_pairs, word* ds_pairs, bf16* ds_rows);

// to = factor * from
void row_scaled(const float* from, float factor, float* to, int64_t count);
void row_scaled(const float* from, float factor, bf16* to, int64_t count);

// to += from
void row_added(const float* from, float* to, int64_t count);

float row_dot(const float* a, const float* b, int64_t count);
float row_dot(const bf16* a, const bf16* b, int64_t count);

} // namespace fovea
