// cross_entropy_in_place, rotary and dropout against their formulas.
#include "buffers.h"

namespace check {
namespace {

const std::vector<int64_t> all_classes = {1, 2, 7, 8, 33, 100, 1024, 6400, 32'000, 32'001, 49'152, 122'753, 151'936, 152'064};
const std::vector<int64_t> few_classes = {1, 7, 8, 1000, 6401, 8192};

template <class T>
void loss_case(int64_t classes, int64_t shift, double scale, bool rough, uint64_t seed) {
    const auto type = type_of<T>;
    constexpr int64_t rows = 6;
    begin("cross_entropy of " + std::to_string(rows) + " x " + std::to_string(classes) + ", shift " + std::to_string(shift));
    Random random(seed + classes * 5 + shift);
    Buffer<T> logits(rows * classes, shift);
    Buffer<int64_t> targets(rows, 0);
    Buffer<float> weights(rows, shift), losses(rows, shift);
    logits.fill(random, scale);
    // The first and the last class, two outside, one that is nearly certain beside classes that are masked, and one that counts nothing.
    const int64_t ids[rows] = {0, classes - 1, -1, classes, classes / 2, classes / 3};
    for (int64_t r = 0; r < rows; r++) {
        targets[r] = ids[r];
        weights[r] = r == 5 ? 0 : static_cast<float>(0.1 + random.uniform());
    }
    for (int64_t i = 0; i < classes; i++) {
        put(i == ids[4] ? 30 : i % 3 == 0 ? -INFINITY : logits.at(4 * classes + i), logits[4 * classes + i]);
    }
    std::vector<double> of_loss(rows), of_gradient(rows * classes), may_loss(rows), may_gradient(rows * classes);
    for (int64_t r = 0; r < rows; r++) {
        const auto z = [&](int64_t i) { return logits.at(r * classes + i); };
        double top = -INFINITY, sum = 0, doubt = 0;
        for (int64_t i = 0; i < classes; i++) {
            top = std::max(top, z(i));
        }
        const auto exp_error = [&](double x) { return (rough ? 2 * (3 + 1.173 * std::fabs(x)) : 2 + std::fabs(x)) * ulp; };
        for (int64_t i = 0; i < classes; i++) {
            if (z(i) > -INFINITY) {
                const double term = std::exp(z(i) - top);
                sum += term;
                doubt += term * exp_error(z(i) - top);
            }
        }
        // The running maximum changes a few times, and each time the sum so far is multiplied by another exponential.
        const double of_sum = (doubt / sum + (16 + std::sqrt(static_cast<double>(classes))) * ulp) * (rough ? 4 : 2);
        const bool known = ids[r] >= 0 && ids[r] < classes;
        of_loss[r] = known ? std::log(sum) - (z(ids[r]) - top) : NAN;
        may_loss[r] = of_sum + 4 * ulp * (std::fabs(std::log(sum)) + (known ? std::fabs(z(ids[r]) - top) : 0) + 1);
        const double w = weights[r];
        for (int64_t i = 0; i < classes; i++) {
            const double share = z(i) > -INFINITY ? w * std::exp(z(i) - top) / sum : 0, hit = i == ids[r] ? w : 0;
            auto& may = may_gradient[r * classes + i];
            of_gradient[r * classes + i] = share - hit;
            may = share * (of_sum + (share > 0 ? exp_error(z(i) - top) : 0) + 4 * ulp) + 4 * ulp * hit + 1e-44;
            may += rounding(type, std::fabs(share - hit) + may);
        }
    }
    fovea::cuda::cross_entropy_in_place(type, logits.data(), targets.data(), weights.data(), losses.data(), rows, classes, nullptr);
    compare("cross_entropy losses", type, losses, of_loss, may_loss);
    compare("cross_entropy gradient", type, logits, of_gradient, may_gradient);
    unharmed("cross_entropy", type, targets, weights);
}

struct Layout {
    int64_t by_token, by_head, from, count;
};

// Dense; the middle third of a fused projection; heads with room behind each; tokens within heads.
Layout layout(int kind, int64_t tokens, int64_t heads, int64_t size) {
    Layout l{heads * size, size, 0, 0};
    switch (kind) {
        case 1: l = {3 * heads * size, size, heads * size, 0}; break;
        case 2: l = {heads * (size + 8), size + 8, 0, 0}; break;
        case 3: l = {size, tokens * size, 0, 0}; break;
        default: break;
    }
    l.count = l.from + (tokens - 1) * l.by_token + (heads - 1) * l.by_head + size;
    return l;
}

// Of each head the first `turned` values; 0 for all.
template <class T>
void rotary_case(int64_t tokens, int64_t heads, int64_t size, int kind, int64_t shift, int64_t of_angles, uint64_t seed, int64_t turned = 0) {
    const auto type = type_of<T>;
    turned = turned == 0 ? size : turned;
    begin(
        "rotary of " + std::to_string(tokens) + " x " + std::to_string(heads) + " x " + std::to_string(size) + ", " + std::to_string(turned)
        + " turned, layout " + std::to_string(kind) + ", shift " + std::to_string(shift));
    Random random(seed + tokens * 11 + heads * 13 + size * 17 + kind);
    const auto l = layout(kind, tokens, heads, size);
    Buffer<T> x(l.count, shift), y(tokens * heads * size, shift), back(tokens * heads * size, shift);
    Buffer<float> cos(tokens * turned, of_angles), sin(tokens * turned, of_angles);
    x.fill(random, 2);
    for (auto* result : {&y, &back}) {
        for (int64_t i = 0; i < result->count; i++) {
            put(0, (*result)[i]); // what is not turned is not written
        }
    }
    cos.fill(random, 0.6);
    sin.fill(random, 0.6);
    for (const bool inverse : {false, true}) {
        std::vector<double> expected(y.count), allowed(y.count);
        const auto half = turned / 2;
        for (int64_t at = 0; at < tokens * heads * half; at++) {
            const auto i = at % half, head = at / half % heads, token = at / half / heads;
            const auto from = l.from + token * l.by_token + head * l.by_head;
            const double a = x.at(from + i), b = x.at(from + i + half), sign = inverse ? -1 : 1;
            const auto c = [&](int64_t j) { return static_cast<double>(cos[token * turned + j]); };
            const auto s = [&](int64_t j) { return static_cast<double>(sin[token * turned + j]); };
            const double low = s(inverse ? i + half : i), high = s(inverse ? i : i + half);
            const auto to = (token * heads + head) * size + i;
            expected[to] = a * c(i) - sign * b * low;
            expected[to + half] = b * c(i + half) + sign * a * high;
            allowed[to] = (std::fabs(a * c(i)) + std::fabs(b * low)) * 3 * ulp;
            allowed[to + half] = (std::fabs(b * c(i + half)) + std::fabs(a * high)) * 3 * ulp;
        }
        for (int64_t i = 0; i < y.count; i++) {
            allowed[i] += rounding(type, std::fabs(expected[i]) + allowed[i]);
        }
        auto& result = inverse ? back : y;
        fovea::cuda::rotate(
            type, x.data() + l.from, cos.data(), sin.data(), result.data(), tokens, heads, size, turned, l.by_token, l.by_head, inverse,
            nullptr);
        compare(inverse ? "rotary inverse" : "rotary forward", type, result, expected, allowed);
    }
    unharmed("rotary", type, x, cos, sin);
}

uint64_t mix(uint64_t key, uint64_t counter) {
    uint64_t z = key + (counter + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

template <class T>
void dropout_case(int64_t rows, int64_t width, double probability, int64_t module, int64_t shift, uint64_t seed) {
    const auto type = type_of<T>;
    begin("dropout of " + std::to_string(rows) + " x " + std::to_string(width) + ", shift " + std::to_string(shift));
    Random random(seed + rows * 19 + width * 23 + module);
    Buffer<T> x(rows * width, shift), y(rows * width, shift), sum(rows * width, shift);
    Buffer<int64_t> keys(rows, 0);
    x.fill(random, 2);
    sum.fill(random, 2);
    for (int64_t r = 0; r < rows; r++) {
        keys[r] = static_cast<int64_t>(random.bits());
    }
    const auto threshold = static_cast<uint32_t>(probability * 4294967296.0);
    T keep;
    put(1 / (1 - probability), keep);
    std::vector<double> expected(x.count), of_sum(x.count), exact(x.count, 1e-300), may_sum(x.count);
    for (int64_t i = 0; i < x.count; i++) {
        const auto place = static_cast<uint64_t>(i % width);
        const auto bits = mix(mix(static_cast<uint64_t>(keys[i / width]), static_cast<uint64_t>(module)), place / 2 * 2);
        const auto own = static_cast<uint32_t>(place % 2 ? bits >> 32 : bits);
        const double product = own < threshold ? 0 : x.at(i) * value(keep);
        T rounded;
        put(product, rounded);
        expected[i] = value(rounded);
        of_sum[i] = sum.at(i) + product;
        may_sum[i] = 2 * ulp * (std::fabs(sum.at(i)) + std::fabs(product));
        may_sum[i] += rounding(type, std::fabs(of_sum[i]) + may_sum[i]);
    }
    fovea::cuda::dropped(
        type, x.data(), keys.data(), y.data(), rows, width, module, threshold, static_cast<float>(1 / (1 - probability)), false, nullptr);
    compare("dropout", type, y, expected, exact);
    fovea::cuda::dropped(
        type, x.data(), keys.data(), sum.data(), rows, width, module, threshold, static_cast<float>(1 / (1 - probability)), true, nullptr);
    compare("dropout onto a sum", type, sum, of_sum, may_sum);
    unharmed("dropout", type, x, keys);
}

// The mask that DropoutTests finds on the CPU for the same keys.
void known_mask() {
    begin("dropout of known keys");
    constexpr int64_t rows = 3, width = 37;
    Buffer<float> x(rows * width, 0), y(rows * width, 0);
    Buffer<int64_t> keys(rows, 0);
    std::fill_n(x.data(), x.count, 1.0f);
    keys[0] = 1, keys[1] = -1, keys[2] = 12345;
    fovea::cuda::dropped(Type::F32, x.data(), keys.data(), y.data(), rows, width, 7, static_cast<uint32_t>(0.1 * 4294967296.0), 1, false, nullptr);
    uint64_t hash = 0xcbf29ce484222325;
    for (int64_t i = 0; i < y.count; i++) {
        hash = (hash ^ (y[i] > 0)) * 0x100000001b3;
    }
    tally("dropout", Type::F32).checks++;
    if (hash != 0x59ef7490b49de0a9) {
        fail("dropout", Type::F32, "another mask than the CPU's");
    }
}

template <class T>
void losses_of(const Pass& pass) {
    for (const auto classes : pass.quick ? few_classes : all_classes) {
        for (const auto shift : {0, 1, 3}) {
            for (const auto scale : {4.0, 0.1}) {
                loss_case<T>(classes, shift, scale, pass.rough, pass.seed);
                if (pass.quick) {
                    break;
                }
            }
        }
    }
}

template <class T>
void rotaries_of(const Pass& pass) {
    const std::vector<int64_t> few = {2, 8, 12, 80, 128}, all = {2, 4, 6, 8, 10, 12, 16, 24, 32, 36, 48, 64, 72, 80, 96, 128, 160, 192, 256};
    for (const auto size : pass.quick ? few : all) {
        for (int kind = 0; kind < 4; kind++) {
            for (const auto& [shift, of_angles] : std::vector<std::pair<int64_t, int64_t>>{{0, 0}, {1, 0}, {3, 1}, {0, 1}, {0, 4}}) {
                rotary_case<T>(5, 3, size, kind, shift, of_angles, pass.seed);
                if (size % 8 == 0) {
                    rotary_case<T>(5, 3, size, kind, shift, of_angles, pass.seed, size / 4);
                }
                if (!pass.quick) {
                    rotary_case<T>(1, 1, size, kind, shift, of_angles, pass.seed);
                    rotary_case<T>(67, 7, size, kind, shift, of_angles, pass.seed);
                }
            }
        }
    }
    if (!pass.quick && !pass.rough && std::is_same_v<T, float>) {
        rotary_case<T>(40'001, 211, 4, 0, 1, 0, pass.seed); // 16.9 million pairs: more than one round of the largest grid
    }
}

template <class T>
void dropouts_of(const Pass& pass) {
    const std::vector<int64_t> few = {1, 8, 37, 1280}, all = {1, 2, 3, 7, 8, 9, 16, 33, 37, 80, 1280, 3584, 18944};
    for (const auto width : pass.quick ? few : all) {
        for (const auto shift : {0, 1, 3}) {
            for (const auto probability : {0.1, 0.0, 0.05, 0.5, 0.999}) {
                dropout_case<T>(5, width, probability, width + 100 * shift, shift, pass.seed);
            }
        }
    }
    if (!pass.quick && !pass.rough) {
        dropout_case<T>(4001, 4253, 0.1, 195, 1, pass.seed); // 17 million
    }
}

} // namespace

void cross_entropy(const Pass& pass) {
    losses_of<float>(pass);
    losses_of<__nv_bfloat16>(pass);
    losses_of<__half>(pass);
}

void rotary(const Pass& pass) {
    rotaries_of<float>(pass);
    rotaries_of<__nv_bfloat16>(pass);
    rotaries_of<__half>(pass);
}

void dropout(const Pass& pass) {
    known_mask();
    dropouts_of<float>(pass);
    dropouts_of<__nv_bfloat16>(pass);
    dropouts_of<__half>(pass);
}

} // namespace check
