// What stands around a gated delta rule, and the gate of attention: sigmoid_mul, delta_gates and the short convolution against their formulas in double.
#include "buffers.h"

namespace check {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// A gate that lies beside queries, head by head, or side by side.
template <class T>
void open_case(int64_t tokens, int64_t heads, int64_t size, int64_t shift, int64_t gap, uint64_t seed) {
    const auto type = type_of<T>;
    begin("sigmoid_mul of " + std::to_string(tokens) + " x " + std::to_string(heads) + " x " + std::to_string(size) + ", shift " + std::to_string(shift)
        + ", gap " + std::to_string(gap));
    Random random(seed + size * 5 + shift + gap);
    const int64_t count = tokens * heads * size, by_head = size + gap, by_token = heads * by_head + gap;
    Buffer<T> x(count, shift), dy(count, shift), y(count, shift), dx(count, shift), dgate(count, shift), gate((tokens + 1) * by_token, shift);
    x.fill(random, 2);
    dy.fill(random, 1);
    gate.fill(random, 5);
    put(-100, gate[0]);
    put(100, gate[size > 1 ? 1 : 0]);
    std::vector<double> of_y(count), of_x(count), of_gate(count), may_y(count), may_x(count), may_gate(count);
    for (int64_t i = 0; i < count; i++) {
        const double g = gate.at(i / size / heads * by_token + i / size % heads * by_head + i % size), s = sigmoid(g), d = dy.at(i);
        const auto may = [&](double value, double terms) { return std::fabs(value) * terms * ulp + 1e-37 + rounding(type, std::fabs(value)); };
        of_y[i] = x.at(i) * s;
        of_x[i] = d * s;
        of_gate[i] = d * x.at(i) * s * sigmoid(-g);
        may_y[i] = may(of_y[i], 10);
        may_x[i] = may(of_x[i], 10);
        may_gate[i] = may(of_gate[i], 20);
    }
    fovea::cuda::sigmoid_mul_forward(type, x.data(), gate.data(), y.data(), tokens, heads, size, by_token, by_head, nullptr);
    compare("sigmoid_mul forward", type, y, of_y, may_y);
    fovea::cuda::sigmoid_mul_backward(type, dy.data(), x.data(), gate.data(), dx.data(), dgate.data(), tokens, heads, size, by_token, by_head, nullptr);
    compare("sigmoid_mul gradient of x", type, dx, of_x, may_x);
    compare("sigmoid_mul gradient of gate", type, dgate, of_gate, may_gate);
    unharmed("sigmoid_mul", type, x, dy, gate);
}

template <class T>
void opens_of(const Pass& pass) {
    const std::vector<int64_t> few = {1, 8, 20, 128}, all = {1, 2, 4, 5, 7, 8, 16, 20, 33, 64, 72, 128, 256};
    for (const auto size : pass.quick ? few : all) {
        for (const auto shift : {0, 1, 3}) {
            for (const auto gap : {0, 1, 8}) {
                open_case<T>(5, 3, size, shift, gap, pass.seed);
            }
        }
    }
}

void gate_case(int64_t tokens, int64_t heads, uint64_t seed) {
    constexpr auto type = Type::F32;
    begin("delta_gates of " + std::to_string(tokens) + " x " + std::to_string(heads));
    Random random(seed + tokens * 3 + heads);
    const auto count = tokens * heads;
    Buffer<float> a(count, 1), b(count, 0), rate(heads, 1), step(heads, 0), g(count, 1), beta(count, 0), dg(count, 1), dbeta(count, 0), da(count, 1);
    Buffer<float> db(count, 0);
    Buffer<float> drate(heads, 1), dstep(heads, 0);
    a.fill(random, 12);
    b.fill(random, 6);
    for (auto* x : {&rate, &step, &dg, &dbeta}) {
        x->fill(random, 1);
    }
    std::vector<double> of_g(count), of_beta(count), of_a(count), of_b(count), of_rate(heads), of_step(heads);
    std::vector<double> may_g(count), may_beta(count), may_a(count), may_b(count), may_rate(heads), may_step(heads);
    const double sums = (8 + std::sqrt(static_cast<double>(tokens))) * ulp;
    for (int64_t i = 0; i < count; i++) {
        const auto h = i % heads;
        const double x = a.at(i) + static_cast<double>(step.at(h)), factor = std::exp(rate.at(h)), s = sigmoid(x), y = sigmoid(b.at(i));
        of_g[i] = -factor * (x > 30 ? x : std::log1p(std::exp(x)));
        // What x is short of by its rounding, and log1p(exp) above 20.
        may_g[i] = factor * (8 * ulp * (std::fabs(x) + std::fabs(of_g[i] / factor)) * s + 16 * ulp * std::fabs(of_g[i] / factor) + (x > 20 ? 3e-9 : 0)) + 1e-37;
        of_beta[i] = y;
        may_beta[i] = 8 * ulp * y;
        of_a[i] = -dg.at(i) * factor * s;
        may_a[i] = std::fabs(of_a[i]) * (16 + 2 * std::fabs(x)) * ulp + 1e-37;
        of_b[i] = dbeta.at(i) * y * (1 - y);
        may_b[i] = std::fabs(dbeta.at(i)) * 8 * ulp * y;
        of_rate[h] += dg.at(i) * of_g[i];
        may_rate[h] += std::fabs(dg.at(i)) * (may_g[i] + std::fabs(of_g[i]) * sums);
        of_step[h] += of_a[i];
        may_step[h] += may_a[i] + std::fabs(of_a[i]) * sums;
    }
    fovea::cuda::delta_gates_forward(a.data(), b.data(), rate.data(), step.data(), g.data(), beta.data(), tokens, heads, nullptr);
    compare("delta_gates g", type, g, of_g, may_g);
    compare("delta_gates beta", type, beta, of_beta, may_beta);
    fovea::cuda::delta_gates_backward(
        dg.data(), dbeta.data(), a.data(), rate.data(), step.data(), g.data(), beta.data(), da.data(), db.data(), drate.data(), dstep.data(), tokens, heads,
        nullptr);
    compare("delta_gates gradient of a", type, da, of_a, may_a);
    compare("delta_gates gradient of b", type, db, of_b, may_b);
    compare("delta_gates gradient of rate", type, drate, of_rate, may_rate);
    compare("delta_gates gradient of step", type, dstep, of_step, may_step);
    unharmed("delta_gates", type, a, b, rate, step, dg, dbeta);
}

// Segments of a convolution, or what lies before them, are of one length each; `gap` is what rows lie apart.
template <class T>
void convolution_case(
    const std::vector<int64_t>& ends, int64_t columns, int64_t length, bool given, int64_t shift, int64_t gap, bool rough, uint64_t seed) {
    const auto type = type_of<T>;
    const int64_t tokens = ends.back(), segments = static_cast<int64_t>(ends.size()) - 1, stride = columns + gap, before = length - 1;
    begin("a convolution of " + std::to_string(tokens) + " x " + std::to_string(columns) + " in " + std::to_string(segments) + " segments, length "
        + std::to_string(length) + ", shift " + std::to_string(shift) + ", gap " + std::to_string(gap) + (given ? ", rows given" : ""));
    Random random(seed + tokens * 7 + columns * 3 + length);
    Buffer<T> x(tokens * stride, shift), weight(columns * length, shift), initial(segments * before * columns, shift), y(tokens * columns, shift);
    Buffer<T> dy(tokens * columns, shift), dx(tokens * columns, shift), dweight(columns * length, shift), last(segments * before * columns, shift);
    Buffer<int64_t> boundaries(segments + 1, 0);
    std::copy(ends.begin(), ends.end(), boundaries.data());
    x.fill(random, 1.5);
    weight.fill(random, 1);
    initial.fill(random, 1.5);
    dy.fill(random, 1);
    const auto sums_count = fovea::cuda::convolution_sums(tokens, columns, length);
    Buffer<float> sums(sums_count, 0);
    std::vector<double> of_y(y.count), may_y(y.count), of_x(y.count), may_x(y.count), of_w(weight.count), may_w(weight.count), of_last(last.count);
    for (int64_t n = 0; n < segments; n++) {
        const auto start = ends[n], stop = ends[n + 1];
        for (int64_t c = 0; c < columns; c++) {
            const auto row = [&](int64_t t) {
                return t >= start ? x.at(t * stride + c) : given ? initial.at((n * before + t - start + before) * columns + c) : 0.0;
            };
            const auto w = [&](int64_t i) { return weight.at(c * length + i); };
            for (int64_t i = 0; i < before; i++) {
                of_last[(n * before + i) * columns + c] = row(stop - before + i);
            }
            for (auto t = start; t < stop; t++) {
                double z = 0, size = 0;
                for (int64_t i = 0; i < length; i++) {
                    z += w(i) * row(t - before + i);
                    size += std::fabs(w(i) * row(t - before + i));
                }
                const double s = sigmoid(z), few = (4 + (rough ? 2 * (3 + 1.173 * std::fabs(z)) : 4 + std::fabs(z))) * ulp;
                const double of_z = length * ulp * size;
                of_y[t * columns + c] = z * s;
                const auto may = std::fabs(z * s) * few + of_z * 1.1 + 1e-36;
                may_y[t * columns + c] = may + rounding(type, std::fabs(z * s) + may);
                const double d = dy.at(t * columns + c), dz = d * (s + z * s * (1 - s));
                const double may_z = std::fabs(d) * (of_z + 2 * s * (1 + std::fabs(z)) * few) + 1e-36;
                for (int64_t i = 0; i < length; i++) {
                    const auto at = t - before + i;
                    if (at >= start) {
                        of_x[at * columns + c] += w(i) * dz;
                        may_x[at * columns + c] += std::fabs(w(i)) * (may_z + std::fabs(dz) * length * ulp);
                    }
                    of_w[c * length + i] += row(at) * dz;
                    may_w[c * length + i] += std::fabs(row(at)) * (may_z + std::fabs(dz) * (64 + tokens / 64.0) / 4 * ulp);
                }
            }
        }
    }
    for (int64_t i = 0; i < y.count; i++) {
        may_x[i] += rounding(type, std::fabs(of_x[i]) + may_x[i]);
    }
    for (int64_t i = 0; i < weight.count; i++) {
        may_w[i] += rounding(type, std::fabs(of_w[i]) + may_w[i]);
    }
    const fovea::cuda::Convolution call{
        type, x.data(), weight.data(), given ? initial.data() : nullptr, boundaries.data(), tokens, columns, stride, length, segments};
    fovea::cuda::convolution_forward(call, y.data(), last.data(), nullptr);
    compare("convolution forward", type, y, of_y, may_y);
    compare("convolution last rows", type, last, of_last, std::vector<double>(last.count, 1e-300));
    fovea::cuda::convolution_backward(call, dy.data(), dx.data(), dweight.data(), sums.data(), nullptr);
    compare("convolution gradient of x", type, dx, of_x, may_x);
    compare("convolution gradient of weight", type, dweight, of_w, may_w);
    unharmed("convolution", type, x, weight, initial, dy, boundaries, sums);
}

template <class T>
void convolutions_of(const Pass& pass) {
    const std::vector<std::vector<int64_t>> few = {{0, 1, 3, 40, 40, 57, 130}}, all = {
        {0, 1}, {0, 2, 5, 5, 9}, {0, 1, 3, 40, 40, 57, 130}, {0, 0, 63, 65, 128, 128}, {0, 64, 128, 192}, {0, 257}, {0, 15, 16, 17, 31, 33, 34, 99}};
    for (const auto& ends : pass.quick ? few : all) {
        for (const int64_t length : pass.quick ? std::vector<int64_t>{4, 1} : std::vector<int64_t>{1, 2, 3, 4}) {
            using Layout = std::tuple<int64_t, int64_t, int64_t>;
            for (const auto& [columns, shift, gap] : {Layout{12, 0, 0}, Layout{12, 0, 4}, Layout{12, 1, 0}, Layout{7, 0, 1}, Layout{16, 0, 3}}) {
                convolution_case<T>(ends, columns, length, true, shift, gap, pass.rough, pass.seed);
                convolution_case<T>(ends, columns, length, false, shift, gap, pass.rough, pass.seed);
            }
        }
    }
    if (!pass.quick) {
        convolution_case<T>({0, 700, 2000}, 1040, 4, false, 0, 0, pass.rough, pass.seed);
    }
}

} // namespace

void sigmoid_mul(const Pass& pass) {
    opens_of<float>(pass);
    opens_of<__nv_bfloat16>(pass);
    opens_of<__half>(pass);
}

void delta_gates(const Pass& pass) {
    const std::vector<int64_t> few = {1, 300}, all = {1, 2, 31, 255, 256, 257, 3000};
    for (const auto tokens : pass.quick ? few : all) {
        for (const auto heads : {1, 5, 32}) {
            gate_case(tokens, heads, pass.seed);
        }
    }
}

void convolution(const Pass& pass) {
    convolutions_of<float>(pass);
    convolutions_of<__nv_bfloat16>(pass);
    convolutions_of<__half>(pass);
}

} // namespace check
