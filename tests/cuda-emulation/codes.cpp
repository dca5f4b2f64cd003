// Weights in 4 bits against their formula.
#include "buffers.h"

#include <tuple>

namespace check {
namespace {

// What a number rounded to the type is.
template <class T>
double rounded(float x) {
    T to;
    put(x, to);
    return value(to);
}

template <class T>
void four_bit_case(int64_t outputs, int64_t inputs, int64_t block, int64_t rows, int64_t shift, uint64_t seed) {
    const auto type = type_of<T>;
    begin("four_bit " + std::to_string(rows) + " x " + std::to_string(outputs) + " x " + std::to_string(inputs) + " in blocks of " + std::to_string(block)
        + ", shift " + std::to_string(shift));
    Random random(seed + outputs * 7 + inputs * 11 + block * 13 + rows * 17 + shift);
    const auto count = outputs * inputs;
    Buffer<uint8_t> packed((count + 3) / 4 * 2, 2 * shift); // of bytes an even number, for the marks beside them
    Buffer<float> scales((count + block - 1) / block, shift), code(16, shift);
    for (int64_t i = 0; i < packed.count; i++) {
        packed[i] = static_cast<uint8_t>(random.bits());
    }
    scales.fill(random, 0.3);
    code.fill(random, 0.5);
    const fovea::cuda::FourBitWeight weight{packed.data(), scales.data(), code.data(), outputs, inputs, block};
    const auto number = [&](int64_t i) {
        const int place = i % 2 == 0 ? packed[i / 2] >> 4 : packed[i / 2] & 15;
        return code[place] * scales[i / block];
    };

    const int64_t parts[][4] = {{0, outputs, 0, inputs}, {outputs / 3, outputs, 0, inputs}, {0, outputs, inputs / 8 * 4, inputs}, {0, 1, inputs - 1, inputs}};
    for (const auto& [from, to, first, last] : parts) {
        Buffer<T> y((to - from) * (last - first), shift);
        fovea::cuda::four_bit_unpack(type, weight, y.data(), from, to, first, last, nullptr);
        std::vector<double> expected, allowed;
        for (auto row = from; row < to; row++) {
            for (auto column = first; column < last; column++) {
                expected.push_back(rounded<T>(number(row * inputs + column)));
                allowed.push_back(1e-300); // no rounding but that to the type
            }
        }
        compare("four_bit unpacked", type, y, expected, allowed);
    }

    Buffer<T> x(rows * inputs, shift), bias(outputs, shift);
    x.fill(random, 1);
    bias.fill(random, 1);
    if (fovea::cuda::four_bit_rows_fit(type, weight, x.data(), rows)) {
        for (const bool adds : {false, true}) {
            Buffer<T> y(rows * outputs, shift);
            fovea::cuda::four_bit_few_rows(type, weight, x.data(), adds ? bias.data() : nullptr, y.data(), rows, nullptr);
            std::vector<double> expected, allowed;
            for (int64_t row = 0; row < rows; row++) {
                for (int64_t output = 0; output < outputs; output++) {
                    double sum = adds ? bias.at(output) : 0, sizes = std::fabs(sum);
                    for (int64_t i = 0; i < inputs; i++) {
                        const double term = rounded<T>(number(output * inputs + i)) * x.at(row * inputs + i);
                        sum += term;
                        sizes += std::fabs(term);
                    }
                    expected.push_back(sum);
                    allowed.push_back((inputs / 32 + 8) * ulp * sizes + rounding(type, sum));
                }
            }
            compare("four_bit few rows", type, y, expected, allowed);
        }
    }
    unharmed("four_bit", type, packed, scales, code, x, bias);
}

template <class T>
void four_bits_of(const Pass& pass) {
    for (const auto& [outputs, inputs, block] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{
             {3, 64, 64}, {5, 65, 64}, {7, 96, 64}, {9, 264, 32}, {33, 40, 128}, {4, 13, 64}, {70, 512, 4096}}) {
        for (const int64_t rows : {1, 3, 4}) {
            four_bit_case<T>(outputs, inputs, block, rows, 0, pass.seed);
            four_bit_case<T>(outputs, inputs, block, rows, 1, pass.seed);
        }
    }
    if (!pass.quick) {
        four_bit_case<T>(601, 3584, 64, 2, 0, pass.seed);
        if (!pass.rough) {
            four_bit_case<T>(4099, 4099, 64, 1, 0, pass.seed); // 16.8 million numbers: more than one round of the largest grid
        }
    }
}

} // namespace

void four_bit(const Pass& pass) {
    four_bits_of<float>(pass);
    four_bits_of<__nv_bfloat16>(pass);
    four_bits_of<__half>(pass);
}

} // namespace check
