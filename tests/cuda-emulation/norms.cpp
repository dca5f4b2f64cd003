// rms_norm and silu_mul against their formulas in double.
#include "buffers.h"

namespace check {
namespace {

const std::vector<int64_t> all_widths = {1,    2,    3,    5,    7,    8,    16,   31,   33,   64,   80,   100,  128,  384,   512,   768,   896,
                                         1024, 1152, 1176, 1280, 1536, 2048, 2304, 3420, 3584, 4096, 5120, 8192, 11008, 18944};
const std::vector<int64_t> few_widths = {1, 3, 8, 33, 80, 1280, 3584};

// `plus` is added to the weights.
template <class T>
void norm_case(int64_t rows, int64_t width, int64_t shift, double scale, float epsilon, uint64_t seed, float plus = 0) {
    const auto type = type_of<T>;
    begin("rms_norm of " + std::to_string(rows) + " x " + std::to_string(width) + ", shift " + std::to_string(shift));
    Random random(seed + rows * 131 + width * 7 + shift);
    Buffer<T> x(rows * width, shift), weight(width, shift), y(rows * width, shift), dy(rows * width, shift), dx(rows * width, shift);
    Buffer<float> scales(rows, shift);
    x.fill(random, scale);
    weight.fill(random, 1);
    dy.fill(random, 1);
    for (int64_t i = 0; i < width && rows > 1; i++) {
        put(0, x[i]); // a row of zeros
    }
    fovea::cuda::rms_norm_forward(type, x.data(), weight.data(), y.data(), scales.data(), rows, width, epsilon, plus, nullptr);
    std::vector<double> of_y(rows * width), of_scale(rows), of_dx(rows * width), may_y(rows * width), may_scale(rows), may_dx(rows * width);
    // Sums of as many terms as a thread meets, and of the threads.
    const double sums = (8 + std::sqrt(static_cast<double>(width))) * ulp;
    for (int64_t r = 0; r < rows; r++) {
        double squares = 0;
        for (int64_t i = 0; i < width; i++) {
            squares += x.at(r * width + i) * x.at(r * width + i);
        }
        of_scale[r] = 1 / std::sqrt(squares / width + static_cast<double>(epsilon));
        may_scale[r] = of_scale[r] * sums;
        for (int64_t i = r * width; i < (r + 1) * width; i++) {
            of_y[i] = x.at(i) * of_scale[r] * (weight.at(i - r * width) + plus);
            may_y[i] = std::fabs(of_y[i]) * (sums + 4 * ulp) + std::fabs(x.at(i)) * of_scale[r] * (std::fabs(weight.at(i - r * width)) + plus) * ulp;
            may_y[i] += rounding(type, std::fabs(of_y[i]) + may_y[i]);
        }
    }
    compare("rms_norm forward", type, y, of_y, may_y);
    compare("rms_norm scales", type, scales, of_scale, may_scale);
    for (int64_t r = 0; r < rows; r++) {
        put(of_scale[r], scales[r]);
        const double s = value(scales[r]);
        double dot = 0, size = 0;
        for (int64_t i = 0; i < width; i++) {
            const double term = dy.at(r * width + i) * (weight.at(i) + plus) * x.at(r * width + i);
            dot += term;
            size += std::fabs(term) + std::fabs(dy.at(r * width + i) * x.at(r * width + i)) * plus;
        }
        for (int64_t i = r * width; i < (r + 1) * width; i++) {
            const double u = dy.at(i) * (weight.at(i - r * width) + plus);
            of_dx[i] = s * (u - x.at(i) * s * s * dot / width);
            may_dx[i] = s * (std::fabs(u) + std::fabs(dy.at(i)) * plus + std::fabs(x.at(i)) * s * s * size / width) * (sums + 8 * ulp);
            may_dx[i] += rounding(type, std::fabs(of_dx[i]) + may_dx[i]);
        }
    }
    fovea::cuda::rms_norm_backward(type, dy.data(), x.data(), weight.data(), scales.data(), dx.data(), rows, width, plus, nullptr);
    compare("rms_norm backward", type, dx, of_dx, may_dx);
    unharmed("rms_norm", type, x, weight, dy, scales);
}

template <class T>
void gate_case(int64_t count, int64_t shift, double scale, bool rough, uint64_t seed) {
    const auto type = type_of<T>;
    begin("silu_mul of " + std::to_string(count) + ", shift " + std::to_string(shift));
    Random random(seed + count * 3 + shift);
    Buffer<T> gate(count, shift), up(count, shift), y(count, shift), dy(count, shift), dgate(count, shift), dup(count, shift);
    gate.fill(random, scale);
    up.fill(random, 1);
    dy.fill(random, 1);
    std::vector<double> of_y(count), of_gate(count), of_up(count), may_y(count), may_gate(count), may_up(count);
    constexpr double least = 1e-36; // where exp(-gate) has no number any more
    for (int64_t i = 0; i < count; i++) {
        const double g = gate.at(i), u = up.at(i), d = dy.at(i), s = 1 / (1 + std::exp(-g));
        const double few = (8 + (rough ? 2 * (3 + 1.173 * std::fabs(g)) : 2 + std::fabs(g))) * ulp;
        of_y[i] = g * s * u;
        may_y[i] = std::fabs(of_y[i]) * few + least;
        may_y[i] += rounding(type, std::fabs(of_y[i]) + may_y[i]);
        of_gate[i] = d * u * s * (1 + g * (1 - s));
        may_gate[i] = std::fabs(d * u * s) * (1 + std::fabs(g)) * few + least;
        may_gate[i] += rounding(type, std::fabs(of_gate[i]) + may_gate[i]);
        of_up[i] = d * g * s;
        may_up[i] = std::fabs(of_up[i]) * few + least;
        may_up[i] += rounding(type, std::fabs(of_up[i]) + may_up[i]);
    }
    fovea::cuda::silu_mul_forward(type, gate.data(), up.data(), y.data(), count, nullptr);
    compare("silu_mul forward", type, y, of_y, may_y);
    fovea::cuda::silu_mul_backward(type, dy.data(), gate.data(), up.data(), dgate.data(), dup.data(), count, nullptr);
    compare("silu_mul gradient of gate", type, dgate, of_gate, may_gate);
    compare("silu_mul gradient of up", type, dup, of_up, may_up);
    unharmed("silu_mul", type, gate, up, dy);
}

template <class T>
void norms_of(const Pass& pass) {
    for (const auto width : pass.quick ? few_widths : all_widths) {
        for (const auto shift : {0, 1, 3}) {
            for (const auto scale : {1.0, 0.01, 30.0}) {
                norm_case<T>(3, width, shift, scale, scale == 1 ? 1e-5f : 1e-6f, pass.seed);
                norm_case<T>(3, width, shift, scale, 1e-6f, pass.seed, 1);
                if (pass.quick) {
                    break;
                }
            }
        }
    }
}

template <class T>
void gates_of(const Pass& pass) {
    const std::vector<int64_t> few = {1, 7, 8, 257, 2048}, all = {1, 2, 7, 8, 9, 255, 256, 257, 1000, 4096, 18944, 2048 * 3 + 3, 100'000};
    for (const auto count : pass.quick ? few : all) {
        for (const auto shift : {0, 1, 3}) {
            gate_case<T>(count, shift, 3, pass.rough, pass.seed);
            gate_case<T>(count, shift, 30, pass.rough, pass.seed + 1);
        }
    }
    if (!pass.quick && !pass.rough) {
        gate_case<T>(17'000'001, 1, 3, pass.rough, pass.seed); // more than one round of the largest grid
    }
}

} // namespace

void rms_norm(const Pass& pass) {
    norms_of<float>(pass);
    norms_of<__nv_bfloat16>(pass);
    norms_of<__half>(pass);
}

void silu_mul(const Pass& pass) {
    gates_of<float>(pass);
    gates_of<__nv_bfloat16>(pass);
    gates_of<__half>(pass);
}

} // namespace check
