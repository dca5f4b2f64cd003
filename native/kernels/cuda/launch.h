// What the .cu files offer to register.cpp: plain pointers and a stream, no headers of libtorch, so that nvcc and its host compiler may be of any age.
#pragma once
#include <cstdint>

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

} // namespace fovea::cuda
