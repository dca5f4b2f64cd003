// What the .cu files offer to register.cpp: plain pointers and a stream, no headers of libtorch, so that nvcc and its host compiler may be of any age.
#pragma once
#include <cstdint>
#include <vector>

struct CUstream_st;

namespace fovea::cuda {

enum class Type { F32, BF16, F16 };

// x, y [rows, width] dense; scale [rows]; the shift is added to the weights.
void rms_norm_forward(
    Type type, const void* x, const void* weight, void* y, float* scale, int64_t rows, int64_t width, float epsilon, float shift, CUstream_st* stream);
void rms_norm_backward(
    Type type, const void* dy, const void* x, const void* weight, const float* scale, void* dx, int64_t rows, int64_t width, float shift,
    CUstream_st* stream);

// x [tokens, heads, size] with strides in elements, y dense; cos and sin [tokens, turned]: what lies behind the first `turned` is not written.
void rotate(
    Type type, const void* x, const float* cos, const float* sin, void* y, int64_t tokens, int64_t heads, int64_t size, int64_t turned, int64_t by_token,
    int64_t by_head, bool inverse, CUstream_st* stream);

// Dense, `count` elements each.
void silu_mul_forward(Type type, const void* gate, const void* up, void* y, int64_t count, CUstream_st* stream);
void silu_mul_backward(Type type, const void* dy, const void* gate, const void* up, void* dgate, void* dup, int64_t count, CUstream_st* stream);

// logits [rows, classes] dense, overwritten with weight * (softmax - onehot). A target outside the classes gives a loss that is no number.
void cross_entropy_in_place(
    Type type, void* logits, const int64_t* targets, const float* weights, float* losses, int64_t rows, int64_t classes, CUstream_st* stream);

// x, y [rows, width] dense: y = x * mask, or y += x * mask; see ../dropout.h.
void dropped(
    Type type, const void* x, const int64_t* keys, void* y, int64_t rows, int64_t width, int64_t module, uint32_t threshold, float keep, bool adds,
    CUstream_st* stream);

// x, y [tokens, heads * size] dense, gate [tokens, heads, size] with strides in elements; dgate is dense.
void sigmoid_mul_forward(
    Type type, const void* x, const void* gate, void* y, int64_t tokens, int64_t heads, int64_t size, int64_t by_token, int64_t by_head,
    CUstream_st* stream);
void sigmoid_mul_backward(
    Type type, const void* dy, const void* x, const void* gate, void* dx, void* dgate, int64_t tokens, int64_t heads, int64_t size, int64_t by_token,
    int64_t by_head, CUstream_st* stream);

// A matrix in 4 bits, ../four_bit.cpp, its scales in fp32.
struct FourBitWeight {
    const uint8_t* packed; // two codes to a byte
    const float *scales, *code;
    int64_t outputs, inputs, block;
};
constexpr int64_t most_four_bit_rows = 4;

// y [to - from, last - first] dense: a part of the matrix.
void four_bit_unpack(
    Type type, const FourBitWeight& weight, void* y, int64_t from, int64_t to, int64_t first, int64_t last, CUstream_st* stream);
// x [rows, inputs], y [rows, outputs] dense: x W^T + bias, which may be null. Only where they fit.
bool four_bit_rows_fit(Type type, const FourBitWeight& weight, const void* x, int64_t rows);
void four_bit_few_rows(Type type, const FourBitWeight& weight, const void* x, const void* bias, void* y, int64_t rows, CUstream_st* stream);

// a, b, g, beta [tokens, heads] dense; rate, step and their gradients [heads]. See ../gated_delta_gates.cpp.
void delta_gates_forward(
    const float* a, const float* b, const float* rate, const float* step, float* g, float* beta, int64_t tokens, int64_t heads, CUstream_st* stream);
void delta_gates_backward(
    const float* dg, const float* dbeta, const float* a, const float* rate, const float* step, const float* g, const float* beta, float* da, float* db,
    float* drate, float* dstep, int64_t tokens, int64_t heads, CUstream_st* stream);

// The short convolution of packed segments, ../short_convolution.cpp; boundaries [segments + 1] on the device.
struct Convolution {
    Type type;
    const void* x;       // [tokens, columns], rows `stride` elements apart
    const void* weight;  // [columns, length] dense
    const void* initial; // [segments, length - 1, columns] dense; null for zeros
    const int64_t* boundaries;
    int64_t tokens, columns, stride, length, segments;
};
constexpr int64_t longest_convolution = 4;
// y [tokens, columns] dense; last [segments, length - 1, columns], null where it is not wanted.
void convolution_forward(const Convolution& call, void* y, void* last, CUstream_st* stream);
// dy, dx [tokens, columns] dense; dweight as the weight. `sums` holds convolution_sums(...) floats.
int64_t convolution_sums(int64_t tokens, int64_t columns, int64_t length);
void convolution_backward(const Convolution& call, const void* dy, void* dx, void* dweight, float* sums, CUstream_st* stream);

// The gated delta rule, ../gated_delta.h, chunk by chunk; see delta_rule.cu. The numbers of a head lie side by side.
struct DeltaRule {
    Type type;
    const void *q, *k, *v;   // [tokens, key_heads or heads, keys or values], strides in elements
    const float *g, *beta;   // [tokens, heads] dense
    const float* initial;    // [segments, heads, keys, values] dense; null for zeros
    const int32_t* table;    // delta_table(boundaries) on the device
    int64_t tokens, segments, chunks, key_heads, heads, keys, values;
    int64_t q_token, q_head, k_token, k_head, v_token, v_head;
};
constexpr int64_t most_delta_keys = 256, delta_chunk = 64;

// Of each chunk its first token, its tokens and its segment; then the first chunk of each segment, and the number of chunks. Chunks count from the first token
// of a segment.
inline std::vector<int32_t> delta_table(const int64_t* boundaries, int64_t segments) {
    std::vector<int32_t> table, first;
    for (int64_t n = 0; n < segments; n++) {
        first.push_back(static_cast<int32_t>(table.size() / 3));
        for (auto from = boundaries[n]; from < boundaries[n + 1]; from += delta_chunk) {
            const auto left = boundaries[n + 1] - from;
            for (const auto x : {from, left < delta_chunk ? left : delta_chunk, n}) {
                table.push_back(static_cast<int32_t>(x));
            }
        }
    }
    first.push_back(static_cast<int32_t>(table.size() / 3));
    table.insert(table.end(), first.begin(), first.end());
    return table;
}

// How many key heads are worked on at once, which bounds the memory that both passes work in, and how many floats that is.
int64_t delta_heads_at_once(const DeltaRule& call);
int64_t delta_workspace(const DeltaRule& call, int64_t key_heads_at_once, bool backward);

// out [tokens, heads, values] dense; last [segments, heads, keys, values], null where it is not wanted.
void delta_rule_forward(const DeltaRule& call, int64_t key_heads_at_once, void* out, float* last, float* workspace, CUstream_st* stream);

// All dense. dlast may be null, and dinitial where it is not wanted.
struct DeltaGradients {
    const void* dout;
    const float* dlast;
    void *dq, *dk, *dv;
    float *dg, *dbeta, *dinitial;
};
void delta_rule_backward(const DeltaRule& call, int64_t key_heads_at_once, const DeltaGradients& to, float* workspace, CUstream_st* stream);

// Token by token from states [P, heads, keys, values], segment n with states[slots[n]], which it leaves as they are behind it. boundaries [segments + 1] and
// slots are on the device; the table, the initial states and the number of chunks are not looked at.
void delta_steps(const DeltaRule& call, const int64_t* boundaries, const int64_t* slots, float* states, void* out, CUstream_st* stream);

} // namespace fovea::cuda
