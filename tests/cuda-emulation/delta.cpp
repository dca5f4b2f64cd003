// The gated delta rule against its recurrence in double, token by token, forward and back.
#include "buffers.h"

namespace check {
namespace {

using std::vector;

struct Shape {
    int64_t key_heads, heads, keys, values;
};

// A segment and a value head at a time: what goes in is read from here, what comes out is added or written.
struct Loops {
    Shape shape;
    vector<int64_t> ends;
    bool given;                                    // whether segments begin with `initial`
    vector<double> q, k, v, g, beta, initial;      // as the kernel's, q and k as they are given
    vector<double> out, last, dout, dlast;
    vector<double> dq, dk, dv, dg, dbeta, dinitial;

    double unit(const vector<double>& x, int64_t row, vector<double>& to, double scale) const {
        double squares = 1e-6;
        for (int64_t i = 0; i < shape.keys; i++) {
            squares += x[row * shape.keys + i] * x[row * shape.keys + i];
        }
        to.resize(shape.keys);
        for (int64_t i = 0; i < shape.keys; i++) {
            to[i] = x[row * shape.keys + i] * scale / std::sqrt(squares);
        }
        return scale / std::sqrt(squares);
    }

    // With y of length `scale`: dx += (dy - y (y dy) / scale^2) * scale / |x|.
    void back(const vector<double>& y, const vector<double>& dy, double factor, double scale, int64_t row, vector<double>& dx) const {
        double dot = 0;
        for (int64_t i = 0; i < shape.keys; i++) {
            dot += y[i] * dy[i];
        }
        for (int64_t i = 0; i < shape.keys; i++) {
            dx[row * shape.keys + i] += factor * (dy[i] - y[i] * dot / (scale * scale));
        }
    }

    void run(int64_t n, int64_t head) {
        const auto K = shape.keys, V = shape.values, key_head = head / (shape.heads / shape.key_heads), place = (n * shape.heads + head) * K * V;
        const double scale = 1 / std::sqrt(static_cast<double>(K));
        const auto tokens = ends[n + 1] - ends[n];
        vector<double> s(K * V);
        if (given) {
            std::copy_n(initial.begin() + place, K * V, s.begin());
        }
        vector<vector<double>> decayed(tokens), after(tokens), ds_of(tokens), qs(tokens), ks(tokens);
        vector<double> q_factor(tokens), k_factor(tokens);
        for (int64_t t = 0; t < tokens; t++) {
            const auto row = ends[n] + t, of_gate = row * shape.heads + head, of_value = of_gate * V;
            q_factor[t] = unit(q, row * shape.key_heads + key_head, qs[t], scale);
            k_factor[t] = unit(k, row * shape.key_heads + key_head, ks[t], 1);
            for (auto& x : s) {
                x *= std::exp(g[of_gate]);
            }
            decayed[t] = s;
            auto& d = ds_of[t];
            d.resize(V);
            for (int64_t c = 0; c < V; c++) {
                double read = 0;
                for (int64_t i = 0; i < K; i++) {
                    read += s[i * V + c] * ks[t][i];
                }
                d[c] = beta[of_gate] * (v[of_value + c] - read);
                for (int64_t i = 0; i < K; i++) {
                    s[i * V + c] += ks[t][i] * d[c];
                    out[of_value + c] += s[i * V + c] * qs[t][i];
                }
            }
            after[t] = s;
        }
        std::copy_n(s.begin(), K * V, last.begin() + place);
        vector<double> ds(dlast.begin() + place, dlast.begin() + place + K * V), of_q(K), of_k(K);
        for (auto t = tokens - 1; t >= 0; t--) {
            const auto row = ends[n] + t, of_gate = row * shape.heads + head, of_value = of_gate * V;
            std::fill(of_q.begin(), of_q.end(), 0);
            std::fill(of_k.begin(), of_k.end(), 0);
            double decay = 0;
            for (int64_t c = 0; c < V; c++) {
                double of_d = 0;
                for (int64_t i = 0; i < K; i++) {
                    ds[i * V + c] += qs[t][i] * dout[of_value + c];
                    of_q[i] += after[t][i * V + c] * dout[of_value + c];
                    of_k[i] += ds[i * V + c] * ds_of[t][c];
                    of_d += ds[i * V + c] * ks[t][i];
                }
                dv[of_value + c] += beta[of_gate] * of_d;
                double read = 0;
                for (int64_t i = 0; i < K; i++) {
                    read += decayed[t][i * V + c] * ks[t][i];
                }
                dbeta[of_gate] += of_d * (v[of_value + c] - read);
                for (int64_t i = 0; i < K; i++) {
                    of_k[i] -= decayed[t][i * V + c] * beta[of_gate] * of_d;
                    ds[i * V + c] -= ks[t][i] * beta[of_gate] * of_d;
                    decay += ds[i * V + c] * decayed[t][i * V + c];
                    ds[i * V + c] *= std::exp(g[of_gate]);
                }
            }
            dg[of_gate] = decay;
            back(qs[t], of_q, q_factor[t], scale, row * shape.key_heads + key_head, dq);
            back(ks[t], of_k, k_factor[t], 1, row * shape.key_heads + key_head, dk);
        }
        std::copy_n(ds.begin(), K * V, dinitial.begin() + place);
    }

    void run() {
        const auto like = [](const vector<double>& x, vector<double>& to) { to.assign(x.size(), 0); };
        like(v, out), like(initial, last), like(q, dq), like(k, dk), like(v, dv), like(g, dg), like(beta, dbeta), like(initial, dinitial);
        for (size_t n = 0; n + 1 < ends.size(); n++) {
            for (int64_t head = 0; head < shape.heads; head++) {
                run(static_cast<int64_t>(n), head);
            }
        }
    }
};

// What sums in fp32 may be short of, as a share of the largest number of a result, and of the number itself.
template <class T>
void close(const std::string& what, Type type, Buffer<T>& found, const vector<double>& expected, double units) {
    double most = 1e-30;
    for (const auto x : expected) {
        most = std::max(most, std::fabs(x));
    }
    vector<double> allowed(expected.size());
    for (size_t i = 0; i < expected.size(); i++) {
        allowed[i] = units * ulp * (most + std::fabs(expected[i]));
        allowed[i] += rounding(std::is_same_v<T, float> ? Type::F32 : type, std::fabs(expected[i]) + allowed[i]);
    }
    compare(what, type, found, expected, allowed);
}

enum class Decay { Usual, Strong };

// q, k and v lie in one row of a token, as a projection leaves them, `shift` elements past 16 bytes.
template <class T>
class Case {
public:
    Case(const Shape& shape, const vector<int64_t>& ends, bool given, Decay decay, int64_t shift, uint64_t seed)
        : s(shape), ends(ends), given(given), shift(shift), tokens(ends.back()), segments(static_cast<int64_t>(ends.size()) - 1), of_keys(s.key_heads * s.keys),
          stride(2 * of_keys + s.heads * s.values + 3), state(s.heads * s.keys * s.values), x(tokens * stride, shift), dout(tokens * s.heads * s.values, shift),
          g(tokens * s.heads, 1), beta(tokens * s.heads, 1), initial(segments * state, 1), dlast(segments * state, 1), boundaries(segments + 1, 0) {
        begin("a delta rule of " + std::to_string(tokens) + " tokens in " + std::to_string(segments) + " segments, " + std::to_string(s.key_heads) + " and "
            + std::to_string(s.heads) + " heads of " + std::to_string(s.keys) + " and " + std::to_string(s.values)
            + (given ? ", states given" : "") + (decay == Decay::Strong ? ", strong decay" : ""));
        Random random(seed + tokens * 3 + s.keys * 5 + s.values * 7 + s.heads);
        x.fill(random, 1);
        dout.fill(random, 1);
        initial.fill(random, 0.5);
        dlast.fill(random, 0.5);
        for (int64_t i = 0; i < g.count; i++) {
            const auto one = random.uniform(), kind = random.uniform();
            g[i] = static_cast<float>(decay == Decay::Usual ? -one * one : kind < 0.25 ? -1e4 : kind < 0.5 ? -90 : kind < 0.75 ? -1e-6 : 0);
            beta[i] = static_cast<float>(decay == Decay::Usual ? random.uniform() : std::floor(random.uniform() * 3) / 2);
        }
        for (int64_t t = 0; decay == Decay::Strong && t < tokens; t += 5) {
            for (int64_t i = 0; i < of_keys; i++) {
                put(0, x[t * stride + i]); // a query of zeros, and the next key
                put(0, x[std::min(t + 1, tokens - 1) * stride + of_keys + i]);
            }
        }
        std::copy(ends.begin(), ends.end(), boundaries.data());
        loops.shape = s, loops.ends = ends, loops.given = given;
        loops.q = rows(0, of_keys), loops.k = rows(of_keys, of_keys), loops.v = rows(2 * of_keys, s.heads * s.values);
        loops.g = all(g), loops.beta = all(beta), loops.initial = all(initial), loops.dout = all(dout), loops.dlast = all(dlast);
        loops.run();
        const auto numbers = fovea::cuda::delta_table(boundaries.data(), segments);
        table = std::make_unique<Buffer<int32_t>>(static_cast<int64_t>(numbers.size()), 1);
        std::copy(numbers.begin(), numbers.end(), table->data());
        call.type = type;
        call.q = x.data(), call.k = x.data() + of_keys, call.v = x.data() + 2 * of_keys;
        call.q_token = call.k_token = call.v_token = stride;
        call.q_head = call.k_head = s.keys, call.v_head = s.values;
        call.g = g.data(), call.beta = beta.data(), call.initial = given ? initial.data() : nullptr, call.table = table->data();
        call.tokens = tokens, call.segments = segments, call.chunks = (table->count - segments - 1) / 3;
        call.key_heads = s.key_heads, call.heads = s.heads, call.keys = s.keys, call.values = s.values;
    }

    void both_passes(int64_t at_once, bool ends_matter) {
        Buffer<T> out(dout.count, shift), dq(tokens * of_keys, shift), dk(tokens * of_keys, shift), dv(dout.count, shift);
        Buffer<float> last(segments * state, 1), dinitial(segments * state, 1), dg(g.count, 1), dbeta(g.count, 1);
        {
            Buffer<float> space(fovea::cuda::delta_workspace(call, at_once, false), 0);
            fovea::cuda::delta_rule_forward(call, at_once, out.data(), last.data(), space.data(), nullptr);
            unharmed("delta_rule", type, space);
        }
        close("delta_rule forward", type, out, loops.out, 30);
        close("delta_rule states", type, last, loops.last, 30);
        if (!ends_matter) {
            std::fill(loops.dlast.begin(), loops.dlast.end(), 0);
            loops.run();
        }
        Buffer<float> space(fovea::cuda::delta_workspace(call, at_once, true), 0);
        fovea::cuda::delta_rule_backward(
            call, at_once,
            {dout.data(), ends_matter ? dlast.data() : nullptr, dq.data(), dk.data(), dv.data(), dg.data(), dbeta.data(), given ? dinitial.data() : nullptr},
            space.data(), nullptr);
        close("delta_rule gradient of q", type, dq, loops.dq, 60);
        close("delta_rule gradient of k", type, dk, loops.dk, 60);
        close("delta_rule gradient of v", type, dv, loops.dv, 60);
        close("delta_rule gradient of g", type, dg, loops.dg, 60);
        close("delta_rule gradient of beta", type, dbeta, loops.dbeta, 60);
        if (given) {
            close("delta_rule gradient of states", type, dinitial, loops.dinitial, 60);
        }
        unharmed("delta_rule", type, x, dout, g, beta, initial, dlast, *table, space);
    }

    // From a pool of states, and the same bits when the tokens come in two passes.
    void steps() {
        Buffer<float> pool((segments + 1) * state, 1), again((segments + 1) * state, 1);
        Buffer<int64_t> slots(segments, 0), halves(segments + 1, 0);
        Buffer<T> out(dout.count, shift), parts(dout.count, shift);
        vector<double> of_pool(pool.count, 7);
        for (int64_t n = 0; n < segments; n++) {
            slots[n] = segments - n; // 0 belongs to nobody
            std::copy_n(loops.last.begin() + n * state, state, of_pool.begin() + slots[n] * state);
        }
        for (auto* p : {&pool, &again}) {
            std::fill_n(p->data(), p->count, 7.0f);
            for (int64_t n = 0; n < segments; n++) {
                std::fill_n(p->data() + slots[n] * state, state, 0.0f);
                if (given) {
                    std::copy_n(initial.data() + n * state, state, p->data() + slots[n] * state);
                }
            }
        }
        fovea::cuda::delta_steps(call, boundaries.data(), slots.data(), pool.data(), out.data(), nullptr);
        close("delta_steps", type, out, loops.out, 30);
        close("delta_steps states", type, pool, of_pool, 30);
        // The first tokens of all in the first pass: segment n's part of what is packed is a call of its own here.
        for (int64_t n = 0; n < segments; n++) {
            for (auto from = ends[n]; from < ends[n + 1];) {
                const auto end = std::min(ends[n + 1], from == ends[n] ? from + 1 : from + 50);
                halves[0] = from, halves[1] = end;
                auto one = call;
                one.segments = 1;
                fovea::cuda::delta_steps(one, halves.data(), slots.data() + n, again.data(), parts.data(), nullptr);
                from = end;
            }
        }
        tally("delta_steps", type).checks++;
        if (std::memcmp(out.data(), parts.data(), out.count * sizeof(T)) != 0 || std::memcmp(pool.data(), again.data(), pool.count * sizeof(float)) != 0) {
            fail("delta_steps", type, "tokens in parts have other bits");
        }
        unharmed("delta_steps", type, x, g, beta, boundaries, slots, halves, again, parts);
    }

private:
    vector<double> rows(int64_t from, int64_t count) {
        vector<double> to;
        for (int64_t t = 0; t < tokens; t++) {
            for (int64_t i = 0; i < count; i++) {
                to.push_back(x.at(t * stride + from + i));
            }
        }
        return to;
    }

    template <class B>
    static vector<double> all(B& buffer) {
        vector<double> to;
        for (int64_t i = 0; i < buffer.count; i++) {
            to.push_back(buffer.at(i));
        }
        return to;
    }

    static constexpr Type type = type_of<T>;
    const Shape s;
    const vector<int64_t> ends;
    const bool given;
    const int64_t shift, tokens, segments, of_keys, stride, state;
    Buffer<T> x, dout;
    Buffer<float> g, beta, initial, dlast;
    Buffer<int64_t> boundaries;
    std::unique_ptr<Buffer<int32_t>> table;
    Loops loops;
    fovea::cuda::DeltaRule call{};
};

template <class T>
void rules_of(const Pass& pass) {
    const auto check = [&](const Shape& shape, const vector<int64_t>& ends, bool given, Decay decay, int64_t at_once, int64_t shift) {
        Case<T> one(shape, ends, given, decay, shift, pass.seed);
        one.both_passes(at_once, given);
        one.steps();
    };
    check({2, 4, 16, 24}, {0, 1, 3, 68, 68, 132}, true, Decay::Usual, 1, 0);
    check({1, 2, 20, 9}, {0, 67}, false, Decay::Usual, 1, 1);
    if (pass.quick) {
        return;
    }
    check({3, 3, 8, 40}, {0, 0, 63, 65}, true, Decay::Usual, 2, 3);
    check({2, 2, 16, 24}, {0, 70, 160}, false, Decay::Strong, 2, 0);
    check({1, 3, 33, 70}, {0, 64, 129, 130}, true, Decay::Usual, 1, 1);
    check({1, 1, 2, 1}, {0, 5}, false, Decay::Usual, 1, 0);
    for (int64_t alignment = 1; alignment < 130; alignment += pass.rough ? 31 : 3) {
        check({1, 1, 4, 5}, {0, alignment, alignment + 66}, alignment % 2 == 0, Decay::Usual, 1, 0);
    }
    if (!pass.rough) {
        check({1, 2, 128, 128}, {0, 130}, true, Decay::Usual, 1, 0);
        check({1, 1, 256, 65}, {0, 70}, true, Decay::Usual, 1, 0);
        check({1, 1, 130, 33}, {0, 65}, false, Decay::Usual, 1, 0);
    }
}

void heads_at_once() {
    begin("heads at once");
    tally("delta_rule forward", Type::F32).checks++;
    const auto of = [](int64_t segments, int64_t key_heads, int64_t heads, int64_t values) {
        fovea::cuda::DeltaRule call{};
        call.segments = segments, call.key_heads = key_heads, call.heads = heads, call.values = values;
        return fovea::cuda::delta_heads_at_once(call);
    };
    // All where they are few, and parts of a size where a part has the blocks that a card wants.
    if (of(1, 16, 16, 128) != 16 || of(8, 16, 16, 128) != 4 || of(1, 16, 48, 128) != 16 || of(4, 16, 48, 128) != 4 || of(1000, 16, 16, 128) != 1
        || of(0, 2, 4, 8) != 2) {
        fail("delta_rule forward", Type::F32, "other heads at once than thought");
    }
    fovea::cuda::DeltaRule call{};
    call.tokens = 8192, call.segments = 1, call.chunks = 128, call.key_heads = 16, call.heads = 32, call.keys = call.values = 128;
    if (fovea::cuda::delta_workspace(call, fovea::cuda::delta_heads_at_once(call), true) != 302'776'320) { // what RecurrentOps.DeltaWorkspace counts
        fail("delta_rule forward", Type::F32, "another workspace than is planned with");
    }
}

} // namespace

void delta_rule(const Pass& pass) {
    heads_at_once();
    rules_of<float>(pass);
    rules_of<__nv_bfloat16>(pass);
    rules_of<__half>(pass);
}

} // namespace check
