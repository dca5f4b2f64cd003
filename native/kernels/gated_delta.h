// The gated delta rule (arXiv 2412.06464) over packed tokens. A head keeps a state S [K, V]; each token, with key k and query q of length 1 and K^-0.5:
//     S = exp(g) S;  d = beta (v - S^T k);  S = S + k d^T;  out = S^T q.
#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

namespace fovea {

constexpr double delta_epsilon = 1e-6; // added to the sum of squares of a query or key

// What the rule is computed from: q, k [T, J, K], v [T, H, V], g, beta [T, H] in fp32, H a multiple of J: neighbouring value heads share a key head.
struct DeltaInputs {
    at::Tensor q, k, v, g, beta;
    at::IntArrayRef boundaries; // of the segments, from 0 to T
    at::Tensor initial;         // states [N, H, K, V] that the segments begin with; undefined for zeros

    int64_t tokens() const { return v.size(0); }
    int64_t key_heads() const { return k.size(1); }
    int64_t heads() const { return v.size(1); }
    int64_t keys() const { return k.size(2); }
    int64_t values() const { return v.size(2); }
    int64_t segments() const { return static_cast<int64_t>(boundaries.size()) - 1; }
};

struct DeltaGradients {
    at::Tensor q, k, v, g, beta, initial;
};

void check_delta_boundaries(const char* what, at::IntArrayRef boundaries, int64_t tokens);

// The rule in operators of libtorch, chunk by chunk, with gradients of its own; on any device and in any element type. Returns out [T, H, V] and the states
// behind the segments, without rows where they are not wanted.
std::tuple<at::Tensor, at::Tensor> delta_formula(const DeltaInputs& inputs, bool wants_final);

// What every device has, and a card's own kernels leave to it: the kernels of the CPU, elsewhere the formula, which is told by name. Backward also returns a
// gradient of no states where there were none.
using DeltaResults = std::tuple<at::Tensor, at::Tensor>;
using DeltaGradientResults = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;
DeltaResults delta_rule_forward(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta, at::IntArrayRef boundaries,
    const std::optional<at::Tensor>& initial, bool wants_final);
DeltaGradientResults delta_rule_backward(
    const std::optional<at::Tensor>& dout, const std::optional<at::Tensor>& dfinal, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
    const at::Tensor& g, const at::Tensor& beta, at::IntArrayRef boundaries, const std::optional<at::Tensor>& initial);
at::Tensor delta_steps_forward(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta, at::IntArrayRef boundaries,
    at::Tensor& states, at::IntArrayRef slots);
std::tuple<at::Tensor, at::Tensor> convolution_forward(
    const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef boundaries, const std::optional<at::Tensor>& initial, bool wants_final);
std::tuple<at::Tensor, at::Tensor> convolution_backward(
    const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef boundaries, const std::optional<at::Tensor>& initial);

// silu of a causal convolution of each column with its own weight, in operators of libtorch: x [T, C], weight [C, K], and the K - 1 rows [N, K - 1, C]
// before each segment, undefined for zeros. Returns y [T, C] and the last K - 1 rows of each segment, those before it included.
std::tuple<at::Tensor, at::Tensor> convolution_formula(
    const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef boundaries, const at::Tensor& initial);

// The kernels of the CPU for fp32 and bf16, by tiles of a kind (TileKind): nothing is kept between the two passes but what they are given.
bool delta_fits_cpu(const DeltaInputs& inputs);
std::tuple<at::Tensor, at::Tensor> delta_on_cpu(const DeltaInputs& inputs, bool wants_final, int64_t tiles);
DeltaGradients delta_gradients_on_cpu(const at::Tensor& dout, const at::Tensor& dfinal, const DeltaInputs& inputs, int64_t tiles);

// The same, into tensors whose heads have their numbers side by side; without `initial` where that is undefined.
void delta_gradients_on_cpu(
    const at::Tensor& dout, const at::Tensor& dfinal, const DeltaInputs& inputs, int64_t tiles, const DeltaGradients& to);

// Token by token from states [P, H, K, V], segment n with states[slots[n]], which it leaves as they are behind it.
at::Tensor delta_steps_on_cpu(const DeltaInputs& inputs, const at::Tensor& states, at::IntArrayRef slots);

bool convolution_fits_cpu(const at::Tensor& x);
std::tuple<at::Tensor, at::Tensor> convolution_on_cpu(
    const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef boundaries, const at::Tensor& initial, bool wants_final);
std::tuple<at::Tensor, at::Tensor> convolution_gradients_on_cpu(
    const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef boundaries, const at::Tensor& initial);

} // namespace fovea
