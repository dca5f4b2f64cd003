// Weights in 4 bits on CUDA; see ../four_bit.cpp for the form. Their scales are in fp32 here.
#include "common.cuh"

namespace fovea::cuda {
namespace {

// A thread makes N neighbouring numbers of a row, which begin with a byte and share a scale.
template <class T, int N>
__global__ void unpack_kernel(
    const uint8_t* packed, const float* scales, const float* code, T* y, int64_t inputs, int64_t block, int64_t from, int64_t first, int64_t rows,
    int64_t columns) {
    const int64_t packs = columns / N, all = rows * packs;
    for (int64_t at = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; at < all; at += static_cast<int64_t>(gridDim.x) * blockDim.x) {
        const int64_t row = at / packs, pack = at % packs, i = (from + row) * inputs + first + pack * N;
        const float scale = scales[i / block];
        Pack<T, N> value;
        if constexpr (N == 1) {
            narrow(code[(packed[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 15] * scale, &value.at[0]);
        } else {
            const auto bytes = load<uint8_t, N / 2>(packed, i / N);
#pragma unroll
            for (int j = 0; j < N; j++) {
                narrow(code[(bytes.at[j / 2] >> (j % 2 == 0 ? 4 : 0)) & 15] * scale, &value.at[j]);
            }
        }
        store<T, N>(y + row * columns, pack, value);
    }
}

constexpr int run = 8; // numbers that a lane unpacks at a time

// A warp makes one output of all rows: its lanes take turns along the row of the weight, which is read once and never written down.
template <class T>
__global__ void few_rows_kernel(
    const T* x, const uint8_t* packed, const float* scales, const float* code, const T* bias, T* y, int rows, int64_t outputs, int64_t inputs,
    int64_t block) {
    constexpr int n = vector_of<T>;
    __shared__ float table[16];
    if (threadIdx.x < 16) {
        table[threadIdx.x] = code[threadIdx.x];
    }
    __syncthreads(); // the table is there
    const int64_t warps = blockDim.x / warp;
    const int lane = static_cast<int>(threadIdx.x) % warp;
    for (int64_t output = blockIdx.x * warps + threadIdx.x / warp; output < outputs; output += gridDim.x * warps) {
        float sums[most_four_bit_rows] = {};
        for (int64_t at = lane * run; at < inputs; at += warp * run) {
            const int64_t i = output * inputs + at;
            const auto bytes = load<uint8_t, run / 2>(packed, i / run);
            const float scale = scales[i / block];
            float weights[run];
#pragma unroll
            for (int j = 0; j < run; j++) {
                T rounded; // as a product with the unpacked matrix sees it
                narrow(table[(bytes.at[j / 2] >> (j % 2 == 0 ? 4 : 0)) & 15] * scale, &rounded);
                weights[j] = widen(rounded);
            }
            for (int row = 0; row < rows; row++) {
#pragma unroll
                for (int part = 0; part < run / n; part++) {
                    const auto values = load<T, n>(x + row * inputs + at, part);
#pragma unroll
                    for (int j = 0; j < n; j++) {
                        sums[row] += weights[part * n + j] * widen(values.at[j]);
                    }
                }
            }
        }
        for (int row = 0; row < rows; row++) {
            float sum = sums[row];
            for (int offset = warp / 2; offset > 0; offset /= 2) {
                sum += __shfl_xor_sync(0xffffffffu, sum, offset);
            }
            if (lane == 0) {
                narrow(bias == nullptr ? sum : sum + widen(bias[output]), y + row * outputs + output);
            }
        }
    }
}

} // namespace

void four_bit_unpack(
    Type type, const FourBitWeight& weight, void* y, int64_t from, int64_t to, int64_t first, int64_t last, CUstream_st* stream) {
    by_type(type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        constexpr int threads = 256, n = vector_of<T>;
        const auto rows = to - from, columns = last - first;
        const auto launch = [&](auto kernel, int pack) {
            kernel<<<blocks_for(rows * (columns / pack), threads), threads, 0, stream>>>(
                weight.packed, weight.scales, weight.code, static_cast<T*>(y), weight.inputs, weight.block, from, first, rows, columns);
        };
        const bool packs = fits<T, n>(columns, y) && fits<uint8_t, n / 2>(0, weight.packed) && weight.inputs % n == 0 && first % n == 0
            && weight.block % n == 0;
        packs ? launch(unpack_kernel<T, n>, n) : launch(unpack_kernel<T, 1>, 1);
    });
}

bool four_bit_rows_fit(Type type, const FourBitWeight& weight, const void* x, int64_t rows) {
    bool fit = false;
    by_type(type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        fit = fits<T, vector_of<T>>(0, x) && fits<uint8_t, run / 2>(0, weight.packed);
    });
    return fit && rows <= most_four_bit_rows && weight.inputs % run == 0 && weight.block % run == 0;
}

void four_bit_few_rows(Type type, const FourBitWeight& weight, const void* x, const void* bias, void* y, int64_t rows, CUstream_st* stream) {
    by_type(type, [&](auto* element) {
        using T = std::remove_pointer_t<decltype(element)>;
        constexpr int threads = 128;
        const auto kernel = few_rows_kernel<T>;
        kernel<<<blocks_for(weight.outputs * warp, threads), threads, 0, stream>>>(
            static_cast<const T*>(x), weight.packed, weight.scales, weight.code, static_cast<const T*>(bias), static_cast<T*>(y), static_cast<int>(rows),
            weight.outputs, weight.inputs, weight.block);
    });
}

} // namespace fovea::cuda
