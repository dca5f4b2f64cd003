// What the chunks of a gated delta rule go through between products. Matrices lie in panels of `wide` columns, [columns / wide][delta_chunk][wide] where
// nothing else is said; rows are tokens.
#pragma once
#include "simd.h"

namespace fovea {

constexpr int64_t delta_chunk = 64; // tokens whose corrections are solved for together

// The decay within a chunk. G are the sums of g from its first token on, kept in two numbers so that differences of large ones are exact.
struct DeltaGates {
    float high[delta_chunk], low[delta_chunk];
    float grown[delta_chunk]; // exp(G)
    float left[delta_chunk];  // exp(G of the last - G)
    float beta[delta_chunk];
    float last; // exp(G of the last)
};

void delta_gates(const float* g, const float* beta, int64_t stride, int64_t count, DeltaGates& to);

// Rows of numbers, one by one, into panels; zeros behind the last column.
void delta_load(const float* from, int64_t stride, int64_t count, int64_t size, int64_t wide, float* to);
void delta_load(const bf16* from, int64_t stride, int64_t count, int64_t size, int64_t wide, float* to);

// The same, each row brought to length `scale`; lengths are what 1 / length was.
void delta_load_unit(const float* from, int64_t stride, int64_t count, int64_t size, int64_t wide, float scale, float* to, float* lengths);
void delta_load_unit(const bf16* from, int64_t stride, int64_t count, int64_t size, int64_t wide, float scale, float* to, float* lengths);

// Rows out of panels, each times its factor.
void delta_store(const float* from, int64_t wide, int64_t count, int64_t size, const float* factors, float* to, int64_t stride);
void delta_store(const float* from, int64_t wide, int64_t count, int64_t size, const float* factors, bf16* to, int64_t stride);

// The gradient of what delta_load_unit read, from that of what it made.
void delta_store_unit(
    const float* gradient, const float* unit, int64_t wide, int64_t count, int64_t size, float scale, const float* lengths, float* to, int64_t stride);
void delta_store_unit(
    const float* gradient, const float* unit, int64_t wide, int64_t count, int64_t size, float scale, const float* lengths, bf16* to, int64_t stride);

// decay = exp(G_i - G_j), scores = decay * qk and system = -beta_i * decay * kk; all 0 above the diagonal, the last on it too. decay may be null.
void delta_scores(const DeltaGates& gates, const float* kk, const float* qk, int64_t count, int64_t wide, float* decay, float* scores, float* system);

// x = beta (x - grown * read); read may be null.
void delta_residual(const DeltaGates& gates, const float* read, int64_t count, int64_t panels, int64_t wide, float* x);

void delta_scale_rows(const float* factors, int64_t count, int64_t panels, int64_t wide, float* x);
void delta_scale(float factor, int64_t count, float* x);
double delta_dot(const float* a, const float* b, int64_t count);

// Rows [first, end) of x += system times those of them that are before; and back: += those behind, with the system turned around.
void delta_solve(const float* system, int64_t first, int64_t end, int64_t panels, int64_t wide, float* x);
void delta_solve_back(const float* system, int64_t first, int64_t end, int64_t panels, int64_t wide, float* x);

// sums_i += row i of x times that of v.
void delta_dots(const float* x, const float* v, int64_t stride, int64_t count, int64_t size, int64_t wide, float* sums);
void delta_dots(const float* x, const bf16* v, int64_t stride, int64_t count, int64_t size, int64_t wide, float* sums);

// The gradient of what was read with keys: dbeta_i -= grown_i * k_i x_i, then x_i *= -beta_i * grown_i.
void delta_read_gradient(const DeltaGates& gates, const float* k, int64_t count, int64_t panels, int64_t wide, float* x, float* dbeta);

// The gradient of what was written with keys: x_i *= left_i; returns the sum of k_i x_i.
float delta_write_gradient(const DeltaGates& gates, const float* k, int64_t count, int64_t panels, int64_t wide, float* x);

// dscores *= decay; dbeta_i -= sum of dsystem * decay * kk; dsystem *= -beta_i * decay. All 0 above the diagonal.
void delta_score_gradients(
    const DeltaGates& gates, const float* decay, const float* kk, int64_t count, int64_t wide, float* dscores, float* dsystem, float* dbeta);

// dG_i = q_i dq_i + k_i (read_i - write_i); dq_all (+)= dq, dk_all (+)= read + write.
void delta_gather(
    const float* q, const float* k, const float* dq, const float* read, const float* write, int64_t count, int64_t panels, int64_t wide, bool add,
    float* dq_all, float* dk_all, float* dsums);

} // namespace fovea
